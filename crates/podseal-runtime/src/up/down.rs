//! Removing a service that podseal made.

use std::fs;
use std::path::{Path, PathBuf};

use podseal_core::plan::header::{self, Found as Seal};
use podseal_core::plan::{DROP_IN, PROFILE};
use podseal_core::unit::effective::Scope;
use podseal_core::unit::name::UnitName;
use podseal_core::up::Form;
use podseal_core::up::mark::Found;

use super::found::{Place, at, existing};
use super::{FileChange, UpError, keep, link, open};
use crate::install::{install, is_unfinished};
use crate::plan;
use crate::systemd::Manager;
use crate::units::{Target, Units};

/// What is to be removed.
#[derive(Debug)]
pub struct Removal {
    /// The service.
    pub unit: UnitName,
    /// The files in the order in which they are removed.
    pub files: Vec<FileChange>,
    /// Its socket units.
    pub sockets: Vec<UnitName>,
    /// Files that stay.
    pub kept: Vec<Kept>,
}

/// A file that is not removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its path.
    pub path: PathBuf,
    /// Why.
    pub why: Why,
}

/// Why a file is not removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Somebody edited it.
    Edited,
    /// podseal did not write it.
    Foreign,
    /// It is the seal of a service that stays.
    Seals,
}

/// Plans the removal of the service called `name`: of what podseal wrote for it,
/// and of what was edited since if `force` says so.
///
/// # Errors
/// podseal made no such service, or its files cannot be read.
pub fn plan_removal(scope: Scope, name: &str, force: bool) -> Result<Removal, UpError> {
    let unit: UnitName = format!("{name}.service")
        .parse()
        .map_err(|source| UpError::Name {
            name: name.to_owned(),
            source,
        })?;
    let units = Units::of(scope);
    let place = Place::of(&units, name)?;
    let mut kept = Vec::new();
    let mut goes = |path: &Path, whose: &Found| {
        let why = match whose {
            Found::Ours(owner) if owner == name => return true,
            Found::Edited(owner) if owner == name && force => return true,
            Found::Edited(owner) if owner == name => Why::Edited,
            Found::Ours(_) | Found::Edited(_) | Found::Foreign => Why::Foreign,
        };
        kept.push(Kept {
            path: path.to_owned(),
            why,
        });
        false
    };
    let sockets = place.sockets()?;
    let mut links = Vec::new();
    let mut rest = Vec::new();
    for (socket, found) in &sockets {
        let path = place.socket(socket);
        // One that stays is not opened at boot any more.
        links.extend(own_link(&place, socket)?);
        if goes(&path, &found.whose) {
            rest.push(at(path, None)?);
        }
    }
    let own = format!("{name}.socket");
    if let Ok(own) = own.parse()
        && !sockets.contains_key(&own)
        && existing(&place.socket(&own))?.is_none()
    {
        // A removal that was killed may have left something beside it.
        links.extend(own_link(&place, &own)?);
        rest.push(at(place.socket(&own), None)?);
    }
    let mut stays = false;
    for form in [Form::Quadlet, Form::Service] {
        let Some(path) = place.service(form) else {
            continue;
        };
        match existing(&path)? {
            Some(found) if !goes(&path, &found.whose) => stays = true,
            _ => rest.push(at(path, None)?),
        }
    }
    let (path, seal) = plan::existing(&units, &unit, DROP_IN)?;
    let path = PathBuf::from(path);
    if seal.is_none() {
        rest.push(at(path.clone(), None)?);
    }
    let is_edited = kept.iter().any(|kept| kept.why == Why::Edited);
    // One that was killed may have removed all files, and not told systemd.
    let is_open = |file: &FileChange| !file.is_done() || is_unfinished(&file.change.path);
    let is_made = is_edited || links.iter().chain(&rest).any(is_open);
    let is_seal_alone = !is_made && units.read(&Target::Name(unit.clone())).is_err();
    if let Some(text) = &seal {
        let why = match header::read(text) {
            _ if stays => Some(Why::Seals),
            Seal::Foreign => Some(Why::Foreign),
            Seal::Edited if !force => Some(Why::Edited),
            Seal::Ours(_) | Seal::Edited => None,
        };
        match why {
            Some(why) if is_made => kept.push(Kept { path, why }),
            None if is_made || is_seal_alone => {
                rest.push(at(path, None)?);
                let (profile, found) = plan::existing(&units, &unit, PROFILE)?;
                if let Some(found) = found {
                    let is_ours = matches!(header::read(text), Seal::Ours(made)
                        if made.profile == Some(header::hash(&found)));
                    if is_ours || force {
                        rest.push(at(profile.into(), None)?);
                    } else {
                        let (path, why) = (profile.into(), Why::Edited);
                        kept.push(Kept { path, why });
                    }
                }
            }
            _ => {}
        }
    }
    if !is_made && rest.iter().all(FileChange::is_done) {
        return Err(match kept.into_iter().next() {
            Some(Kept { path, .. }) => UpError::Foreign { path },
            None => UpError::Absent {
                name: name.to_owned(),
            },
        });
    }
    links.append(&mut rest);
    Ok(Removal {
        unit,
        files: links,
        sockets: sockets.into_keys().collect(),
        kept,
    })
}

/// The link to a socket unit, if it does not lead to another of that name.
fn own_link(place: &Place, socket: &UnitName) -> Result<Option<FileChange>, UpError> {
    let (path, target) = link(&place.config, socket);
    let link = at(path.into(), None)?;
    let is_own = link.before.as_ref().is_none_or(|found| *found == target);
    Ok(is_own.then_some(link))
}

/// Stops the sockets and the service, and removes the files.
///
/// # Errors
/// See [`UpError`]; then no file was removed.
pub fn remove(removal: &Removal, manager: Option<Manager>) -> Result<(), UpError> {
    let failed = |step| move |source| UpError::Manager { step, source };
    let Some(manager) = manager else {
        keep(&removal.files, install(&open(&removal.files))?);
        remove_directories(removal);
        return Ok(());
    };
    let running = |unit: &UnitName| manager.running([unit]).is_ok_and(|names| !names.is_empty());
    let open_sockets = removal.sockets.iter().filter(|unit| running(unit));
    let open_sockets: Vec<&UnitName> = open_sockets.collect();
    // The sockets before the service, which they would start again; systemd
    // orders them so.
    let all: Vec<&UnitName> = removal.sockets.iter().chain([&removal.unit]).collect();
    let known = all.iter().copied().filter(|unit| is_known(manager, unit));
    manager.stop(known).map_err(failed("stop the service"))?;
    let removed = install(&open(&removal.files)).map_err(UpError::Install);
    let removed = removed.and_then(|installed| match manager.reload() {
        Ok(()) => {
            keep(&removal.files, installed);
            Ok(())
        }
        Err(source) => {
            if let Err(error) = installed.undo() {
                tracing::warn!(%error, "not put back as it was");
            }
            Err(failed("read its units again")(source))
        }
    });
    if let Err(error) = removed {
        if let Err(error) = manager.start(open_sockets) {
            tracing::warn!(%error, "not open again");
        }
        return Err(error);
    }
    remove_directories(removal);
    // It fails for units that are not known any more.
    let _ = manager.reset_failed(all);
    Ok(())
}

/// Removes the directories of a removal that was killed.
fn remove_directories(removal: &Removal) {
    let directories = removal.files.iter();
    for directory in directories.filter_map(|file| file.change.path.parent()) {
        // It stays if there is anything in it, and mostly it is gone.
        let _ = fs::remove_dir(directory);
    }
}

/// Whether a manager has something of a unit that it could stop.
fn is_known(manager: Manager, unit: &UnitName) -> bool {
    let properties = manager.unit_properties(unit, &["LoadState", "ActiveState"]);
    let properties = properties.unwrap_or_default();
    let is = |name: &str, value: &str| properties.get(name) == value;
    !(is("LoadState", "not-found") && is("ActiveState", "inactive"))
}
