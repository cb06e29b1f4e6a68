//! What a machine is made of: Debian releases and their packages.

use std::fmt;

use clap::ValueEnum;

/// A Debian release that a machine can be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Release {
    /// Debian 12: systemd 252, Podman 4.3 (without Quadlet), crun 1.8.
    Bookworm,
    /// Debian 13: systemd 257, Podman 5.4, crun 1.21, which fails under a seal.
    Trixie,
    /// Debian testing.
    Forky,
}

impl Release {
    /// Its name in the archive.
    pub(crate) fn suite(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Forky => "forky",
        }
    }

    /// apt's options for this release alone.
    pub(crate) fn apt_options(self) -> &'static [&'static str] {
        match self {
            Self::Bookworm | Self::Trixie => &[],
            // An index of testing is valid for a week, and mirrors can be late.
            Self::Forky => &["Acquire::Check-Valid-Until \"false\""],
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.suite())
    }
}

/// The packages, each with the reason why it is there. Recommended packages
/// are left out.
pub(crate) const PACKAGES: &[(&str, &str)] = &[
    ("systemd", "what this is about"),
    ("systemd-sysv", "/sbin/init, systemctl poweroff"),
    ("libpam-systemd", "sessions, and so managers of users"),
    ("dbus", "the system's bus"),
    (
        "dbus-user-session",
        "a bus for each user, which rootless Podman needs",
    ),
    ("podman", "runs the services"),
    ("conmon", "podman's, named since it is one of the sealed"),
    ("runc", "an OCI runtime that works sealed in every release"),
    ("crun", "the other OCI runtime, which in trixie does not"),
    ("uidmap", "newuidmap and newgidmap, for rootless containers"),
    (
        "golang-github-containers-common",
        "policy.json, without which Podman pulls nothing",
    ),
    (
        "passt",
        "the network of rootless containers that are not sealed",
    ),
    ("netavark", "the network of root's"),
    ("nftables", "netavark's firewall"),
    ("docker-registry", "pulls that are real"),
    ("iproute2", "ss, ip: to look at sockets and interfaces"),
    ("procps", "ps, pgrep: to look at processes"),
];
