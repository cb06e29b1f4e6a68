//! Carries out a plan: the files, then the manager.

use std::collections::BTreeSet;
use std::path::Path;

use podseal_core::unit::name::UnitName;
use podseal_core::up::Form;

use super::{Plan, UpError, keep, open};
use crate::command::CommandError;
use crate::install::{Installed, install, prepare};
use crate::systemd::Manager;

/// What was done besides changing files.
#[derive(Debug, Default)]
pub struct Applied {
    /// Sockets that were closed, with connections that waited in them.
    pub closed: Vec<UnitName>,
    /// Whether a running service was stopped.
    pub stopped: bool,
}

/// What was running before.
struct Before {
    sockets: Vec<UnitName>,
    service: bool,
}

/// Changes the files, has `manager` read them, and opens the sockets. Without a
/// manager only the files are changed.
///
/// # Errors
/// See [`UpError`].
pub fn apply(plan: &Plan, manager: Option<Manager>) -> Result<Applied, UpError> {
    let Some(manager) = manager else {
        keep(&plan.files, install(&open(&plan.files))?);
        return Ok(Applied::default());
    };
    let before = Before::of(plan, manager)?;
    let mut installed = prepare(&open(&plan.files))?;
    let mut applied = Applied::default();
    match carry_out(plan, manager, &before, &mut installed, &mut applied) {
        Ok(()) => {
            keep(&plan.files, installed);
            Ok(applied)
        }
        Err(error) => {
            undo(plan, manager, &before, installed);
            Err(error)
        }
    }
}

fn failed(step: &'static str) -> impl Fn(CommandError) -> UpError {
    move |source| UpError::Manager { step, source }
}

impl Before {
    fn of(plan: &Plan, manager: Manager) -> Result<Self, UpError> {
        let sockets: BTreeSet<&UnitName> = plan.closed.iter().chain(&plan.sockets).collect();
        let running = manager
            .running(sockets.iter().copied().chain([&plan.unit]))
            .map_err(failed("say what is running"))?;
        let is_running = |unit: &UnitName| running.iter().any(|name| name == unit.as_str());
        Ok(Self {
            sockets: sockets
                .into_iter()
                .filter(|unit| is_running(unit))
                .cloned()
                .collect(),
            service: is_running(&plan.unit),
        })
    }
}

fn carry_out(
    plan: &Plan,
    manager: Manager,
    before: &Before,
    installed: &mut Installed,
    applied: &mut Applied,
) -> Result<(), UpError> {
    let closed = plan
        .closed
        .iter()
        .filter(|unit| before.sockets.contains(unit));
    applied.closed = closed.cloned().collect();
    let missing = plan.sockets.iter();
    let mut missing = missing.filter(|unit| !before.sockets.contains(unit));
    // systemd opens no socket of a service that is running.
    let must_reopen = !applied.closed.is_empty() || missing.next().is_some();
    let stop_service = before.service && (must_reopen || plan.changes_service);
    let stop = failed("stop what was running");
    if !applied.closed.is_empty() {
        // Before anybody has it read the new files, so that it removes the old
        // socket files; with the service, which a waiting connection would start
        // again.
        let service = stop_service.then_some(&plan.unit);
        let units = applied.closed.iter().chain(service);
        manager.stop(units).map_err(&stop)?;
    }
    installed.commit()?;
    // Whether it has read what is there now it can not always tell: Quadlet's
    // service may be one of an earlier file.
    manager.reload().map_err(failed("read its units again"))?;
    verify(plan, manager)?;
    if stop_service {
        manager.stop([&plan.unit]).map_err(&stop)?;
        applied.stopped = true;
    }
    let is_open =
        |unit: &&UnitName| before.sockets.contains(unit) && !applied.closed.contains(unit);
    let closed: Vec<&UnitName> = plan.sockets.iter().filter(|unit| !is_open(unit)).collect();
    if !(plan.is_done() && closed.is_empty()) {
        // What failed before does not count against what is there now.
        // It fails for units that have not been run.
        let _ = manager.reset_failed(plan.sockets.iter().chain([&plan.unit]));
    }
    for unit in closed {
        manager.start([unit]).map_err(|source| UpError::Listen {
            unit: unit.clone(),
            said: manager
                .first_error(unit)
                .unwrap_or_else(|| source.last_words()),
        })?;
    }
    Ok(())
}

/// That the manager has read each file, and for the right unit.
fn verify(plan: &Plan, manager: Manager) -> Result<(), UpError> {
    let names: Vec<&str> = std::iter::once(&plan.unit)
        .chain(&plan.sockets)
        .map(UnitName::as_str)
        .collect();
    let read = manager
        .properties(
            &names,
            &["LoadState", "SourcePath", "FragmentPath", "DropInPaths"],
        )
        .map_err(failed("say what it has read"))?;
    let mut read = read.iter().map(|unit| {
        let is_loaded = unit.get("LoadState") == "loaded";
        move |name| if is_loaded { unit.get(name) } else { "" }
    });
    let not_read = |unit: &UnitName, path: &Path| UpError::NotRead {
        unit: unit.clone(),
        path: path.to_owned(),
    };
    let service = read
        .next()
        .ok_or_else(|| not_read(&plan.unit, &plan.source))?;
    let source = service(match plan.form {
        Form::Quadlet => "SourcePath",
        Form::Service => "FragmentPath",
    });
    if !is_same(source, &plan.source) {
        return Err(not_read(&plan.unit, &plan.source));
    }
    let mut dropins = service("DropInPaths").split_whitespace();
    if !dropins.any(|path| is_same(path, &plan.drop_in)) {
        return Err(not_read(&plan.unit, &plan.drop_in));
    }
    let files = plan.files.iter().map(|file| &file.change.path);
    for (unit, socket) in plan.sockets.iter().zip(read) {
        let mut files = files.clone();
        let path = files.find(|path| path.file_name().is_some_and(|name| name == unit.as_str()));
        if let Some(path) = path.filter(|path| !is_same(socket("FragmentPath"), path)) {
            return Err(not_read(unit, path));
        }
    }
    Ok(())
}

/// Whether a manager means this file, which it may have come to by a link.
fn is_same(read: &str, path: &Path) -> bool {
    Path::new(read) == path || std::fs::canonicalize(path).is_ok_and(|path| Path::new(read) == path)
}

/// Puts everything back. The error that led here is the one to tell.
fn undo(plan: &Plan, manager: Manager, before: &Before, installed: Installed) {
    let opened = plan.sockets.iter();
    let opened = opened.filter(|unit| !before.sockets.contains(unit) || plan.closed.contains(unit));
    let opened: Vec<&UnitName> = opened.collect();
    warn("still open", manager.stop(opened.iter().copied()));
    if let Err(error) = installed.undo() {
        tracing::warn!(%error, "not put back as it was");
    }
    warn("not read again after putting back", manager.reload());
    // They are not known any more, or did not fail.
    let _ = manager.reset_failed(opened);
    warn("not open again", manager.start(&before.sockets));
    if before.service {
        warn("not running again", manager.start([&plan.unit]));
    }
}

fn warn(what: &str, result: Result<(), CommandError>) {
    if let Err(error) = result {
        tracing::warn!(%error, "{what}");
    }
}
