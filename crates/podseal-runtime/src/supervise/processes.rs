//! The processes of services: what descends from the supervisor, which adopts
//! orphans (PR_SET_CHILD_SUBREAPER, prctl(2)).
//!
//! Which service a process belongs to shows in a mark that each of a service's
//! commands gets and all that it starts inherits: a value of RLIMIT_LOCKS,
//! which limits nothing. Neither another environment nor another session,
//! parent or user takes it away, as conmon and containers have them. A process
//! without a mark that is known belongs where its parent does. A process can
//! lower the value, and so leave its service; it ends with the supervisor then.

use std::collections::HashMap;
use std::fs;

use rustix::process::{
    Pid, Resource, Signal, WaitId, WaitIdOptions, getpid, getrlimit, kill_process, waitid,
};

/// Marks that this supervisor has given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks {
    first: u64,
    next: u64,
}

impl Marks {
    /// None yet. They are lower than the limit of this process, which may
    /// itself be marked by another supervisor, and not next to it.
    pub(super) fn new() -> Self {
        let limit = getrlimit(Resource::Locks).maximum;
        let first = limit.map_or(1 << 61, |limit| limit / 2);
        Self { first, next: first }
    }

    pub(super) fn give(&mut self) -> u64 {
        let mark = self.next;
        self.next = self.next.saturating_sub(1);
        mark
    }

    const fn knows(self, mark: u64) -> bool {
        self.next < mark && mark <= self.first
    }
}

/// Every living descendant of this process and the mark it goes by, except
/// `spared` and its descendants. Zombies do not count.
pub(super) fn descendants(spared: Option<Pid>, marks: Marks) -> Vec<(Pid, Option<u64>)> {
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
    let mut look_at = vec![(getpid().as_raw_nonzero().get(), None)];
    while let Some((parent, parents_mark)) = look_at.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            let Some(pid) = Pid::from_raw(child).filter(|pid| Some(*pid) != spared) else {
                continue;
            };
            let mark = own_mark(child, marks).or(parents_mark);
            found.push((pid, mark));
            look_at.push((child, mark));
        }
    }
    found
}

/// The mark that `pid` goes by, if it descends from this process, or did until
/// it ended and was not waited for yet.
pub(super) fn mark_of(pid: Pid, marks: Marks) -> Option<u64> {
    let own = getpid().as_raw_nonzero().get();
    let parent_of = |pid: &i32| {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        state_and_parent(&stat).map(|(_, parent)| parent)
    };
    let line: Vec<i32> = std::iter::successors(Some(pid.as_raw_nonzero().get()), parent_of)
        .take_while(|pid| *pid != 0)
        .collect();
    let end = line.iter().position(|pid| *pid == own)?;
    line[..end].iter().find_map(|pid| own_mark(*pid, marks))
}

fn own_mark(pid: i32, marks: Marks) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    locks_limit(&limits).filter(|mark| marks.knows(*mark))
}

/// The hard limit in the line of /proc/PID/limits, see proc_pid_limits(5).
fn locks_limit(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max file locks"))?;
    line.split_whitespace().nth(1)?.parse().ok()
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
    fn limits() {
        let text = "Max address space  unlimited  unlimited  bytes\n\
                    Max file locks     12         34         locks\n";
        assert_eq!(locks_limit(text), Some(34));
        assert_eq!(
            locks_limit("Max file locks  unlimited  unlimited  locks\n"),
            None
        );
        assert_eq!(locks_limit(""), None);
    }

    #[test]
    fn marks_are_known_once_given() {
        let mut marks = Marks::new();
        let (first, second) = (marks.give(), marks.give());
        assert!(marks.knows(first) && marks.knows(second) && first != second);
        assert!(!marks.knows(second - 1) && !marks.knows(first + 1));
    }

    #[test]
    fn names_may_have_brackets() {
        assert_eq!(state_and_parent(b"7 (a) (b) S 1 7 7"), Some((b'S', 1)));
        assert_eq!(state_and_parent(b"7 (a)"), None);
        assert_eq!(state_and_parent(b""), None);
    }
}
