//! What systemd says of units.

use super::{ROW, found, holds, podseal, still, systemd, units_with_result};
use crate::explain::case::Case;
use crate::explain::journal::Speaker;
use crate::explain::signature::{Shows, Signature};

fn masked(case: &Case) -> Vec<String> {
    let masked = case.units().filter(|unit| unit.load == "masked");
    masked
        .map(|unit| format!("systemd: {} is masked", unit.name))
        .collect()
}

fn not_found(case: &Case) -> Vec<String> {
    let service = &case.service;
    holds(
        service.load == "not-found",
        format!("systemd: there is no unit {}", service.name),
    )
}

/// The same, or what systemd said about it when the socket was to start.
fn was_not_found(case: &Case) -> Vec<String> {
    let mut evidence = not_found(case);
    let refusal = systemd(&["Socket service", "not loaded, refusing"]);
    if case.service.load != "masked" && case.is_troubled() {
        let said = case
            .log
            .entries
            .iter()
            .filter(|entry| refusal.matches(entry));
        evidence.extend(
            said.map(|entry| format!("systemd: {}", entry.message))
                .next_back(),
        );
    }
    evidence
}

fn refused(case: &Case) -> Vec<String> {
    let bad = case
        .units()
        .filter(|unit| matches!(unit.load.as_str(), "bad-setting" | "error"));
    let mut evidence: Vec<String> = bad
        .map(|unit| format!("systemd: {} is not loaded ({})", unit.name, unit.load))
        .collect();
    if !evidence.is_empty() {
        evidence.extend(found(case, "unit-refused").unwrap_or_default());
    }
    evidence
}

fn quadlet(case: &Case) -> Vec<String> {
    if let Some(error) = &case.facts.quadlet_error {
        return vec![format!("quadlet: {error}")];
    }
    let file = format!("\"{}.container\"", case.stem());
    let said = case.log.entries.iter().rev().find(|entry| {
        entry.speaker == Speaker::Quadlet
            && entry.message.contains("converting ")
            && entry.message.contains(&file)
            && case.service.is_failed()
    });
    said.map(|entry| format!("quadlet: {}", entry.message))
        .into_iter()
        .collect()
}

fn needs_reload(case: &Case) -> Vec<String> {
    let changed = case.units().filter(|unit| unit.needs_reload);
    changed
        .map(|unit| {
            format!(
                "systemd: files of {} have changed since it read them",
                unit.name
            )
        })
        .collect()
}

/// The programs of the unit that are not there and whose paths end like this.
fn missing(case: &Case, end: &str) -> Option<Vec<String>> {
    let missing = case.facts.missing_programs.as_ref()?.iter();
    let missing = missing.filter(|path| path.ends_with(end));
    Some(missing.map(|path| format!("there is no {path}")).collect())
}

fn taken(case: &Case) -> Option<Vec<String>> {
    let taken = case.facts.taken.as_ref()?.iter();
    Some(
        taken
            .map(|address| format!("something listens on {address}"))
            .collect(),
    )
}

fn waits(case: &Case) -> Vec<String> {
    let is_waiting = case.service.active == "activating" || case.service.has_job;
    let waits = case.facts.waits_for.iter();
    waits
        .filter(|name| is_waiting && name.contains("network-online"))
        .map(|unit| format!("systemd: {unit} is being started, and has not ended"))
        .collect()
}

fn is_notify(case: &Case) -> Vec<String> {
    let is_notify = case.facts.is_notify.unwrap_or(false);
    holds(is_notify, "unit: Type=notify")
}

fn is_running(case: &Case) -> Vec<String> {
    let service = &case.service;
    holds(
        service.active == "active",
        format!("systemd: {} is active", service.name),
    )
}

/// Units that cannot be used as they are.
pub(super) const UNITS: &[Signature] = &[
    Signature {
        id: "quadlet-refused",
        title: "Quadlet makes no service of the .container file",
        cause: "Podman's generator refuses the .container file, so that there is no service",
        wanted: "the generator's message about the file",
        fix: "correct the .container file, and have systemd read its units again",
        next: "{systemctl} daemon-reload && podseal explain{scope} {service}",
        link: Some("podman-systemd.unit(5)"),
        shows: Shows::Fact(quadlet),
        still: Some(|case| still(case, quadlet)),
        ..ROW
    },
    Signature {
        id: "unit-masked",
        title: "the unit is masked",
        cause: "the unit is masked, so that nothing can start it",
        wanted: "the state of the unit",
        fix: "unmask it",
        next: "{systemctl} unmask {service} {socket}",
        link: Some("systemctl(1), mask"),
        shows: Shows::Fact(masked),
        still: Some(|case| still(case, masked)),
        ..ROW
    },
    Signature {
        id: "unit-refused",
        title: "systemd refuses the unit file",
        cause: "systemd refuses the unit's file because of something in it",
        wanted: "the state of the unit",
        fix: "correct the file, and have systemd read its units again",
        next: "podseal check{scope} {service}",
        link: Some("docs/rules.md#unit-refused"),
        shows: Shows::Fact(refused),
        still: Some(|case| still(case, refused)),
        ..ROW
    },
    Signature {
        id: "service-not-found",
        title: "the service is not there",
        cause: "systemd knows no service of this name: its file is missing, has another name, or was written after systemd read its units",
        wanted: "the state of the unit, or systemd's message about the socket's service",
        fix: "check the names of the files, and have systemd read its units again",
        next: "{systemctl} daemon-reload && podseal check{scope} {service}",
        link: Some("docs/rules.md#socket-without-service"),
        shows: Shows::Fact(was_not_found),
        still: Some(|case| still(case, not_found)),
        ..ROW
    },
    Signature {
        id: "podseal-gone",
        title: "podseal is not where the unit looks for it",
        cause: "the unit starts podseal by a path at which there is no podseal any more",
        wanted: "systemd's message about the program",
        fix: "install podseal there again, or run `podseal seal` anew with the podseal that is there",
        next: "podseal seal{scope} {service}",
        link: Some("docs/architecture.md#the-seal-is-a-drop-in"),
        shows: Shows::Says(&[
            systemd(&[
                "Unable to locate executable",
                "/podseal'",
                "No such file or directory",
            ]),
            systemd(&[
                "Failed at step EXEC spawning",
                "/podseal: No such file or directory",
            ]),
        ]),
        still: Some(|case| missing(case, "/podseal")),
        ..ROW
    },
    Signature {
        id: "program-missing",
        title: "a program of the unit is not there",
        cause: "a command of the unit names a program that is not there",
        wanted: "systemd's or podseal's message about the program",
        fix: "install the program, or correct the path in the unit",
        next: "podseal show{scope} {service}",
        link: Some("systemd.exec(5), status 203"),
        shows: Shows::Says(&[
            systemd(&["Unable to locate executable", "No such file or directory"]),
            systemd(&["Failed at step EXEC spawning", "No such file or directory"]),
            podseal(&["is not installed, or not in PATH"]),
        ]),
        still: Some(|case| missing(case, "")),
        ..ROW
    },
    Signature {
        id: "address-in-use",
        title: "something else listens on the address",
        cause: "another process listens on the socket's address already",
        wanted: "systemd's or podseal's message about the socket",
        fix: "stop the other process (`ss -ltnp` shows it), or give the socket another address",
        next: "ss -ltnp",
        link: Some("systemd.socket(5)"),
        shows: Shows::Says(&[
            systemd(&[
                "Failed to create listening socket",
                "Address already in use",
            ]),
            podseal(&["cannot listen on ", "Address already in use"]),
        ]),
        still: Some(taken),
        ..ROW
    },
    Signature {
        id: "privileged-port",
        title: "a port that needs privileges",
        cause: "the user may not listen on so low a port",
        wanted: "systemd's or podseal's message about the socket",
        fix: "use a port from net.ipv4.ip_unprivileged_port_start (1024) on, lower that setting, or have the system's manager open it (--system)",
        next: "sysctl net.ipv4.ip_unprivileged_port_start",
        link: Some("ip(7)"),
        shows: Shows::Says(&[
            systemd(&[
                "Failed to create listening socket (",
                "): Permission denied",
            ])
            .without(&["socket (/", "socket (@"]),
            podseal(&["cannot listen on ", "Permission denied"]).without(&[" on /", ":/", "@"]),
        ]),
        ..ROW
    },
    Signature {
        id: "socket-path-forbidden",
        title: "a path at which the socket may not be made",
        cause: "the user may not make the socket file at its path",
        wanted: "systemd's or podseal's message about the socket",
        fix: "use a path in a directory of the user's, such as %t",
        next: "podseal show{scope} {socket}",
        link: Some("systemd.socket(5)"),
        shows: Shows::Says(&[
            systemd(&[
                "Failed to create listening socket (/",
                "): Permission denied",
            ]),
            podseal(&["cannot listen on /", "Permission denied"]),
        ]),
        ..ROW
    },
    Signature {
        id: "service-already-active",
        title: "the socket cannot be started while its service runs",
        cause: "the service runs without its socket, and systemd opens no socket for a service that runs already",
        wanted: "systemd's refusal to start the socket",
        fix: "stop the service, then start the socket",
        next: "{systemctl} stop {service} && {systemctl} start {socket}",
        link: Some("systemd.socket(5)"),
        shows: Shows::Says(&[systemd(&["Socket service", "already active, refusing"])]),
        still: Some(|case| still(case, is_running)),
        ..ROW
    },
    Signature {
        id: "network-online-wait",
        title: "the service waits for the network",
        versions: Some("Quadlet from Podman 5.3 on"),
        cause: "the service is not started before the network is online, which may take 90 seconds or never happen; a sealed service does not need it",
        wanted: "a unit for network-online that is being started",
        fix: "put DefaultDependencies=false under [Quadlet] in the .container file, or leave the dependency out",
        next: "podseal check{scope} {service}",
        link: Some("docs/rules.md#network-online"),
        shows: Shows::Fact(waits),
        still: Some(|case| still(case, waits)),
        ..ROW
    },
    Signature {
        id: "seal-stale",
        title: "the drop-in is out of date",
        cause: "podseal's drop-in is not that of the service as it is now: the service runs what the drop-in says",
        wanted: "the rule seal-stale of `podseal check`",
        fix: "seal the service again",
        next: "podseal seal{scope} {service}",
        link: Some("docs/rules.md#seal-stale"),
        shows: Shows::Fact(|case| found(case, "seal-stale").unwrap_or_default()),
        still: Some(|case| found(case, "seal-stale")),
        ..ROW
    },
    Signature {
        id: "reload-needed",
        title: "systemd has not read a change",
        cause: "files of the unit were changed, and systemd still has what it read before",
        wanted: "systemd's NeedDaemonReload",
        fix: "have systemd read its units again, and restart the service",
        next: "{systemctl} daemon-reload",
        link: Some("systemctl(1), daemon-reload"),
        shows: Shows::Fact(needs_reload),
        still: Some(|case| still(case, needs_reload)),
        ..ROW
    },
];

/// What goes wrong while a service starts or runs.
pub(super) const STARTING: &[Signature] = &[
    Signature {
        id: "launcher-refused",
        title: "podseal says itself what is wrong",
        cause: "podseal could not put the seal on, and did not start the service without it",
        wanted: "podseal's own message",
        fix: "do what the message says",
        next: "podseal doctor",
        link: Some("docs/architecture.md#launch-path"),
        shows: Shows::Says(&[podseal(&["error: "])]),
        ..ROW
    },
    Signature {
        id: "out-of-memory",
        title: "killed for want of memory",
        cause: "the kernel killed a process of the service because its memory, or the host's, was used up",
        wanted: "systemd's result oom-kill",
        fix: "give the service more memory (MemoryMax=, --memory), or have it use less",
        next: "{systemctl} status {service}",
        link: Some("systemd.service(5), OOMPolicy="),
        shows: Shows::Fact(|case| units_with_result(case, "oom-kill")),
        ..ROW
    },
    Signature {
        id: "notify-timeout",
        title: "no READY=1 in time",
        cause: "the service has to say when it is ready (Type=notify), and did not in time",
        wanted: "systemd's message about the time, and Type=notify in the unit",
        fix: "have Podman say it (--sdnotify=conmon) or the server (--sdnotify=container), with NotifyAccess=all",
        next: "podseal show{scope} {service}",
        link: Some("podman-run(1), --sdnotify"),
        shows: Shows::SaysAnd(&[systemd(&["start operation timed out"])], is_notify),
        ..ROW
    },
    Signature {
        id: "start-timeout",
        title: "starting took too long",
        cause: "the service was not started within TimeoutStartSec=",
        wanted: "systemd's message about the time",
        fix: "see what it does so long; with Type=notify it has to say that it is ready (podman-run(1), --sdnotify)",
        next: "podseal show{scope} {service}",
        link: Some("systemd.service(5), TimeoutStartSec="),
        shows: Shows::Says(&[systemd(&[" start", "operation timed out"])]),
        ..ROW
    },
    Signature {
        id: "notify-protocol",
        title: "ended before READY=1",
        cause: "the service has to say when it is ready (Type=notify) or leave a process (Type=forking), and ended without",
        wanted: "systemd's result protocol",
        fix: "with Type=notify have Podman say it (--sdnotify=conmon), and see whether the server ends by itself",
        next: "podseal show{scope} {service}",
        link: Some("podman-run(1), --sdnotify"),
        shows: Shows::Fact(|case| units_with_result(case, "protocol")),
        ..ROW
    },
];

/// What follows from failures that have causes of their own.
pub(super) const CONSEQUENCES: &[Signature] = &[
    Signature {
        id: "service-start-limit-hit",
        title: "the socket is given up since its service failed too often",
        cause: "the service failed so often that it is started no more, and its socket was given up with it",
        wanted: "the socket's result service-start-limit-hit",
        fix: "when the cause is gone: reset both, and start the socket",
        link: Some("docs/rules.md#restart-hits-start-limit"),
        is_consequence: true,
        shows: Shows::Fact(|case| units_with_result(case, "service-start-limit-hit")),
        ..ROW
    },
    Signature {
        id: "trigger-limit-hit",
        title: "the socket is given up since it was triggered too often",
        cause: "the socket started its service so often that it was given up",
        wanted: "the socket's result trigger-limit-hit",
        fix: "when the cause is gone: reset both, and start the socket",
        link: Some("systemd.socket(5), TriggerLimitIntervalSec="),
        is_consequence: true,
        shows: Shows::Fact(|case| units_with_result(case, "trigger-limit-hit")),
        ..ROW
    },
    Signature {
        id: "start-limit-hit",
        title: "started too often",
        cause: "the unit was started more often than StartLimitBurst= allows within StartLimitIntervalSec=",
        wanted: "the result start-limit-hit",
        fix: "reset it, and start it less often",
        link: Some("systemd.unit(5), StartLimitIntervalSec="),
        is_consequence: true,
        shows: Shows::Fact(|case| units_with_result(case, "start-limit-hit")),
        ..ROW
    },
];
