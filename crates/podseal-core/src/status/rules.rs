//! What can be wrong with a service: each rule looks at the facts.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use super::Problem;
use super::facts::{
    DropInState, HeldSocket, Loaded, Process, Relation, Restrictions, Role, Service, Socket, State,
};
use crate::family::Family;
use crate::policy::families::FamilySet;
use crate::policy::level::Level;
use crate::policy::mechanism::{NO_CAPABILITIES, NO_NEW_PRIVILEGES};
use crate::socket_address::SocketAddress;
use crate::unit::families::{AddressFamiliesReader, FilterMode};

/// Each rule, the gravest first.
const RULES: &[fn(&Service) -> Vec<Problem>] = &[
    not_seen,
    started_before,
    unsealed,
    joined,
    health_checked,
    other_sockets,
    not_read,
    undone,
    given_up,
    drop_in,
    failed,
];

/// What systemd has not read is not what it starts.
const RELOAD: &str =
    "have systemd read its units again (systemctl daemon-reload), and restart the service";

/// A service is started anew, and with it what it started.
const RESTART: &str = "restart the service";

/// Problems that mean that something could not be looked at.
pub const NOT_SEEN: &[&str] = &[
    "processes-not-seen",
    "sockets-not-seen",
    "namespaces-not-seen",
];

pub(super) fn problems(service: &Service) -> Vec<Problem> {
    RULES.iter().flat_map(|rule| rule(service)).collect()
}

fn less(id: &'static str, message: String, fix: &str) -> Problem {
    Problem {
        id,
        is_less: true,
        message,
        fix: fix.to_owned(),
    }
}

fn note(id: &'static str, message: String, fix: &str) -> Problem {
    Problem {
        is_less: false,
        ..less(id, message, fix)
    }
}

/// The processes that the seal is about. What a manager runs beside the service
/// may be outside on purpose, and the pause process is no service's.
fn judged(service: &Service) -> impl Iterator<Item = &Process> {
    let processes = service.processes.iter().flatten();
    processes.filter(|process| !matches!(process.role, Role::Control | Role::Pause))
}

/// Whether something is said of a seal, or was seen in copies.
fn has_promise(service: &Service) -> bool {
    !service.promise.mechanisms.is_empty() || service.copies.is_some()
}

/// What a process in the place of this one had in a copy of the service.
fn of_copy<'a>(service: &'a Service, process: &Process) -> Option<&'a Restrictions> {
    let copies = service.copies.as_ref()?;
    match process.role {
        Role::Container => copies.container.as_ref(),
        _ => copies.host.as_ref(),
    }
}

fn name(process: &Process) -> String {
    format!("process {} ({})", process.pid, process.comm)
}

fn not_seen(service: &Service) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(why) = &service.unread {
        let message = format!("its files could not be read: {why}");
        problems.push(note("files-not-read", message, "see `podseal show`"));
    }
    if let Err(why) = &service.processes {
        let message = format!("its processes could not be looked at: {why}");
        problems.push(note("processes-not-seen", message, "ask as root"));
    }
    let hidden = judged(service).filter(|process| process.sockets.is_none());
    let hidden: Vec<String> = hidden.map(name).collect();
    if !hidden.is_empty() {
        let message = format!("the sockets of {} could not be seen", hidden.join(", "));
        problems.push(note("sockets-not-seen", message, "ask as root"));
    }
    // Who only looks at a seal's files has nothing to compare them with.
    let hidden = judged(service).filter(|process| {
        let restrictions = &process.restrictions;
        of_copy(service, process).is_some()
            && [restrictions.user_namespace, restrictions.network_namespace]
                .contains(&Relation::Unknown)
    });
    let hidden: Vec<String> = hidden.map(name).collect();
    if !hidden.is_empty() {
        let message = format!("the namespaces of {} could not be seen", hidden.join(", "));
        problems.push(note("namespaces-not-seen", message, "ask as root"));
    }
    problems
}

/// The files say something that these processes were not started with.
fn started_before(service: &Service) -> Vec<Problem> {
    let Some((changed, file)) = &service.promise.changed else {
        return Vec::new();
    };
    let older: Vec<_> = judged(service)
        .filter(|process| process.started <= *changed)
        .collect();
    if older.is_empty() || !has_promise(service) {
        return Vec::new();
    }
    let is_sealed = older
        .iter()
        .all(|p| p.restrictions.no_new_privs && p.restrictions.seccomp == 2);
    let message = format!(
        "it was started before {file} was written or changed, and runs {} until it is restarted",
        if is_sealed { "as it was" } else { "unsealed" }
    );
    vec![less("started-before-seal", message, RESTART)]
}

/// Filters and no_new_privs are inherited and cannot be given up, so that every
/// process has at least what the seal has, or what one in its place had in a
/// copy; one in the container at least what the container's first has.
fn unsealed(service: &Service) -> Vec<Problem> {
    let promise = &service.promise;
    let first = judged(service)
        .filter(|process| process.role == Role::Container && process.is_descendant)
        .min_by_key(|process| (process.started, process.pid));
    let mut problems = Vec::new();
    for process in judged(service).filter(|process| process.is_descendant) {
        let in_container = first.filter(|_| process.role == Role::Container);
        let copy = of_copy(service, process);
        let least = [in_container.map(|first| &first.restrictions), copy]
            .into_iter()
            .flatten()
            .filter_map(|restrictions| restrictions.filters)
            .fold(promise.filters, u32::max);
        let lacks = lacks(service, process, least);
        if !lacks.is_empty() {
            let message = format!("{} {}", name(process), lacks.join(" and "));
            problems.push(less("process-unsealed", message, RESTART));
        }
    }
    problems
}

fn lacks(service: &Service, process: &Process, least: u32) -> Vec<String> {
    let promise = &service.promise;
    let copy = of_copy(service, process);
    let has = &process.restrictions;
    let mut lacks = Vec::new();
    let is_inside = process.role == Role::Container;
    // Every level has the container without a network.
    if has_promise(service) && is_inside && has.network_namespace == Relation::Host {
        lacks.push("is in the container and has the host's network".to_owned());
    }
    let is_apart = |of: &Restrictions| matches!(of.user_namespace, Relation::Pause | Relation::Own);
    if copy.is_some_and(is_apart) && has.user_namespace == Relation::Host {
        lacks.push("is in the host's user namespace, unlike a copy".to_owned());
    }
    if promise.mechanisms.contains(&NO_CAPABILITIES.id) && is_inside && process.has_capabilities {
        lacks.push("may have capabilities".to_owned());
    }
    let is_promised = promise.mechanisms.contains(&NO_NEW_PRIVILEGES.id);
    if (is_promised || copy.is_some_and(|copy| copy.no_new_privs)) && !has.no_new_privs {
        lacks.push("may gain privileges (no_new_privs is not set)".to_owned());
    }
    if promise.filters > 0 || copy.is_some_and(|copy| copy.seccomp == 2) {
        if has.seccomp != 2 {
            lacks.push("has no system-call filter".to_owned());
        } else if let Some(filters) = has.filters.filter(|filters| *filters < least) {
            let plural = if filters == 1 { "" } else { "s" };
            lacks.push(format!(
                "has {filters} system-call filter{plural}, and the seal is at least {least}"
            ));
        }
    }
    lacks
}

/// What joins a container from outside has nothing of the seal, whatever other
/// filters it has.
fn joined(service: &Service) -> Vec<Problem> {
    if !has_promise(service) {
        return Vec::new();
    }
    judged(service)
        .filter(|process| !process.is_descendant)
        .map(|process| {
            let message = format!(
                "{} runs in the container and was not started by the service (podman exec, a \
                 health check): it is not sealed",
                name(process)
            );
            less("process-joined", message, "end it, or leave it to its end")
        })
        .collect()
}

/// From level standard on the launcher has the container made without a health
/// check; it can be given one while it runs.
fn health_checked(service: &Service) -> Vec<Problem> {
    let container = service.container.as_ref();
    let is_checked = container.is_some_and(|container| container.is_health_checked == Some(true));
    if !is_checked || service.promise.level() < Some(Level::Standard) {
        return Vec::new();
    }
    let message = "Podman runs health checks in the container, outside the seal: with a socket \
                   that the service hands it, what it runs there connects to any address";
    vec![less("health-checked", message.to_owned(), RESTART)]
}

/// Internet sockets that did not come from the socket units.
fn other_sockets(service: &Service) -> Vec<Problem> {
    if !service.promise.restricts_families() && service.copies.is_none() {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for process in judged(service) {
        for held in process.sockets.iter().flatten() {
            let is_internet = is_internet(held);
            // What is bound to nothing may be the rest of a connection.
            let is_loose = is_internet && held.local.is_none();
            if is_loose || of_socket(held, &service.sockets) {
                continue;
            }
            let mut message = format!("{} has a {} socket", name(process), held.protocol);
            if let Some(local) = held.local {
                // Writing to a string does not fail.
                let _ = write!(message, " at {local}");
            }
            if let Some(remote) = held.remote {
                let _ = write!(message, ", connected with {remote}");
            }
            message.push_str(", which is not of the service's socket units");
            problems.push(less("other-socket", message, RESTART));
        }
    }
    problems
}

fn is_internet(held: &HeldSocket) -> bool {
    ["TCP", "UDP", "RAW", "PING", "MPTCP", "SCTP", "DCCP"]
        .iter()
        .any(|protocol| held.protocol.starts_with(protocol))
}

/// Whether a socket is one of the units', or a connection that came in there.
#[must_use]
pub fn of_socket(held: &HeldSocket, sockets: &[Socket]) -> bool {
    let addresses = sockets.iter().flat_map(|socket| &socket.listen);
    let mut addresses = addresses.filter_map(|address| address.parse().ok());
    addresses.any(|address| match (&address, held.local) {
        (SocketAddress::Vsock { .. }, _) => held.protocol.contains("VSOCK"),
        (_, Some(local)) => held.in_own_network != Some(false) && covers(&address, local),
        (_, None) => false,
    })
}

/// Whether a socket at `address` has, or gets connections at, `local`.
#[must_use]
fn covers(address: &SocketAddress, local: SocketAddr) -> bool {
    let ip = local.ip().to_canonical();
    match address {
        SocketAddress::Inet { address, port } => {
            *port == local.port()
                && (ip == IpAddr::V4(*address) || (address.is_unspecified() && ip.is_ipv4()))
        }
        SocketAddress::Inet6 { address, port, .. } => {
            *port == local.port() && (address.is_unspecified() || ip == IpAddr::V6(*address))
        }
        _ => false,
    }
}

/// The manager goes by something else than what the files say.
fn not_read(service: &Service) -> Vec<Problem> {
    let Some(loaded) = service.loaded.as_ref().filter(|_| has_promise(service)) else {
        return Vec::new();
    };
    let promise = &service.promise;
    let unread = promise.drop_in.as_ref().filter(|drop_in| {
        let mut read = loaded.drop_ins.iter();
        !read.any(|path| *path == drop_in.path)
    });
    let message = if let Some(drop_in) = unread {
        format!("systemd has not read {}", drop_in.path)
    } else if loaded.needs_reload {
        "its files have changed since systemd read them".to_owned()
    } else {
        let other = promise.directives.iter().copied();
        let other: Vec<_> = other.filter(|key| !is_loaded(loaded, key)).collect();
        if other.is_empty() {
            return Vec::new();
        }
        let other = other.join("= and ");
        format!("systemd goes by another {other}= than the files have")
    };
    vec![less("seal-not-read", message, RELOAD)]
}

/// Whether the manager goes by what the files have.
fn is_loaded(loaded: &Loaded, key: &str) -> bool {
    match key {
        "RestrictAddressFamilies" => is_local(&loaded.restrict_address_families),
        "NoNewPrivileges" => loaded.no_new_privileges,
        "SystemCallArchitectures" => loaded.system_call_architectures == "native",
        "SystemCallFilter" => loaded.system_call_filter,
        _ => true,
    }
}

/// Whether a list of families as systemd shows it has none but those that Podman
/// needs.
fn is_local(shown: &str) -> bool {
    let mut reader = AddressFamiliesReader::default();
    reader.line(shown);
    let local = FamilySet::default();
    let read = reader.finish().le_v260;
    let is_local = |family: &Family| local.contains(*family);
    read.mode == FilterMode::Allow && read.set.iter().all(is_local)
}

/// Something in other files takes away what the drop-in sets.
fn undone(service: &Service) -> Vec<Problem> {
    let promise = &service.promise;
    let made = promise.drop_in.as_ref().and_then(|d| Some((d, d.level?)));
    let Some((drop_in, level)) = made.filter(|(_, level)| promise.level() < Some(*level)) else {
        return Vec::new();
    };
    let mut lacking = promise.lacking(level);
    lacking.retain(|part| !promise.given_up.contains(part));
    if lacking.is_empty() {
        return Vec::new();
    }
    let message = format!(
        "{} is for level {level}, and with the other files {} is missing",
        drop_in.path,
        lacking.join(", ")
    );
    let fix = "run `podseal seal` on it, which says what stands against it";
    vec![less("seal-undone", message, fix)]
}

/// What every report has to say.
fn given_up(service: &Service) -> Vec<Problem> {
    let parts = &service.promise.given_up;
    if parts.is_empty() {
        return Vec::new();
    }
    let message = format!(
        "options of the launcher give up, or may give up, {}",
        parts.join(", ")
    );
    let fix = "do without --families, --best-effort and --allow-connect";
    vec![note("given-up", message, fix)]
}

fn drop_in(service: &Service) -> Vec<Problem> {
    let Some(drop_in) = &service.promise.drop_in else {
        return Vec::new();
    };
    let (id, what, fix) = match drop_in.state {
        DropInState::Current | DropInState::Foreign => return Vec::new(),
        DropInState::Stale => (
            "seal-stale",
            "has the commands that the service had before they were changed",
            "run `podseal seal` on the service again",
        ),
        DropInState::Edited => (
            "seal-edited",
            "was edited since podseal wrote it",
            "run `podseal seal --force` on the service",
        ),
    };
    vec![note(id, format!("{} {what}", drop_in.path), fix)]
}

fn failed(service: &Service) -> Vec<Problem> {
    let sockets = service.sockets.iter().map(|socket| &socket.state);
    std::iter::once(&service.state)
        .chain(sockets)
        .filter(|state| state.has_failed())
        .map(|State { unit, result, .. }| {
            let fix = format!("`podseal explain {}` says why", service.state.unit);
            note("failed", format!("{unit} has failed ({result})"), &fix)
        })
        .collect()
}
