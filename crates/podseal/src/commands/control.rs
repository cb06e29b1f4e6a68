//! `podseal status`, `start`, `stop`, `restart` and `reset-failed`

use podseal_core::unit::name::UnitName;
use podseal_runtime::control::{self, Response, Run, UnitStatus, VERSION, Verb};
use podseal_runtime::host::User;
use serde::Serialize;

use crate::cli::{Status, StatusFormat, Units};
use crate::{exit, output};

/// The JSON form of `podseal status`.
#[derive(Debug, Serialize)]
struct Document {
    version: u32,
    /// By name.
    runs: Vec<Shown>,
}

/// One run of the JSON form.
#[derive(Debug, Serialize)]
struct Shown {
    name: String,
    /// By name.
    units: Vec<UnitStatus>,
}

pub(super) fn status(arguments: &Status) -> u8 {
    let Some((asked, mut status)) = ask_all() else {
        return exit::FAILURE;
    };
    let named = full_names(&arguments.units);
    let is_wanted = |unit: &str| named.is_empty() || named.iter().any(|wanted| wanted == unit);
    let mut shown = Vec::new();
    for (run, response) in asked {
        let mut units = response.units;
        units.retain(|unit| is_wanted(&unit.unit));
        if !units.is_empty() {
            let name = run.name;
            shown.push(Shown { name, units });
        }
    }
    let all = || shown.iter().flat_map(|run| &run.units);
    for wanted in &named {
        match all().find(|unit| unit.unit == *wanted) {
            None => {
                output::note(format_args!("no run has a unit {wanted}"));
                status = exit::FAILURE;
            }
            Some(unit) if unit.active_state == "failed" => status = exit::FAILURE,
            Some(_) => {}
        }
    }
    let written = match arguments.format {
        StatusFormat::Json => output::json_pretty(&Document {
            version: VERSION,
            runs: shown,
        }),
        StatusFormat::Human => human(&shown),
    };
    status.max(written)
}

fn human(shown: &[Shown]) -> u8 {
    let mut lines = Vec::new();
    for run in shown {
        lines.push(format!("run {}:", run.name));
        lines.extend(run.units.iter().map(|unit| format!("  {}", line(unit))));
    }
    if lines.is_empty() {
        output::note("nothing is run by `podseal run`");
        return exit::SUCCESS;
    }
    match output::data(lines.join("\n")) {
        Ok(()) => exit::SUCCESS,
        Err(error) => {
            output::error(&error, None);
            exit::FAILURE
        }
    }
}

fn line(unit: &UnitStatus) -> String {
    let mut parts = vec![format!(
        "{} {} ({})",
        unit.unit, unit.active_state, unit.sub_state
    )];
    if unit.result != "success" {
        parts.push(format!("result {}", unit.result));
    }
    parts.extend(unit.main_pid.map(|pid| format!("main process {pid}")));
    parts.extend(unit.listen.iter().cloned());
    let sealed = unit.sealed;
    parts.extend(sealed.map(|sealed| if sealed { "sealed" } else { "NOT SEALED" }.to_owned()));
    parts.extend(unit.job.as_ref().map(|job| format!("to {job}")));
    parts.join(", ")
}

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
        status = exit::FAILURE;
    }
    status
}

/// What has no type is a service, as for systemctl(1).
fn full_names(units: &[String]) -> Vec<String> {
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
fn ask_all() -> Option<(Vec<(Run, Response)>, u8)> {
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
