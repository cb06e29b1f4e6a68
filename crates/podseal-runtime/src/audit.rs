//! The units of an audit: which they are, what belongs to them, and what could
//! not be looked at.
//!
//! What is wrong with them is decided in [`podseal_core::audit`].

pub mod drop_in;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use podseal_core::audit::subject::{Set, Subject};
use podseal_core::audit::{Finding, audit_unit};
use podseal_core::unit::effective::view::View;
use podseal_core::unit::name::{UnitName, UnitType};

use crate::side_by_side;
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

/// A file or a name that is looked at.
struct Candidate {
    target: Target,
    home: usize,
    reason: Reason,
}

/// A unit that another one asks for.
struct Partner {
    unit: UnitName,
    home: usize,
    reason: Reason,
}

/// A unit as it was read.
struct Read {
    subject: Subject,
    starts_container: bool,
    /// Whether it is looked at even though nobody asks for it.
    is_wanted: bool,
    /// The units that it asks for.
    partners: Vec<UnitName>,
}

/// What was found of one home.
#[derive(Default)]
struct Found {
    /// The own names of units, by the names under which they were read.
    known: HashMap<UnitName, UnitName>,
    /// Whether a unit starts a container, by its own name.
    starts_container: HashMap<UnitName, bool>,
    /// Units that have nothing to do with Podman so far.
    aside: BTreeMap<UnitName, Read>,
    taken: Vec<Subject>,
    absent: BTreeSet<UnitName>,
}

struct Collector<'a> {
    units: &'a Units,
    candidates: Vec<Candidate>,
    partners: VecDeque<Partner>,
    /// Homes are known by their place in `found`.
    homes: BTreeMap<Home, usize>,
    found: Vec<(Home, Found)>,
    errors: Vec<UnitError>,
}

/// Gathers the units that `arguments` name: names, files and directories; with
/// none, all of the search path that have to do with Podman.
#[must_use]
pub fn collect(units: &Units, arguments: &[String]) -> Collected {
    let mut collector = Collector {
        units,
        candidates: Vec::new(),
        partners: VecDeque::new(),
        homes: BTreeMap::new(),
        found: Vec::new(),
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
        let home = self.home(Home::Path);
        self.candidates
            .extend(names.into_iter().map(|name| Candidate {
                target: Target::Name(name),
                home,
                reason: Reason::Found,
            }));
    }

    fn home(&mut self, home: Home) -> usize {
        if let Some(known) = self.homes.get(&home) {
            return *known;
        }
        let new = self.found.len();
        self.homes.insert(home.clone(), new);
        self.found.push((home, Found::default()));
        new
    }

    fn argument(&mut self, argument: &str) {
        let path = Path::new(argument);
        let is_path = argument.contains('/') || matches!(argument, "." | "..");
        if is_path && path.is_dir() && !is_unit_file(path) {
            self.directory(path);
            return;
        }
        match Target::parse(argument) {
            Ok(target) => {
                let home = self.home(Home::of(&target));
                self.candidates.push(Candidate {
                    target,
                    home,
                    reason: Reason::Named,
                });
            }
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
            let home = self.home(Home::directory(&directory));
            for entry in entries {
                let path = entry.path();
                if is_unit_file(&path) {
                    self.file(path, home);
                    continue;
                }
                let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_directory && path.extension().is_none_or(|e| e != "d") {
                    directories.push(path);
                }
            }
        }
    }

    fn file(&mut self, path: PathBuf, home: usize) {
        let Some(text) = path.to_str() else {
            self.errors.push(UnitError::PathNotUtf8 { path });
            return;
        };
        match Target::parse(text) {
            Ok(target) => self.candidates.push(Candidate {
                home,
                target,
                reason: Reason::Found,
            }),
            Err(error) => self.errors.push(error),
        }
    }

    fn run(mut self) -> Collected {
        // What was named or found is read side by side; what these need, when
        // it turns up.
        let candidates = std::mem::take(&mut self.candidates);
        let units = self.units;
        let read = side_by_side::map(&candidates, |candidate| read(units, &candidate.target));
        for (candidate, read) in candidates.iter().zip(read) {
            self.look(candidate, read);
        }
        while let Some(partner) = self.partners.pop_front() {
            self.look_for(partner);
        }
        let aside = self.found.iter().flat_map(|(_, found)| &found.aside);
        let passed_over = aside
            .filter(|(_, read)| matches!(read.subject.view(), View::Service(_)))
            .map(|(name, _)| name.clone())
            .collect();
        let (scope, architecture) = (self.units.scope(), std::env::consts::ARCH);
        let config = self.units.config_directory();
        self.found.sort_by(|(one, _), (other, _)| one.cmp(other));
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

    fn look_for(&mut self, partner: Partner) {
        let Partner { unit, home, reason } = partner;
        let (place, found) = &self.found[home];
        if let Some(own) = found.known.get(&unit) {
            let own = own.clone();
            return self.look_again(&own, home, reason);
        }
        let target = place.target(&unit);
        let read = read(self.units, &target);
        let candidate = Candidate {
            target,
            home,
            reason,
        };
        self.look(&candidate, read);
    }

    /// Looks at a unit that was read.
    fn look(&mut self, candidate: &Candidate, read: Result<Read, UnitError>) {
        let (home, reason) = (candidate.home, candidate.reason);
        let found = &mut self.found[home].1;
        let name = match &candidate.target {
            Target::Name(unit) | Target::File { unit, .. } => Some(unit),
            Target::Quadlet(_) | Target::QuadletFile(_) => None,
        };
        if let Some(own) = name.and_then(|name| found.known.get(name)) {
            let own = own.clone();
            return self.look_again(&own, home, reason);
        }
        let read = match read {
            Ok(read) => read,
            Err(error) => return self.not_read(candidate, error),
        };
        let own = read.subject.unit().clone();
        if let Some(name) = name {
            found.known.insert(name.clone(), own.clone());
        }
        if found.starts_container.contains_key(&own) {
            return self.look_again(&own, home, reason);
        }
        found
            .starts_container
            .insert(own.clone(), read.starts_container);
        if reason != Reason::Found || read.is_wanted {
            self.take(read, home, reason);
        } else {
            self.found_socket(&read.subject, home);
            self.found[home].1.aside.insert(own, read);
        }
    }

    /// A unit that was read before.
    fn look_again(&mut self, own: &UnitName, home: usize, reason: Reason) {
        // It was among others, and now somebody asks for it.
        if reason != Reason::Found
            && let Some(read) = self.found[home].1.aside.remove(own)
        {
            self.take(read, home, reason);
        }
    }

    /// A socket among other files: its service may be a container's.
    fn found_socket(&mut self, subject: &Subject, home: usize) {
        let View::Socket(socket) = subject.view() else {
            return;
        };
        if self.is_containers(&socket.service, home) {
            self.partners.push_back(Partner {
                unit: subject.unit().clone(),
                home,
                reason: Reason::Needed,
            });
        }
    }

    /// Whether a socket's service is a container's, or missing.
    fn is_containers(&self, service: &UnitName, home: usize) -> bool {
        let (place, found) = &self.found[home];
        let own = found.known.get(service);
        if let Some(starts_container) = own.and_then(|own| found.starts_container.get(own)) {
            return *starts_container;
        }
        match read(self.units, &place.target(service)) {
            Ok(read) => read.starts_container,
            // In a directory that somebody names, a service is missed.
            Err(UnitError::NoFile { .. } | UnitError::NotFound { .. }) => {
                matches!(place, Home::Directory(_))
            }
            Err(_) => false,
        }
    }

    /// Takes a unit in, and looks for what belongs to it.
    fn take(&mut self, read: Read, home: usize, reason: Reason) {
        let subject = match with_files(self.units, read.subject) {
            Ok(subject) => subject,
            Err(error) => return self.errors.push(error),
        };
        let of_partners = match subject.view() {
            // What a socket starts has to be a container.
            View::Socket(_) => Reason::Named,
            _ => Reason::Needed,
        };
        let partners = read.partners.into_iter();
        self.partners.extend(partners.map(|unit| Partner {
            unit,
            home,
            reason: of_partners,
        }));
        self.found[home].1.taken.push(match reason {
            Reason::Named => subject.named(),
            Reason::Found | Reason::Needed => subject,
        });
    }

    fn not_read(&mut self, candidate: &Candidate, error: UnitError) {
        let (home, found) = &mut self.found[candidate.home];
        let is_missing = matches!(error, UnitError::NoFile { .. } | UnitError::NotFound { .. });
        // systemd passes over such links as well.
        let is_no_unit = matches!(error, UnitError::DeadLink { .. }) && *home == Home::Path;
        match (candidate.reason, &candidate.target) {
            (Reason::Found, _) if is_missing || is_no_unit => {}
            (Reason::Needed, Target::Name(unit) | Target::File { unit, .. }) if is_missing => {
                found.absent.insert(unit.clone());
            }
            _ => self.errors.push(error),
        }
    }
}

fn read(units: &Units, target: &Target) -> Result<Read, UnitError> {
    let unit = units.read(target)?;
    let subject = Subject::new(unit.view, unit.aliases).with_files(unit.files);
    let file = subject.view().files().into_iter().next();
    let is_podmans_own = PODMANS_OWN.contains(&subject.unit().as_str())
        && file.is_some_and(|file| file.starts_with("/usr/"));
    let is_kind =
        |unit: &UnitName| matches!(unit.unit_type(), UnitType::Service | UnitType::Socket);
    let mut partners = subject.partners();
    partners.retain(is_kind);
    Ok(Read {
        starts_container: subject.starts_container(),
        is_wanted: subject.concerns_podman() && !is_podmans_own,
        partners,
        subject,
    })
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
