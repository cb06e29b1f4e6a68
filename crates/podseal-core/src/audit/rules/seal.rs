//! `50-podseal.conf`, the drop-in that seals a service.

use super::pause::has_launcher;
use crate::audit::Severity::Warning;
use crate::audit::place::Place;
use crate::audit::rule::{Check, Example, Fault, Rule};
use crate::audit::subject::Container;
use crate::plan::{self, DROP_IN, Fit};
use crate::unit::effective::Origin;
use crate::unit::effective::merge::Source;

/// What it has at every level, by key of `[Service]`; ExecStartPre= only where the
/// launcher does not have the pause process made.
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
    title: "the seal is out of date",
    why: "podseal's drop-in lacks something that a seal has, was edited, or has the commands that the service had before they were changed. It looks like a seal and is not that of the service.",
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
    // Root's Podman has no pause process to make.
    let needs_guardian = container.service.is_rootless() && !has_launcher(container);
    let mut faults = Vec::new();
    for source in container.subject.files() {
        if source.path.rsplit('/').next() != Some(DROP_IN) {
            continue;
        }
        let lacking: Vec<&str> = KEYS
            .iter()
            .copied()
            .filter(|key| *key != "ExecStartPre" || needs_guardian)
            .filter(|key| source.file.values("Service", key).next().is_none())
            .collect();
        let message = if lacking.is_empty() {
            changed(container, source)
        } else {
            let lacking = lacking.join("= and no ");
            Some(format!("this drop-in has no {lacking}="))
        };
        let origin = Origin {
            file: source.path.as_str().into(),
            line: 1,
        };
        faults.extend(message.map(|message| Fault::at(Place::whole(&origin), message)));
    }
    faults
}

/// What has changed since podseal wrote a drop-in.
fn changed(container: &Container<'_>, source: &Source) -> Option<String> {
    match plan::fit(container.service, source) {
        Fit::Stale(_) => Some(
            "the service's commands were changed since, and this drop-in has the old ones".into(),
        ),
        Fit::Edited => Some("this drop-in was edited since podseal wrote it".into()),
        Fit::Current(_) | Fit::Foreign => None,
    }
}
