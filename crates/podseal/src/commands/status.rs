//! `podseal status` and `podseal list`

use podseal_core::status::document::{self, Document, Unit};
use podseal_core::unit::effective::Scope;
use podseal_core::unit::name::{NameKind, UnitName};
use podseal_runtime::command::CommandError;
use podseal_runtime::explain::Host;
use podseal_runtime::host::User;
use podseal_runtime::status::{runs, systemd};
use podseal_runtime::systemd::Manager;
use podseal_runtime::units::Units;

use super::control::{ask_all, full_names};
use super::scope;
use crate::cli::{List, Status, StatusFormat};
use crate::{exit, output};

mod human;
pub(super) mod processes;
mod table;

/// Which manager's units are meant.
pub(super) fn list(arguments: &List) -> u8 {
    let (mut runs, mut status) = of_runs(&[], None);
    for run in &mut runs {
        run.units.retain(|unit| matches!(unit, Unit::Service(_)));
    }
    let scope = scope(arguments.what.system);
    let managers = match of_manager(scope, &[], None) {
        Ok(managers) => managers,
        Err(error) => {
            output::error(&error, None);
            status = exit::FAILURE;
            Vec::new()
        }
    };
    let document = Document::new(runs, managers);
    let written = match arguments.what.format {
        StatusFormat::Json => output::json_pretty(&document),
        StatusFormat::Human => {
            if let Some(table) = table::services(&document) {
                output::answer(table)
            } else {
                output::note(nothing(&document, scope));
                exit::SUCCESS
            }
        }
    };
    status.max(written)
}

pub(super) fn status(arguments: &Status) -> u8 {
    let named = full_names(&arguments.units);
    let host = Host::default();
    let (runs, mut status) = of_runs(&named, Some(&host));
    let scope = scope(arguments.what.system);
    let managers = match of_manager(scope, &named, Some(&host)) {
        Ok(managers) => managers,
        Err(error) => {
            output::error(&error, None);
            status = exit::FAILURE;
            Vec::new()
        }
    };
    let document = Document::new(runs, managers);
    let is_empty = units(&document).next().is_none();
    let written = match arguments.what.format {
        StatusFormat::Json => output::json_pretty(&document),
        StatusFormat::Human if is_empty => {
            if named.is_empty() {
                output::note(nothing(&document, scope));
            }
            exit::SUCCESS
        }
        StatusFormat::Human => output::answer(human::report(&document).trim_end()),
    };
    let found: Vec<&Unit> = units(&document).collect();
    if status != exit::SUCCESS || written != exit::SUCCESS || found.iter().any(|u| u.is_less()) {
        status = exit::FAILURE;
    }
    let mut named_status = exit::SUCCESS;
    for wanted in &named {
        let mut own = found
            .iter()
            .filter(|unit| is_meant(wanted, unit.name()))
            .peekable();
        if own.peek().is_none() {
            let elsewhere = match document.systemd.first() {
                Some(_) => format!("systemd ({}) neither", option(scope)),
                None => format!("systemd ({}) cannot be asked", option(scope)),
            };
            output::note(format_args!("no run has a unit {wanted}, and {elsewhere}"));
            named_status = exit::NO_SUCH_UNIT;
        } else if !own.any(|unit| unit.is_up()) {
            named_status = named_status.max(exit::NOT_ACTIVE);
        }
    }
    if status == exit::SUCCESS {
        named_status
    } else {
        status
    }
}

fn option(scope: Scope) -> &'static str {
    match scope {
        Scope::User => "--user",
        Scope::System => "--system",
    }
}

/// What is said where there is nothing to show.
fn nothing(document: &Document, scope: Scope) -> String {
    let systemd = if document.systemd.is_empty() {
        format!("systemd ({}) cannot be asked", option(scope))
    } else {
        format!(
            "systemd ({}) has no service that is sealed or runs Podman",
            option(scope)
        )
    };
    format!("nothing is run by `podseal run`, and {systemd}")
}

fn units(document: &Document) -> impl Iterator<Item = &Unit> {
    let runs = document.runs.iter().flat_map(|run| &run.units);
    runs.chain(document.systemd.iter().flat_map(|manager| &manager.units))
}

/// Whether a unit is one that was asked for: itself, or an instance of the
/// template.
fn is_meant(wanted: &str, name: &str) -> bool {
    let instance = name.parse::<UnitName>().and_then(|name| name.template());
    wanted == name || instance.is_ok_and(|template| template.as_str() == wanted)
}

/// The units of every run that are meant; all, where none is named. Why they
/// failed is looked for where there is a `host` to look at.
fn of_runs(named: &[String], host: Option<&Host>) -> (Vec<document::Run>, u8) {
    let Some((asked, status)) = ask_all() else {
        return (Vec::new(), exit::FAILURE);
    };
    let user = User::current();
    let is_wanted = |name: &str| named.is_empty() || named.iter().any(|n| is_meant(n, name));
    let runs = asked.into_iter().map(|(run, response)| {
        let all = &response.units;
        let wanted = all.iter().filter(|unit| is_wanted(&unit.unit));
        document::Run {
            units: wanted
                .map(|unit| runs::unit(&run, unit, all, &user, host))
                .collect(),
            name: run.name,
        }
    });
    let runs = runs.filter(|run| !run.units.is_empty()).collect();
    (runs, status)
}

/// The units of a manager that are meant, if there is a manager. Why they failed
/// is looked for where there is a `host` to look at.
fn of_manager(
    scope: Scope,
    named: &[String],
    host: Option<&Host>,
) -> Result<Vec<document::Manager>, CommandError> {
    let Some(manager) = Manager::reach(scope) else {
        return Ok(Vec::new());
    };
    let files = Units::of(scope);
    let units = if named.is_empty() {
        systemd::services(manager, &files, host)?
    } else {
        let mut wanted = Vec::new();
        for name in named {
            match name.parse::<UnitName>() {
                Ok(name) if name.kind() == NameKind::Template => {
                    wanted.extend(manager.running([&name])?);
                }
                _ => wanted.push(name.clone()),
            }
        }
        systemd::named(manager, &files, &wanted, host)?
    };
    Ok(vec![document::Manager { scope, units }])
}
