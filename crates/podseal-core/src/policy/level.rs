//! Levels of a seal.

use std::fmt;

/// How much a seal has. Every level prints what it leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// Socket families, no new privileges, native system-call ABI, no
    /// io_uring.
    #[default]
    Families,
}

impl Level {
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
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Families => "families",
        })
    }
}
