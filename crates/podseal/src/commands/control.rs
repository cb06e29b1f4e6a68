//! `podseal start`, `stop`, `restart` and `reset-failed`

use podseal_core::unit::effective::Scope;
use podseal_core::unit::name::UnitName;
use podseal_runtime::control::{self, Response, Run, Verb};
use podseal_runtime::host::User;
use podseal_runtime::systemd::Manager;

use crate::cli::Units;
use crate::{exit, output};

pub(super) fn change(verb: Verb, arguments: &Units) -> u8 {
    let Some((asked, mut status)) = ask_all() else {
        return exit::FAILURE;
    };
    let mut wanted = full_names(&arguments.units);
    for (run, known) in asked {
        let here = |unit: &String| known.units.iter().any(|known| known.unit == *unit);
        let (units, elsewhere): (Vec<_>, Vec<_>) = wanted.into_iter().partition(here);
        wanted = elsewhere;
        if !units.is_empty() {
            status = status.max(change_in(&run, verb, &units));
        }
    }
    for unit in wanted {
        output::note(format_args!("no run has a unit {unit}"));
        if let Some(manager) = of_systemd(&unit) {
            output::note(format_args!(
                "systemd has one: `systemctl {} {} {unit}`",
                manager.option(),
                name(verb)
            ));
        }
        status = exit::FAILURE;
    }
    status
}

/// The manager that has a unit of this name.
fn of_systemd(unit: &str) -> Option<Manager> {
    let managers = [Scope::User, Scope::System].into_iter();
    managers.filter_map(Manager::reach).find(|manager| {
        let asked = manager.properties(&[unit], &["LoadState"]);
        let is_there = |state: &str| !matches!(state, "" | "not-found" | "bad-setting");
        asked.is_ok_and(|found| found.iter().any(|unit| is_there(unit.get("LoadState"))))
    })
}

const fn name(verb: Verb) -> &'static str {
    match verb {
        Verb::Status => "status",
        Verb::Start => "start",
        Verb::Stop => "stop",
        Verb::Restart => "restart",
        Verb::ResetFailed => "reset-failed",
        Verb::Log => "log",
    }
}

/// What has no type is a service, as for systemctl(1).
pub(super) fn full_names(units: &[String]) -> Vec<String> {
    let full = |name: &String| match name.parse::<UnitName>() {
        Ok(_) => name.clone(),
        Err(_) => format!("{name}.service"),
    };
    units.iter().map(full).collect()
}

fn change_in(run: &Run, verb: Verb, units: &[String]) -> u8 {
    let response = match run.ask(verb, units) {
        Ok(response) => response,
        Err(error) => {
            output::error(&error, error.hint().as_deref());
            return exit::FAILURE;
        }
    };
    if let Some(error) = response.error {
        output::note(error);
        return exit::FAILURE;
    }
    let mut status = exit::SUCCESS;
    for job in response.jobs.iter().filter(|job| job.result != "done") {
        output::note(format_args!("{}: {}", job.unit, job.result));
        status = exit::FAILURE;
    }
    status
}

/// Asks every run how its units are; one that cannot be asked is told, and
/// makes the status a failure. None where runs cannot even be listed.
pub(super) fn ask_all() -> Option<(Vec<(Run, Response)>, u8)> {
    let runs = match control::runs(&User::current()) {
        Ok(runs) => runs,
        Err(error) => {
            output::error(&error, error.hint().as_deref());
            return None;
        }
    };
    let mut status = exit::SUCCESS;
    let mut asked = Vec::new();
    for run in runs {
        match run.ask(Verb::Status, &[]) {
            Ok(response) => asked.push((run, response)),
            Err(error) => {
                output::error(&error, error.hint().as_deref());
                status = exit::FAILURE;
            }
        }
    }
    Some((asked, status))
}
