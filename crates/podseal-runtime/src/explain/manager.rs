//! What systemd's manager and its journal tell.

use std::time::Duration;

use podseal_core::explain::case::adopt;
use podseal_core::explain::journal::{Ended, Entry};
use podseal_core::explain::state::UnitState;
use podseal_core::unit::name::UnitName;

use super::ExplainError;
use crate::command::{self, CommandError, LIMIT};
use crate::systemd::{Manager, Properties};

/// How many entries of the journal are looked at.
const ENTRIES: &str = "2000";

const PROPERTIES: &[&str] = &[
    "LoadState",
    "ActiveState",
    "Result",
    "ExecMainCode",
    "ExecMainStatus",
    "NeedDaemonReload",
    "Job",
    "TriggeredBy",
    "Triggers",
    "After",
    "NRestarts",
    "ActiveEnterTimestampMonotonic",
    "ExecMainPID",
    "InvocationID",
];

fn properties(manager: Manager, unit: &str) -> Result<Properties, CommandError> {
    let mut all = manager.properties(&[unit], PROPERTIES)?;
    Ok(all.pop().unwrap_or_default())
}

/// Values of siginfo's `si_code` (sigaction(2), `CLD_EXITED` …).
fn ended(properties: &Properties) -> Option<Ended> {
    let code = match properties.get("ExecMainCode") {
        "1" => "exited",
        "2" => "killed",
        "3" => "dumped",
        _ => return None,
    };
    Some(Ended {
        code: code.to_owned(),
        status: properties.get("ExecMainStatus").parse().ok()?,
    })
}

/// For how long the unit has been active.
fn active_for(properties: &Properties) -> Option<Duration> {
    let since = properties
        .get("ActiveEnterTimestampMonotonic")
        .parse()
        .ok()?;
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let now = Duration::from_secs(now.tv_sec.try_into().ok()?);
    let is_active = properties.get("ActiveState") == "active";
    is_active.then(|| now.saturating_sub(Duration::from_micros(since)))
}

fn state(properties: &Properties) -> UnitState {
    let text = |name: &str| properties.get(name).to_owned();
    UnitState {
        name: text("Id"),
        load: text("LoadState"),
        active: text("ActiveState"),
        result: text("Result"),
        ended: ended(properties),
        needs_reload: properties.is_yes("NeedDaemonReload"),
        was_restarted: !matches!(properties.get("NRestarts"), "" | "0"),
        active_for: active_for(properties),
        invocation: properties.text("InvocationID"),
        main: properties
            .get("ExecMainPID")
            .parse()
            .ok()
            .filter(|pid| *pid != 0),
        has_job: !matches!(properties.get("Job"), "" | "0"),
        ..UnitState::default()
    }
}

/// A service and the sockets that start it. One that is not loaded names none;
/// then it is the one of the same name.
pub(super) fn of_service(
    manager: Manager,
    stem: &str,
) -> Result<(UnitState, Vec<UnitState>), ExplainError> {
    let own = properties(manager, &format!("{stem}.service"))?;
    let mut names: Vec<String> = own
        .words("TriggeredBy")
        .filter(|name| name.ends_with(".socket"))
        .map(str::to_owned)
        .collect();
    let socket = format!("{stem}.socket");
    if !names.contains(&socket) {
        names.push(socket);
    }
    let mut sockets = Vec::new();
    for name in names {
        let socket = state(&properties(manager, &name)?);
        if socket.load != "not-found" {
            sockets.push(socket);
        }
    }
    Ok((state(&own), sockets))
}

/// The service of a socket, with its sockets.
pub(super) fn of_socket(
    manager: Manager,
    stem: &str,
) -> Result<(UnitState, Vec<UnitState>), ExplainError> {
    let socket = properties(manager, &format!("{stem}.socket"))?;
    let mut services = socket.words("Triggers");
    let service = services.find_map(|name| name.strip_suffix(".service"));
    of_service(manager, service.unwrap_or(stem))
}

/// Units that come before this one and are being started.
pub(super) fn waits_for(manager: Manager, unit: &str) -> Result<Vec<String>, CommandError> {
    let own = properties(manager, unit)?;
    let after: Vec<&str> = own.words("After").collect();
    let names = manager.activating()?.into_iter();
    Ok(names
        .filter(|name| after.contains(&name.as_str()))
        .collect())
}

/// What the journal of this boot has about units, from themselves and from
/// systemd, with what Podman's generator and the kernel say.
pub(super) fn journal(
    manager: Manager,
    service: &UnitState,
    sockets: &[UnitState],
) -> Result<Vec<Entry>, ExplainError> {
    let (of, about) = match manager.option() {
        "--user" => ("_SYSTEMD_USER_UNIT", "USER_UNIT"),
        _ => ("_SYSTEMD_UNIT", "UNIT"),
    };
    let uid = format!("_UID={}", rustix::process::getuid().as_raw());
    let mut words: Vec<String> = ["journalctl", "--boot", "--quiet", "--no-pager", "--all"]
        .map(str::to_owned)
        .to_vec();
    words.extend(["--output=json".to_owned(), format!("--lines={ENTRIES}")]);
    for unit in std::iter::once(service).chain(sockets) {
        for field in [of, about] {
            words.push(format!("{field}={}", unit.name));
            if manager.option() == "--user" {
                words.push(uid.clone());
            }
            words.push("+".to_owned());
        }
    }
    words.extend(["_COMM=podman-user-gen", "+", "_COMM=podman-system-g", "+"].map(str::to_owned));
    words.extend(["_COMM=quadlet", "+", "_TRANSPORT=kernel", "+"].map(str::to_owned));
    words.push("_TRANSPORT=audit".to_owned());
    if let Some(main) = service.main {
        words.extend(["+".to_owned(), format!("_PID={main}")]);
        if manager.option() == "--user" {
            words.push(uid);
        }
    }
    let text = command::run(&words, LIMIT)?.success()?;
    // A line that is cut off or no JSON is nothing to go by.
    let entries = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let mut entries: Vec<Entry> = entries.collect();
    adopt(service, &mut entries);
    Ok(entries)
}

/// Has the manager forget that units failed, of those that did.
pub(super) fn reset_failed<'a>(
    manager: Manager,
    units: impl Iterator<Item = &'a UnitState>,
) -> Result<(), ExplainError> {
    let failed = units.filter(|unit| unit.active == "failed");
    let names = names(failed.map(|unit| unit.name.as_str()));
    Ok(manager.reset_failed(&names)?)
}

pub(super) fn start(manager: Manager, units: &[String]) -> Result<(), ExplainError> {
    Ok(manager.start(&names(units.iter().map(String::as_str)))?)
}

/// What systemd calls its units are names of units.
fn names<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<UnitName> {
    texts.filter_map(|text| text.parse().ok()).collect()
}
