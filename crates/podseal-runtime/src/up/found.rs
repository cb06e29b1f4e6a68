//! The files of a service that are there.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use podseal_core::unit::name::UnitName;
use podseal_core::up::mark::{self, Found};
use podseal_core::up::{File, Form};

use super::{FileChange, Request, UpError};
use crate::install::{Change, Contents};
use crate::units::Units;

/// Where the files of a service are.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The service's name, without its type.
    pub(super) name: String,
    /// The directory of units.
    pub(super) config: String,
    /// The directory of Quadlet's files.
    pub(super) quadlet: Option<String>,
}

/// A file that is there, and whose it is.
#[derive(Debug, Clone)]
pub(super) struct Existing {
    pub(super) contents: Contents,
    pub(super) whose: Found,
}

impl Place {
    pub(super) fn of(units: &Units, name: &str) -> Result<Self, UpError> {
        let config = units.config_directory();
        if config.is_empty() {
            return Err(UpError::NoDirectory);
        }
        Ok(Self {
            name: name.to_owned(),
            config: config.to_owned(),
            quadlet: units.quadlet_directory().map(str::to_owned),
        })
    }

    /// The path of the service's file.
    pub(super) fn service(&self, form: Form) -> Option<PathBuf> {
        let directory = match form {
            Form::Quadlet => self.quadlet.as_deref()?,
            Form::Service => &self.config,
        };
        Some(Path::new(directory).join(format!("{}.{}", self.name, form.extension())))
    }

    /// The path of a socket unit.
    pub(super) fn socket(&self, unit: &UnitName) -> PathBuf {
        Path::new(&self.config).join(unit.as_str())
    }

    /// The socket units that podseal wrote for this service.
    pub(super) fn sockets(&self) -> Result<BTreeMap<UnitName, Existing>, UpError> {
        let listing = match fs::read_dir(&self.config) {
            Ok(listing) => listing,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(source) => {
                let path = PathBuf::from(&self.config);
                return Err(UpError::Read { path, source });
            }
        };
        let mut found = BTreeMap::new();
        for entry in listing.filter_map(Result::ok) {
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| name.ends_with(".socket")) else {
                continue;
            };
            let Ok(unit) = name.parse::<UnitName>() else {
                continue;
            };
            // Of others' only those in the way of new ones matter.
            let Ok(Some(existing)) = existing(&entry.path()) else {
                continue;
            };
            let is_of = |owner: &str| owner == self.name;
            if matches!(&existing.whose, Found::Ours(owner) | Found::Edited(owner) if is_of(owner))
            {
                found.insert(unit, existing);
            }
        }
        Ok(found)
    }
}

/// What is at a path.
pub(super) fn existing(path: &Path) -> Result<Option<Existing>, UpError> {
    let failed = |source: io::Error| UpError::Read {
        path: path.to_owned(),
        source,
    };
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        other => other.map_err(failed)?,
    };
    if metadata.is_symlink() {
        let target = fs::read_link(path).map_err(failed)?;
        return Ok(Some(Existing {
            contents: Contents::Link(target),
            whose: Found::Foreign,
        }));
    }
    if !metadata.is_file() {
        return Err(UpError::Foreign {
            path: path.to_owned(),
        });
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    Ok(Some(Existing {
        whose: mark::read(&text),
        contents: Contents::Text(text),
    }))
}

/// A file with a mark, which only takes the place of another of the service's.
pub(super) fn text(
    path: &Path,
    file: &File,
    request: &Request,
    place: &Place,
) -> Result<FileChange, UpError> {
    let found = existing(path)?;
    require_unedited(path, found.as_ref(), request, place)?;
    Ok(FileChange {
        before: found.map(|found| found.contents),
        change: Change {
            path: path.to_owned(),
            contents: Some(Contents::Text(file.text.clone())),
        },
    })
}

pub(super) fn require_unedited(
    path: &Path,
    found: Option<&Existing>,
    request: &Request,
    place: &Place,
) -> Result<(), UpError> {
    let path = path.to_owned();
    match found.map(|found| &found.whose) {
        Some(Found::Foreign) => Err(UpError::Foreign { path }),
        Some(Found::Ours(owner) | Found::Edited(owner)) if *owner != place.name => {
            let owner = owner.clone();
            Err(UpError::OtherService { path, owner })
        }
        Some(Found::Edited(_)) if !request.force => Err(UpError::Edited { path }),
        None | Some(Found::Ours(_) | Found::Edited(_)) => Ok(()),
    }
}

/// A link, or its end.
pub(super) fn linked(path: PathBuf, target: Option<Contents>) -> Result<FileChange, UpError> {
    let change = at(path, target)?;
    match change.before {
        Some(Contents::Text(_)) => Err(UpError::Foreign {
            path: change.change.path,
        }),
        _ => Ok(change),
    }
}

/// A file as it is and is to be.
pub(super) fn at(path: PathBuf, contents: Option<Contents>) -> Result<FileChange, UpError> {
    Ok(FileChange {
        before: existing(&path)?.map(|found| found.contents),
        change: Change { path, contents },
    })
}
