//! `podseal seal` and `podseal unseal`

use std::collections::BTreeSet;
use std::path::PathBuf;

use podseal_core::audit::Finding;
use podseal_core::plan::mend::Edit;
use podseal_core::plan::refusal::Refusal;
use podseal_core::policy::level::Level;
use podseal_core::policy::seal::ALLOW_CONNECT;
use podseal_core::unit::effective::Origin;
use podseal_core::unit::name::UnitName;
use podseal_runtime::explain::{self, Host};
use podseal_runtime::host;
use podseal_runtime::linger;
use podseal_runtime::plan::{self, Mend, Mended, PlanError, Planned, Request};
use podseal_runtime::systemd::Manager;
use podseal_runtime::units::Units;

use super::{diff, scope};
use crate::cli::{Plan, SealUnits, Unseal};
use crate::{exit, output};

/// A service that is not sealed, and why.
#[derive(Debug, thiserror::Error)]
#[error("{unit} cannot be sealed at level {level}")]
struct Refused {
    unit: UnitName,
    level: Level,
}

/// podseal does not know a path of its own that a unit can have.
#[derive(Debug, thiserror::Error)]
pub(super) enum OwnPath {
    #[error("cannot find podseal's own file")]
    Unknown { source: std::io::Error },
    #[error("the path of podseal, {path:?}, cannot be written in a unit file")]
    Unusable { path: PathBuf },
}

impl OwnPath {
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "install podseal again, and run that",
            Self::Unusable { .. } => {
                "install podseal where the path has no quotes, backslashes or control characters"
            }
        }
    }
}

pub(super) fn seal(arguments: &SealUnits) -> u8 {
    let podseal = match own_path() {
        Ok(podseal) => podseal,
        Err(error) => {
            output::error(&error, Some(error.hint()));
            return exit::FAILURE;
        }
    };
    let request = Request {
        level: arguments.level.into(),
        given_up: (&arguments.given_up).into(),
        allow_connect: arguments.allow_connect,
        podseal,
        force: arguments.force,
    };
    let make = || {
        plans(&arguments.plan, |units, unit| {
            plan::seal(units, unit, &request).map(|plan| vec![plan])
        })
    };
    let plans = match make() {
        Ok(plans) => plans,
        Err(status) => return status,
    };
    if arguments.fix {
        match plan::mends(&plans) {
            Err(error) => {
                output::error(&error, Some(&error.hint()));
                return exit::FAILURE;
            }
            Ok(mends) if mends.is_empty() => {}
            Ok(mends) => return mend(arguments, &request, &mends, make),
        }
    }
    seal_planned(arguments, &request, &plans)
}

/// Writes drop-ins of `.container` files, and then the seals of the services that
/// are made of them: both or none.
fn mend(
    arguments: &SealUnits,
    request: &Request,
    mends: &[Mend],
    make: impl Fn() -> Result<Vec<Planned>, u8>,
) -> u8 {
    if arguments.plan.dry_run {
        output::note("the seal itself can be shown once this is there");
        return output::text(&diff::unified(mends.iter().map(|mend| {
            (
                mend.path.as_path(),
                mend.before.as_deref(),
                Some(mend.after.as_str()),
            )
        })));
    }
    let mended = match Mended::write(mends) {
        Ok(mended) => mended,
        Err(error) => {
            output::error(&error, Some(error.hint()));
            return exit::FAILURE;
        }
    };
    let status = make().map_or_else(
        |status| status,
        |plans| seal_planned(arguments, request, &plans),
    );
    if status == exit::SUCCESS {
        mended.keep();
        for mend in mends {
            output::note(format_args!("wrote {}", mend.path.display()));
        }
    } else if let Err(error) = mended.undo(Manager::reach(scope(arguments.plan.system))) {
        output::error(&error, Some(error.hint()));
    }
    status
}

fn seal_planned(arguments: &SealUnits, request: &Request, plans: &[Planned]) -> u8 {
    let mut status = exit::SUCCESS;
    for plan in plans {
        refuse(plan, request.level, arguments.fix, &mut status);
    }
    if status != exit::SUCCESS {
        return status;
    }
    for finding in plans.iter().flat_map(|plan| &plan.warnings) {
        warn(finding);
    }
    for user in plans.iter().filter_map(|plan| plan.user.as_ref()) {
        if linger::is_enabled(user) == Some(false) {
            let name = &user.name;
            output::warning(format_args!(
                "{name} does not linger, so that Podman finds no run-time directory after a boot: loginctl enable-linger {name}"
            ));
        }
    }
    let less = if request.level >= Level::Strict && request.allow_connect {
        format!("; {ALLOW_CONNECT}")
    } else {
        String::new()
    };
    carry_out(&arguments.plan, plans, |plan| {
        let (unit, level) = (&plan.unit, request.level);
        if plan.is_done() {
            format!("{unit} is sealed at level {level} already{less}")
        } else {
            let path = plan.change.path.display();
            format!("sealed {unit} at level {level}: {path}{less}")
        }
    })
}

pub(super) fn unseal(arguments: &Unseal) -> u8 {
    match plans(&arguments.plan, |units, unit| {
        plan::unseal(units, unit, arguments.force)
    }) {
        Ok(plans) => carry_out(&arguments.plan, &plans, |plan| {
            let path = plan.change.path.display();
            if plan.is_done() {
                format!("{} has no seal of podseal's: there is no {path}", plan.unit)
            } else {
                format!("unsealed {}: removed {path}", plan.unit)
            }
        }),
        Err(status) => status,
    }
}

/// The path that units are to have.
pub(super) fn own_path() -> Result<String, OwnPath> {
    let path = host::own_executable().map_err(|source| OwnPath::Unknown { source })?;
    let special = |c: char| c.is_ascii_control() || matches!(c, '"' | '\'' | '\\');
    match path.to_str() {
        Some(text) if !text.contains(special) => Ok(text.to_owned()),
        _ => Err(OwnPath::Unusable { path }),
    }
}

/// What is to be done for each argument, each service once.
fn plans(
    arguments: &Plan,
    plan: impl Fn(&Units, &str) -> Result<Vec<Planned>, PlanError>,
) -> Result<Vec<Planned>, u8> {
    let units = Units::of(scope(arguments.system));
    let mut plans = Vec::new();
    let mut paths = BTreeSet::new();
    let mut status = exit::SUCCESS;
    for unit in &arguments.units {
        match plan(&units, unit) {
            Ok(planned) => plans.extend(
                planned
                    .into_iter()
                    .filter(|plan| paths.insert(plan.change.path.clone())),
            ),
            Err(error) => {
                output::error(&error, Some(&error.hint()));
                status = exit::FAILURE;
            }
        }
    }
    if status == exit::SUCCESS {
        Ok(plans)
    } else {
        Err(status)
    }
}

fn refuse(plan: &Planned, level: Level, is_fixing: bool, status: &mut u8) {
    if !plan.refusals.is_empty() {
        *status = exit::FAILURE;
        say_refused(&plan.unit, level, &plan.refusals);
    }
    let is_mendable =
        matches!(plan::mends(std::slice::from_ref(plan)), Ok(mends) if !mends.is_empty());
    if is_mendable && !is_fixing {
        output::note("  --fix sets this in a drop-in of the .container file");
    }
}

/// Says why a service is not sealed.
pub(super) fn say_refused(unit: &UnitName, level: Level, refusals: &[Refusal]) {
    let unit = unit.clone();
    output::error(&Refused { unit, level }, None);
    for Refusal {
        id,
        unit,
        origin,
        message,
        fix,
        edit,
        ..
    } in refusals
    {
        let place = place(origin.as_ref(), unit);
        output::note(format_args!("  {id}: {place}: {message}"));
        output::note(format_args!("    fix: {fix}"));
        if let Some(Edit { origin, old, new }) = edit {
            let Origin { file, line } = origin;
            output::note(format_args!(
                "    in {file}:{line}, replace `{old}` by `{new}`"
            ));
        }
    }
}

pub(super) fn warn(finding: &Finding) {
    let origin = finding.span.as_ref().map(|span| &span.origin);
    let place = place(origin, &finding.unit);
    output::warning(format_args!(
        "{place}: {} ({})",
        finding.message, finding.rule.id
    ));
}

fn place(origin: Option<&Origin>, unit: &UnitName) -> String {
    match origin {
        Some(Origin { file, line }) => format!("{file}:{line}"),
        None => unit.to_string(),
    }
}

/// Does what is planned, or says what would be done.
fn carry_out(arguments: &Plan, plans: &[Planned], say: impl Fn(&Planned) -> String) -> u8 {
    if arguments.dry_run {
        let (done, open): (Vec<_>, Vec<_>) = plans.iter().partition(|plan| plan.is_done());
        for plan in done {
            output::note(say(plan));
        }
        return match open.as_slice() {
            [] => exit::SUCCESS,
            open => {
                let files = open.iter().flat_map(|plan| plan.files());
                output::text(&diff::unified(files.map(|(before, change)| {
                    (change.path.as_path(), before.as_deref(), change.text())
                })))
            }
        };
    }
    let is_named = plans.iter().any(|plan| plan.is_named);
    let manager = is_named
        .then(|| Manager::reach(scope(arguments.system)))
        .flatten();
    if let Err(error) = plan::apply(plans, manager) {
        output::error(&error, Some(error.hint()));
        return exit::FAILURE;
    }
    for plan in plans {
        output::note(say(plan));
    }
    let changed = plans.iter().filter(|plan| !plan.is_done());
    let changed: BTreeSet<&UnitName> = changed.map(|plan| &plan.unit).collect();
    match manager {
        Some(manager) => {
            let host = Host::default();
            for unit in changed {
                running(unit, manager);
                failed(unit, manager, &host);
            }
        }
        None if changed.is_empty() => {}
        None => output::note(format_args!(
            "systemd was not asked to read it: for a unit of a running manager, run `systemctl {} daemon-reload`",
            if arguments.system {
                "--system"
            } else {
                "--user"
            }
        )),
    }
    exit::SUCCESS
}

/// What a running service does not know yet.
fn running(unit: &UnitName, manager: Manager) {
    match manager.running([unit]) {
        Ok(names) => {
            for name in names {
                output::note(format_args!(
                    "{name} is running and stays as it was until it is restarted: systemctl {} restart {name}",
                    manager.option()
                ));
            }
        }
        Err(error) => output::warning(format_args!(
            "cannot tell whether {unit} is running: {error}"
        )),
    }
}

/// Why a service fails that could be started anew, as it is now.
fn failed(unit: &UnitName, manager: Manager, host: &Host) {
    let state = manager.unit_properties(unit, &["ActiveState"]);
    if state.is_ok_and(|state| matches!(state.get("ActiveState"), "failed" | "activating"))
        && let Some(why) = explain::of_unit(manager, unit.as_str(), host)
    {
        output::note(format_args!("{unit} failed before: {why}"));
    }
}
