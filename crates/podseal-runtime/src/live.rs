//! Looking at living processes from outside: which belong to a service, what of
//! a seal shows on them, and which sockets they have.
//!
//! All of it is read from /proc. A process can end between two looks, and then
//! is left out.

mod descriptors;
mod namespaces;
mod processes;
pub mod sockets;
mod unix;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use podseal_core::probe::Observed;
use podseal_core::status::facts::{Process, Restrictions, Role};
use rustix::process::{Uid, getuid};

use crate::host::{User, status_field};
use crate::pause;
use namespaces::Namespaces;
use processes::{Entry, Snapshot};
use sockets::Tables;

/// Which processes a service has.
#[derive(Debug, Clone, Copy, Default)]
pub struct Whose<'a> {
    /// Those in a control group and below it, as systemd names it.
    pub cgroup: Option<&'a str>,
    /// Those that a supervisor has told.
    pub pids: &'a [i32],
    /// The main process, which may be elsewhere.
    pub main: Option<i32>,
    /// A command that the manager runs beside it.
    pub control: Option<i32>,
}

/// The processes of a service: those that it is known to have, what descends
/// from them, and all that are in a container with one of them, whoever started
/// those.
///
/// # Errors
/// /proc cannot be read, or hides the main process.
pub fn processes(whose: &Whose<'_>, user: &User) -> io::Result<Vec<Process>> {
    let snapshot = Snapshot::take()?;
    let own = Namespaces::of("self");
    let members = members(whose, &snapshot, &own);
    let pause = pause_process(whose.main.or(members.first().copied()), user);
    let of_pause = pause.map(|pid| Namespaces::of(&pid.to_string()));
    if let Some(main) = whose.main.filter(|main| !members.contains(main))
        && fs::exists(format!("/proc/{main}"))?
    {
        return Err(io::Error::other(format!("process {main} is hidden")));
    }
    let mut tables = Tables::default();
    let look = |pid: &i32| {
        let entry = snapshot.get(*pid)?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let namespaces = Namespaces::of(&pid.to_string());
        let of_conmon = snapshot
            .ancestors(*pid)
            .any(|above| members.contains(&above.pid) && above.is_conmon());
        let is_inside = namespaces.is_in_container(&own) || (of_conmon && !entry.is_oci_runtime());
        let of_control = || {
            let mut line = snapshot.ancestors(*pid);
            whose.control == Some(*pid) || line.any(|above| whose.control == Some(above.pid))
        };
        let role = if pause == Some(*pid) && whose.main != pause {
            Role::Pause
        } else if is_inside {
            Role::Container
        } else if of_control() {
            Role::Control
        } else if entry.is_conmon() {
            Role::Conmon
        } else if whose.main == Some(*pid) {
            Role::Main
        } else {
            Role::Other
        };
        Some(Process {
            pid: *pid,
            parent: entry.parent,
            comm: entry.comm.clone(),
            role,
            is_descendant: role != Role::Container || of_conmon,
            started: entry.started,
            restrictions: related(&observed(&status, &namespaces), &own, of_pause.as_ref()),
            has_capabilities: status_field(&status, "CapBnd")
                .is_none_or(|set| set.bytes().any(|digit| digit != b'0')),
            sockets: tables.held(*pid, namespaces.network.as_deref(), own.network.as_deref()),
        })
    };
    Ok(members.iter().filter_map(look).collect())
}

/// What this process is under.
#[must_use]
pub fn own() -> Option<Observed> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    Some(observed(&status, &Namespaces::of("self")))
}

/// What a process was under that `user` has run, as [`processes`] has it.
#[must_use]
pub fn restrictions(process: &Observed, user: &User) -> Restrictions {
    let of_pause = pause_of(user).map(|pid| Namespaces::of(&pid.to_string()));
    related(process, &Namespaces::of("self"), of_pause.as_ref())
}

fn observed(status: &str, namespaces: &Namespaces) -> Observed {
    let number = |field| status_field(status, field)?.parse().ok();
    Observed {
        no_new_privs: number("NoNewPrivs") == Some(1),
        seccomp: number("Seccomp").unwrap_or_default(),
        filters: number("Seccomp_filters"),
        user_namespace: namespaces.user.clone(),
        network_namespace: namespaces.network.clone(),
    }
}

fn related(process: &Observed, own: &Namespaces, pause: Option<&Namespaces>) -> Restrictions {
    Restrictions {
        no_new_privs: process.no_new_privs,
        seccomp: process.seccomp,
        filters: process.filters,
        user_namespace: namespaces::relation(
            process.user_namespace.as_ref(),
            own.user.as_ref(),
            pause.and_then(|pause| pause.user.as_ref()),
        ),
        network_namespace: namespaces::relation(
            process.network_namespace.as_ref(),
            own.network.as_ref(),
            pause.and_then(|pause| pause.network.as_ref()),
        ),
    }
}

fn members(whose: &Whose<'_>, snapshot: &Snapshot, own: &Namespaces) -> BTreeSet<i32> {
    let is_known = |entry: &&Entry| {
        let mut known = whose.pids.iter().chain(&whose.main);
        known.any(|pid| *pid == entry.pid) || whose.cgroup.is_some_and(|cgroup| entry.is_in(cgroup))
    };
    let known: BTreeSet<i32> = snapshot.iter().filter(is_known).map(|e| e.pid).collect();
    let mut members = known;
    let is_below = |pid: i32, members: &BTreeSet<i32>| {
        let mut line = snapshot.ancestors(pid);
        line.any(|above| members.contains(&above.pid))
    };
    let below: Vec<i32> = snapshot
        .iter()
        .map(|entry| entry.pid)
        .filter(|pid| is_below(*pid, &members))
        .collect();
    members.extend(below);
    // What joined a container is in its cgroup and its namespaces.
    let mut cgroups = BTreeSet::new();
    let mut namespaces = BTreeSet::new();
    for pid in &members {
        cgroups.extend(snapshot.get(*pid).and_then(Entry::container_cgroup));
        let found = Namespaces::of(&pid.to_string());
        if found.is_in_container(own) {
            namespaces.extend(found.process);
        }
    }
    let is_inside = |entry: &&Entry| {
        cgroups.iter().any(|cgroup| entry.is_in(cgroup))
            || Namespaces::process_of(entry.pid).is_some_and(|own| namespaces.contains(&own))
    };
    if !cgroups.is_empty() || !namespaces.is_empty() {
        let inside: Vec<i32> = snapshot.iter().filter(is_inside).map(|e| e.pid).collect();
        members.extend(inside);
    }
    members
}

/// The pause process of the user that a process belongs to. It is the one that
/// this user's Podman knows: by its name alone, Podman itself could be one.
fn pause_process(of: Option<i32>, user: &User) -> Option<i32> {
    let uid = fs::metadata(format!("/proc/{}", of?)).ok()?.uid();
    pause_of(&User {
        uid: Uid::from_raw(uid),
        ..user.clone()
    })
}

fn pause_of(user: &User) -> Option<i32> {
    let found = if user.uid == getuid() {
        pause::find(user)
    } else {
        pause::find_of_other(user)
    };
    Some(found.ok()??.pid.as_raw_nonzero().get())
}

/// The id of the container that one of `processes` watches.
#[must_use]
pub fn container(processes: &[Process]) -> Option<String> {
    let conmon = |process: &&Process| process.role == Role::Conmon;
    processes.iter().filter(conmon).find_map(|process| {
        let words = fs::read(format!("/proc/{}/cmdline", process.pid)).ok()?;
        let mut words = words.split(|byte| *byte == 0);
        words.find(|word| *word == b"-c")?;
        let id = String::from_utf8(words.next()?.to_vec()).ok()?;
        let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then_some(id)
    })
}

/// Processes by a number that tells them apart.
type ById = BTreeMap<i32, Entry>;
