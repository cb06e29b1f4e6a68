//! The units of an audit: which they are, what belongs to them, and what could
//! not be looked at.
//!
//! What is wrong with them is decided in [`podseal_core::audit`].

pub mod drop_in;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use podseal_core::audit::subject::{Set, Subject};
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
    Directory(PathBuf),
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
struct Taken {
    subjects: Vec<Subject>,
    absent: BTreeSet<UnitName>,
}

struct Collector<'a> {
    units: &'a Units,
    queue: VecDeque<Candidate>,
    seen: BTreeSet<(Home, UnitName)>,
    /// Found units that have nothing to do with Podman so far.
    aside: BTreeMap<(Home, UnitName), Subject>,
    taken: BTreeMap<Home, Taken>,
    errors: Vec<UnitError>,
}

/// Gathers the units that `arguments` name: names, files and directories; with
/// none, all of the search path that have to do with Podman.
#[must_use]
pub fn collect(units: &Units, arguments: &[String]) -> Collected {
    let mut collector = Collector {
        units,
        queue: VecDeque::new(),
        seen: BTreeSet::new(),
        aside: BTreeMap::new(),
        taken: BTreeMap::new(),
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
                home: home(&target),
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
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                let path = entry.path();
                let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_unit_file(&path) {
                    self.file(&path);
                } else if is_directory && path.extension().is_none_or(|e| e != "d") {
                    directories.push(path);
                }
            }
        }
    }

    fn file(&mut self, path: &Path) {
        let Some(text) = path.to_str() else {
            self.errors
                .push(UnitError::PathNotUtf8 { path: path.into() });
            return;
        };
        match Target::parse(text) {
            Ok(target) => self.queue.push_back(Candidate {
                home: home(&target),
                target,
                reason: Reason::Found,
            }),
            Err(error) => self.errors.push(error),
        }
    }

    fn run(mut self) -> Collected {
        while let Some(candidate) = self.queue.pop_front() {
            self.look(candidate);
        }
        let passed_over = self
            .aside
            .iter()
            .filter(|(_, subject)| matches!(subject.view(), View::Service(_)))
            .map(|((_, name), _)| name.clone())
            .collect();
        let (scope, architecture) = (self.units.scope(), std::env::consts::ARCH);
        let config = self.units.config_directory();
        let groups = self.taken.into_iter().map(|(home, taken)| Group {
            set: Set::new(taken.subjects, taken.absent, scope, architecture),
            is_named: home != Home::Path,
            directory: match home {
                Home::Path => config.into(),
                Home::Directory(directory) => directory,
            },
        });
        Collected {
            groups: groups.collect(),
            passed_over,
            errors: self.errors,
        }
    }

    fn look(&mut self, candidate: Candidate) {
        let Candidate {
            target,
            home,
            reason,
        } = candidate;
        let unit = match self.units.read(&target) {
            Ok(unit) => unit,
            Err(error) => return self.not_read(&target, &home, reason, error),
        };
        let id = (home.clone(), unit.view.unit().clone());
        if !self.seen.insert(id.clone()) {
            // It was found before, and now somebody asks for it.
            if reason != Reason::Found
                && let Some(subject) = self.aside.remove(&id)
            {
                self.take(subject, home, reason);
            }
            return;
        }
        let subject = Subject::new(unit.view, unit.aliases);
        let is_vendors = subject
            .view()
            .files()
            .first()
            .is_some_and(|file| file.starts_with("/usr/"));
        let is_own = is_vendors && PODMANS_OWN.contains(&subject.unit().as_str());
        let is_wanted = reason != Reason::Found || (subject.concerns_podman() && !is_own);
        if is_wanted {
            self.take(subject, home, reason);
        } else {
            self.found_socket(&subject, &home);
            self.aside.insert(id, subject);
        }
    }

    /// A socket among other files: its service may be a container's.
    fn found_socket(&mut self, subject: &Subject, home: &Home) {
        let View::Socket(socket) = subject.view() else {
            return;
        };
        let service = &socket.service;
        let target = sibling(home, service);
        match self.units.read(&target) {
            Ok(unit) if Subject::new(unit.view.clone(), Vec::new()).starts_container() => {}
            // In a directory that somebody names, a service is missed.
            Err(UnitError::NoFile { .. } | UnitError::NotFound { .. })
                if matches!(home, Home::Directory(_)) => {}
            _ => return,
        }
        self.queue.push_back(Candidate {
            target: sibling(home, subject.unit()),
            home: home.clone(),
            reason: Reason::Needed,
        });
    }

    /// Takes a unit in, and looks for what belongs to it.
    fn take(&mut self, subject: Subject, home: Home, reason: Reason) {
        let mut files = Vec::new();
        for path in subject.view().files() {
            match self.units.source(path) {
                Ok(source) => files.push(source),
                Err(error) => return self.errors.push(error),
            }
        }
        let is_socket = matches!(subject.view(), View::Socket(_));
        for partner in subject.partners() {
            let is_kind = matches!(partner.unit_type(), UnitType::Service | UnitType::Socket);
            if is_kind {
                self.queue.push_back(Candidate {
                    target: sibling(&home, &partner),
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
        let subject = subject.with_files(files);
        self.taken
            .entry(home)
            .or_default()
            .subjects
            .push(match reason {
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
                let taken = self.taken.entry(home.clone()).or_default();
                taken.absent.insert(unit.clone());
            }
            _ => self.errors.push(error),
        }
    }
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

fn home(target: &Target) -> Home {
    match target {
        Target::Name(_) | Target::Quadlet(_) => Home::Path,
        Target::File { path, .. } | Target::QuadletFile(path) => {
            let directory = directory_of(path);
            // One directory, however it is written.
            let directory = fs::canonicalize(directory).unwrap_or_else(|_| directory.into());
            Home::Directory(directory)
        }
    }
}

/// Another unit of the same home.
fn sibling(home: &Home, unit: &UnitName) -> Target {
    match home {
        Home::Path => Target::Name(unit.clone()),
        Home::Directory(directory) => Target::File {
            path: directory.join(unit.as_str()),
            unit: unit.clone(),
        },
    }
}
