//! What runs for the container and not under the unit's seal.

use super::container::at;
use crate::audit::Severity::{Error, Warning};
use crate::audit::command::{Command, file_name};
use crate::audit::place::Place;
use crate::audit::rule::{Check, Example, Fault, Rule};
use crate::audit::subject::Container;
use crate::podman::health::{self, HealthCheck};
use crate::podman::invocation::Verb;

const GOOD: Example = Example {
    unit: "web.service",
    lines: "[Service]\nExecStart=/usr/bin/podman run --rm --network=none --pull=never --no-healthcheck localhost/web\n",
};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "health-check",
        severity: Warning,
        title: "health checks run outside the seal",
        why: "Podman has systemd start a timer that runs `podman healthcheck run`: a unit of its own, without this unit's restrictions. It runs a program of the container's, which whoever took the container over has replaced; handed an activated socket over a UNIX socket, it connects it to any address. An image's own check does the same: `podseal enter` switches it off from level standard on, and without it --no-healthcheck does.",
        fix: "use --no-healthcheck, and look after the service from outside through its socket",
        references: &["podman-healthcheck-run(1)", "podman-run(1)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nExecStart=/usr/bin/podman run --rm --network=none --pull=never --health-cmd=/check localhost/web\n",
        },
        good: GOOD,
        check: Check::Container(health_check),
    },
    Rule {
        id: "exec-beside-launcher",
        severity: Error,
        title: "a command in the container outside the launcher's seal",
        why: "Only what ExecStart= starts is behind `podseal enter`. What another command runs in the container with `podman exec` or `podman healthcheck` is under the unit's directives alone: handed an activated socket by the sealed program over a UNIX socket, it connects it to any address.",
        fix: "remove the command, or write `podseal enter --` before podman",
        references: &["podman-exec(1)", "systemd.service(5)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nExecStart=/usr/bin/podseal enter -- /usr/bin/podman run --rm --name=web --network=none --pull=never localhost/web\nExecReload=/usr/bin/podman exec web /reload\n",
        },
        good: Example {
            unit: "web.service",
            lines: "[Service]\nExecStart=/usr/bin/podseal enter -- /usr/bin/podman run --rm --name=web --network=none --pull=never localhost/web\nExecReload=/usr/bin/podman kill --signal=HUP web\n",
        },
        check: Check::Container(exec_beside_launcher),
    },
    Rule {
        id: "auto-update",
        severity: Warning,
        title: "auto-update replaces the image from outside the seal",
        why: "`podman auto-update` runs from a timer of its own with the host's network, pulls a new image and restarts the service with it. What was looked at is then not what runs.",
        fix: "remove the label io.containers.autoupdate (AutoUpdate= in a .container file), and update by hand or from a unit that you have looked at",
        references: &["podman-auto-update(1)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nExecStart=/usr/bin/podman run --rm --network=none --pull=never --label io.containers.autoupdate=registry localhost/web\n",
        },
        good: GOOD,
        check: Check::Container(auto_update),
    },
    Rule {
        id: "restart-by-podman",
        severity: Warning,
        title: "Podman restarts the container by itself",
        why: "A container with a restart policy is started again by conmon's clean-up process, and at boot by podman-restart.service: outside this unit and its seal, and without its sockets.",
        fix: "use Restart= of the unit, and no --restart",
        references: &["podman-run(1)", "systemd.service(5)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nExecStart=/usr/bin/podman run --rm --network=none --pull=never --restart=always localhost/web\n",
        },
        good: GOOD,
        check: Check::Container(restart),
    },
];

fn health_check(container: &Container<'_>) -> Vec<Fault> {
    container
        .runs()
        .filter_map(|podman| match health::check(podman) {
            HealthCheck::Own(option) => Some(Fault::at(
                at(option),
                "this has the container checked from outside the seal",
            )),
            HealthCheck::Off | HealthCheck::OfImage => None,
        })
        .collect()
}

fn exec_beside_launcher(container: &Container<'_>) -> Vec<Fault> {
    let commands = container.subject.commands();
    if !commands.iter().any(is_launched) {
        return Vec::new();
    }
    let of_podman = commands
        .iter()
        .filter(|command| command.key != "ExecStart" && !is_launched(command))
        .filter_map(|command| Some((command, command.podman()?)));
    of_podman
        .filter(|(_, podman)| podman.verb == Verb::Exec)
        .map(|(command, _)| {
            let message = format!("{}= runs a command in the container", command.key);
            Fault::at(Place::word(&command.origin, &command.path), message)
        })
        .collect()
}

/// Whether a command is Podman's, behind podseal's launcher.
fn is_launched(command: &Command) -> bool {
    file_name(&command.path) == "podseal" && command.podman().is_some()
}

fn auto_update(container: &Container<'_>) -> Vec<Fault> {
    let labels = container.runs().flat_map(|podman| podman.all("label"));
    labels
        .filter(|label| {
            let value = label.value.as_deref().unwrap_or_default();
            let (key, policy) = value.split_once('=').unwrap_or((value, ""));
            key == "io.containers.autoupdate" && policy != "disabled"
        })
        .map(|label| Fault::at(at(label), "podman auto-update looks after this container"))
        .collect()
}

fn restart(container: &Container<'_>) -> Vec<Fault> {
    let policies = container.runs().flat_map(|podman| podman.all("restart"));
    policies
        .filter(|policy| !matches!(policy.value.as_deref(), Some("no" | "never" | "")))
        .map(|policy| Fault::at(at(policy), "Podman starts this again without systemd"))
        .collect()
}
