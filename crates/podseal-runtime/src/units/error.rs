//! Why a unit cannot be read.

use std::io;
use std::path::PathBuf;

use podseal_core::unit::effective::Scope;
use podseal_core::unit::name::{NameError, UnitName};

use super::FILE_MAX;

/// A unit cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum UnitError {
    /// An argument that is no name of a unit, or of a unit's file.
    #[error("{argument:?} names no unit")]
    Name {
        /// The argument.
        argument: String,
        /// What is wrong with it.
        source: NameError,
    },
    /// A file of Quadlet's that is no `.container` file.
    #[error("{argument}: of Quadlet's files only .container is read")]
    Quadlet {
        /// The argument.
        argument: String,
    },
    /// There is no such file where Podman's generator looks.
    #[error("there is no {name} where Podman's generator looks for files")]
    NoQuadlet {
        /// Its name.
        name: String,
    },
    /// A kind of unit that podseal has nothing to do with.
    #[error(
        "{unit} is a {}: only services and sockets are read",
        unit.unit_type().name()
    )]
    Kind {
        /// The unit.
        unit: UnitName,
    },
    /// A template, where a unit is needed.
    #[error("{unit} is a template without an instance")]
    Template {
        /// The template.
        unit: UnitName,
    },
    /// No directory of the search path has it.
    #[error("there is no file of {unit} where systemd looks for units")]
    NotFound {
        /// The unit.
        unit: UnitName,
        /// Whose units they are.
        scope: Scope,
        /// Whether the working directory has such a file.
        is_here: bool,
    },
    /// A file that was named is not there.
    #[error("there is no file {path}")]
    NoFile {
        /// Its path.
        path: String,
    },
    /// Something else in the place of a unit's file.
    #[error("{path} is a directory, not a unit file")]
    IsDirectory {
        /// Its path.
        path: String,
    },
    /// A device, a pipe or a socket in the place of a unit's file.
    #[error("{path} is not a regular file")]
    NotRegular {
        /// Its path.
        path: String,
    },
    /// A link to nothing, to itself, or to what cannot stand for the unit.
    #[error("{path} is a link to {target}, which leads to no unit file")]
    DeadLink {
        /// The path of the link.
        path: String,
        /// What is in it.
        target: String,
    },
    /// More than any unit file has.
    #[error("{path} is larger than {} MiB", FILE_MAX >> 20)]
    TooLarge {
        /// Its path.
        path: String,
    },
    /// Not a text.
    #[error("{path}:{line}: a byte of value zero: this is binary data, not a unit file")]
    Binary {
        /// Its path.
        path: String,
        /// Counted from 1.
        line: usize,
    },
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Its path.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A directory cannot be listed.
    #[error("cannot list {path}")]
    List {
        /// Its path.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A path that the formats podseal writes have no way to say.
    #[error("the path {path:?} is not UTF-8")]
    PathNotUtf8 {
        /// The path.
        path: PathBuf,
    },
}

impl UnitError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        let denied = |source: &io::Error| source.kind() == io::ErrorKind::PermissionDenied;
        match self {
            Self::Name { argument, .. } if argument.contains('/') => {
                "a file has to be named like a unit, NAME.service or NAME.socket; for a path in a name there is `systemd-escape`".into()
            }
            Self::Name { .. } => {
                "a name has letters, digits and :-_.\\@, and ends in .service or .socket; a file is given with a slash, as in ./NAME.service".into()
            }
            Self::Quadlet { .. } => "name the service that Quadlet makes of it".into(),
            Self::NoQuadlet { name } => format!(
                "podman-systemd.unit(5) lists the directories; for a file, write its path, as in ./{name}"
            ),
            Self::Kind { .. } => "name a service or a socket".into(),
            Self::Template { unit } => format!(
                "give an instance, as in {}@NAME.{}, or the path of the template's file",
                unit.prefix(),
                unit.unit_type().name()
            ),
            Self::NotFound {
                unit,
                is_here: true,
                ..
            } => format!("for the file in this directory, write ./{unit}"),
            Self::NotFound {
                scope: Scope::User, ..
            } => "`systemd-analyze --user unit-paths` lists the directories; for the system's units give --system, for a file its path".into(),
            Self::NotFound {
                scope: Scope::System,
                ..
            } => "`systemd-analyze --system unit-paths` lists the directories; without --system it is the user's units that are looked for".into(),
            Self::IsDirectory { path } => format!("drop-ins belong into {path}.d"),
            Self::NotRegular { .. } | Self::TooLarge { .. } | Self::Binary { .. } => {
                "unit files are short texts, see systemd.syntax(7): check the path".into()
            }
            Self::DeadLink { .. } => {
                "systemd ignores such a link: remove it, or point it to a unit file of the same type".into()
            }
            Self::Read { source, .. } | Self::List { source, .. } if denied(source) => {
                "run podseal as a user who may read it, or change its permissions".into()
            }
            Self::NoFile { .. } | Self::Read { .. } | Self::List { .. } => "check the path".into(),
            Self::PathNotUtf8 { .. } => "rename it".into(),
        }
    }
}
