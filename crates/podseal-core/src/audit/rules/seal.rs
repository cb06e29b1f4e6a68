//! `50-podseal.conf`, the drop-in that seals a service.

use crate::audit::Severity::Warning;
use crate::audit::place::Place;
use crate::audit::rule::{Check, Example, Fault, Rule};
use crate::audit::subject::Container;
use crate::unit::effective::Origin;

/// The name of the drop-in.
const NAME: &str = "50-podseal.conf";

/// What it has at every level, by key of `[Service]`.
const KEYS: &[&str] = &[
    "ExecStartPre",
    "RestrictAddressFamilies",
    "NoNewPrivileges",
    "SystemCallArchitectures",
    "SystemCallFilter",
];

pub(super) const RULES: &[Rule] = &[Rule {
    id: "seal-stale",
    severity: Warning,
    title: "the seal is not the whole one",
    why: "podseal's drop-in lacks something that a seal has: an older version wrote it, it was edited, or it was cut off. It looks like a seal and is not all of one.",
    fix: "run `podseal seal` on the service again",
    references: &["systemd.unit(5)"],
    bad: Example {
        unit: "web.service.d/50-podseal.conf",
        lines: "[Service]\nRestrictAddressFamilies=AF_UNIX AF_NETLINK\n",
    },
    good: Example {
        unit: "web.service.d/50-podseal.conf",
        lines: "[Service]\nExecStartPre=+/usr/bin/podseal pause ensure\nRestrictAddressFamilies=\nRestrictAddressFamilies=AF_UNIX AF_NETLINK\nNoNewPrivileges=yes\nSystemCallArchitectures=\nSystemCallArchitectures=native\nSystemCallFilter=~io_uring_setup:ENOSYS io_uring_enter:ENOSYS io_uring_register:ENOSYS\n",
    },
    check: Check::Container(stale),
}];

fn stale(container: &Container<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for source in container.subject.files() {
        if source.path.rsplit('/').next() != Some(NAME) {
            continue;
        }
        let lacking: Vec<&str> = KEYS
            .iter()
            .copied()
            // A system service has no pause process to make.
            .filter(|key| container.is_rootless() || *key != "ExecStartPre")
            .filter(|key| source.file.values("Service", key).next().is_none())
            .collect();
        if !lacking.is_empty() {
            let origin = Origin {
                file: source.path.clone(),
                line: 1,
            };
            let message = format!("this drop-in has no {}=", lacking.join("= and no "));
            faults.push(Fault::at(Place::whole(&origin), message));
        }
    }
    faults
}
