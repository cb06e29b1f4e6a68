//! What level strict takes from the container.
//!
//! All of it is harmless on the host, where nobody promises that it fails.

use super::{Group, Outcome, Probe, ProbeReport};
use crate::policy::level::Level;

/// One thing to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// connect(2) of a fresh UNIX datagram socket, to nobody (AF_UNSPEC).
    Connect,
    /// bind(2) of a fresh UNIX socket to a name that the kernel chooses.
    Bind,
    /// chroot(2) to `/`, which needs a capability and changes nothing.
    ChangeRoot,
    /// Whether `/` or `/etc` is mounted for writing (statvfs(2)), or may be
    /// written (access(2)).
    WriteRoot,
    /// unshare(2) of the user namespace.
    Unshare,
    /// clone(2) into a user namespace.
    Clone,
    /// clone3(2) into a user namespace.
    Clone3,
    /// mount(2) of a tmpfs in a user and mount namespace of its own.
    Mount,
    /// ptrace(2) by the parent (`PTRACE_TRACEME`).
    TraceMe,
    /// keyctl(2), asking for the session keyring.
    Keyring,
}

impl Attempt {
    /// What it does, as a sentence.
    pub(super) const fn tries(self) -> &'static str {
        match self {
            Self::Connect => "connect(2) of a fresh UNIX datagram socket to AF_UNSPEC, nobody.",
            Self::Bind => "bind(2) of a fresh UNIX socket to a name that the kernel chooses.",
            Self::ChangeRoot => "chroot(2) to `/`, which needs a capability and changes nothing.",
            Self::WriteRoot => {
                "statvfs(2) of `/` and `/etc`: whether they are mounted read-only; and access(2) \
                 for writing to them."
            }
            Self::Unshare => "unshare(2) of the user namespace.",
            Self::Clone => "clone(2) into a user namespace.",
            Self::Clone3 => "clone3(2) into a user namespace.",
            Self::Mount => "mount(2) of a tmpfs in a user and mount namespace of its own.",
            Self::TraceMe => "ptrace(2) with `PTRACE_TRACEME`.",
            Self::Keyring => "keyctl(2), asking for the session keyring.",
        }
    }
}

/// Whether the container that a report is from had level strict's seccomp
/// profile: without it, nothing keeps a container from this call.
#[must_use]
pub fn shows_profile(report: &ProbeReport) -> bool {
    matches!(report.outcome(BIND), Some(Outcome::Refused { .. }))
}

const BIND: &str = "bind";

pub(super) const GROUP: Group = Group {
    title: "The container's own affair",
    about: "What a server in a container does not need, and a way out of the container might. It is \
            tried in the container, and promised nowhere else.",
    probes: PROBES,
};

const PROBES: &[Probe] = &[
    row("connect", "connect(2) of a UNIX socket", Attempt::Connect),
    row(BIND, "bind(2) of a UNIX socket", Attempt::Bind),
    row(
        "chroot",
        "chroot(2), as a capability allows",
        Attempt::ChangeRoot,
    ),
    row(
        "write-root",
        "a root that can be written",
        Attempt::WriteRoot,
    ),
    row(
        "user-namespace",
        "user namespace by unshare(2)",
        Attempt::Unshare,
    ),
    row(
        "user-namespace-clone",
        "user namespace by clone(2)",
        Attempt::Clone,
    ),
    row(
        "user-namespace-clone3",
        "user namespace by clone3(2)",
        Attempt::Clone3,
    ),
    row("mount", "mount(2) in a user namespace", Attempt::Mount),
    row("trace-me", "ptrace(2) by the parent", Attempt::TraceMe),
    row("keyring", "keyctl(2)", Attempt::Keyring),
];

const fn row(id: &'static str, title: &'static str, attempt: Attempt) -> Probe {
    Probe::closed(id, title, super::Attempt::Container(attempt), Level::Strict).in_demo()
}
