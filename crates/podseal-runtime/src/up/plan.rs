//! What has to become of which file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use podseal_core::audit::Finding;
use podseal_core::listen::Listen;
use podseal_core::plan::GivenUp;
use podseal_core::plan::refusal::Refusal;
use podseal_core::podman::Version;
use podseal_core::unit::effective::{Origin, Scope};
use podseal_core::unit::file::UnitFile;
use podseal_core::unit::name::UnitName;
use podseal_core::up::mark::{Found, from_section};
use podseal_core::up::{Files, Form, RunAs, Wanted};

use super::found::{Existing, Place, at, existing, linked, require_unedited, text};
use super::staged::Staged;
use super::{FileChange, Request, UpError, link};
use crate::account::Account;
use crate::container_profile;
use crate::engine::EngineError;
use crate::host::User;
use crate::install::{Contents, is_unfinished};
use crate::instance::Instance;
use crate::linger::{self, Lingering};
use crate::oci_runtime::{self, Choice, Failure, RuntimeError};
use crate::pause;
use crate::plan::{self, Planned};
use crate::podman::Podman;
use crate::side_by_side::both;
use crate::systemd::Manager;
use crate::units::{Target, UnitError, Units};

/// The first Podman whose Quadlet knows all that is written.
const QUADLET: Version = Version::new(5, 0, 0);

/// What is to be done.
#[derive(Debug)]
pub struct Plan {
    /// The user's or the system's manager.
    pub scope: Scope,
    /// The service.
    pub unit: UnitName,
    /// What it is written as.
    pub form: Form,
    /// The files in the order in which they are changed, unchanged ones included.
    pub files: Vec<FileChange>,
    /// The file that the service is read from.
    pub(super) source: PathBuf,
    /// The drop-in with the seal.
    pub(super) drop_in: PathBuf,
    /// The socket units.
    pub sockets: Vec<UnitName>,
    /// Those that are to be closed: they listen elsewhere, or not any more.
    pub(super) closed: Vec<UnitName>,
    /// Whether the service that may be running is another one than it will be.
    pub(super) changes_service: bool,
    /// Where the service will be reached.
    pub listen: Vec<Listen>,
    /// OCI runtimes that were tried and do not work under the seal.
    pub failures: Vec<Failure>,
    /// The OCI runtime, where it is not Podman's own choice.
    pub oci_runtime: Option<String>,
    /// What stands against the seal. Nothing may be changed then.
    pub refusals: Vec<Refusal>,
    /// What should be known.
    pub warnings: Vec<Finding>,
}

impl Plan {
    /// Whether every file is already what it is to be.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.files.iter().all(FileChange::is_done)
    }
}

/// Where the files of a service are to be.
struct Layout {
    place: Place,
    /// The service.
    unit: UnitName,
    /// Its file.
    source: PathBuf,
    /// Its socket units.
    sockets: Vec<UnitName>,
    /// Those that it has now.
    before: BTreeMap<UnitName, Existing>,
}

/// Plans the files of a service and its seal.
///
/// # Errors
/// It cannot be made here, or the place of a file is taken.
pub fn plan(request: &Request) -> Result<Plan, UpError> {
    let name = &request.name;
    let user = User::current();
    if request.scope == Scope::System && user.is_rootless() {
        return Err(UpError::NotRoot);
    }
    let units = Units::of(request.scope);
    let place = Place::of(&units, name)?;
    let account = request.account.as_ref();
    if let Some(account) = account {
        account.require_ready()?;
        account.require_podseal(&request.podseal)?;
        require_linger(account)?;
    } else {
        require_no_user(&place)?;
    }
    let podman = Podman::installed()?.run_as(account.cloned());
    let (image, info) = both(|| podman.require_image(&request.image), || podman.info());
    let info = info?;
    image?;
    let form = form(request, &place, info.version)?;
    let instance = Instance::acquire(&user, &format!("up-{name}-{}", std::process::id()))?;
    let choice = choose(request, &info.oci_runtime, &podman, &user, &instance)?;
    let is_default = request.oci_runtime.is_none() && choice.path == info.oci_runtime;
    let oci_runtime = (!is_default).then(|| choice.path.display().to_string());
    let wanted = wanted(request, &podman, oci_runtime.clone())?;
    let files = wanted.files(form)?;
    let sockets = files.sockets.iter().map(|file| unit_name(&file.name));
    let layout = Layout {
        unit: unit_name(&format!("{name}.service"))?,
        source: place.service(form).ok_or(UpError::NoDirectory)?,
        sockets: sockets.collect::<Result<_, _>>()?,
        before: place.sockets()?,
        place,
    };
    for own in std::iter::once(&layout.unit).chain(&layout.sockets) {
        require_free(&units, &layout.place, own)?;
    }
    let seal = layout.seal(request, &units, &instance, &files)?;
    let drop_in = seal.change.path.clone();
    // The profile before the drop-in that names it.
    let files_of_seal = seal.files().map(|(before, change)| FileChange {
        before: before.clone().map(Contents::Text),
        change: change.clone(),
    });
    let mut changes: Vec<FileChange> = files_of_seal.collect();
    let first_files = changes.len() + 1;
    let mut closed = layout.changes(request, &files, &mut changes)?;
    // One that was killed may have changed files, and have told systemd or not.
    let is_unfinished = changes.iter().any(|file| is_unfinished(&file.change.path));
    if is_unfinished {
        closed = layout.removed().chain(&layout.sockets).cloned().collect();
    }
    // The seal and the service's file.
    let mut first = changes.iter().take(first_files);
    let changes_service = is_unfinished || first.any(|file| !file.is_done());
    Ok(Plan {
        scope: request.scope,
        unit: layout.unit,
        form,
        files: changes,
        source: layout.source,
        drop_in,
        sockets: layout.sockets,
        closed,
        changes_service,
        listen: request.sockets.iter().map(|s| s.listen.clone()).collect(),
        failures: choice.failures,
        oci_runtime,
        refusals: seal.refusals,
        warnings: seal.warnings,
    })
}

fn wanted(
    request: &Request,
    podman: &Podman,
    oci_runtime: Option<String>,
) -> Result<Wanted, UpError> {
    Ok(Wanted {
        name: request.name.clone(),
        description: request.description.clone(),
        sockets: request.sockets.clone(),
        image: if request.digest {
            podman.pinned(&request.image)?
        } else {
            request.image.clone()
        },
        environment: request.environment.clone(),
        volumes: volumes(&request.volumes)?,
        user: request.user.clone(),
        memory: request.memory.clone(),
        podman: podman.word(),
        oci_runtime,
        arguments: request.arguments.clone(),
        run_as: request.account.as_ref().map(|account| RunAs {
            name: account.user.name.clone(),
            uid: account.user.uid.as_raw(),
        }),
    })
}

impl Layout {
    /// The socket units that it will not have any more.
    fn removed(&self) -> impl Iterator<Item = &UnitName> {
        let before = self.before.keys();
        before.filter(|unit| !self.sockets.contains(unit))
    }

    /// The seal of the service as it will be with its files.
    fn seal(
        &self,
        request: &Request,
        units: &Units,
        instance: &Instance,
        files: &Files,
    ) -> Result<Planned, UpError> {
        let staged = Staged::write(instance.directory(), files, self.removed())?;
        let mut seal = plan::seal(
            &units.staging(&staged.directory),
            self.unit.as_str(),
            &plan::Request {
                level: request.level,
                given_up: GivenUp::default(),
                allow_connect: false,
                podseal: request.podseal.clone(),
                force: request.force,
            },
        )?;
        let staged = format!("{}/", staged.directory);
        let real = |origin: &mut Origin| {
            if let Some(name) = origin.file.strip_prefix(&staged) {
                let path = match name.parse::<UnitName>() {
                    Ok(unit) if self.sockets.contains(&unit) => self.place.socket(&unit),
                    _ => self.source.clone(),
                };
                origin.file = path.display().to_string().into();
            }
        };
        let refusals = seal.refusals.iter_mut();
        refusals
            .filter_map(|refusal| refusal.origin.as_mut())
            .for_each(real);
        let warnings = seal.warnings.iter_mut();
        warnings
            .filter_map(|finding| finding.span.as_mut())
            .for_each(|span| real(&mut span.origin));
        Ok(seal)
    }

    /// What becomes of the files after the drop-in, in this order. Returns the
    /// sockets that are to be closed.
    fn changes(
        &self,
        request: &Request,
        files: &Files,
        changes: &mut Vec<FileChange>,
    ) -> Result<Vec<UnitName>, UpError> {
        let place = &self.place;
        changes.push(text(&self.source, &files.service, request, place)?);
        for unit in self.removed() {
            changes.push(linked(link(&place.config, unit).0.into(), None)?);
        }
        for unit in self.removed() {
            let path = place.socket(unit);
            require_unedited(&path, self.before.get(unit), request, place)?;
            changes.push(at(path, None)?);
        }
        let mut closed: Vec<UnitName> = self.removed().cloned().collect();
        for (unit, file) in self.sockets.iter().zip(&files.sockets) {
            let change = text(&place.socket(unit), file, request, place)?;
            let old = change.before.as_ref().and_then(Contents::text);
            let own = |text| from_section(text, "Socket");
            if old.is_some_and(|old| own(old) != own(&file.text)) {
                closed.push(unit.clone());
            }
            changes.push(change);
        }
        for unit in &self.sockets {
            let (path, target) = link(&place.config, unit);
            changes.push(linked(path.into(), Some(target))?);
        }
        Ok(closed)
    }
}

fn unit_name(name: &str) -> Result<UnitName, UpError> {
    name.parse().map_err(|source| UpError::Name {
        name: name.to_owned(),
        source,
    })
}

/// What the service is written as: what it is already, what is asked for, or
/// what Podman has.
fn form(request: &Request, place: &Place, podman: Version) -> Result<Form, UpError> {
    for form in [Form::Quadlet, Form::Service] {
        let Some(path) = place.service(form) else {
            continue;
        };
        match existing(&path)?.map(|existing| existing.whose) {
            None | Some(Found::Foreign) => {}
            Some(Found::Ours(_) | Found::Edited(_)) => {
                return match request.form {
                    Some(other) if other != form => Err(UpError::OtherForm {
                        path,
                        name: place.name.clone(),
                    }),
                    _ => Ok(form),
                };
            }
        }
    }
    // Podman's generator makes nothing that works with User=.
    let can_be = request.account.is_none();
    let has_quadlet = can_be && Units::has_quadlet() && podman >= QUADLET;
    Ok(request.form.unwrap_or(if has_quadlet {
        Form::Quadlet
    } else {
        Form::Service
    }))
}

/// The OCI runtime: the one that is asked for, or one that works.
fn choose(
    request: &Request,
    default: &Path,
    podman: &Podman,
    user: &User,
    instance: &Instance,
) -> Result<Choice, EngineError> {
    let seal = request.seal();
    let wanted = request.oci_runtime.as_deref();
    if wanted.is_none() && user.is_rootless() {
        pause::ensure(user)?;
    }
    let mut choice = if let (None, Some(account)) = (wanted, &request.account) {
        oci_runtime::choose_as(account, &request.podseal, default, &seal)?
    } else {
        let profile = container_profile::for_level(podman, &seal)?;
        oci_runtime::choose(wanted, default, &seal, profile.as_deref(), user, instance)?
    };
    if choice.path.is_relative() {
        let path = fs::canonicalize(&choice.path).map_err(|source| RuntimeError::Trial {
            path: choice.path.clone(),
            source,
        })?;
        choice.path = path;
    }
    Ok(choice)
}

/// Has the user of a service linger. Podman cannot be asked as another user
/// before, so this waits until the user's manager runs.
///
/// # Errors
/// logind did not, or the user's manager was not started.
pub fn linger(request: &Request, manager: Option<Manager>) -> Result<Lingering, UpError> {
    let failed = |source| UpError::Linger { source };
    let Some(account) = &request.account else {
        return Lingering::enable(&User::current()).map_err(failed);
    };
    let lingering = Lingering::enable(&account.user).map_err(failed)?;
    let unit = unit_name(&format!("user@{}.service", account.user.uid.as_raw()))?;
    if let Some(manager) = manager {
        manager.start([&unit]).map_err(failed)?;
    }
    Ok(lingering)
}

/// That it is no service whose Podman is another user's: an option that was left
/// out would make it root's.
fn require_no_user(place: &Place) -> Result<(), UpError> {
    let Some(path) = place.service(Form::Service) else {
        return Ok(());
    };
    let found = existing(&path)?.filter(|found| found.whose != Found::Foreign);
    let text = found.as_ref().and_then(|found| found.contents.text());
    let file = UnitFile::parse(text.unwrap_or_default());
    match file.values("Service", "User").last() {
        Some(user) => Err(UpError::RunsAs {
            name: place.name.clone(),
            user: user.value.to_string(),
        }),
        None => Ok(()),
    }
}

/// That the user's run-time directory is there at boot, too.
fn require_linger(account: &Account) -> Result<(), UpError> {
    match linger::is_enabled(&account.user) {
        Some(false) => Err(UpError::NotLingering {
            user: account.user.name.clone(),
        }),
        // Without logind there is nothing to ask.
        Some(true) | None => Ok(()),
    }
}

/// Mounts with absolute paths, which Quadlet and Podman do not make themselves
/// of those that are relative to a shell.
fn volumes(volumes: &[String]) -> Result<Vec<String>, UpError> {
    let absolute = |volume: &String| {
        let (source, rest) = volume.split_at(volume.find(':').unwrap_or(volume.len()));
        // A name is a volume of Podman's, and a path alone one without a name.
        if rest.is_empty() || !source.starts_with(['/', '.']) {
            return Ok(volume.clone());
        }
        match fs::canonicalize(source) {
            Ok(_) if source.starts_with('/') => Ok(volume.clone()),
            Ok(path) => Ok(format!("{}{rest}", path.display())),
            Err(_) => Err(UpError::NoSource {
                path: source.into(),
            }),
        }
    };
    volumes.iter().map(absolute).collect()
}

/// That a unit's name is not taken by another file than podseal's own.
fn require_free(units: &Units, place: &Place, unit: &UnitName) -> Result<(), UpError> {
    let view = match units.read(&Target::Name(unit.clone())) {
        Ok(found) => found.view,
        Err(UnitError::NotFound { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let own = [Form::Quadlet, Form::Service].map(|form| place.service(form));
    let own = own.into_iter().flatten().chain([place.socket(unit)]);
    let own: Vec<PathBuf> = own.collect();
    // The generator and systemd may have come to it by a link.
    let is_own = |path: &str| {
        let path = Path::new(path);
        own.iter()
            .any(|own| own == path || fs::canonicalize(own).is_ok_and(|own| own == path))
    };
    let path = view.files().first().map(|path| (*path).to_owned());
    let Some(own) = path.as_ref().filter(|path| is_own(path)) else {
        let unit = unit.clone();
        return Err(UpError::Taken { unit, path });
    };
    match existing(Path::new(own))?.map(|found| found.whose) {
        Some(Found::Foreign) => Err(UpError::Foreign { path: own.into() }),
        _ => Ok(()),
    }
}
