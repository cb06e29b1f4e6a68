//! The server, and what becomes of it inside the seal.

use super::{ROW, ended, holds, service, still};
use crate::explain::case::Case;
use crate::explain::journal::{Speaker, message_id};
use crate::explain::signature::{Line, Shows, Signature};

/// strerror(EAFNOSUPPORT) of glibc and of Go, from whatever the service runs.
const NO_FAMILY: &str = "ddress family not supported by protocol";

/// SIGSYS on most architectures (signal(7)).
const SIGSYS: i32 = 31;

/// Where the last words tell of connecting, and to itself.
const LOOPBACK: &[Line] = &[
    loopback(&["onnect", "127.0.0.1", NO_FAMILY]),
    loopback(&["127.0.0.1", "onnect", NO_FAMILY]),
    loopback(&["onnect", "localhost", NO_FAMILY]),
    loopback(&["localhost", "onnect", NO_FAMILY]),
    loopback(&["onnect", "::1", NO_FAMILY]),
    loopback(&["dial tcp 127.0.0.1", NO_FAMILY]),
    loopback(&["dial tcp [::1]", NO_FAMILY]),
    loopback(&[NO_FAMILY, "onnect", "127.0.0.1"]),
];

/// A server that was handed none.
const WANTS_SOCKET: &[Line] = &[
    service(&["LISTEN_FDS"]),
    service(&["only sockets it is handed"]),
];

const fn loopback(words: &'static [&'static str]) -> Line {
    service(words).without(&["listen", "bind"])
}

fn sigsys(case: &Case) -> Vec<String> {
    let Some(ended) = ended(case) else {
        return Vec::new();
    };
    let is_killed = matches!(ended.code.as_str(), "killed" | "dumped") && ended.status == SIGSYS;
    // Podman's status for a container that a signal ended.
    let is_containers = ended.code == "exited" && ended.status == 128 + SIGSYS;
    let is_failed = case.is_troubled();
    let mut evidence = holds(
        is_failed && (is_killed || is_containers),
        format!(
            "systemd: the main process ended: code={}, status={} (signal {SIGSYS}, SIGSYS)",
            ended.code, ended.status
        ),
    );
    if !evidence.is_empty() {
        let audit = case.log.entries.iter().filter(|entry| {
            entry.speaker == Speaker::Kernel
                && (entry.message.contains(" sig=31 ") || entry.message.contains("type=1326"))
        });
        evidence.extend(
            audit
                .map(|entry| format!("kernel: {}", entry.message))
                .next_back(),
        );
    }
    evidence
}

fn unread(case: &Case) -> Vec<String> {
    queues(case.not_accepted().iter()).collect()
}

fn queues<'a>(waiting: impl Iterator<Item = &'a (String, u32)>) -> impl Iterator<Item = String> {
    waiting.map(|(address, count)| {
        format!("kernel: connections that wait on {address} to be accepted: {count}")
    })
}

/// Well ended starts, again and again, until systemd gave up or as yet.
fn exits_at_once(case: &Case) -> Vec<String> {
    let service = &case.service;
    let limits = ["service-start-limit-hit", "trigger-limit-hit"];
    let mut sockets = case.sockets.iter();
    let given_up = sockets.find(|socket| limits.contains(&socket.result.as_str()));
    let status = service.ended.as_ref();
    let ended_well = !case.has_own_failure()
        && status.is_none_or(|ended| ended.code == "exited" && ended.status == 0);
    let was_started = service.good_ends() > 0
        || case.log.entries.iter().any(|entry| {
            entry.unit.as_deref() == Some(&service.name) && entry.is(message_id::STARTED)
        });
    let (name, ends) = (&service.name, service.good_ends());
    match given_up {
        Some(socket) if ended_well && was_started => vec![
            format!("systemd: {name} ended without an error each time"),
            format!(
                "systemd: {} failed with result '{}'",
                socket.name, socket.result
            ),
        ],
        None if ended_well && case.keeps_ending() => {
            let times = format!("{name} ended {ends} times within a minute, without an error");
            let mut evidence = vec![format!("systemd: {times}")];
            evidence.extend(queues(case.facts.waiting.iter().flatten()));
            evidence
        }
        _ => Vec::new(),
    }
}

/// Whether the units were looked at: a log may know nothing of a socket.
const fn knows_units(case: &Case) -> bool {
    case.facts.is_notify.is_some()
}

fn no_socket_unit(case: &Case) -> Vec<String> {
    holds(
        case.sockets.is_empty() && knows_units(case),
        format!("systemd: no socket unit starts {}", case.service.name),
    )
}

fn without_socket(case: &Case) -> Vec<String> {
    if case.sockets.is_empty() && !knows_units(case) {
        return vec![format!("systemd: {} has no socket", case.service.name)];
    }
    let down = case
        .sockets
        .iter()
        .filter(|socket| socket.active != "active");
    down.map(|socket| format!("systemd: {} is not active", socket.name))
        .collect()
}

pub(super) const SIGNATURES: &[Signature] = &[
    Signature {
        id: "foreign-system-call",
        title: "killed by SIGSYS",
        cause: "a program made a system call of another ABI (i386, x32) or one that the unit forbids, and was killed by SIGSYS",
        wanted: "the end by signal 31, or Podman's status 159",
        fix: "use an image for this host's own architecture; where the unit has SystemCallFilter= of its own, allow what the program needs",
        next: "podseal show{scope} {service}",
        link: Some("systemd.exec(5), SystemCallArchitectures="),
        shows: Shows::Fact(sigsys),
        ..ROW
    },
    Signature {
        id: "needs-loopback",
        title: "the server connects to its own loopback address",
        cause: "a program in the container wants to connect to another one there by TCP, and the seal leaves it no internet socket, not even for the container's own loopback address",
        wanted: "a failed connection to 127.0.0.1, ::1 or localhost, for want of the address family, as the last words of the server",
        fix: "have the programs in the container talk by a UNIX socket",
        next: "podseal explain{scope} {service} --apply",
        link: Some("README.md#what-it-does-not-promise"),
        shows: Shows::Says(LOOPBACK),
        ..ROW
    },
    Signature {
        id: "listens-itself",
        title: "the server ignores its socket and makes one of its own",
        cause: "a program inside the seal tried to make an internet socket of its own",
        wanted: "EAFNOSUPPORT in the last words of the server",
        fix: "use a server that takes the socket it is handed (LISTEN_FDS, sd_listen_fds(3)), or tell it to",
        next: "podseal explain{scope} {service} --apply",
        link: Some("sd_listen_fds(3)"),
        shows: Shows::Says(&[
            service(&[NO_FAMILY]),
            // Node.js says more after it.
            service(&["code: 'EAFNOSUPPORT'"]).anywhere(),
            // Apache httpd, likewise.
            service(&[NO_FAMILY, "AH00072: make_sock"]).anywhere(),
        ]),
        ..ROW
    },
    Signature {
        id: "no-socket-unit",
        title: "a server that needs a socket, and no socket unit",
        cause: "the service serves a socket that it is handed, and no socket unit is there that would hand it one",
        wanted: "the server's last words about LISTEN_FDS, and no socket unit that starts the service",
        fix: "write a .socket unit of the service's name with ListenStream=, and start that (`podseal up` makes both)",
        next: "podseal check{scope} {service}",
        link: Some("systemd.socket(5)"),
        shows: Shows::SaysAnd(WANTS_SOCKET, no_socket_unit),
        ..ROW
    },
    Signature {
        id: "started-without-socket",
        title: "started without its socket",
        cause: "the service was started without the socket that it is to serve",
        wanted: "the server's last words about LISTEN_FDS, and a socket that is not active",
        fix: "start the socket, and let it start the service",
        next: "podseal explain{scope} {service} --apply",
        link: Some("systemd.socket(5)"),
        shows: Shows::SaysAnd(WANTS_SOCKET, without_socket),
        ..ROW
    },
    Signature {
        id: "never-accepts",
        title: "the server runs and accepts no connection",
        cause: "the service is running and does not take the connections on its socket: it ignores the socket it was handed, or hangs",
        wanted: "connections in the queue of a TCP or UNIX socket, and none that were accepted, while the service has been running for 5 seconds",
        fix: "use a server that takes the socket it is handed (LISTEN_FDS, sd_listen_fds(3)), or tell it to",
        next: "journalctl{scope} -e -u {service}",
        link: Some("sd_listen_fds(3)"),
        shows: Shows::Fact(unread),
        still: Some(|case| still(case, unread)),
        ..ROW
    },
    Signature {
        id: "exits-at-once",
        title: "the service ends well, without having served",
        cause: "the service ends without an error and without taking the connection, so that its socket starts it again and again until it is given up",
        wanted: "starts that ended well, and a socket that failed with service-start-limit-hit or trigger-limit-hit, or on which connections wait",
        fix: "use a server that takes the socket it is handed (LISTEN_FDS, sd_listen_fds(3)) and keeps running; with `podman run --detach` the unit needs Type=notify or Type=forking",
        next: "podseal check{scope} {service}",
        link: Some("systemd.socket(5), TriggerLimitIntervalSec="),
        shows: Shows::Fact(exits_at_once),
        ..ROW
    },
];
