//! Unit files on this host: where a manager looks for them, and what is there.
//!
//! What they mean is decided in [`podseal_core::unit::effective`]; here are the
//! directory listings and the bytes that it decides upon.

mod error;
mod files;
mod host;
mod search_path;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use podseal_core::unit::effective::Scope;
use podseal_core::unit::effective::merge::Source;
use podseal_core::unit::effective::search::{
    DropIn, Entry, Fragment, Located, SearchDir, dropin_directories, locate,
};
use podseal_core::unit::effective::view::View;
use podseal_core::unit::file::UnitFile;
use podseal_core::unit::name::{NameKind, UnitName, UnitType};

pub use error::UnitError;
pub use files::FILE_MAX;

/// What a command line names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A unit, to be looked for where a manager looks.
    Name(UnitName),
    /// A file, with nothing but what lies beside it.
    File {
        /// Its path.
        path: PathBuf,
        /// The unit that it is the file of.
        unit: UnitName,
    },
}

/// Files that Quadlet makes units of, `podman-systemd.unit(5)`.
const QUADLET: &[&str] = &[
    "artifact",
    "build",
    "container",
    "image",
    "kube",
    "network",
    "pod",
    "volume",
];

impl Target {
    /// Reads an argument: with a slash it is a file, else a name, to which
    /// `.service` is added where it has no type.
    ///
    /// # Errors
    /// It is neither, or of a kind that podseal does not read.
    pub fn parse(argument: &str) -> Result<Self, UnitError> {
        let name = argument.rsplit('/').next().unwrap_or(argument);
        let suffix = name.rsplit_once('.').map(|(_, suffix)| suffix);
        if suffix.is_some_and(|suffix| QUADLET.contains(&suffix)) {
            return Err(UnitError::Quadlet {
                argument: argument.to_owned(),
            });
        }
        let invalid = |source| UnitError::Name {
            argument: argument.to_owned(),
            source,
        };
        let is_file = argument.contains('/');
        let unit: UnitName = match name.parse() {
            Ok(unit) => unit,
            Err(_) if !is_file && !matches!(name, "" | "." | "..") => {
                format!("{name}.service").parse().map_err(invalid)?
            }
            Err(error) => return Err(invalid(error)),
        };
        if !matches!(unit.unit_type(), UnitType::Service | UnitType::Socket) {
            return Err(UnitError::Kind { unit });
        }
        if is_file {
            let path = argument.into();
            return Ok(Self::File { path, unit });
        }
        if unit.kind() == NameKind::Template {
            return Err(UnitError::Template { unit });
        }
        Ok(Self::Name(unit))
    }
}

/// A unit as it is on this host.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// Its other names.
    pub aliases: Vec<UnitName>,
    /// What its files add up to.
    pub view: View,
}

/// The units of one manager.
#[derive(Debug, Clone)]
pub struct Units {
    scope: Scope,
    path: Vec<String>,
    host: BTreeMap<char, String>,
    /// Drop-ins by path that are as they would be: with this text, or empty.
    supposed: BTreeMap<String, Option<String>>,
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
            host: host::specifiers(scope, &account, &environment),
            supposed: BTreeMap::new(),
        }
    }

    /// The same units, as they would be with this text in a drop-in of a
    /// directory of the search path; without a text, as if that drop-in were
    /// empty, so that it does nothing but hide weaker ones of its name.
    #[must_use]
    pub fn supposing(&self, dropin: &str, text: Option<&str>) -> Self {
        let mut units = self.clone();
        let text = text.map(str::to_owned);
        units.supposed.insert(dropin.to_owned(), text);
        units
    }

    /// Those among which a target has its drop-ins and belongs to others: of a
    /// file, those of its directory.
    ///
    /// # Errors
    /// The file's directory is not there.
    pub fn around(&self, target: &Target) -> Result<Self, UnitError> {
        let mut units = self.clone();
        if let Target::File { path, .. } = target {
            units.path = vec![parent(path)?];
        }
        Ok(units)
    }

    /// The directories in which the manager looks, the strongest first. Not
    /// all of them exist.
    #[must_use]
    pub fn search_path(&self) -> &[String] {
        &self.path
    }

    /// Whose units they are.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.scope
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

    /// The names of the services and socket units that the search path has.
    ///
    /// # Errors
    /// A directory cannot be listed.
    pub fn names(&self) -> Result<BTreeSet<UnitName>, UnitError> {
        let mut names = BTreeSet::new();
        for path in &self.path {
            let entries = files::list(path.clone())?.map(|dir| dir.entries);
            names.extend(entries.into_iter().flatten().filter_map(|(name, _)| {
                let name: UnitName = name.parse().ok()?;
                matches!(name.unit_type(), UnitType::Service | UnitType::Socket).then_some(name)
            }));
        }
        Ok(names)
    }

    /// Finds a unit's files and reads them.
    ///
    /// # Errors
    /// There is no such unit, or one of its files cannot be read. What systemd
    /// would refuse in them is no error, but in the view's diagnostics.
    pub fn read(&self, target: &Target) -> Result<Unit, UnitError> {
        let (unit, path) = match target {
            Target::Name(unit) => (unit, self.path.clone()),
            Target::File { path, unit } => (unit, vec![parent(path)?]),
        };
        let mut dirs: Vec<SearchDir> = Vec::new();
        for path in path {
            let listed = files::list(path.clone())?;
            dirs.extend(listed.or_else(|| self.supposed_directory(path)));
        }
        let first = locate(unit, &dirs);
        let wanted = dropin_directories(&first);
        for dir in &mut dirs {
            list_dropins(dir, &wanted)?;
            self.suppose(dir);
        }
        self.view(target, unit, &dirs, &locate(unit, &dirs))
    }

    /// A directory that is made for a drop-in.
    fn supposed_directory(&self, path: String) -> Option<SearchDir> {
        let below = |dropin: &String| dropin.starts_with(&format!("{path}/"));
        self.supposed.keys().any(below).then(|| SearchDir {
            path,
            entries: BTreeMap::new(),
        })
    }

    /// Puts the supposed drop-ins of a directory into its listing.
    fn suppose(&self, dir: &mut SearchDir) {
        for (path, text) in &self.supposed {
            let below = path.strip_prefix(&format!("{}/", dir.path));
            let Some((directory, name)) = below.and_then(|below| below.split_once('/')) else {
                continue;
            };
            let entry = dir.entries.entry(directory.to_owned());
            let entry = entry.or_insert_with(|| Entry::Directory(BTreeMap::new()));
            let Entry::Directory(dropins) = entry else {
                continue;
            };
            let kind = match text {
                Some(_) => DropIn::File,
                None => DropIn::Masked,
            };
            dropins.insert(name.to_owned(), kind);
        }
    }

    fn view(
        &self,
        target: &Target,
        unit: &UnitName,
        dirs: &[SearchDir],
        located: &Located,
    ) -> Result<Unit, UnitError> {
        let masked = |path: &str| View::masked(&located.id, path, self.scope);
        let view = match &located.fragment {
            Fragment::Missing => return Err(missing(target, unit, dirs, self.scope)),
            Fragment::Masked(path) => masked(path),
            Fragment::File(path) => {
                let fragment = files::read(path)?;
                if fragment.file.as_bytes().is_empty() {
                    // A link to an empty file outside the search path.
                    masked(path)
                } else {
                    let dropins = located.dropins.iter().map(|path| self.source(path));
                    let dropins = dropins.collect::<Result<Vec<_>, _>>()?;
                    View::new(&located.id, &fragment, &dropins, &self.host, self.scope).ok_or_else(
                        || UnitError::Kind {
                            unit: located.id.clone(),
                        },
                    )?
                }
            }
        };
        Ok(Unit {
            aliases: located.aliases.clone(),
            view,
        })
    }
}

/// The directory of a file as core wants it: absolute, without links and `..`.
fn parent(path: &Path) -> Result<String, UnitError> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let error = |source| UnitError::Read {
        path: path.display().to_string(),
        source,
    };
    let directory = fs::canonicalize(directory).map_err(error)?;
    let text = directory.to_str().map(str::to_owned);
    text.ok_or(UnitError::PathNotUtf8 { path: directory })
}

fn list_dropins(dir: &mut SearchDir, wanted: &BTreeSet<String>) -> Result<(), UnitError> {
    for (name, entry) in &mut dir.entries {
        if let (Entry::Directory(dropins), true) = (entry, wanted.contains(name)) {
            *dropins = files::list_dropins(&format!("{}/{name}", dir.path))?;
        }
    }
    Ok(())
}

/// Why a unit was not found, as exactly as can be said.
fn missing(target: &Target, unit: &UnitName, dirs: &[SearchDir], scope: Scope) -> UnitError {
    let names = std::iter::once(unit.clone()).chain(unit.template().ok());
    for name in names {
        for dir in dirs {
            let path = format!("{}/{name}", dir.path);
            match dir.entries.get(name.as_str()) {
                Some(Entry::Directory(_)) => return UnitError::IsDirectory { path },
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
        Target::Name(_) => UnitError::NotFound {
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
    fn arguments() {
        let name = |text: &str| Target::Name(text.parse().expect("valid"));
        let file = |path: &str, unit: &str| Target::File {
            path: path.into(),
            unit: unit.parse().expect("valid"),
        };
        let cases = [
            ("a", name("a.service")),
            ("a.b", name("a.b.service")),
            ("a.socket", name("a.socket")),
            ("a@b", name("a@b.service")),
            ("./a.service", file("./a.service", "a.service")),
            ("/x/a@.socket", file("/x/a@.socket", "a@.socket")),
            ("../a.service", file("../a.service", "a.service")),
        ];
        for (argument, expected) in cases {
            assert_eq!(Target::parse(argument).expect("accepted"), expected);
        }
    }

    #[test]
    fn arguments_that_are_refused() {
        let is_name = |e: &UnitError| matches!(e, UnitError::Name { .. });
        let long = "a".repeat(250);
        for argument in [
            "",
            ".",
            "..",
            "a b",
            "@x",
            "a/",
            "./a",
            "../..",
            "a/..",
            "@.service",
            "\u{e4}",
            &long,
        ] {
            let error = Target::parse(argument).expect_err(argument);
            assert!(is_name(&error), "{argument}: {error:?}");
            assert!(error.to_string().contains(argument), "{error}");
        }
        let cases = [
            ("a.container", "Quadlet"),
            ("x/a.kube", "Quadlet"),
            ("a.timer", "is a timer"),
            ("a@", "a@.service is a template"),
            ("a@.socket", "a@.socket is a template"),
        ];
        for (argument, text) in cases {
            let error = Target::parse(argument).expect_err(argument).to_string();
            assert!(error.contains(text), "{argument}: {error}");
        }
    }

    #[test]
    fn none_in_an_empty_search_path() {
        let units = Units {
            scope: Scope::User,
            path: vec!["/nonexistent".into()],
            host: BTreeMap::new(),
            supposed: BTreeMap::new(),
        };
        let target = Target::parse("a").expect("valid");
        let error = units.read(&target).expect_err("not there");
        assert!(matches!(error, UnitError::NotFound { .. }), "{error:?}");
    }
}
