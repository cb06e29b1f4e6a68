//! All living processes at one time.

use std::fs;
use std::io;
use std::iter;

use rustix::param::clock_ticks_per_second;
use rustix::time::{ClockId, clock_gettime};

use super::ById;

/// The processes that were there.
#[derive(Debug)]
pub(super) struct Snapshot(ById);

/// What can be read of any process.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) comm: String,
    /// In milliseconds since 1970.
    pub(super) started: i64,
    cgroups: Vec<String>,
}

impl Snapshot {
    pub(super) fn take() -> io::Result<Self> {
        let booted = booted();
        let mut found = ById::new();
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if let Some(entry) = Entry::read(pid, booted) {
                found.insert(pid, entry);
            }
        }
        Ok(Self(found))
    }

    pub(super) fn get(&self, pid: i32) -> Option<&Entry> {
        self.0.get(&pid)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.values()
    }

    /// Its parent, the parent's parent and so on.
    pub(super) fn ancestors(&self, pid: i32) -> impl Iterator<Item = &Entry> {
        let parent = |entry: &&Entry| self.get(entry.parent);
        // Ids that were given again while others were read could make a ring.
        let first = self.get(pid).and_then(|entry| parent(&entry));
        iter::successors(first, parent).take(self.0.len())
    }
}

impl Entry {
    /// None for what is gone, or a zombie.
    fn read(pid: i32, booted: i64) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let stat = Stat::parse(&stat).filter(|stat| !matches!(stat.state, 'Z' | 'X'))?;
        let ticks = i64::try_from(clock_ticks_per_second()).unwrap_or(100);
        let cgroups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let paths = cgroups
            .lines()
            .filter_map(|line| line.splitn(3, ':').nth(2));
        Some(Self {
            pid,
            parent: stat.parent,
            comm: stat.comm.to_owned(),
            started: booted + stat.start.saturating_mul(1000) / ticks,
            cgroups: paths.map(str::to_owned).collect(),
        })
    }

    /// Whether it is in a control group or one below.
    pub(super) fn is_in(&self, cgroup: &str) -> bool {
        let is_in = |path: &String| {
            path.strip_prefix(cgroup)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        !cgroup.is_empty() && self.cgroups.iter().any(is_in)
    }

    /// The control group that Podman made for a container, if it is in one.
    pub(super) fn container_cgroup(&self) -> Option<String> {
        self.cgroups.iter().find_map(|path| {
            let is_container =
                |part: &&str| part.starts_with("libpod-") && !part.starts_with("libpod-conmon-");
            let part = path.split('/').find(is_container)?;
            let end = path.find(part)? + part.len();
            path.get(..end).map(str::to_owned)
        })
    }

    pub(super) fn is_conmon(&self) -> bool {
        self.comm == "conmon"
    }

    pub(super) fn is_oci_runtime(&self) -> bool {
        matches!(self.comm.as_str(), "runc" | "crun" | "youki" | "runsc")
    }
}

/// When the system was started, in milliseconds since 1970.
fn booted() -> i64 {
    let milliseconds = |clock| {
        let now = clock_gettime(clock);
        now.tv_sec * 1000 + now.tv_nsec / 1_000_000
    };
    milliseconds(ClockId::Realtime) - milliseconds(ClockId::Boottime)
}

/// Fields of /proc/PID/stat, see proc_pid_stat(5).
#[derive(Debug, PartialEq, Eq)]
struct Stat<'a> {
    comm: &'a str,
    state: char,
    parent: i32,
    /// In clock ticks since the system was started.
    start: i64,
}

impl<'a> Stat<'a> {
    /// The name may have blanks and brackets in it.
    fn parse(text: &'a str) -> Option<Self> {
        let (open, close) = (text.find('(')?, text.rfind(')')?);
        let mut fields = text.get(close + 1..)?.split_whitespace();
        Some(Self {
            comm: text.get(open + 1..close)?,
            state: fields.next()?.chars().next()?,
            parent: fields.next()?.parse().ok()?,
            start: fields.nth(17)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(cgroup: &str) -> Entry {
        Entry {
            pid: 1,
            parent: 0,
            comm: String::new(),
            started: 0,
            cgroups: vec![cgroup.to_owned()],
        }
    }

    #[test]
    fn stat() {
        let text = "7 (a) (b) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 0\n";
        let parsed = Stat::parse(text).unwrap();
        assert_eq!(
            (parsed.comm, parsed.state, parsed.parent),
            ("a) (b", 'S', 1)
        );
        assert_eq!(parsed.start, 12345);
        assert_eq!(Stat::parse("7 (a) S 1"), None);
        assert_eq!(Stat::parse(""), None);
    }

    #[test]
    fn cgroups() {
        for (path, of, is_in) in [
            ("/a/x.service", "/a/x.service", true),
            ("/a/x.service/libpod-payload-1", "/a/x.service", true),
            ("/a/x.service2", "/a/x.service", false),
            ("/a", "/a/x.service", false),
            ("/a", "", false),
        ] {
            assert_eq!(entry(path).is_in(of), is_in, "{path} in {of}");
        }
        for (path, container) in [
            ("/u/libpod-12.scope/container", Some("/u/libpod-12.scope")),
            ("/u/libpod-conmon-12.scope", None),
            (
                "/u/x.service/libpod-payload-1",
                Some("/u/x.service/libpod-payload-1"),
            ),
            ("/u/x.service", None),
        ] {
            assert_eq!(
                entry(path).container_cgroup().as_deref(),
                container,
                "{path}"
            );
        }
    }

    #[test]
    fn this_process_is_found() {
        let before = booted();
        let snapshot = Snapshot::take().unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        let entry = snapshot.get(own).unwrap();
        assert!(entry.started > before);
        assert!(
            snapshot
                .ancestors(own)
                .any(|above| above.pid == entry.parent)
        );
    }
}
