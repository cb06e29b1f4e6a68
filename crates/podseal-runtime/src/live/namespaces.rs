//! The namespaces of a process, see namespaces(7).

use std::fs;

use podseal_core::status::facts::Relation;

/// What the links below /proc/PID/ns say; none where they cannot be read.
#[derive(Debug, Clone, Default)]
pub(super) struct Namespaces {
    pub(super) user: Option<String>,
    pub(super) network: Option<String>,
    pub(super) process: Option<String>,
}

impl Namespaces {
    /// Those of a process, by its id or as `self`.
    pub(super) fn of(pid: &str) -> Self {
        Self {
            user: link(pid, "user"),
            network: link(pid, "net"),
            process: link(pid, "pid"),
        }
    }

    /// A process's namespace of process ids.
    pub(super) fn process_of(pid: i32) -> Option<String> {
        link(&pid.to_string(), "pid")
    }

    /// Whether it has process ids of its own, as containers usually do.
    pub(super) fn is_in_container(&self, own: &Self) -> bool {
        self.process.is_some() && self.process != own.process
    }
}

fn link(pid: &str, name: &str) -> Option<String> {
    let target = fs::read_link(format!("/proc/{pid}/ns/{name}")).ok()?;
    target.into_os_string().into_string().ok()
}

/// Whose a namespace is, of this process's own and the pause process's.
pub(super) fn relation(
    namespace: Option<&String>,
    own: Option<&String>,
    pause: Option<&String>,
) -> Relation {
    match namespace {
        None => Relation::Unknown,
        Some(_) if namespace == own => Relation::Host,
        Some(_) if namespace == pause => Relation::Pause,
        Some(_) => Relation::Own,
    }
}
