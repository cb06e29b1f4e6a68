//! The processes of a service as they are now, looked at in /proc without
//! disturbing them.

mod sockets;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use podseal_core::status::{Process, Role};

pub use sockets::HostSockets;

use crate::host::{User, status_field};
use crate::pause;

/// What of a process says where it belongs.
struct Entry {
    pid: i32,
    parent: i32,
    name: String,
}

/// The processes in a control group and below, the living processes `roots`,
/// and all that descends from them: a container may have a control group of its
/// own.
///
/// A process that ends meanwhile is left out, and so is a zombie.
#[must_use]
pub fn processes(
    cgroup: Option<&str>,
    roots: &[i32],
    user: &User,
    sockets: &HostSockets,
) -> Vec<Process> {
    let entries = entries();
    let pause = pause::find(user).ok().flatten();
    let pause = pause.map(|process| process.pid.as_raw_nonzero().get());
    let mut own: BTreeSet<i32> = roots.iter().copied().collect();
    if let Some(cgroup) = cgroup {
        own.extend(
            entries
                .iter()
                .map(|entry| entry.pid)
                .filter(|pid| is_in(*pid, cgroup)),
        );
    }
    let roles = roles(&entries, &own, pause);
    let by_pid = entries.iter().filter_map(|entry| {
        let role = *roles.get(&entry.pid)?;
        look(entry, role, sockets)
    });
    by_pid.collect()
}

/// Which processes belong to those, and what each is.
fn roles(entries: &[Entry], own: &BTreeSet<i32>, pause: Option<i32>) -> BTreeMap<i32, Role> {
    let mut children: BTreeMap<i32, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        children.entry(entry.parent).or_default().push(entry);
    }
    let by_pid: BTreeMap<i32, &Entry> = entries.iter().map(|entry| (entry.pid, entry)).collect();
    let is_below = |pid: i32| {
        let parent = by_pid.get(&pid).map(|entry| entry.parent);
        std::iter::successors(parent, |pid| by_pid.get(pid).map(|entry| entry.parent))
            .take(by_pid.len())
            .any(|pid| own.contains(&pid))
    };
    let tops = own.iter().filter(|pid| !is_below(**pid));
    let mut look_at: Vec<(&Entry, Role)> = tops
        .filter_map(|pid| by_pid.get(pid))
        .map(|entry| (*entry, Role::Launch))
        .collect();
    let mut roles = BTreeMap::new();
    while let Some((entry, above)) = look_at.pop() {
        let role = match above {
            _ if Some(entry.pid) == pause => Role::Pause,
            Role::Conmon | Role::Container => Role::Container,
            Role::Pause => Role::Pause,
            Role::Launch if entry.name == "conmon" => Role::Conmon,
            Role::Launch => Role::Launch,
        };
        roles.insert(entry.pid, role);
        let below = children.get(&entry.pid).into_iter().flatten();
        look_at.extend(below.map(|child| (*child, role)));
    }
    roles
}

fn entries() -> Vec<Entry> {
    let directory = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = directory.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(entry).collect()
}

fn entry(pid: i32) -> Option<Entry> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let (state, parent) = state_and_parent(&stat)?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    (state != b'Z' && state != b'X').then(|| Entry {
        pid,
        parent,
        name: name.trim_end().to_owned(),
    })
}

/// The state and the parent's id from /proc/PID/stat, see proc_pid_stat(5).
/// The second field, the name, may have blanks and brackets in it.
pub(crate) fn state_and_parent(stat: &[u8]) -> Option<(u8, i32)> {
    let behind_name = stat.iter().rposition(|byte| *byte == b')')? + 2;
    let mut fields = stat.get(behind_name..)?.split(|byte| *byte == b' ');
    let state = *fields.next()?.first()?;
    let parent = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    Some((state, parent))
}

/// Whether a process is in a control group of systemd's or below, see
/// cgroups(7): systemd's hierarchy is the one of version 2, or has its name.
fn is_in(pid: i32, cgroup: &str) -> bool {
    let Ok(text) = fs::read_to_string(format!("/proc/{pid}/cgroup")) else {
        return false;
    };
    let mut paths = text.lines().filter_map(|line| {
        let (_, named) = line.split_once(':')?;
        named
            .strip_prefix(':')
            .or_else(|| named.strip_prefix("name=systemd:"))
    });
    paths.any(|path| Path::new(path).starts_with(cgroup))
}

fn look(entry: &Entry, role: Role, sockets: &HostSockets) -> Option<Process> {
    let pid = entry.pid;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name| status_field(&status, name);
    let filters = match field("Seccomp") {
        Some("2") => field("Seccomp_filters").and_then(|count| count.parse().ok()),
        // Strict mode allows four calls.
        Some("1") => Some(1),
        _ => None,
    };
    Some(Process {
        pid,
        name: entry.name.clone(),
        role,
        no_new_privs: field("NoNewPrivs") == Some("1"),
        seccomp_filters: filters.unwrap_or(0),
        own_user_namespace: is_own(pid, "user"),
        own_network: is_own(pid, "net"),
        sockets: sockets.of(pid),
    })
}

/// Whether a process's namespace is another than this one's.
fn is_own(pid: i32, namespace: &str) -> Option<bool> {
    let of = |process: &str| fs::read_link(format!("/proc/{process}/ns/{namespace}")).ok();
    Some(of(&pid.to_string())? != of("self")?)
}

/// The ids of the containers that processes look after: conmon gets its
/// container's with `--cid`.
#[must_use]
pub fn containers(processes: &[Process]) -> Vec<String> {
    let conmons = processes
        .iter()
        .filter(|process| process.role == Role::Conmon);
    let ids = conmons.filter_map(|process| {
        let line = fs::read_to_string(format!("/proc/{}/cmdline", process.pid)).ok()?;
        let mut words = line.split('\0');
        words.find(|word| matches!(*word, "-c" | "--cid"))?;
        words.next().map(str::to_owned)
    });
    ids.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(pid: i32, parent: i32, name: &str) -> Entry {
        Entry {
            pid,
            parent,
            name: name.to_owned(),
        }
    }

    #[test]
    fn names_may_have_brackets() {
        assert_eq!(state_and_parent(b"7 (a) (b) S 1 7 7"), Some((b'S', 1)));
        assert_eq!(state_and_parent(b"7 (a)"), None);
        assert_eq!(state_and_parent(b""), None);
    }

    #[test]
    fn what_conmon_starts_is_in_the_container() {
        let entries = [
            entry(1, 0, "systemd"),
            entry(10, 1, "podman"),
            entry(11, 10, "runc"),
            entry(12, 1, "conmon"),
            entry(13, 12, "server"),
            // It calls itself conmon.
            entry(14, 13, "conmon"),
            entry(20, 1, "catatonit"),
            entry(30, 1, "other"),
        ];
        let own = BTreeSet::from([10, 12, 20]);
        let roles = roles(&entries, &own, Some(20));
        let expected = BTreeMap::from([
            (10, Role::Launch),
            (11, Role::Launch),
            (12, Role::Conmon),
            (13, Role::Container),
            (14, Role::Container),
            (20, Role::Pause),
        ]);
        assert_eq!(roles, expected);
    }
}
