//! Limits that end a service, and dependencies that hold it up.

use std::time::Duration;

use crate::audit::Severity::{Note, Warning};
use crate::audit::place::Place;
use crate::audit::rule::{Check, Example, Fault, Rule, when};
use crate::audit::subject::{Container, SocketUnit};
use crate::unit::effective::service::Restart;
use crate::unit::time_span::TimeSpan;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "start-limit-one",
        severity: Warning,
        title: "one failure closes the socket",
        why: "When a service has been started more often than StartLimitBurst= within StartLimitIntervalSec=, it fails and takes its socket down with it: nothing listens until somebody runs `systemctl reset-failed` and starts the socket again. With a burst of one, the second start within the interval does that.",
        fix: "remove StartLimitBurst=, or set it to 5",
        references: &["systemd.unit(5)", "systemd.socket(5)"],
        bad: Example {
            unit: "web.service",
            lines: "[Unit]\nStartLimitBurst=1\n",
        },
        good: Example {
            unit: "web.service",
            lines: "[Unit]\nStartLimitBurst=5\n",
        },
        check: Check::Container(start_limit),
    },
    Rule {
        id: "restart-hits-start-limit",
        severity: Note,
        title: "restarts use up the start limit",
        why: "A service that fails at once is restarted every RestartSec= until StartLimitBurst= is reached within StartLimitIntervalSec=. Then service and socket stay failed, even if the cause is gone a second later.",
        fix: "set RestartSec= so that the restarts do not all fall into StartLimitIntervalSec=, for example RestartSec=5s",
        references: &["systemd.service(5)", "systemd.unit(5)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nRestart=on-failure\n",
        },
        good: Example {
            unit: "web.service",
            lines: "[Service]\nRestart=on-failure\nRestartSec=5s\n",
        },
        check: Check::Container(restart),
    },
    Rule {
        id: "trigger-limit-low",
        severity: Warning,
        title: "a few connections close the socket",
        why: "When a socket has started its service more often than TriggerLimitBurst= within TriggerLimitIntervalSec=, the socket fails and stays so. A service that cannot start is triggered again by the connection that still waits: a low limit is reached at once.",
        fix: "remove TriggerLimitBurst=: systemd's own limit is 20 within 2 s",
        references: &["systemd.socket(5)"],
        bad: Example {
            unit: "web.socket",
            lines: "[Socket]\nTriggerLimitBurst=2\n",
        },
        good: Example {
            unit: "web.socket",
            lines: "[Socket]\nTriggerLimitBurst=20\n",
        },
        check: Check::Socket(trigger_limit),
    },
    Rule {
        id: "network-online",
        severity: Warning,
        title: "a sealed service waits for the network",
        why: "The service has no network to wait for, and the wait takes up to 90 seconds where the host is offline. Quadlet adds it from Podman 5.3 on.",
        fix: "remove the dependency; in a .container file set DefaultDependencies=false in [Quadlet]",
        references: &["podman-systemd.unit(5)", "systemd.special(7)"],
        bad: Example {
            unit: "web.service",
            lines: "[Unit]\nRequires=web.socket\nWants=network-online.target\nAfter=web.socket network-online.target\n",
        },
        good: Example {
            unit: "web.service",
            lines: "[Unit]\nRequires=web.socket\nAfter=web.socket\n",
        },
        check: Check::Container(network_online),
    },
];

fn start_limit(container: &Container<'_>) -> Vec<Fault> {
    let service = container.service;
    let has_limit = service.start_limit_interval_sec != TimeSpan::Finite(Duration::ZERO);
    let has_socket = container.sockets().next().is_some();
    // A burst of 0 is no limit.
    when(
        service.start_limit_burst == 1 && has_limit && has_socket,
        || {
            let origin = service.origins.get("Unit.StartLimitBurst");
            let place = origin.and_then(|origins| origins.last()).map(Place::whole);
            let message = "the second start within the interval fails, and closes the socket";
            Fault::at(place.or(container.start()), message)
        },
    )
}

fn restart(container: &Container<'_>) -> Vec<Fault> {
    let service = container.service;
    let (TimeSpan::Finite(interval), TimeSpan::Finite(pause)) =
        (service.start_limit_interval_sec, service.restart_sec)
    else {
        return Vec::new();
    };
    let burst = service.start_limit_burst;
    let is_restarted = !matches!(service.restart, Restart::No | Restart::OnSuccess);
    let is_limited = burst > 0 && !interval.is_zero();
    let within = pause.saturating_mul(burst);
    when(is_restarted && is_limited && within < interval, || {
        let message = format!(
            "a failure that lasts {} s uses up the {burst} starts that are allowed",
            within.as_secs_f32()
        );
        Fault::at(container.setting("Restart"), message)
    })
}

fn trigger_limit(unit: &SocketUnit<'_>) -> Vec<Fault> {
    let socket = unit.socket;
    let off = Some(TimeSpan::Finite(Duration::ZERO));
    let is_low = |burst: Option<u32>| burst.is_some_and(|burst| (1..5).contains(&burst));
    // Reaching the poll limit only slows a socket down.
    when(
        is_low(socket.trigger_limit_burst) && socket.trigger_limit_interval_sec != off,
        || {
            let origin = socket.origins.get("Socket.TriggerLimitBurst");
            let place = origin.and_then(|origins| origins.last()).map(Place::whole);
            Fault::at(place, "so few starts close the socket")
        },
    )
}

fn network_online(container: &Container<'_>) -> Vec<Fault> {
    const UNITS: &[&str] = &[
        "network-online.target",
        "podman-user-wait-network-online.service",
    ];
    let dependencies = &container.service.dependencies;
    let keys = ["After", "Wants", "Requires", "BindsTo"];
    let mut found = keys.iter().flat_map(|key| dependencies.of(key));
    let wait = found.find(|dependency| UNITS.contains(&dependency.unit.as_str()));
    wait.map(|dependency| {
        let name = dependency.unit.as_str();
        let place = dependency.origin.as_ref().map(|o| Place::word(o, name));
        let message = format!("this waits for {name}");
        Fault::at(place.or(container.start()), message)
    })
    .into_iter()
    .collect()
}
