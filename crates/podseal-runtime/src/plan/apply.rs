//! Carries out a plan: the files, then the manager.

use std::path::PathBuf;

use podseal_core::unit::name::UnitName;

use super::Planned;
use crate::command::CommandError;
use crate::install::{Change, InstallError, Installed, install};
use crate::systemd::Manager;

/// Why a plan was not carried out. Everything is as before, as far as it could
/// be put back.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The files could not be changed.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// The manager did not read its units again.
    #[error("systemd could not be made to read its units again")]
    Reload {
        /// Why.
        source: CommandError,
    },
    /// The manager looks elsewhere for drop-ins.
    #[error("systemd does not read {} for {unit}", path.display())]
    NotRead {
        /// The service.
        unit: UnitName,
        /// The drop-in.
        path: PathBuf,
    },
}

impl ApplyError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Install(error) => error.hint(),
            Self::Reload { .. } => {
                "run `systemctl daemon-reload` by hand to see what it says (with --user for your own units)"
            }
            Self::NotRead { .. } => {
                "the running manager has another SYSTEMD_UNIT_PATH, XDG_CONFIG_HOME or HOME than this shell: set them alike"
            }
        }
    }
}

/// Changes the files, has `manager` read them, and asks it whether it did. It
/// is asked about unchanged files as well: it may not have read them so far.
///
/// # Errors
/// See [`ApplyError`].
pub fn apply(plans: &[Planned], manager: Option<Manager>) -> Result<(), ApplyError> {
    let files = plans.iter().flat_map(Planned::files);
    let differing = files.filter(|(before, change)| before.as_deref() != change.text());
    let changes: Vec<Change> = differing.map(|(_, change)| change.clone()).collect();
    let installed = install(&changes)?;
    let Some(manager) = manager else {
        installed.keep();
        return Ok(());
    };
    match reload(plans, manager) {
        Ok(()) => {
            installed.keep();
            Ok(())
        }
        Err(error) => {
            undo(installed, manager);
            Err(error)
        }
    }
}

fn reload(plans: &[Planned], manager: Manager) -> Result<(), ApplyError> {
    let failed = |source| ApplyError::Reload { source };
    manager.reload().map_err(failed)?;
    for plan in plans.iter().filter(|plan| plan.is_named) {
        let path = plan.change.path.display().to_string();
        let dropins = manager.dropins(&plan.unit).map_err(failed)?;
        let is_read = dropins.split_whitespace().any(|word| word == path);
        if plan.change.contents.is_some() && !is_read {
            return Err(ApplyError::NotRead {
                unit: plan.unit.clone(),
                path: plan.change.path.clone(),
            });
        }
    }
    Ok(())
}

/// The first error is the one to tell; a manager that did not reload may well
/// not do it now.
fn undo(installed: Installed, manager: Manager) {
    if let Err(error) = installed.undo() {
        tracing::warn!(%error, "not put back as it was");
    }
    if let Err(error) = manager.reload() {
        tracing::debug!(%error, "not read again after putting back");
    }
}
