//! What other commands say of a failure that they met.

use podseal_core::explain::case::Case;
use podseal_core::explain::journal::{Log, Speaker};
use podseal_core::explain::short::Short;

use super::{ExplainError, Host, of_manager, run};
use crate::command::CommandError;
use crate::control::{Run, UnitStatus};
use crate::systemd::Manager;

/// Programs that speak as Podman does.
const PODMAN: &[&str] = &["podman", "crun", "runc"];

/// What is to be said of a unit of a manager's. None where nothing is wrong with
/// it, and where that cannot be looked at.
#[must_use]
pub fn of_unit(manager: Manager, name: &str, host: &Host) -> Option<Short> {
    said(name, of_manager(manager, name, host))
}

fn said(name: &str, case: Result<Case, ExplainError>) -> Option<Short> {
    match case {
        Ok(case) => Short::of(&case),
        Err(error) => {
            tracing::debug!(%error, unit = name, "not explained");
            None
        }
    }
}

/// The same of a unit of a `podseal run`, of which the state of all is known.
#[must_use]
pub fn of_unit_in_run(run: &Run, name: &str, all: &[UnitStatus], host: &Host) -> Option<Short> {
    said(name, run::look(run, name, all, host))
}

/// What is to be said of a command of Podman's that failed. None where the cause
/// is not known: the error itself has its last words.
#[must_use]
pub fn of_command(error: &CommandError) -> Option<Short> {
    let CommandError::Failed {
        command, stderr, ..
    } = error
    else {
        return None;
    };
    if !PODMAN.contains(&command.program()) {
        return None;
    }
    Short::of_log(Log::said_by(Speaker::Podman, stderr))
}
