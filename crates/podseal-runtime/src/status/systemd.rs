//! The units of a manager of systemd's.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use podseal_core::audit::subject::Subject;
use podseal_core::plan::{DROP_IN, Fit, fit};
use podseal_core::status::document::{SocketUnit, Unit};
use podseal_core::status::examine;
use podseal_core::status::facts::{
    Container, DropIn, DropInState, Loaded, Promise, Service, Socket, State,
};
use podseal_core::unit::effective::service;
use podseal_core::unit::effective::view::View;
use podseal_core::unit::name::{NameKind, UnitName, UnitType};

use super::containers::{name_containers, unnamed};
use crate::audit::collect;
use crate::command::CommandError;
use crate::explain::{self, Host};
use crate::host::User;
use crate::live::sockets::Tables;
use crate::live::{self, Whose};
use crate::systemd::{Manager, Properties};
use crate::units::{Target, Units};

/// What is asked of every unit.
const PROPERTIES: &[&str] = &[
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "Job",
    "MainPID",
    "ControlPID",
    "ControlGroup",
    "ActiveEnterTimestamp",
    "NeedDaemonReload",
    "DropInPaths",
    "User",
    "RestrictAddressFamilies",
    "NoNewPrivileges",
    "SystemCallArchitectures",
    "SystemCallFilter",
    "Triggers",
    "TriggeredBy",
    "Accept",
    "Listen",
    "NAccepted",
    "NConnections",
    "StateChangeTimestampMonotonic",
];

/// What changed so lately may be about to fail again.
const LATELY: Duration = Duration::from_mins(1);

/// The services that are sealed or run Podman, and instances of them. Why they
/// failed is looked for where there is a `host` to look at.
///
/// # Errors
/// systemd could not be asked.
pub fn services(
    manager: Manager,
    units: &Units,
    host: Option<&Host>,
) -> Result<Vec<Unit>, CommandError> {
    let groups = collect(units, &[]).groups;
    let subjects = groups.iter().flat_map(|group| group.set.subjects());
    let is_sealed = |subject: &&Subject| match subject.view() {
        View::Service(service) => {
            subject.starts_container() || drop_in_path(service).is_some() || !service.loads
        }
        _ => false,
    };
    let mut names = BTreeSet::new();
    for subject in subjects.filter(is_sealed) {
        let unit = subject.unit();
        if unit.kind() == NameKind::Template {
            names.extend(manager.running([unit])?);
        } else {
            names.insert(unit.to_string());
        }
    }
    let templates = templates(units);
    if !templates.is_empty() {
        names.extend(manager.running(&templates)?);
    }
    let names: Vec<String> = names.into_iter().collect();
    named(manager, units, &names, host)
}

/// Templates that are sealed or run Podman.
fn templates(units: &Units) -> Vec<UnitName> {
    let names = units.names().unwrap_or_default().into_iter();
    let is_template = |name: &UnitName| {
        name.kind() == NameKind::Template && name.unit_type() == UnitType::Service
    };
    let concerns = |name: &UnitName| {
        let instance = name.with_instance("1").ok()?;
        let unit = units.read(&Target::Name(instance)).ok()?;
        let is_sealed = matches!(&unit.view, View::Service(s) if drop_in_path(s).is_some());
        Some(is_sealed || Subject::new(unit.view, unit.aliases).starts_container())
    };
    names
        .filter(is_template)
        .filter(|name| concerns(name) == Some(true))
        .collect()
}

/// Services and sockets by name. Those that systemd does not have are left out.
/// Why they failed is looked for, and Podman asked for its containers, where there
/// is a `host` to look at.
///
/// # Errors
/// systemd could not be asked.
pub fn named(
    manager: Manager,
    units: &Units,
    names: &[String],
    host: Option<&Host>,
) -> Result<Vec<Unit>, CommandError> {
    let mut found = look(manager, units, names, host)?;
    if host.is_some() {
        name_containers(found.iter_mut().filter_map(|found| match found {
            Found::Socket(_) => None,
            Found::Service(facts) => facts.container.as_mut(),
        }));
    }
    Ok(found
        .into_iter()
        .map(|found| match found {
            Found::Socket(unit) => Unit::Socket(unit),
            Found::Service(facts) => Unit::Service(Box::new(examine(*facts))),
        })
        .collect())
}

/// What was seen of one service. None where systemd does not have it.
///
/// # Errors
/// systemd could not be asked.
pub fn facts(
    manager: Manager,
    units: &Units,
    name: &UnitName,
) -> Result<Option<Service>, CommandError> {
    let found = look(manager, units, &[name.to_string()], None)?.into_iter();
    let mut services = found.filter_map(|found| match found {
        Found::Socket(_) => None,
        Found::Service(facts) => Some(*facts),
    });
    Ok(services.next())
}

/// What was seen of a unit.
enum Found {
    Socket(Box<SocketUnit>),
    Service(Box<Service>),
}

fn look(
    manager: Manager,
    units: &Units,
    names: &[String],
    host: Option<&Host>,
) -> Result<Vec<Found>, CommandError> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = manager.properties(&names, PROPERTIES)?;
    let sockets: BTreeSet<String> = found
        .iter()
        .flat_map(|properties| {
            let own = properties.words("TriggeredBy").map(str::to_owned);
            own.chain(accepting(properties))
        })
        .filter(|name| has_type(name, "socket"))
        .collect();
    let sockets: Vec<&str> = sockets.iter().map(String::as_str).collect();
    let sockets = manager.properties(&sockets, PROPERTIES)?;
    let user = User::current();
    let mut tables = Tables::default();
    let sockets: Vec<(Socket, Properties)> = sockets
        .into_iter()
        .map(|properties| (socket(&properties, &mut tables), properties))
        .collect();
    let is_there =
        |properties: &&Properties| !matches!(properties.get("LoadState"), "" | "not-found");
    let mut seen = BTreeSet::new();
    let mut shown = Vec::new();
    for properties in found.iter().filter(is_there) {
        let id = properties.get("Id");
        if !seen.insert(id) {
            continue;
        }
        if has_type(id, "socket") {
            let socket = socket(properties, &mut tables);
            shown.push(Found::Socket(Box::new(SocketUnit {
                service: properties.text("Triggers"),
                why: host
                    .filter(|_| is_doubtful(properties, std::slice::from_ref(&socket)))
                    .and_then(|host| explain::of_unit(manager, id, host)),
                socket,
            })));
        } else if has_type(id, "service") {
            let own = sockets
                .iter()
                .filter(|(_, socket)| is_own(properties, socket))
                .map(|(socket, _)| socket.clone());
            let mut facts = service(units, properties, own.collect(), &user);
            facts.why = host
                .filter(|_| is_doubtful(properties, &facts.sockets))
                .and_then(|host| explain::of_unit(manager, id, host));
            shown.push(Found::Service(Box::new(facts)));
        }
    }
    Ok(shown)
}

/// Whether a unit or its sockets may have failed, so that it is worth a look.
fn is_doubtful(unit: &Properties, sockets: &[Socket]) -> bool {
    let since = unit.number("StateChangeTimestampMonotonic");
    let since = since.map(Duration::from_micros);
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let now = Duration::try_from(now).unwrap_or_default();
    let is_new = since.is_some_and(|since| !since.is_zero() && now.saturating_sub(since) < LATELY);
    let is_well = |state: &State| {
        state.result == "success" && matches!(state.active_state.as_str(), "active" | "inactive")
    };
    let waits = |socket: &Socket| socket.waiting.iter().flatten().any(|count| *count > 0);
    is_new
        || unit.get("LoadState") != "loaded"
        || !is_well(&state(unit))
        || sockets
            .iter()
            .any(|socket| !is_well(&socket.state) || waits(socket))
}

fn has_type(name: &str, of: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, kind)| kind == of)
}

/// The socket unit with `Accept=yes` that an instance may be of: systemd does
/// not say so.
fn accepting(properties: &Properties) -> Option<String> {
    let (prefix, _) = properties.get("Id").split_once('@')?;
    Some(format!("{prefix}.socket"))
}

/// The socket units that start a service.
fn is_own(service: &Properties, socket: &Properties) -> bool {
    let name = socket.get("Id");
    let is_triggering = service.words("TriggeredBy").any(|own| own == name);
    let is_accepting = socket.is_yes("Accept") && accepting(service).as_deref() == Some(name);
    socket.get("LoadState") != "not-found" && (is_triggering || is_accepting)
}

fn state(properties: &Properties) -> State {
    State {
        unit: properties.get("Id").to_owned(),
        active_state: properties.get("ActiveState").to_owned(),
        sub_state: properties.get("SubState").to_owned(),
        result: properties
            .text("Result")
            .unwrap_or_else(|| "success".into()),
        job: properties.text("Job"),
        main_pid: properties.pid("MainPID"),
        control_pid: properties.pid("ControlPID"),
        activated: properties.text("ActiveEnterTimestamp"),
    }
}

fn socket(properties: &Properties, tables: &mut Tables) -> Socket {
    // "127.0.0.1:80 (Stream)"
    let address = |line: &String| {
        line.rsplit_once(" (")
            .map_or(line.as_str(), |l| l.0)
            .to_owned()
    };
    let listen: Vec<String> = properties.all("Listen").iter().map(address).collect();
    Socket {
        state: state(properties),
        waiting: listen
            .iter()
            .map(|address| Some(tables.queue(&address.parse().ok()?)?.waiting))
            .collect(),
        listen,
        accepted: properties.number("NAccepted"),
        connections: properties.number("NConnections"),
    }
}

fn service(units: &Units, properties: &Properties, sockets: Vec<Socket>, user: &User) -> Service {
    let state = state(properties);
    let whose = Whose {
        cgroup: Some(properties.get("ControlGroup")),
        main: state.main_pid,
        control: state.control_pid,
        ..Whose::default()
    };
    let processes = live::processes(&whose, user).map_err(|error| error.to_string());
    let container = processes.as_deref().ok().and_then(live::container);
    let run_as = properties.text("User");
    let run_as = run_as.filter(|user| !matches!(user.as_str(), "root" | "0"));
    let (promise, unread) = match promise(units, &state.unit) {
        Ok(promise) => (promise, None),
        Err(why) => (Promise::default(), Some(why)),
    };
    Service {
        promise,
        unread,
        processes,
        sockets,
        container: container.map(|id| Container {
            user: run_as,
            ..unnamed(id)
        }),
        loaded: Some(Loaded {
            needs_reload: properties.is_yes("NeedDaemonReload"),
            drop_ins: properties.words("DropInPaths").map(str::to_owned).collect(),
            restrict_address_families: properties.get("RestrictAddressFamilies").to_owned(),
            no_new_privileges: properties.is_yes("NoNewPrivileges"),
            system_call_architectures: properties.get("SystemCallArchitectures").to_owned(),
            system_call_filter: !matches!(properties.get("SystemCallFilter"), "" | "~"),
        }),
        why: None,
        copies: None,
        state,
    }
}

fn drop_in_path(service: &service::Service) -> Option<&str> {
    let mut drop_ins = service.dropins.iter();
    let path = drop_ins.find(|path| path.rsplit('/').next() == Some(DROP_IN))?;
    Some(path)
}

fn promise(units: &Units, name: &str) -> Result<Promise, String> {
    let target = Target::parse(name).map_err(|error| error.to_string())?;
    let unit = units.read(&target).map_err(|error| error.to_string())?;
    let View::Service(service) = &unit.view else {
        return Ok(Promise::default());
    };
    let mut drop_in = None;
    if let Some(path) = drop_in_path(service) {
        let source = units.source(path).map_err(|error| error.to_string())?;
        let (level, state) = match fit(service, &source) {
            Fit::Current(made) => (Some(made.level), DropInState::Current),
            Fit::Stale(made) => (Some(made.level), DropInState::Stale),
            Fit::Edited => (None, DropInState::Edited),
            Fit::Foreign => (None, DropInState::Foreign),
        };
        drop_in = Some(DropIn {
            path: path.to_owned(),
            level,
            state,
        });
    }
    let mut promise = Promise::of_service(service, drop_in);
    let origins = promise.directives.iter().filter_map(|key| {
        let origins = service.origins.get(&format!("Service.{key}"))?;
        Some(origins.iter().map(|origin| origin.file.to_string()))
    });
    let files: BTreeSet<String> = origins.flatten().collect();
    let changed = files.into_iter().filter_map(|file| {
        let metadata = fs::metadata(&file).ok()?;
        // When it was put there, which rename(2) and chmod(2) count as too.
        let changed = metadata.ctime() * 1000 + metadata.ctime_nsec() / 1_000_000;
        Some((changed, file))
    });
    promise.changed = changed.max();
    Ok(promise)
}
