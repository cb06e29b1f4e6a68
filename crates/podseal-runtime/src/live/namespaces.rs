//! The namespaces of a process, see namespaces(7).

use std::fs;

use podseal_core::status::facts::Relation;

/// What the links below /proc/PID/ns say; none where they cannot be read.
#[derive(Debug, Clone, Default)]
pub(super) struct Namespaces {
    user: Option<String>,
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

    pub(super) fn user_relation(&self, own: &Self, pause: Option<&Self>) -> Relation {
        let of_pause = pause.and_then(|pause| pause.user.as_ref());
        relation(self.user.as_ref(), own.user.as_ref(), of_pause)
    }

    pub(super) fn network_relation(&self, own: &Self, pause: Option<&Self>) -> Relation {
        let of_pause = pause.and_then(|pause| pause.network.as_ref());
        relation(self.network.as_ref(), own.network.as_ref(), of_pause)
    }
}

fn link(pid: &str, name: &str) -> Option<String> {
    let target = fs::read_link(format!("/proc/{pid}/ns/{name}")).ok()?;
    target.into_os_string().into_string().ok()
}

fn relation(namespace: Option<&String>, own: Option<&String>, pause: Option<&String>) -> Relation {
    match namespace {
        None => Relation::Unknown,
        Some(_) if namespace == own => Relation::Host,
        Some(_) if namespace == pause => Relation::Pause,
        Some(_) => Relation::Own,
    }
}
