//! Whether systemd sees the service as its files have it, and a copy of it as
//! the service.

use super::VerifyError;
use crate::systemd::Manager;

/// Properties that say what a service's processes may do, and as whom.
const RESTRICTIONS: &[&str] = &[
    "AmbientCapabilities",
    "AppArmorProfile",
    "BindPaths",
    "BindReadOnlyPaths",
    "CapabilityBoundingSet",
    "DeviceAllow",
    "DevicePolicy",
    "DynamicUser",
    "ExecPaths",
    "Group",
    "IPAddressAllow",
    "IPAddressDeny",
    "InaccessiblePaths",
    "KeyringMode",
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "NetworkNamespacePath",
    "NoExecPaths",
    "NoNewPrivileges",
    "Personality",
    "PrivateDevices",
    "PrivateIPC",
    "PrivateMounts",
    "PrivateNetwork",
    "PrivateTmp",
    "PrivateUsers",
    "ProcSubset",
    "ProtectClock",
    "ProtectControlGroups",
    "ProtectHome",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "ProtectProc",
    "ProtectSystem",
    "ReadOnlyPaths",
    "ReadWritePaths",
    "RestrictAddressFamilies",
    "RestrictFileSystems",
    "RestrictNamespaces",
    "RestrictNetworkInterfaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "RootDirectory",
    "RootImage",
    "SELinuxContext",
    "SecureBits",
    "SocketBindAllow",
    "SocketBindDeny",
    "SupplementaryGroups",
    "SystemCallArchitectures",
    "SystemCallErrorNumber",
    "SystemCallFilter",
    "TemporaryFileSystem",
    "UMask",
    "User",
];

/// Requires that systemd has read what is in the files.
pub(super) fn require_current(manager: Manager, unit: &str) -> Result<(), VerifyError> {
    let answer = manager.properties(&[unit], &["NeedDaemonReload"])?;
    if answer.iter().any(|unit| unit.is_yes("NeedDaemonReload")) {
        return Err(VerifyError::Stale {
            unit: unit.to_owned(),
            option: manager.option(),
        });
    }
    Ok(())
}

/// Requires that systemd restricts the copy as it does the service.
pub(super) fn require_same(manager: Manager, unit: &str, copy: &str) -> Result<(), VerifyError> {
    // systemd looks for new files by itself, but not in every version where
    // their directory is new as well.
    let answer = manager.properties(&[copy], &["LoadState"])?;
    if answer
        .iter()
        .any(|copy| copy.get("LoadState") == "not-found")
    {
        manager.reload()?;
    }
    let [of_unit, of_copy] = [unit, copy].map(|unit| manager.show(unit, RESTRICTIONS));
    match difference(&of_unit?, &of_copy?) {
        None => Ok(()),
        Some(property) => Err(VerifyError::Differs {
            unit: unit.to_owned(),
            property,
        }),
    }
}

/// The first property that differs.
fn difference(one: &str, other: &str) -> Option<String> {
    let mut others = other.lines();
    let differs = one.lines().find(|line| others.next() != Some(line));
    let line = differs.or_else(|| others.next())?;
    Some(line.split('=').next().unwrap_or(line).to_owned())
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn differences() {
        for (one, other, expected) in [
            ("A=1\nB=2\n", "A=1\nB=2\n", None),
            ("A=1\nB=2\n", "A=1\nB=3\n", Some("B")),
            ("A=1\nB=2\n", "A=1\n", Some("B")),
            ("A=1\n", "A=1\nB=2\n", Some("B")),
            ("", "", None),
        ] {
            assert_eq!(difference(one, other).as_deref(), expected, "{one} {other}");
        }
    }
}
