//! Unit files on this host: where a manager looks for them, and what is there.
//!
//! What they mean is decided in [`podseal_core::unit::effective`]; here are the
//! directory listings and the bytes that it decides upon.

mod error;
mod files;
mod host;
mod listing;
mod quadlet;
mod search_path;
mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use podseal_core::unit::Effect;
use podseal_core::unit::effective::merge::Source;
use podseal_core::unit::effective::search::{
    DropIn, Entry, Fragment, Located, dependency_links, dropins,
};
use podseal_core::unit::effective::view::View;
use podseal_core::unit::effective::{Diagnostic, Scope, quadlet as effective_quadlet};
use podseal_core::unit::file::UnitFile;
use podseal_core::unit::name::UnitName;
use podseal_core::unit::quadlet::container::Surroundings;

use listing::Listing;

pub use error::UnitError;
pub use files::FILE_MAX;
pub use target::Target;

/// A unit as it is on this host.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// Its other names.
    pub aliases: Vec<UnitName>,
    /// What its files add up to.
    pub view: View,
    /// The files, in the order of [`View::files`]; none of a unit that Podman's
    /// generator makes.
    pub files: Vec<Source>,
}

/// The units of one manager. A directory is listed once, when it is first
/// needed: what is read from then on is as it was at that time.
#[derive(Debug)]
pub struct Units {
    scope: Scope,
    path: Vec<String>,
    quadlet_path: Vec<String>,
    /// Where the user, or the administrator, has Quadlet's files.
    quadlet_directory: Option<String>,
    /// Whether a directory was added that the manager does not look in.
    is_staged: bool,
    /// Where Podman's generator puts services.
    generated: String,
    host: BTreeMap<char, String>,
    /// By the directory of files named by their path; `None` is the search path.
    listings: Mutex<BTreeMap<Option<String>, Arc<Listing>>>,
    /// The canonical paths of directories, by how they were written.
    directories: Mutex<BTreeMap<PathBuf, String>>,
    /// Drop-ins by path that are as they would be: with this text, or empty.
    supposed: BTreeMap<String, Option<String>>,
    /// What Podman's generator said, which knows no drop-ins of services.
    asked: quadlet::Asked,
}

impl Units {
    /// Those of the calling user's manager, or of the system's.
    #[must_use]
    pub fn of(scope: Scope) -> Self {
        let account = host::Account::of(scope);
        let environment = search_path::Environment::current(&account);
        Self {
            scope,
            path: search_path::search_path(scope, &environment),
            quadlet_path: quadlet::search_path(scope, account.uid, &environment),
            quadlet_directory: quadlet::own_directory(scope, &environment),
            is_staged: false,
            generated: search_path::generated(scope, account.uid, &environment),
            host: host::specifiers(scope, &account, &environment),
            listings: Mutex::default(),
            directories: Mutex::default(),
            supposed: BTreeMap::new(),
            asked: quadlet::Asked::default(),
        }
    }

    /// Those in one directory, read as the calling user's manager would, or
    /// for root the system's. Quadlet's files there are passed over.
    ///
    /// # Errors
    /// It is no directory, or its path is not UTF-8.
    pub fn in_directory(directory: &Path) -> Result<Self, UnitError> {
        let scope = if rustix::process::getuid().is_root() {
            Scope::System
        } else {
            Scope::User
        };
        let error = |source| UnitError::List {
            path: directory.display().to_string(),
            source,
        };
        let path = fs::canonicalize(directory).map_err(error)?;
        if !path.is_dir() {
            return Err(error(std::io::ErrorKind::NotADirectory.into()));
        }
        let text = path.to_str().map(str::to_owned);
        Ok(Self {
            path: vec![text.ok_or(UnitError::PathNotUtf8 { path })?],
            quadlet_path: Vec::new(),
            generated: String::new(),
            ..Self::of(scope)
        })
    }

    /// What a manager puts in for a specifier, such as `h` for the home.
    #[must_use]
    pub fn specifier(&self, letter: char) -> Option<&str> {
        self.host.get(&letter).map(String::as_str)
    }

    /// Whose units they are.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        self.scope
    }

    /// The same units, as they would be with this text in a drop-in of a
    /// directory of the search path; without a text, as if that drop-in were
    /// empty, so that it does nothing but hide weaker ones of its name.
    #[must_use]
    pub fn supposing(&self, dropin: &str, text: Option<&str>) -> Self {
        let mut units = self.elsewhere(self.path.clone(), self.quadlet_path.clone());
        let text = text.map(str::to_owned);
        units.supposed.insert(dropin.to_owned(), text);
        units.asked = self.asked.clone();
        units
    }

    /// The same units, with those in `directory` before all others: as they
    /// would be if its files were where they belong.
    #[must_use]
    pub fn staging(&self, directory: &str) -> Self {
        let before = |path: &[String]| {
            let own = std::iter::once(directory.to_owned());
            own.chain(path.iter().cloned()).collect()
        };
        Self {
            is_staged: true,
            ..self.elsewhere(before(&self.path), before(&self.quadlet_path))
        }
    }

    /// Those among which a target has its drop-ins and belongs to others: of a
    /// file, those of its directory.
    ///
    /// # Errors
    /// The file's directory is not there.
    pub fn around(&self, target: &Target) -> Result<Self, UnitError> {
        let (path, quadlet_path) = match target {
            Target::File { path, .. } | Target::QuadletFile(path) => {
                let directory = vec![parent(path)?];
                (directory.clone(), directory)
            }
            Target::Name(_) | Target::Quadlet(_) => (self.path.clone(), self.quadlet_path.clone()),
        };
        Ok(self.elsewhere(path, quadlet_path))
    }

    /// The same manager's, looking elsewhere, and anew.
    fn elsewhere(&self, path: Vec<String>, quadlet_path: Vec<String>) -> Self {
        Self {
            scope: self.scope,
            path,
            quadlet_path,
            quadlet_directory: self.quadlet_directory.clone(),
            is_staged: self.is_staged,
            generated: self.generated.clone(),
            host: self.host.clone(),
            listings: Mutex::default(),
            directories: Mutex::default(),
            supposed: self.supposed.clone(),
            asked: quadlet::Asked::default(),
        }
    }

    /// The directories in which the manager looks, the strongest first. Not
    /// all of them exist.
    #[must_use]
    pub fn search_path(&self) -> &[String] {
        &self.path
    }

    /// The directory of the search path in which the user, or the
    /// administrator, has files.
    #[must_use]
    pub fn config_directory(&self) -> &str {
        let name = match self.scope {
            Scope::User => "/systemd/user",
            Scope::System => "/etc/systemd/system",
        };
        let mut path = self.path.iter();
        let own = path.find(|path| path.strip_suffix(name).is_some());
        own.or(self.path.first()).map_or("", String::as_str)
    }

    /// The directory in which the user, or the administrator, has Quadlet's
    /// files. Without a home there is none.
    #[must_use]
    pub fn quadlet_directory(&self) -> Option<&str> {
        self.quadlet_directory.as_deref()
    }

    /// Whether Podman's generator is installed.
    #[must_use]
    pub fn has_quadlet() -> bool {
        quadlet::installed().is_some()
    }

    /// Reads one of the files that a view names.
    ///
    /// # Errors
    /// It cannot be read any more.
    pub fn source(&self, path: &str) -> Result<Source, UnitError> {
        match self.supposed.get(path) {
            Some(Some(text)) => Ok(Source {
                path: path.to_owned(),
                file: UnitFile::parse(text.as_str()),
            }),
            _ => files::read(path),
        }
    }

    /// The names of the units that the search path has files of, those that
    /// Podman's generator makes included.
    ///
    /// # Errors
    /// A directory cannot be listed.
    pub fn names(&self) -> Result<BTreeSet<UnitName>, UnitError> {
        Ok(self.listing(None)?.units.names())
    }

    /// Finds a unit's files and reads them.
    ///
    /// # Errors
    /// There is no such unit, or one of its files cannot be read. What systemd
    /// or Podman's generator would refuse in them is no error, but in the
    /// view's diagnostics.
    pub fn read(&self, target: &Target) -> Result<Unit, UnitError> {
        match target {
            Target::Name(unit) => self.unit(target, unit, &*self.listing(None)?),
            Target::File { path, unit } => {
                let listing = self.listing(Some(self.parent(path)?))?;
                self.unit(target, unit, &listing)
            }
            Target::Quadlet(name) => self.quadlet(name, &*self.listing(None)?),
            Target::QuadletFile(path) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                if !path.is_symlink() && !path.exists() {
                    let path = path.display().to_string();
                    return Err(UnitError::NoFile { path });
                }
                self.quadlet(&name, &*self.listing(Some(self.parent(path)?))?)
            }
        }
    }

    /// The directory of a file as core wants it: absolute, without links and
    /// `..`.
    fn parent(&self, path: &Path) -> Result<String, UnitError> {
        let written = directory_of(path);
        let known = &self.directories;
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(directory) = known.get(written) {
            return Ok(directory.clone());
        }
        let directory = parent(path)?;
        known.insert(written.to_owned(), directory.clone());
        Ok(directory)
    }

    fn listing(&self, dir: Option<String>) -> Result<Arc<Listing>, UnitError> {
        let mut listings = self.listings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listing) = listings.get(&dir) {
            return Ok(Arc::clone(listing));
        }
        let (path, quadlet_path) = match &dir {
            None => (self.path.clone(), self.quadlet_path.clone()),
            Some(dir) => (vec![dir.clone()], vec![dir.clone()]),
        };
        let asked = || self.is_staged.then(|| quadlet_path.join(":"));
        let asked = dir.clone().or_else(asked);
        let quadlet = quadlet::QuadletFiles::list(quadlet_path, self.scope, asked, &self.asked);
        let listing = Listing::new(path, &self.generated, quadlet, &self.supposed)?;
        let listing = Arc::new(listing);
        listings.insert(dir, Arc::clone(&listing));
        Ok(listing)
    }

    fn unit(&self, target: &Target, unit: &UnitName, listing: &Listing) -> Result<Unit, UnitError> {
        let located = listing.units.locate(unit);
        let masked = |path: &str| View::masked(&located.id, path, self.scope);
        let mut files = Vec::new();
        let mut view = match &located.fragment {
            Fragment::Missing => return Err(missing(target, unit, listing, self.scope)),
            Fragment::Masked(path) => masked(path),
            Fragment::File(path) => {
                if let Some(source) = listing.source_of(path) {
                    let container = listing.quadlet.container(source)?;
                    self.generated(&located, &container)?
                } else {
                    let fragment = files::read(path)?;
                    if fragment.file.as_bytes().is_empty() {
                        masked(path)
                    } else {
                        let dropins = self.dropins(&located)?;
                        let view =
                            View::new(&located.id, &fragment, &dropins, &self.host, self.scope);
                        files.push(fragment);
                        files.extend(dropins);
                        view.ok_or_else(|| UnitError::Kind {
                            unit: located.id.clone(),
                        })?
                    }
                }
            }
        };
        link(&mut view, &located)?;
        Ok(Unit {
            aliases: located.aliases,
            view,
            files,
        })
    }

    /// The service that is made of a `.container` file, even if systemd has
    /// another of that name.
    fn quadlet(&self, name: &str, listing: &Listing) -> Result<Unit, UnitError> {
        let mut container = listing.quadlet.container(name)?;
        let mut located = listing.units.locate(&container.unit);
        if let Fragment::File(path) | Fragment::Masked(path) = &located.fragment
            && listing.source_of(path) != Some(name)
        {
            container.problems.push(Diagnostic {
                origin: None,
                effect: Effect::Ignored,
                message: format!("systemd reads {path} in place of the generated service"),
            });
            located.id = container.unit.clone();
        }
        let mut view = self.generated(&located, &container)?;
        link(&mut view, &located)?;
        Ok(Unit {
            aliases: located.aliases,
            view,
            files: Vec::new(),
        })
    }

    fn dropins(&self, located: &Located) -> Result<Vec<Source>, UnitError> {
        let mut directories = Vec::new();
        for path in &located.dropin_directories {
            let supposed: Vec<_> = self
                .supposed
                .iter()
                .filter_map(|(dropin, text)| {
                    let (directory, name) = dropin.rsplit_once('/')?;
                    let kind = match text {
                        Some(_) => DropIn::File,
                        None => DropIn::Masked,
                    };
                    (directory == path).then(|| (name.to_owned(), kind))
                })
                .collect();
            let mut found = if supposed.is_empty() || Path::new(path).is_dir() {
                files::list_dropins(path)?
            } else {
                BTreeMap::new()
            };
            found.extend(supposed);
            directories.push((path.clone(), found));
        }
        let paths = dropins(&directories);
        paths.iter().map(|path| self.source(path)).collect()
    }

    fn generated(
        &self,
        located: &Located,
        container: &quadlet::Container,
    ) -> Result<View, UnitError> {
        Ok(View::quadlet(
            &effective_quadlet::Container {
                unit: &located.id,
                file: &container.file,
                problems: &container.problems,
                generated: &format!("{}/{}", self.generated, container.unit),
                dropins: &self.dropins(located)?,
                answer: container.answer.as_ref(),
            },
            &Surroundings {
                scope: self.scope,
                generator: container.generator,
                resources: &container.resources,
                missing_devices: &container.missing_devices,
            },
            &self.host,
        ))
    }
}

/// Adds the dependencies that are links to units.
fn link(view: &mut View, located: &Located) -> Result<(), UnitError> {
    for (key, directories) in &located.dependency_directories {
        let directories = directories.iter();
        let directories = directories
            .map(|path| Ok((path.clone(), files::list_links(path)?)))
            .collect::<Result<Vec<_>, UnitError>>()?;
        view.link(key, dependency_links(&directories));
    }
    Ok(())
}

/// The directory that a path is in, as it is written.
pub(crate) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// The directory of a file as core wants it: absolute, without links and `..`.
fn parent(path: &Path) -> Result<String, UnitError> {
    let error = |source| UnitError::Read {
        path: path.display().to_string(),
        source,
    };
    let directory = fs::canonicalize(directory_of(path)).map_err(error)?;
    let text = directory.to_str().map(str::to_owned);
    text.ok_or(UnitError::PathNotUtf8 { path: directory })
}

/// Why a unit was not found, as exactly as can be said.
fn missing(target: &Target, unit: &UnitName, listing: &Listing, scope: Scope) -> UnitError {
    let names = std::iter::once(unit.clone()).chain(unit.template().ok());
    for name in names {
        for dir in listing.units.dirs() {
            let path = format!("{}/{name}", dir.path);
            match dir.entries.get(name.as_str()) {
                Some(Entry::Directory) => return UnitError::IsDirectory { path },
                Some(Entry::Link(target)) => {
                    return UnitError::DeadLink {
                        path,
                        target: target.clone(),
                    };
                }
                _ => {}
            }
        }
    }
    match target {
        Target::File { path, .. } => UnitError::NoFile {
            path: path.display().to_string(),
        },
        _ => UnitError::NotFound {
            unit: unit.clone(),
            scope,
            is_here: Path::new(unit.as_str()).is_file(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_in_an_empty_search_path() {
        let units = Units {
            scope: Scope::User,
            path: vec!["/nonexistent".into()],
            quadlet_path: Vec::new(),
            quadlet_directory: None,
            is_staged: false,
            generated: "/nonexistent".into(),
            host: BTreeMap::new(),
            listings: Mutex::default(),
            directories: Mutex::default(),
            supposed: BTreeMap::new(),
            asked: quadlet::Asked::default(),
        };
        let target = Target::parse("a").expect("valid");
        let error = units.read(&target).expect_err("not there");
        assert!(matches!(error, UnitError::NotFound { .. }), "{error:?}");
    }
}
