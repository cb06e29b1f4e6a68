//! Services that run Podman, and how they are: their files, what systemd says,
//! and their processes.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use podseal_core::audit::subject::{Set, Subject};
use podseal_core::socket_address::SocketKind;
use podseal_core::status::document::{Container, Report, SocketUnit, State};
use podseal_core::status::{Live, Seal, shortfalls};
use podseal_core::unit::effective::service::Service;
use podseal_core::unit::effective::socket::{Listen, Socket};
use podseal_core::unit::effective::view::View;
use podseal_core::unit::name::{NameKind, UnitName};

use crate::audit::collect;
use crate::command::CommandError;
use crate::host::User;
use crate::live::{self, HostSockets};
use crate::podman::Podman;
use crate::systemd::Manager;
use crate::systemd::properties::Properties;
use crate::units::{UnitError, Units};

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The services, by name.
    pub reports: Vec<Report>,
    /// Units that could not be read.
    pub errors: Vec<UnitError>,
}

/// Running services could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// systemd gave no answer.
    #[error("cannot ask systemd for the state of units")]
    Manager(#[from] CommandError),
    /// The kernel's tables of sockets cannot be read.
    #[error("cannot read the tables of sockets in /proc/net")]
    Sockets(#[source] io::Error),
}

const PROPERTIES: &[&str] = &[
    "ActiveState",
    "SubState",
    "Result",
    "MainPID",
    "ControlGroup",
    "NeedDaemonReload",
    "ExecMainStartTimestamp",
    "ExecMainStartTimestampMonotonic",
    "RestrictAddressFamilies",
    "NoNewPrivileges",
    "UnitFileState",
];

/// Looks at the services of these names; with none, at all that run Podman.
///
/// # Errors
/// See [`StatusError`]. That a unit cannot be read is in [`Found::errors`].
pub fn services(
    units: &Units,
    manager: Option<Manager>,
    names: &[String],
) -> Result<Found, StatusError> {
    let mut found = Found::default();
    let mut seen = BTreeSet::new();
    let mut wanted: Vec<Vec<String>> = vec![names.to_vec()];
    while let Some(names) = wanted.pop() {
        let collected = collect(units, &names);
        found.errors.extend(collected.errors);
        for group in &collected.groups {
            for subject in group.set.subjects() {
                let View::Service(service) = subject.view() else {
                    continue;
                };
                let is_asked_for = names.iter().any(|name| name == service.unit.as_str());
                if !(is_asked_for || subject.starts_container())
                    || !seen.insert(service.unit.clone())
                {
                    continue;
                }
                if let Some(manager) = manager
                    && service.unit.kind() == NameKind::Template
                {
                    let instances = manager.running(&service.unit)?;
                    if !instances.is_empty() {
                        wanted.push(instances);
                    }
                }
                found
                    .reports
                    .push(report(manager, &group.set, subject, service)?);
            }
        }
    }
    found.reports.sort_by(|a, b| a.unit.cmp(&b.unit));
    Ok(found)
}

fn report(
    manager: Option<Manager>,
    set: &Set,
    subject: &Subject,
    service: &Service,
) -> Result<Report, StatusError> {
    let sockets: Vec<&Socket> = set
        .subjects()
        .iter()
        .filter_map(|subject| match subject.view() {
            View::Socket(socket) if socket.service == service.unit => Some(socket.as_ref()),
            _ => None,
        })
        .collect();
    let mut names = vec![service.unit.as_str()];
    names.extend(sockets.iter().map(|socket| socket.unit.as_str()));
    let properties = match manager {
        // A template is nothing that runs.
        Some(manager) if service.unit.kind() != NameKind::Template => {
            manager.properties(&names, PROPERTIES)?
        }
        _ => Vec::new(),
    };
    let host = HostSockets::read().map_err(StatusError::Sockets)?;
    let seal = Seal::of(service, subject.files());
    let mut report = Report {
        unit: service.unit.to_string(),
        residual_risk: seal.residual_risk(),
        state: properties.first().map(state),
        sockets: sockets
            .iter()
            .enumerate()
            .map(|(at, socket)| socket_unit(socket, properties.get(at + 1), &host))
            .collect(),
        seal,
        processes: Vec::new(),
        containers: Vec::new(),
        shortfalls: Vec::new(),
    };
    if let Some(properties) = properties.first() {
        look(&mut report, properties, &sockets, &host);
    }
    Ok(report)
}

/// Looks at what is running of a service.
fn look(report: &mut Report, properties: &Properties, sockets: &[&Socket], host: &HostSockets) {
    let text = |name| properties.get(name).map_or("", String::as_str);
    let main = text("MainPID").parse().ok().filter(|pid| *pid > 0);
    let cgroup = Some(text("ControlGroup")).filter(|path| path.len() > 1);
    if main.is_none() && cgroup.is_none() {
        return;
    }
    let roots: Vec<i32> = main.into_iter().collect();
    report.processes = live::processes(cgroup, &roots, &User::current(), host);
    report.containers = containers(&live::containers(&report.processes));
    let listeners = sockets.iter().flat_map(|socket| listeners(socket));
    let live = Live {
        is_older_than_seal: main.is_some() && is_older(&report.seal, properties),
        needs_reload: text("NeedDaemonReload") == "yes",
        listeners: listeners.collect(),
    };
    report.shortfalls = shortfalls(&report.seal, &report.processes, &live);
}

/// Whether a service was started before its drop-in was written. The manager
/// has the time of the monotonic clock, which may be set less than the other.
fn is_older(seal: &Seal, properties: &Properties) -> bool {
    let (Seal::DropIn { path, .. } | Seal::Stale { path, .. }) = seal else {
        return false;
    };
    let started = properties.get("ExecMainStartTimestampMonotonic");
    let started = started.and_then(|text| text.parse().ok());
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let now = Duration::try_from(now).ok();
    let (Some(started), Some(now)) = (started.map(Duration::from_micros), now) else {
        return false;
    };
    let written = fs::metadata(path).and_then(|metadata| metadata.modified());
    let age = written
        .ok()
        .and_then(|written| SystemTime::now().duration_since(written).ok());
    age.is_some_and(|age| now.saturating_sub(age) > started)
}

fn state(properties: &Properties) -> State {
    let text = |name: &str| properties.get(name).cloned().unwrap_or_default();
    State {
        active: text("ActiveState"),
        sub: text("SubState"),
        result: text("Result"),
        since: Some(text("ExecMainStartTimestamp")).filter(|since| !since.is_empty()),
        families: text("RestrictAddressFamilies"),
        no_new_privileges: text("NoNewPrivileges") == "yes",
    }
}

fn socket_unit(socket: &Socket, properties: Option<&Properties>, host: &HostSockets) -> SocketUnit {
    let text = |name: &str| properties.and_then(|properties| properties.get(name).cloned());
    let listen = socket.listen.iter().map(|listen| match &listen.value {
        Listen::Socket { kind, address, .. } => match kind {
            SocketKind::Stream => address.to_string(),
            SocketKind::Datagram => format!("{address} (datagrams)"),
            SocketKind::SequentialPacket => format!("{address} (packets)"),
        },
        Listen::Netlink { address } => format!("netlink {address}"),
        Listen::Path { path, .. } => path.clone(),
    });
    SocketUnit {
        unit: socket.unit.to_string(),
        listen: listen.collect(),
        active: text("ActiveState"),
        sub: text("SubState"),
        result: text("Result"),
        enabled: text("UnitFileState").filter(|state| !state.is_empty()),
        waiting: host.waiting(&listeners(socket)),
    }
}

/// The internet addresses of a socket unit.
fn listeners(socket: &Socket) -> Vec<SocketAddr> {
    let addresses = socket.listen.iter().map(|listen| match &listen.value {
        Listen::Socket { address, .. } => address.internet(),
        Listen::Netlink { .. } | Listen::Path { .. } => None,
    });
    addresses.flatten().collect()
}

/// What Podman says of containers; one that it does not know has an id only.
fn containers(ids: &[String]) -> Vec<Container> {
    let podman = Podman::installed().ok();
    let container = |id: &String| {
        let inspected = podman.as_ref().and_then(|podman| {
            let format = "{{.ImageName}}\n{{.ImageDigest}}";
            let said = podman.output(&["container", "inspect", "--format", format, id]);
            said.ok()
        });
        let mut lines = inspected.iter().flat_map(|said| said.lines());
        let mut line = || {
            lines
                .next()
                .filter(|line| !line.is_empty())
                .map(str::to_owned)
        };
        Container {
            id: id.clone(),
            image: line(),
            digest: line(),
        }
    };
    ids.iter().map(container).collect()
}

/// The names of services, each with its type.
#[must_use]
pub fn full_names(units: &[String]) -> Vec<String> {
    let full = |name: &String| match name.parse::<UnitName>() {
        Ok(_) => name.clone(),
        Err(_) => format!("{name}.service"),
    };
    units.iter().map(full).collect()
}
