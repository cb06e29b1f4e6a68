//! Directives of systemd that break Podman, or do nothing for it.

use crate::audit::Severity::Warning;
use crate::audit::place::Place;
use crate::audit::rule::{Check, Example, Fault, Rule};
use crate::audit::subject::Container;
use crate::unit::boolean::parse_boolean;
use crate::unit::effective::merge::MergedSetting;

const GOOD: Example = Example {
    unit: "web.service",
    lines: "[Service]\nUMask=0077\n",
};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "implies-user-namespace",
        severity: Warning,
        title: "a directive that puts Podman into another user namespace",
        why: "In a user's manager systemd from version 254 on needs a user namespace for this directive, and so implies PrivateUsers=yes. In it Podman finds none of the user's subordinate ids, its storage belongs to nobody, and it cannot join its pause process: the service fails, or Podman goes on with namespaces that are not the user's.",
        fix: "remove it, and restrict the container by options of Podman's, such as --read-only and mounts",
        references: &["systemd.exec(5)", "subuid(5)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nProtectHome=read-only\n",
        },
        good: GOOD,
        check: Check::Container(user_namespace),
    },
    Rule {
        id: "no-effect-in-user-unit",
        severity: Warning,
        title: "a directive that does nothing in a user's unit",
        why: "It needs privileges that a user's manager does not have: programs of BPF, control groups of devices, capabilities. systemd passes over it, at most with a line in the journal.",
        fix: "remove it, so that nobody relies on it",
        references: &["systemd.resource-control(5)", "systemd.exec(5)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nIPAddressDeny=any\n",
        },
        good: GOOD,
        check: Check::Container(no_effect),
    },
    Rule {
        id: "restrict-namespaces",
        severity: Warning,
        title: "namespaces that a container is made of are forbidden",
        why: "A container is made of mount, process, network, IPC, UTS and often cgroup namespaces. RestrictNamespaces= keeps the OCI runtime from making them, so that the service does not start.",
        fix: "remove RestrictNamespaces=",
        references: &["systemd.exec(5)", "namespaces(7)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nRestrictNamespaces=yes\n",
        },
        good: Example {
            unit: "web.service",
            lines: "[Service]\nRestrictNamespaces=no\n",
        },
        check: Check::Container(namespaces),
    },
];

/// Directives that imply `PrivateUsers=yes` in a user's unit (systemd's
/// `exec_needs_cap_sys_admin()`): booleans, or words of which `no` is off.
const SWITCHES: &[&str] = &[
    "DynamicUser",
    "MountAPIVFS",
    "PrivateDevices",
    "PrivateIPC",
    "PrivateMounts",
    "PrivateNetwork",
    "PrivatePIDs",
    "PrivateTmp",
    "PrivateUsers",
    "ProtectClock",
    "ProtectControlGroups",
    "ProtectHome",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "ProtectSystem",
];
/// The same: paths, where none is off.
const PATHS: &[&str] = &[
    "BindPaths",
    "BindReadOnlyPaths",
    "ExecPaths",
    "ExtensionDirectories",
    "ExtensionImages",
    "IPCNamespacePath",
    "InaccessiblePaths",
    "MountImages",
    "NetworkNamespacePath",
    "NoExecPaths",
    "ReadOnlyPaths",
    "ReadWritePaths",
    "RootDirectory",
    "RootImage",
    "TemporaryFileSystem",
];

/// Directives that need more than a user's manager has.
const PRIVILEGED: &[&str] = &[
    "AmbientCapabilities",
    "AppArmorProfile",
    "BPFProgram",
    "CapabilityBoundingSet",
    "DeviceAllow",
    "DevicePolicy",
    "IPAddressAllow",
    "IPAddressDeny",
    "IPEgressFilterPath",
    "IPIngressFilterPath",
    "NFTSet",
    "ProcSubset",
    "ProtectProc",
    "RestrictFileSystems",
    "RestrictNetworkInterfaces",
    "SELinuxContext",
    "SmackProcessLabel",
    "SocketBindAllow",
    "SocketBindDeny",
];

/// The last line of a switch that is on.
fn switched_on<'a>(container: &Container<'a>, key: &str) -> Option<&'a MergedSetting> {
    let last = container.service.settings.last("Service", key)?;
    let is_off = last.value.is_empty() || parse_boolean(&last.value) == Some(false);
    (!is_off).then_some(last)
}

fn user_namespace(container: &Container<'_>) -> Vec<Fault> {
    if !container.is_of_user() {
        return Vec::new();
    }
    let switches = SWITCHES
        .iter()
        .filter_map(|key| switched_on(container, key));
    let paths = PATHS
        .iter()
        .filter_map(|key| container.lines(key).first().copied());
    switches
        .chain(paths)
        .map(|line| {
            let message = format!("{}= implies PrivateUsers=yes in a user's unit", line.key);
            Fault::at(Place::whole(&line.origin), message)
        })
        .collect()
}

fn no_effect(container: &Container<'_>) -> Vec<Fault> {
    if !container.is_of_user() {
        return Vec::new();
    }
    let lines = PRIVILEGED
        .iter()
        .filter_map(|key| container.lines(key).first().copied());
    lines
        .map(|line| {
            let message = format!("{}= does nothing in a user's unit", line.key);
            Fault::at(Place::whole(&line.origin), message)
        })
        .collect()
}

fn namespaces(container: &Container<'_>) -> Vec<Fault> {
    let line = switched_on(container, "RestrictNamespaces");
    line.map(|line| {
        let message = "the OCI runtime cannot make the namespaces of the container";
        Fault::at(Place::whole(&line.origin), message)
    })
    .into_iter()
    .collect()
}
