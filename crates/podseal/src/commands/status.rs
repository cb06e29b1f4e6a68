//! `podseal list` and `podseal status`

mod human;

use podseal_core::listen::Listen;
use podseal_core::status::document::{Document, Report, Run, RunUnit, VERSION};
use podseal_core::status::{Live, Seal, shortfalls};
use podseal_core::unit::effective::Scope;
use podseal_runtime::control::{Response, UnitStatus};
use podseal_runtime::host::User;
use podseal_runtime::live::{self, HostSockets};
use podseal_runtime::status::{Found, full_names, services};
use podseal_runtime::systemd::Manager;
use podseal_runtime::units::{UnitError, Units};

use super::control::ask_all;
use crate::cli::{List, Status, StatusFormat};
use crate::{exit, output};

pub(super) fn list(arguments: &List) -> u8 {
    let scope = scope(arguments.view.system);
    let Some((runs, mut status)) = runs(&[]) else {
        return exit::FAILURE;
    };
    let Ok(found) = look(scope, Manager::reach(scope), &[]) else {
        return exit::FAILURE;
    };
    for error in &found.errors {
        output::error(error, Some(&error.hint()));
        status = exit::FAILURE;
    }
    let document = Document {
        version: VERSION,
        services: found.reports,
        runs,
    };
    status.max(write(arguments.view.format, &document, human::list))
}

pub(super) fn status(arguments: &Status) -> u8 {
    let scope = scope(arguments.view.system);
    let named = full_names(&arguments.units);
    let Some((runs, mut status)) = runs(&named) else {
        return exit::FAILURE;
    };
    let manager = Manager::reach(scope);
    let found = match (manager, named.is_empty()) {
        // Only what runs is asked for, and nothing does.
        (None, true) => Found::default(),
        _ => match look(scope, manager, &named) {
            Ok(found) => found,
            Err(status) => return status,
        },
    };
    let is_in_run =
        |name: &str| (runs.iter().flat_map(|run| &run.units)).any(|unit| unit.unit == name);
    for error in &found.errors {
        match error {
            UnitError::NotFound { unit, .. } if is_in_run(unit.as_str()) => {}
            UnitError::NotFound { unit, .. } => {
                output::note(format_args!("no run has a unit {unit}"));
                output::error(error, Some(&error.hint()));
                status = exit::FAILURE;
            }
            _ => {
                output::error(error, Some(&error.hint()));
                status = exit::FAILURE;
            }
        }
    }
    if manager.is_none() && !found.reports.is_empty() {
        output::warning(
            "systemd's manager cannot be reached: this is what the files say, not what runs",
        );
        status = exit::FAILURE;
    }
    let mut reports = found.reports;
    if named.is_empty() {
        reports.retain(|report| report.seal != Seal::None || !report.processes.is_empty());
    }
    if reports.iter().any(is_bad) || runs.iter().flat_map(|run| &run.units).any(is_bad_in_run) {
        status = exit::FAILURE;
    }
    let document = Document {
        version: VERSION,
        services: reports,
        runs,
    };
    status.max(write(arguments.view.format, &document, human::status))
}

fn scope(is_system: bool) -> Scope {
    if is_system {
        Scope::System
    } else {
        Scope::User
    }
}

fn look(scope: Scope, manager: Option<Manager>, names: &[String]) -> Result<Found, u8> {
    services(&Units::of(scope), manager, names).map_err(|error| {
        output::error(&error, None);
        exit::FAILURE
    })
}

fn is_bad(report: &Report) -> bool {
    let has_failed = |state: &str| state == "failed";
    !report.shortfalls.is_empty()
        || report
            .state
            .as_ref()
            .is_some_and(|state| has_failed(&state.active))
        || (report.sockets.iter()).any(|socket| socket.active.as_deref().is_some_and(has_failed))
}

fn is_bad_in_run(unit: &RunUnit) -> bool {
    unit.active_state == "failed" || !unit.shortfalls.is_empty()
}

/// What `podseal run` runs: the units of these names, or all. None where runs
/// cannot be listed; the status says whether all could be asked.
fn runs(named: &[String]) -> Option<(Vec<Run>, u8)> {
    let (asked, mut status) = ask_all()?;
    let host = HostSockets::read();
    if let (Err(error), false) = (&host, asked.is_empty()) {
        output::error(error, None);
        status = exit::FAILURE;
    }
    let host = host.unwrap_or_default();
    let mut runs = Vec::new();
    for (run, response) in asked {
        let units = units(response, named, &host);
        if !units.is_empty() {
            let name = run.name;
            runs.push(Run { name, units });
        }
    }
    Some((runs, status))
}

fn units(response: Response, named: &[String], host: &HostSockets) -> Vec<RunUnit> {
    let listen = response.units.iter().flat_map(|unit| &unit.listen);
    let live = Live {
        listeners: listen
            .filter_map(|text| text.parse::<Listen>().ok()?.address.internet())
            .collect(),
        ..Live::default()
    };
    let wanted =
        (response.units.into_iter()).filter(|unit| named.is_empty() || named.contains(&unit.unit));
    wanted.map(|unit| run_unit(unit, &live, host)).collect()
}

fn run_unit(unit: UnitStatus, live: &Live, host: &HostSockets) -> RunUnit {
    let processes = if unit.processes.is_empty() {
        Vec::new()
    } else {
        live::processes(None, &unit.processes, &User::current(), host)
    };
    // A run says itself what it seals.
    let seal = match unit.sealed {
        Some(true) => Seal::ByHand {
            lacking: Vec::new(),
        },
        Some(false) | None => Seal::None,
    };
    RunUnit {
        shortfalls: shortfalls(&seal, &processes, live),
        unit: unit.unit,
        active_state: unit.active_state,
        sub_state: unit.sub_state,
        result: unit.result,
        job: unit.job,
        main_pid: unit.main_pid,
        sealed: unit.sealed,
        listen: unit.listen,
        processes,
    }
}

fn write(format: StatusFormat, document: &Document, human: fn(&Document) -> String) -> u8 {
    match format {
        StatusFormat::Json => output::json_pretty(document),
        StatusFormat::Human => match human(document) {
            text if text.is_empty() => {
                output::note("no service runs Podman, and nothing is run by `podseal run`");
                exit::SUCCESS
            }
            text => output::answer(text.trim_end()),
        },
    }
}
