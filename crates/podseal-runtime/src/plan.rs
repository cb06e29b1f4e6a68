//! The seals of services on this host: which file has to become what, and what
//! stands against it.
//!
//! What a seal says and refuses is decided in [`podseal_core::plan`].

mod apply;
mod mend;
mod run_as;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use podseal_core::audit::subject::{Set, Subject};
use podseal_core::audit::{Finding, Severity, audit};
use podseal_core::plan::header::{Found, hash, read};
use podseal_core::plan::refusal::{Judge, Refusal, of_container, of_findings, udp_sockets};
use podseal_core::plan::verify::undone;
use podseal_core::plan::{self, DROP_IN, GivenUp, PROFILE, Sealing, drop_in};
use podseal_core::policy::level::Level;
use podseal_core::unit::effective::service::Service;
use podseal_core::unit::effective::view::View;
use podseal_core::unit::name::{NameKind, UnitName, UnitType};

use crate::account::AccountError;
use crate::audit::with_files;
use crate::container_profile::ProfileError;
use crate::host::User;
use crate::install::{Change, Contents};
use crate::podman::PodmanError;
use crate::units::{Target, Unit, UnitError, Units};

pub use apply::{ApplyError, apply};
pub use mend::{Mend, Mended, mends};

/// What is wanted of seals.
#[derive(Debug, Clone)]
pub struct Request {
    /// The level.
    pub level: Level,
    /// What is given up of it.
    pub given_up: GivenUp,
    /// Whether containers may call connect(2) in spite of level strict.
    pub allow_connect: bool,
    /// The absolute path of podseal, as the units will have it.
    pub podseal: String,
    /// Whether a drop-in that podseal did not write, or that was edited, is
    /// replaced.
    pub force: bool,
}

/// What is to be done for one service.
#[derive(Debug)]
pub struct Planned {
    /// The service, by its own name.
    pub unit: UnitName,
    /// Whether it was named, and not given as a file: then a manager has it.
    pub is_named: bool,
    /// The `.container` file that it is made of.
    pub quadlet: Option<PathBuf>,
    /// What was in the drop-in's place.
    pub before: Option<String>,
    /// What becomes of it; nothing is to be done where it is as before.
    pub change: Change,
    /// The same for the container's seccomp profile, which level strict has
    /// beside the drop-in.
    pub profile: Option<Profile>,
    /// What stands against it. Nothing may be changed then.
    pub refusals: Vec<Refusal>,
    /// What should be known.
    pub warnings: Vec<Finding>,
    /// The user other than root as whom the system's manager starts the service.
    pub user: Option<User>,
}

/// A file beside the drop-in.
#[derive(Debug)]
pub struct Profile {
    /// What was in its place.
    pub before: Option<String>,
    /// What becomes of it.
    pub change: Change,
}

impl Planned {
    /// Whether everything is already what it is to become.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.files()
            .all(|(before, change)| before.as_deref() == change.text())
    }

    /// What each file was, and what becomes of it. The drop-in comes last, so
    /// that it never names what is not there yet.
    pub fn files(&self) -> impl Iterator<Item = (&Option<String>, &Change)> {
        let profile = self.profile.iter().map(|file| (&file.before, &file.change));
        profile.chain([(&self.before, &self.change)])
    }

    /// The drop-in's text, if it is to be there.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.change.text()
    }
}

/// Why a plan cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A unit cannot be read.
    #[error(transparent)]
    Unit(#[from] UnitError),
    /// Sockets are not sealed; their services are.
    #[error("{unit} is a socket unit: it is its service that is sealed")]
    Socket {
        /// The socket unit.
        unit: UnitName,
    },
    /// A `.container` file of which systemd has no service.
    #[error("systemd has no service made of {file}")]
    NotGenerated {
        /// The file as it was named.
        file: String,
    },
    /// What is in the place of the drop-in cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Podman cannot run as the service's user.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// There is no Podman to ask.
    #[error(transparent)]
    Podman(#[from] PodmanError),
    /// There is no seccomp profile for the container.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// podseal did not write the drop-in.
    #[error("podseal did not write {}", path.display())]
    Foreign {
        /// Its path.
        path: PathBuf,
    },
    /// podseal wrote it, and somebody changed it.
    #[error("{} was edited since podseal wrote it", path.display())]
    Edited {
        /// Its path.
        path: PathBuf,
    },
}

impl PlanError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Unit(error) => error.hint(),
            Self::Account(error) => error.hint(),
            Self::Podman(error) => error.hint(),
            Self::Profile(error) => error.hint(),
            Self::Socket { unit } => format!("name the service, such as {}.service", unit.stem()),
            Self::NotGenerated { .. } => {
                "put it where Podman looks, such as ~/.config/containers/systemd, and see to it that no unit file has the service's name".into()
            }
            Self::Read { .. } => "check that it is a text file that you may read".into(),
            Self::Foreign { .. } => {
                "move it away; --force lets `podseal seal` write over it".into()
            }
            Self::Edited { .. } => {
                "move your changes to a drop-in of another name, and use --force".into()
            }
        }
    }
}

/// Reads an argument, and says which service it is. Other than to be shown, a
/// template may be sealed.
fn target(units: &Units, argument: &str) -> Result<(Target, UnitName), PlanError> {
    let target = match Target::parse(argument) {
        Err(UnitError::Template { unit }) => Target::Name(unit),
        Ok(file @ (Target::Quadlet(_) | Target::QuadletFile(_))) => {
            Target::Name(made_of(units, argument, &file)?)
        }
        other => other?,
    };
    let (Target::Name(unit) | Target::File { unit, .. }) = &target else {
        let file = argument.to_owned();
        return Err(PlanError::NotGenerated { file });
    };
    let unit = unit.clone();
    match unit.unit_type() {
        UnitType::Socket => Err(PlanError::Socket { unit }),
        _ => Ok((target, unit)),
    }
}

/// The service that systemd has of a `.container` file.
fn made_of(units: &Units, argument: &str, file: &Target) -> Result<UnitName, PlanError> {
    let not_generated = || PlanError::NotGenerated {
        file: argument.to_owned(),
    };
    let wanted = units.read(file)?.view;
    let unit = wanted.unit().clone();
    let there = match units.read(&Target::Name(unit.clone())) {
        Err(UnitError::NotFound { .. }) => return Err(not_generated()),
        there => there?.view,
    };
    // The same file, by whatever path.
    let path = |view| fs::canonicalize(source(view)?).ok();
    match (path(&wanted), path(&there)) {
        (Some(wanted), Some(there)) if wanted == there => Ok(unit),
        _ => Err(not_generated()),
    }
}

/// The path of the `.container` file that a service is made of.
fn source(view: &View) -> Option<&str> {
    match view {
        View::Service(service) => Some(&service.quadlet.as_ref()?.source),
        View::NotGenerated(service) => Some(&service.fragment),
        View::Socket(_) | View::Masked(_) => None,
    }
}

/// Where a file of podseal's for a service belongs, and what is there.
pub(crate) fn existing(
    units: &Units,
    unit: &UnitName,
    file: &str,
) -> Result<(String, Option<String>), PlanError> {
    let path = format!("{}/{unit}.d/{file}", units.config_directory());
    let text = text_of(path.as_ref())?;
    Ok((path, text))
}

/// The text of a file that may not be there.
fn text_of(path: &Path) -> Result<Option<String>, PlanError> {
    // Reading a pipe would wait for its other end.
    if fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(PlanError::Foreign { path: path.into() });
    }
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(source) => {
            let path = path.into();
            Err(PlanError::Read { path, source })
        }
    }
}

/// Plans the seal of the service that an argument names.
///
/// # Errors
/// It cannot be read, or the drop-in's place is taken.
pub fn seal(units: &Units, argument: &str, request: &Request) -> Result<Planned, PlanError> {
    let (target, _) = target(units, argument)?;
    let units = units.around(&target)?;
    let unit = units.read(&target)?.view.unit().clone();
    let (path, before) = existing(&units, &unit, DROP_IN)?;
    let found = before.as_deref().map(read);
    match found {
        _ if request.force => {}
        Some(Found::Foreign) => return Err(PlanError::Foreign { path: path.into() }),
        Some(Found::Edited) => return Err(PlanError::Edited { path: path.into() }),
        Some(Found::Ours(_)) | None => {}
    }
    let is_template = unit.kind() == NameKind::Template;
    // Specifiers such as %i have values in an instance only, and a number will
    // do for most of them, a port included.
    let judged = match unit.with_instance("1") {
        Ok(instance) if is_template => Target::Name(instance),
        _ => target.clone(),
    };
    let without = units.supposing(&path, None);
    let base = without.read(&judged)?;
    let is_named = matches!(target, Target::Name(_));
    let of_user = run_as::of_user(&base.view, &unit, is_named, request)?;
    let made = of_user.profile;
    let profile = profile(&units, &unit, found, made.clone(), request.force)?;
    let mut plan = Planned {
        unit,
        is_named,
        quadlet: source(&base.view).map(PathBuf::from),
        before,
        change: Change {
            path: path.clone().into(),
            contents: None,
        },
        profile,
        refusals: Vec::new(),
        warnings: Vec::new(),
        user: None,
    };
    let (as_written, judge) = findings(&without, &base, is_template, request)?;
    let View::Service(service) = &base.view else {
        plan.judge(as_written, &judge);
        return Ok(plan);
    };
    if of_user.refusal.is_some() {
        plan.refusals.extend(of_user.refusal);
        return Ok(plan);
    }
    let profile_path = beside(&path);
    let sealing = Sealing {
        service,
        unit: &plan.unit.clone(),
        level: request.level,
        given_up: request.given_up,
        allow_connect: request.allow_connect,
        profile: made.as_deref().map(|text| plan::Profile {
            path: &profile_path,
            text,
        }),
        podseal: &request.podseal,
    };
    match drop_in(&sealing) {
        Err(refusals) => {
            plan.judge(as_written, &judge);
            plan.refusals.extend(refusals);
        }
        Ok(text) => {
            let with = units.supposing(&path, Some(&text));
            let sealed = with.read(&judged)?;
            let (mut found, judge) = findings(&with, &sealed, is_template, request)?;
            point_to_the_first(&mut found, &as_written, &path);
            plan.judge(found, &judge);
            plan.refusals.extend(of_container(&sealing));
            if let View::Service(sealed) = &sealed.view {
                plan.refusals.extend(undone(&sealing, sealed, &path));
            }
            plan.change.contents = Some(Contents::Text(text));
        }
    }
    if plan.is_named && plan.refusals.is_empty() {
        // A file may be for another host.
        let user = run_as::user(service, &request.podseal)?;
        if let Some(error) = of_user.error {
            return Err(error);
        }
        plan.refusals.extend(
            user.as_ref()
                .and_then(|user| run_as::elsewhere(service, user)),
        );
        plan.user = user.map(|account| account.user);
    }
    plan.refusals
        .dedup_by(|a, b| (a.id, &a.origin) == (b.id, &b.origin));
    for refusal in &mut plan.refusals {
        say_how_to_pin(refusal, service);
    }
    Ok(plan)
}

/// What is found in a line that the drop-in repeats is to be mended in the first.
fn point_to_the_first(found: &mut [Finding], as_written: &[Finding], drop_in: &str) {
    for finding in found {
        let is_repeated = |f: &&Finding| f.rule == finding.rule && f.message == finding.message;
        let span = finding.span.as_ref();
        if span.is_some_and(|span| *span.origin.file == *drop_in)
            && let Some(first) = as_written.iter().find(is_repeated)
        {
            finding.span = first.span.clone();
        }
    }
}

/// Puts an image's digest into the fix, where the service's Podman knows it.
fn say_how_to_pin(refusal: &mut Refusal, service: &Service) {
    let podman = refusal
        .image
        .as_ref()
        .and_then(|_| run_as::podman(service).ok());
    if let (Some(image), Some(podman)) = (&refusal.image, podman)
        && let Ok(pinned) = podman.pinned(image)
    {
        refusal.fix = format!("name it {pinned}");
    }
}

/// The path of the profile beside a drop-in.
fn beside(drop_in: &str) -> String {
    let directory = drop_in.strip_suffix(DROP_IN).unwrap_or_default();
    format!("{directory}{PROFILE}")
}

/// What becomes of the profile beside the drop-in: podseal's own is known by
/// its hash in the drop-in, and anything else is somebody's.
fn profile(
    units: &Units,
    unit: &UnitName,
    drop_in: Option<Found>,
    wanted: Option<String>,
    force: bool,
) -> Result<Option<Profile>, PlanError> {
    let (path, before) = existing(units, unit, PROFILE)?;
    let path = PathBuf::from(path);
    let known = match drop_in {
        Some(Found::Ours(made)) => made.profile,
        Some(Found::Edited | Found::Foreign) | None => None,
    };
    let hash = before.as_deref().map(hash);
    if !force && hash.is_some() && hash != known {
        // Without a seal that has one it is none of ours, and in nobody's way.
        return match (&wanted, known) {
            (None, None) => Ok(None),
            (_, Some(_)) => Err(PlanError::Edited { path }),
            (Some(_), None) => Err(PlanError::Foreign { path }),
        };
    }
    let change = Change {
        path,
        contents: wanted.map(Contents::Text),
    };
    let is_concerned = before.is_some() || change.contents.is_some();
    Ok(is_concerned.then_some(Profile { before, change }))
}

impl Planned {
    fn judge(&mut self, findings: Vec<Finding>, judge: &Judge) {
        self.refusals.extend(of_findings(&findings, judge));
        let others = findings.into_iter().filter(|finding| {
            finding.counts()
                && finding.rule.severity >= Severity::Warning
                && !judge.is_against(finding)
        });
        self.warnings.extend(others);
    }
}

/// Holds a service and its sockets against the rules. Of a template's sockets
/// only what is known of every instance counts.
fn findings(
    units: &Units,
    unit: &Unit,
    is_template: bool,
    request: &Request,
) -> Result<(Vec<Finding>, Judge), PlanError> {
    let set = set(units, unit)?;
    let concerned = |finding: &Finding| match set.get(&finding.unit).map(Subject::view) {
        Some(View::Socket(socket)) => {
            let is_of_instance = matches!(finding.rule.id, "unit-refused" | "setting-ignored");
            is_of(&unit.view, &socket.service) && !(is_template && is_of_instance)
        }
        _ => finding.unit == *unit.view.unit(),
    };
    let findings = audit(&set).into_iter().filter(concerned).collect();
    let sockets = set
        .subjects()
        .iter()
        .filter_map(|subject| match subject.view() {
            View::Socket(socket) if request.given_up.udp => Some(socket),
            _ => None,
        });
    let judge = Judge {
        level: request.level,
        accepted_udp: sockets
            .flat_map(|socket| udp_sockets(socket).cloned())
            .collect(),
    };
    Ok((findings, judge))
}

/// Whether a socket starts this service. With `Accept=yes` it starts instances
/// of a template.
fn is_of(view: &View, service: &UnitName) -> bool {
    view.unit() == service || view.unit().template().is_ok_and(|of| of == *service)
}

/// A service with the units that belong to it.
fn set(units: &Units, unit: &Unit) -> Result<Set, PlanError> {
    let subject = subject(units, unit.clone())?.named();
    let needed: BTreeSet<UnitName> = subject.partners().into_iter().collect();
    let own = subject.unit().clone();
    let mut names = needed.clone();
    let sockets = units.names()?.into_iter();
    // A template starts nothing; the service's own instance of it is a partner.
    names.extend(
        sockets.filter(|name| {
            name.unit_type() == UnitType::Socket && name.kind() != NameKind::Template
        }),
    );
    names.remove(&own);
    let mut subjects = vec![subject];
    let mut absent = BTreeSet::new();
    for name in names {
        match units.read(&Target::Name(name.clone())) {
            Ok(other) => {
                let is_its = match &other.view {
                    View::Socket(socket) => is_of(&unit.view, &socket.service),
                    _ => false,
                };
                let is_known = subjects.iter().any(|s| s.unit() == other.view.unit());
                if !is_known && (is_its || needed.contains(&name)) {
                    subjects.push(self::subject(units, other)?);
                }
            }
            Err(UnitError::NotFound { .. } | UnitError::Kind { .. }) => {
                absent.insert(name);
            }
            Err(error) if needed.contains(&name) => return Err(error.into()),
            // Another's socket.
            Err(_) => {}
        }
    }
    Ok(Set::new(
        subjects,
        absent,
        units.scope(),
        std::env::consts::ARCH,
    ))
}

fn subject(units: &Units, unit: Unit) -> Result<Subject, UnitError> {
    let subject = Subject::new(unit.view, unit.aliases).with_files(unit.files);
    with_files(units, subject)
}

/// Plans to take the seal off the service that an argument names, whether the
/// service is still there or not, and the drop-in off its `.container` file that
/// [`mends`] found necessary.
///
/// # Errors
/// The drop-in cannot be read, or is not podseal's to remove.
pub fn unseal(units: &Units, argument: &str, force: bool) -> Result<Vec<Planned>, PlanError> {
    let (target, named) = target(units, argument)?;
    let units = units.around(&target)?;
    let view = units.read(&target).ok().map(|unit| unit.view);
    let unit = view.as_ref().map_or(named, |view| view.unit().clone());
    let quadlet = view.as_ref().and_then(source).map(PathBuf::from);
    let (path, before) = existing(&units, &unit, DROP_IN)?;
    let path = PathBuf::from(path);
    let found = before.as_deref().map(read);
    match found {
        Some(Found::Foreign) => return Err(PlanError::Foreign { path }),
        Some(Found::Edited) if !force => return Err(PlanError::Edited { path }),
        Some(_) | None => {}
    }
    let profile = profile(&units, &unit, found, None, force && found.is_some())?;
    let remove = |path, before, profile| Planned {
        unit: unit.clone(),
        is_named: matches!(target, Target::Name(_)),
        quadlet: quadlet.clone(),
        before,
        change: Change {
            path,
            contents: None,
        },
        profile,
        refusals: Vec::new(),
        warnings: Vec::new(),
        user: None,
    };
    let mended = quadlet.as_deref().map(mend::existing).transpose()?;
    let mended = mended
        .flatten()
        .map(|(path, text)| remove(path, Some(text), None));
    Ok(std::iter::once(remove(path, before, profile))
        .chain(mended)
        .collect())
}
