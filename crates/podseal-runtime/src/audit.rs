//! The units of an audit: which they are, what belongs to them, and what could
//! not be looked at.
//!
//! What is wrong with them is decided in [`podseal_core::audit`].

pub mod drop_in;
mod side_by_side;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use podseal_core::audit::subject::{Set, Subject};
use podseal_core::audit::{Finding, audit_unit};
use podseal_core::unit::effective::view::View;
use podseal_core::unit::name::{UnitName, UnitType};

use crate::units::{Target, UnitError, Units, directory_of};

/// The units of an audit.
#[derive(Debug)]
pub struct Collected {
    /// Those to be looked at. Units of different directories have nothing to do
    /// with one another, whatever their names are.
    pub groups: Vec<Group>,
    /// Services that do not run Podman and were not asked for by name.
    pub passed_over: Vec<UnitName>,
    /// What could not be looked at.
    pub errors: Vec<UnitError>,
}

impl Collected {
    /// What the rules find, see [`podseal_core::audit::audit`].
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let groups = self.groups.iter();
        groups
            .flat_map(|Group { set, .. }| {
                side_by_side::map(set.subjects(), |subject| audit_unit(set, subject))
            })
            .flatten()
            .collect()
    }
}

/// Units that are read together.
#[derive(Debug)]
pub struct Group {
    /// The units.
    pub set: Set,
    /// Where directories of drop-ins for them are made.
    directory: PathBuf,
    /// Whether these are files that were named: drop-ins for a `.container` file
    /// are then Podman's to read.
    is_named: bool,
}

impl Group {
    /// The directory of drop-ins for a unit.
    #[must_use]
    pub fn dropin_directory(&self, unit: &UnitName) -> PathBuf {
        let quadlet = match self.set.get(unit).map(Subject::view) {
            Some(View::Service(service)) if self.is_named => service.quadlet.as_ref(),
            _ => None,
        };
        let source = quadlet.and_then(|quadlet| Path::new(&quadlet.source).file_name());
        let name = source.map_or(unit.to_string(), |name| name.to_string_lossy().into_owned());
        self.directory.join(format!("{name}.d"))
    }
}

/// Units that come with Podman, and are nobody's service: looked at only when
/// they are named.
const PODMANS_OWN: &[&str] = &[
    "podman-auto-update.service",
    "podman-clean-transient.service",
    "podman-kube@.service",
    "podman-restart.service",
    "podman.service",
];

/// Where units are from: drop-ins and partners are looked for there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Home {
    /// The search path.
    Path,
    /// A directory of files named on the command line.
    Directory(Arc<Path>),
}

impl Home {
    fn of(target: &Target) -> Self {
        match target {
            Target::Name(_) | Target::Quadlet(_) => Self::Path,
            Target::File { path, .. } | Target::QuadletFile(path) => {
                Self::directory(directory_of(path))
            }
        }
    }

    fn directory(directory: &Path) -> Self {
        // One directory, however it is written.
        let directory = fs::canonicalize(directory).unwrap_or_else(|_| directory.into());
        Self::Directory(directory.into())
    }

    /// Another unit of it.
    fn target(&self, unit: &UnitName) -> Target {
        match self {
            Self::Path => Target::Name(unit.clone()),
            Self::Directory(directory) => Target::File {
                path: directory.join(unit.as_str()),
                unit: unit.clone(),
            },
        }
    }
}

/// Why a unit is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// It was named.
    Named,
    /// It was among others, and is looked at if it has to do with Podman.
    Found,
    /// Another unit needs it.
    Needed,
}

struct Candidate {
    target: Target,
    home: Home,
    reason: Reason,
}

/// What was found of one home.
#[derive(Default)]
struct Found {
    /// The own names of units, by the names under which they were read.
    known: HashMap<UnitName, UnitName>,
    /// Whether a unit starts a container, by its own name.
    starts_container: HashMap<UnitName, bool>,
    /// Units that have nothing to do with Podman so far.
    aside: BTreeMap<UnitName, Subject>,
    taken: Vec<Subject>,
    absent: BTreeSet<UnitName>,
}

struct Collector<'a> {
    units: &'a Units,
    queue: VecDeque<Candidate>,
    found: BTreeMap<Home, Found>,
    errors: Vec<UnitError>,
}

/// Gathers the units that `arguments` name: names, files and directories; with
/// none, all of the search path that have to do with Podman.
#[must_use]
pub fn collect(units: &Units, arguments: &[String]) -> Collected {
    let mut collector = Collector {
        units,
        queue: VecDeque::new(),
        found: BTreeMap::new(),
        errors: Vec::new(),
    };
    if arguments.is_empty() {
        collector.search_path();
    }
    for argument in arguments {
        collector.argument(argument);
    }
    collector.run()
}

impl Collector<'_> {
    fn search_path(&mut self) {
        let names = self.units.names();
        let names = names.unwrap_or_else(|error| {
            self.errors.push(error);
            BTreeSet::new()
        });
        self.queue.extend(names.into_iter().map(|name| Candidate {
            target: Target::Name(name),
            home: Home::Path,
            reason: Reason::Found,
        }));
    }

    fn argument(&mut self, argument: &str) {
        let path = Path::new(argument);
        let is_path = argument.contains('/') || matches!(argument, "." | "..");
        if is_path && path.is_dir() && !is_unit_file(path) {
            self.directory(path);
            return;
        }
        match Target::parse(argument) {
            Ok(target) => self.queue.push_back(Candidate {
                home: Home::of(&target),
                target,
                reason: Reason::Named,
            }),
            Err(error) => self.errors.push(error),
        }
    }

    /// Unit files in a directory and below it. Links to directories are not
    /// followed, so that there is an end.
    fn directory(&mut self, directory: &Path) {
        let mut directories = vec![directory.to_owned()];
        while let Some(directory) = directories.pop() {
            let entries = fs::read_dir(&directory).and_then(Iterator::collect);
            let mut entries: Vec<fs::DirEntry> = match entries {
                Ok(entries) => entries,
                Err(source) => {
                    let path = directory.display().to_string();
                    self.errors.push(UnitError::List { path, source });
                    continue;
                }
            };
            entries.sort_by_cached_key(fs::DirEntry::file_name);
            let home = Home::directory(&directory);
            for entry in entries {
                let path = entry.path();
                let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_unit_file(&path) {
                    self.file(&path, &home);
                } else if is_directory && path.extension().is_none_or(|e| e != "d") {
                    directories.push(path);
                }
            }
        }
    }

    fn file(&mut self, path: &Path, home: &Home) {
        let Some(text) = path.to_str() else {
            self.errors
                .push(UnitError::PathNotUtf8 { path: path.into() });
            return;
        };
        match Target::parse(text) {
            Ok(target) => self.queue.push_back(Candidate {
                home: home.clone(),
                target,
                reason: Reason::Found,
            }),
            Err(error) => self.errors.push(error),
        }
    }

    fn run(mut self) -> Collected {
        // What was named or found is read side by side; what these need, when
        // it turns up.
        let first = Vec::from(std::mem::take(&mut self.queue));
        let units = self.units;
        let subjects = side_by_side::map(&first, |candidate| read(units, &candidate.target));
        for (candidate, subject) in first.into_iter().zip(subjects) {
            self.look(candidate, Some(subject));
        }
        while let Some(candidate) = self.queue.pop_front() {
            self.look(candidate, None);
        }
        let aside = self.found.values().flat_map(|found| &found.aside);
        let passed_over = aside
            .filter(|(_, subject)| matches!(subject.view(), View::Service(_)))
            .map(|(name, _)| name.clone())
            .collect();
        let (scope, architecture) = (self.units.scope(), std::env::consts::ARCH);
        let config = self.units.config_directory();
        let found = self.found.into_iter();
        let groups = found
            .filter(|(_, found)| !found.taken.is_empty() || !found.absent.is_empty())
            .map(|(home, found)| Group {
                set: Set::new(found.taken, found.absent, scope, architecture),
                is_named: home != Home::Path,
                directory: match home {
                    Home::Path => config.into(),
                    Home::Directory(directory) => directory.to_path_buf(),
                },
            });
        Collected {
            groups: groups.collect(),
            passed_over,
            errors: self.errors,
        }
    }

    /// Looks at a unit that may have been read already.
    fn look(&mut self, candidate: Candidate, already: Option<Result<Subject, UnitError>>) {
        let Candidate {
            target,
            home,
            reason,
        } = candidate;
        let found = self.found.entry(home.clone()).or_default();
        let name = match &target {
            Target::Name(unit) | Target::File { unit, .. } => Some(unit),
            Target::Quadlet(_) | Target::QuadletFile(_) => None,
        };
        if let Some(own) = name.and_then(|name| found.known.get(name)) {
            let own = own.clone();
            return self.look_again(&own, home, reason);
        }
        let subject = match already.unwrap_or_else(|| read(self.units, &target)) {
            Ok(subject) => subject,
            Err(error) => return self.not_read(&target, &home, reason, error),
        };
        let own = subject.unit().clone();
        if let Some(name) = name {
            found.known.insert(name.clone(), own.clone());
        }
        if found.starts_container.contains_key(&own) {
            return self.look_again(&own, home, reason);
        }
        let starts_container = subject.starts_container();
        found.starts_container.insert(own.clone(), starts_container);
        let is_vendors = subject
            .view()
            .files()
            .first()
            .is_some_and(|file| file.starts_with("/usr/"));
        let is_own = is_vendors && PODMANS_OWN.contains(&own.as_str());
        let is_wanted = reason != Reason::Found || (subject.concerns_podman() && !is_own);
        if is_wanted {
            self.take(subject, home, reason);
        } else {
            self.found_socket(&subject, &home);
            let found = self.found.entry(home).or_default();
            found.aside.insert(own, subject);
        }
    }

    /// A unit that was read before.
    fn look_again(&mut self, own: &UnitName, home: Home, reason: Reason) {
        let found = self.found.entry(home.clone()).or_default();
        // It was among others, and now somebody asks for it.
        if reason != Reason::Found
            && let Some(subject) = found.aside.remove(own)
        {
            self.take(subject, home, reason);
        }
    }

    /// A socket among other files: its service may be a container's.
    fn found_socket(&mut self, subject: &Subject, home: &Home) {
        let View::Socket(socket) = subject.view() else {
            return;
        };
        if !self.is_containers(&socket.service, home) {
            return;
        }
        self.queue.push_back(Candidate {
            target: home.target(subject.unit()),
            home: home.clone(),
            reason: Reason::Needed,
        });
    }

    /// Whether a socket's service is a container's, or missing.
    fn is_containers(&self, service: &UnitName, home: &Home) -> bool {
        let known = self.found.get(home).and_then(|found| {
            let own = found.known.get(service)?;
            found.starts_container.get(own)
        });
        if let Some(starts_container) = known {
            return *starts_container;
        }
        match read(self.units, &home.target(service)) {
            Ok(subject) => subject.starts_container(),
            // In a directory that somebody names, a service is missed.
            Err(UnitError::NoFile { .. } | UnitError::NotFound { .. }) => {
                matches!(home, Home::Directory(_))
            }
            Err(_) => false,
        }
    }

    /// Takes a unit in, and looks for what belongs to it.
    fn take(&mut self, subject: Subject, home: Home, reason: Reason) {
        let subject = match with_files(self.units, subject) {
            Ok(subject) => subject,
            Err(error) => return self.errors.push(error),
        };
        let is_socket = matches!(subject.view(), View::Socket(_));
        for partner in subject.partners() {
            let is_kind = matches!(partner.unit_type(), UnitType::Service | UnitType::Socket);
            if is_kind {
                self.queue.push_back(Candidate {
                    target: home.target(&partner),
                    home: home.clone(),
                    // What a socket starts has to be a container.
                    reason: if is_socket {
                        Reason::Named
                    } else {
                        Reason::Needed
                    },
                });
            }
        }
        let found = self.found.entry(home).or_default();
        found.taken.push(match reason {
            Reason::Named => subject.named(),
            Reason::Found | Reason::Needed => subject,
        });
    }

    fn not_read(&mut self, target: &Target, home: &Home, reason: Reason, error: UnitError) {
        let is_missing = matches!(error, UnitError::NoFile { .. } | UnitError::NotFound { .. });
        // systemd passes over such links as well.
        let is_no_unit = matches!(error, UnitError::DeadLink { .. }) && *home == Home::Path;
        match (reason, target) {
            (Reason::Found, _) if is_missing || is_no_unit => {}
            (Reason::Needed, Target::Name(unit) | Target::File { unit, .. }) if is_missing => {
                let found = self.found.entry(home.clone()).or_default();
                found.absent.insert(unit.clone());
            }
            _ => self.errors.push(error),
        }
    }
}

fn read(units: &Units, target: &Target) -> Result<Subject, UnitError> {
    let unit = units.read(target)?;
    Ok(Subject::new(unit.view, unit.aliases).with_files(unit.files))
}

/// Whether a path has the name of a unit that podseal reads.
fn is_unit_file(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    // Of a pod or a Kubernetes file podseal can only say that it does not read it.
    matches!(
        extension,
        Some("service" | "socket" | "container" | "kube" | "pod")
    )
}

/// A subject with all of its files: those of Quadlet's are not kept when it is
/// read.
pub(crate) fn with_files(units: &Units, subject: Subject) -> Result<Subject, UnitError> {
    let paths = subject.view().files();
    let has_all = subject
        .files()
        .map(|source| &*source.path)
        .eq(paths.iter().copied());
    if has_all {
        return Ok(subject);
    }
    let files = paths.into_iter().map(|path| units.source(path));
    let files = files.collect::<Result<Vec<_>, _>>()?;
    Ok(subject.with_files(files))
}
