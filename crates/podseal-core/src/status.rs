//! How a sealed service is: what its files promise, what its processes show,
//! and whether that is less.
//!
//! A filter and no-new-privileges can be seen in /proc (proc_pid_status(5)). A
//! Landlock domain cannot: nothing here says that there is one.

use std::net::SocketAddr;

use serde::Serialize;

use crate::family::Family;
use crate::plan;
use crate::plan::header::{Found, read};
use crate::policy::families::FamilySet;
use crate::policy::level::Level;
use crate::unit::effective::merge::Source;
use crate::unit::effective::service::Service;
use crate::unit::families::{FamilyFilter, FilterMode};

pub mod document;
#[cfg(test)]
mod tests;

/// What seals a service, by its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Seal {
    /// podseal's drop-in, which fits the service.
    DropIn {
        /// Its path.
        path: String,
        /// The level it was made for.
        level: String,
    },
    /// podseal's drop-in, which does not fit any more.
    Stale {
        /// Its path.
        path: String,
        /// Why not.
        why: String,
    },
    /// Settings of the service's own take the internet families away.
    ByHand {
        /// What level `families` has and they lack.
        lacking: Vec<&'static str>,
    },
    /// Nothing.
    None,
}

impl Seal {
    /// The seal of a service with these drop-ins.
    pub fn of<'a>(service: &Service, files: impl IntoIterator<Item = &'a Source>) -> Self {
        let is_ours = |source: &&Source| source.path.rsplit('/').next() == Some(plan::DROP_IN);
        let Some(source) = files.into_iter().find(is_ours) else {
            return Self::by_hand(service);
        };
        let path = source.path.clone();
        let stale = |path, why: &str| Self::Stale {
            path,
            why: why.to_owned(),
        };
        match read(&String::from_utf8_lossy(source.file.as_bytes())) {
            Found::Ours(made) if made.base != plan::base_without(service, Some(&path)) => {
                stale(path, "the service's commands were changed since")
            }
            Found::Ours(made) => Self::DropIn {
                path,
                level: made.level.to_string(),
            },
            Found::Edited => stale(path, "it was edited since podseal wrote it"),
            Found::Foreign => Self::by_hand(service),
        }
    }

    fn by_hand(service: &Service) -> Self {
        let sandbox = &service.sandbox;
        let families = &sandbox.families;
        if ![&families.le_v260, &families.ge_v261]
            .into_iter()
            .all(is_narrow)
        {
            return Self::None;
        }
        let mut lacking = Vec::new();
        if !sandbox.no_new_privileges {
            lacking.push("NoNewPrivileges=yes");
        }
        if sandbox.syscall_architectures != ["native"] {
            lacking.push("SystemCallArchitectures=native");
        }
        if !sandbox.syscall_filter.io_uring.allowed.is_empty() {
            lacking.push("SystemCallFilter=~io_uring_setup …");
        }
        Self::ByHand { lacking }
    }

    /// What it is called in a list.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::DropIn { level, .. } => level,
            Self::Stale { .. } => "stale",
            Self::ByHand { .. } => "by hand",
            Self::None => "none",
        }
    }

    /// What it leaves open by itself, in a line.
    #[must_use]
    pub fn residual_risk(&self) -> Option<&'static str> {
        let families = Level::Families.to_string();
        match self {
            Self::DropIn { level, .. } if *level == families => {
                Some("the sockets it was handed can be turned outward; level standard closes that")
            }
            Self::ByHand { .. } => {
                Some("the sockets it was handed can be turned outward; `podseal seal` closes that")
            }
            Self::DropIn { .. } => Some(
                "a taken-over Podman can still ask your systemd and other services on UNIX sockets",
            ),
            Self::Stale { .. } | Self::None => None,
        }
    }
}

/// Whether no family is left but those that Podman needs.
fn is_narrow(filter: &FamilyFilter) -> bool {
    let needed: Vec<Family> = FamilySet::default().iter().collect();
    filter.mode == FilterMode::Allow && filter.set.iter().all(|family| needed.contains(family))
}

/// What a process of a service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Podman, the OCI runtime or something else that starts the container.
    Launch,
    /// conmon, which looks after the container.
    Conmon,
    /// A process in the container.
    Container,
    /// Podman's pause process, which is made outside the seal.
    Pause,
}

/// A process, as /proc shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// The name of its program, 15 bytes at most.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// Whether it and its children can gain no privileges (`NoNewPrivs`).
    pub no_new_privs: bool,
    /// How many seccomp filters it has.
    pub seccomp_filters: u32,
    /// Whether its user namespace is another than podseal's; null where that
    /// cannot be seen.
    pub own_user_namespace: Option<bool>,
    /// Whether its network namespace is another than podseal's; null where that
    /// cannot be seen.
    pub own_network: Option<bool>,
    /// Internet sockets of podseal's own network namespace, that is the host's;
    /// null where its descriptors cannot be seen.
    pub sockets: Option<Vec<InternetSocket>>,
}

/// A socket that a process holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InternetSocket {
    /// `tcp`, `udp`, `udplite`, `raw` or `packet`.
    pub protocol: &'static str,
    /// Where it is bound; null for a packet socket.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub local: Option<SocketAddr>,
    /// Whom it is connected to.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub remote: Option<SocketAddr>,
}

impl InternetSocket {
    /// Whether it is one of these listeners, or was accepted from it, by its
    /// local address.
    #[must_use]
    pub fn is_from(&self, listeners: &[SocketAddr]) -> bool {
        self.local.is_some_and(|local| {
            listeners.iter().any(|listener| {
                listener.port() == local.port()
                    && (listener.ip().is_unspecified()
                        || listener.ip().to_canonical() == local.ip().to_canonical())
            })
        })
    }
}

impl std::fmt::Display for InternetSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.protocol)?;
        if let Some(local) = self.local {
            write!(f, " {local}")?;
        }
        match self.remote {
            Some(remote) => write!(f, " to {remote}"),
            None => Ok(()),
        }
    }
}

/// What is known of a running service besides its processes.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// Whether it was started before its drop-in was written.
    pub is_older_than_seal: bool,
    /// Whether systemd has to read its files again.
    pub needs_reload: bool,
    /// The addresses that its socket units listen on.
    pub listeners: Vec<SocketAddr>,
}

/// What of a running service is less than its seal promises. Empty for a
/// service without one.
#[must_use]
pub fn shortfalls(seal: &Seal, processes: &[Process], live: &Live) -> Vec<String> {
    let mut short = Vec::new();
    match seal {
        Seal::None => return short,
        Seal::Stale { path, why } => {
            short.push(format!("{path} does not fit the service: {why}"));
        }
        Seal::DropIn { .. } | Seal::ByHand { .. } => {}
    }
    if live.needs_reload {
        short.push("systemd has not read the files as they are now".to_owned());
    }
    if live.is_older_than_seal {
        short.push("it was started before its seal was written, and runs without it".to_owned());
    }
    for process in processes {
        short.extend(shortfalls_of(process, &live.listeners));
    }
    short
}

fn shortfalls_of(process: &Process, listeners: &[SocketAddr]) -> Vec<String> {
    let mut short = Vec::new();
    if process.role == Role::Pause {
        return short;
    }
    let mut add = |what: &str| {
        short.push(format!("process {} ({}) {what}", process.pid, process.name));
    };
    if !process.no_new_privs {
        add("may gain privileges: NoNewPrivs is 0");
    }
    if process.seccomp_filters == 0 {
        add("has no seccomp filter");
    }
    if process.role == Role::Container && process.own_network == Some(false) {
        add("is in a container and has the host's network");
    }
    match &process.sockets {
        None => add("does not show its descriptors: its sockets were not looked at"),
        Some(sockets) => {
            for socket in sockets.iter().filter(|socket| !socket.is_from(listeners)) {
                add(&format!(
                    "has a socket that no socket unit opened: {socket}"
                ));
            }
        }
    }
    short
}
