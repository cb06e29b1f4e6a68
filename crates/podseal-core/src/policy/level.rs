//! Levels of a seal.

use std::fmt;

use serde::Serialize;

/// How much a seal has; a later one has all of those before it. Every level
/// prints what it leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Socket families, no new privileges, native system-call ABI, no
    /// io_uring: what systemd's own directives can do.
    Families,
    /// And the sockets that are handed over cannot be turned outward.
    #[default]
    Standard,
    /// And the container has no capabilities, a read-only root, fewer system
    /// calls and a pinned image.
    Strict,
}

impl Level {
    /// All levels, the weakest first.
    pub const ALL: [Self; 3] = [Self::Families, Self::Standard, Self::Strict];

    /// What it is outside of the container, where Podman, conmon and the OCI
    /// runtime run: the rest of it is options for the container.
    #[must_use]
    pub const fn on_host(self) -> Self {
        match self {
            Self::Families => Self::Families,
            Self::Standard | Self::Strict => Self::Standard,
        }
    }

    /// What this level does not stop.
    #[must_use]
    pub const fn residual_risks(self) -> &'static [&'static str] {
        match self {
            Self::Families => &[
                "a socket that was handed over can be turned outward: connect(AF_UNSPEC), then connect(2) to any address",
                "a process that may use AF_UNIX can ask the user's systemd to start something unsealed",
                "health checks, `podman exec` and auto-update run outside the seal",
                "kernel bugs, and denial of the service itself",
            ],
            Self::Standard => &[
                "a TCP socket that was handed over can be made to listen on another, random port of this host",
                "a process that may use AF_UNIX can ask the user's systemd to start something unsealed",
                "`podman exec` and auto-update run outside the seal",
                "kernel bugs, and denial of the service itself",
            ],
            Self::Strict => &[
                "outside of the container Podman, conmon and the OCI runtime are under level standard: they can ask the user's systemd to start something unsealed",
                "datagrams to UNIX sockets that are mounted into the container, which need no connect(2)",
                "`podman exec` and auto-update run outside the launcher's seal",
                "kernel bugs, and denial of the service itself",
            ],
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Families => "families",
            Self::Standard => "standard",
            Self::Strict => "strict",
        })
    }
}
