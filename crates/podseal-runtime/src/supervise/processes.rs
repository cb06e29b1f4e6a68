//! The processes of a service: everything that descends from the supervisor,
//! which adopts orphans (PR_SET_CHILD_SUBREAPER, prctl(2)).

use std::collections::HashMap;
use std::fs;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpid, kill_process, waitid};

/// Every living descendant of this process, except those in `spared` and
/// their descendants. Zombies do not count.
pub(super) fn descendants(spared: Option<Pid>) -> Vec<Pid> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // Gone by now, if it cannot be read.
        let Ok(stat) = fs::read(entry.path().join("stat")) else {
            continue;
        };
        if let Some((state, parent)) = state_and_parent(&stat)
            && state != b'Z'
            && state != b'X'
        {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut look_at = vec![getpid().as_raw_nonzero().get()];
    while let Some(parent) = look_at.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            let Some(pid) = Pid::from_raw(child).filter(|pid| Some(*pid) != spared) else {
                continue;
            };
            found.push(pid);
            look_at.push(child);
        }
    }
    found
}

/// Whether `pid` descends from this process, or did until it ended and was not
/// waited for yet.
pub(super) fn is_descendant(pid: Pid) -> bool {
    let own = getpid().as_raw_nonzero().get();
    let parent_of = |pid: i32| {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        state_and_parent(&stat).map(|(_, parent)| parent)
    };
    std::iter::successors(parent_of(pid.as_raw_nonzero().get()), |pid| parent_of(*pid))
        .any(|pid| pid == own)
}

/// Whether a child has ended and was not waited for yet.
pub(super) fn a_child_has_ended() -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    // ECHILD: there is no child at all.
    matches!(waitid(WaitId::All, options), Ok(Some(_)))
}

/// The state and the parent's id from /proc/PID/stat, see proc_pid_stat(5).
/// The second field, the name, may have blanks and brackets in it.
fn state_and_parent(stat: &[u8]) -> Option<(u8, i32)> {
    let behind_name = stat.iter().rposition(|byte| *byte == b')')? + 2;
    let mut fields = stat.get(behind_name..)?.split(|byte| *byte == b' ');
    let state = *fields.next()?.first()?;
    let parent = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    Some((state, parent))
}

/// Sends `signal` to all of `processes`. Those that ended meanwhile, and are
/// not waited for yet, take it without harm.
pub(super) fn signal(processes: &[Pid], signal: Signal) {
    for pid in processes {
        if let Err(error) = kill_process(*pid, signal) {
            tracing::debug!(%error, pid = pid.as_raw_nonzero(), "cannot signal");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_have_brackets() {
        assert_eq!(state_and_parent(b"7 (a) (b) S 1 7 7"), Some((b'S', 1)));
        assert_eq!(state_and_parent(b"7 (a)"), None);
        assert_eq!(state_and_parent(b""), None);
    }
}
