//! Units of a `podseal run`.

use std::time::Duration;

use podseal_core::explain::case::{Case, Facts};
use podseal_core::explain::journal::{Entry, Log, Speaker};
use podseal_core::explain::state::{Ends, UnitState};
use podseal_core::lifecycle::Exit;
use podseal_core::unit::effective::Scope;

use super::{ExplainError, Host, queue};
use crate::control::{self, Run, StartLog, UnitLog, UnitStatus, Verb};
use crate::host::User;
use crate::podman::Podman;

/// Looks at a service, or the service of a socket, that a `podseal run` of this
/// user has, and where something is wrong at its `host`. None where no run has
/// it.
///
/// # Errors
/// A run could not be asked.
pub fn look_in_runs(name: &str, host: &Host) -> Result<Option<Case>, ExplainError> {
    let unit = if name.ends_with(".socket") || name.ends_with(".service") {
        name.to_owned()
    } else {
        format!("{name}.service")
    };
    for run in control::runs(&User::current())? {
        // One that has ended by now has none.
        let Ok(response) = run.ask(Verb::Status, &[]) else {
            continue;
        };
        let units = response.units;
        if units.iter().any(|known| known.unit == unit) {
            return look(&run, &unit, &units, host).map(Some);
        }
    }
    Ok(None)
}

/// Looks at a unit of a run, of which the state of all is known.
pub(super) fn look(
    run: &Run,
    unit: &str,
    all: &[UnitStatus],
    host: &Host,
) -> Result<Case, ExplainError> {
    let socket = all.iter().find(|known| known.unit == unit);
    let service = socket.and_then(|socket| socket.service.as_deref());
    let service = service.unwrap_or(unit);
    let not_there = || ExplainError::NotFound {
        name: service.to_owned(),
    };
    let status = all.iter().find(|known| known.unit == service);
    let status = status.ok_or_else(not_there)?;
    let is_own = |other: &&UnitStatus| other.service.as_deref() == Some(service);
    let sockets: Vec<&UnitStatus> = all.iter().filter(is_own).collect();
    let names = sockets.iter().map(|socket| socket.unit.clone());
    let names: Vec<String> = names.chain([service.to_owned()]).collect();
    let mut logs = run.ask(Verb::Log, &names)?.logs;
    let own = logs.iter().position(|log| log.unit == service);
    let own = logs.swap_remove(own.ok_or_else(not_there)?);
    let sockets: Vec<(&UnitStatus, &UnitLog)> = sockets
        .into_iter()
        .filter_map(|socket| Some((socket, logs.iter().find(|log| log.unit == socket.unit)?)))
        .collect();
    let mut case = of_run(&run.name, status, &own, &sockets);
    let addresses = sockets.iter().flat_map(|(status, log)| {
        let is_open = status.active_state == "active";
        log.listen.iter().map(move |text| (text, is_open))
    });
    let addresses = addresses.filter_map(|(text, is_open)| Some((text.parse().ok()?, is_open)));
    queue::look(addresses, &mut case.facts);
    if case.is_troubled() {
        let image = case.facts.image.as_deref();
        case.facts.image_exists =
            image.and_then(|image| Podman::installed().ok()?.has_image(image));
        case.facts = case.facts.with_problems(host.problems());
    }
    Ok(case)
}

/// What a run knows of a service and its sockets.
#[must_use]
pub(crate) fn of_run(
    run: &str,
    status: &UnitStatus,
    log: &UnitLog,
    sockets: &[(&UnitStatus, &UnitLog)],
) -> Case {
    let mut service = state(status);
    let ended = log.ended.as_ref();
    let mut own = sockets.iter().map(|(socket, _)| &socket.active_state);
    service.ends = Ends {
        is_triggered: own.any(|state| state == "active"),
        all: log.ends,
        failures: log.failures,
    };
    service.active_for = log.active_for.map(Duration::from_secs);
    service.was_restarted = ended.and_then(exit).is_some();
    let is_over =
        service.is_restarting() || matches!(status.active_state.as_str(), "failed" | "inactive");
    let start = ended.filter(|_| is_over).unwrap_or(&log.now);
    let said = sockets.iter().flat_map(|(_, log)| &log.now.lines);
    let lines = said.chain(&start.lines).map(|line| {
        let speaker = line.is_own.then_some(Speaker::Podseal);
        (speaker, line.text.as_str())
    });
    let mut log_of_start = Log::of_lines(lines, exit(start));
    if start.timed_out {
        let text = format!("{}: start operation timed out", status.unit);
        log_of_start
            .entries
            .push(Entry::line(Speaker::Systemd, &text));
    }
    service.ended = log_of_start.ended().cloned();
    Case {
        scope: Scope::User,
        run: Some(run.to_owned()),
        service,
        sockets: sockets.iter().map(|(socket, _)| state(socket)).collect(),
        log: log_of_start,
        facts: Facts {
            image: log.image.clone(),
            is_notify: Some(log.is_notify),
            ..Facts::default()
        },
    }
}

fn state(status: &UnitStatus) -> UnitState {
    UnitState {
        name: status.unit.clone(),
        load: "loaded".to_owned(),
        active: status.active_state.clone(),
        result: status.result.clone(),
        main: status.main_pid.and_then(|pid| pid.try_into().ok()),
        has_job: status.job.is_some(),
        ..UnitState::default()
    }
}

fn exit(start: &StartLog) -> Option<Exit> {
    start
        .code
        .map(Exit::Code)
        .or(start.signal.map(Exit::Signal))
}

/// Resets what failed of the units of a case, and starts `wanted`.
pub(super) fn recover(name: &str, case: &Case, wanted: &[String]) -> Result<(), ExplainError> {
    let ended = || ExplainError::RunEnded {
        name: name.to_owned(),
    };
    let mut runs = control::runs(&User::current())?.into_iter();
    let run = runs.find(|run| run.name == name).ok_or_else(ended)?;
    let units: Vec<String> = case.units().map(|unit| unit.name.clone()).collect();
    run.ask(Verb::ResetFailed, &units)?;
    let jobs = run.ask(Verb::Start, wanted)?.jobs;
    match jobs.into_iter().find(|job| job.result != "done") {
        Some(job) => Err(ExplainError::NotStarted {
            unit: job.unit,
            result: job.result,
        }),
        None => Ok(()),
    }
}
