//! What runs for the container and not under the unit's seal.

use super::container::at;
use crate::audit::Severity::Warning;
use crate::audit::rule::{Check, Example, Fault, Rule};
use crate::audit::subject::Container;

const GOOD: Example = Example {
    unit: "web.service",
    lines: "[Service]\nExecStart=/usr/bin/podman run --rm --network=none --pull=never --no-healthcheck localhost/web\n",
};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "health-check",
        severity: Warning,
        title: "health checks run outside the seal",
        why: "Podman has systemd start a timer that runs `podman healthcheck run`: a unit of its own, without this unit's restrictions. A health check of the image itself does the same unless --no-healthcheck is given.",
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
    let mut faults = Vec::new();
    for podman in container.runs() {
        if podman.flag("no-healthcheck").is_some() {
            continue;
        }
        let checks = podman
            .all("health-cmd")
            .chain(podman.all("health-startup-cmd"));
        faults.extend(
            checks
                .filter(|option| option.value.as_deref() != Some("none"))
                .map(|option| Fault::at(at(option), "this check runs outside the seal")),
        );
    }
    faults
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
