//! The control group of a machine: it holds all its processes, and tells
//! whether there are any (cgroups(7)).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::error::LabError;

/// A cgroup of its own, below the root of the version-2 hierarchy.
#[derive(Debug)]
pub(super) struct Cgroup {
    directory: PathBuf,
    name: String,
}

impl Cgroup {
    /// The cgroup of this name, which need not be there.
    pub(super) fn named(name: String) -> Result<Self, LabError> {
        let path = Path::new("/proc/self/mountinfo");
        let mounts = fs::read_to_string(path).map_err(LabError::file("read", path))?;
        let mount = mount_point(&mounts).ok_or(LabError::NoCgroup2)?;
        Ok(Self {
            directory: Path::new(mount).join(&name),
            name,
        })
    }

    /// Makes it.
    pub(super) fn make(&self) -> Result<(), LabError> {
        make_directory(&self.directory)
    }

    /// A cgroup below it, made where it is missing: the file that a process
    /// writes 0 to for joining it.
    pub(super) fn joined_through(&self, below: &str) -> Result<PathBuf, LabError> {
        let directory = self.directory.join(below);
        make_directory(&directory)?;
        Ok(directory.join("cgroup.procs"))
    }

    /// Whether the process is in it or in one below.
    pub(super) fn has(&self, process: u32) -> bool {
        fs::read_to_string(format!("/proc/{process}/cgroup"))
            .is_ok_and(|text| is_in(&text, &self.name))
    }

    /// Whether a controller can be used in it.
    pub(super) fn has_controller(&self, controller: &str) -> bool {
        fs::read_to_string(self.directory.join("cgroup.controllers"))
            .is_ok_and(|text| text.split_whitespace().any(|word| word == controller))
    }

    /// Whether it has processes, itself or in a cgroup below.
    pub(super) fn is_populated(&self) -> bool {
        fs::read_to_string(self.directory.join("cgroup.events"))
            .is_ok_and(|text| text.lines().any(|line| line == "populated 1"))
    }

    /// Waits until it has no process; false when `limit` passes before.
    pub(super) fn wait_until_empty(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while self.is_populated() {
            if Instant::now() > deadline {
                return false;
            }
            thread::sleep(Duration::from_millis(10));
        }
        true
    }

    /// Kills what is in it and removes it.
    pub(super) fn remove(&self) -> Result<(), LabError> {
        const LIMIT: Duration = Duration::from_secs(20);
        if !self.directory.exists() {
            return Ok(());
        }
        if self.is_populated() {
            let kill = self.directory.join("cgroup.kill");
            fs::write(&kill, "1").map_err(LabError::file("write", &kill))?;
            if !self.wait_until_empty(LIMIT) {
                return Err(LabError::Undying(self.directory.clone()));
            }
        }
        remove_tree(&self.directory).map_err(LabError::file("remove", &self.directory))
    }
}

fn make_directory(path: &Path) -> Result<(), LabError> {
    fs::create_dir_all(path).map_err(LabError::file("make", path))
}

/// Cgroups go one by one, the innermost first.
fn remove_tree(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(directory)
}

/// Where the text of /proc/PID/mountinfo has cgroup2.
fn mount_point(mountinfo: &str) -> Option<&str> {
    mountinfo.lines().find_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        (file_system.split(' ').next() == Some("cgroup2")).then_some(())?;
        mount.split(' ').nth(4)
    })
}

/// Whether the text of /proc/PID/cgroup is that of a process in the cgroup
/// `name` or below.
fn is_in(text: &str, name: &str) -> bool {
    text.lines().any(|line| {
        let path = line.strip_prefix("0::/").unwrap_or_default();
        path.split('/').next() == Some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hierarchy_is_found_by_its_type() {
        let pure = "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
        let mixed = "25 23 0:22 / /sys/fs/cgroup rw - tmpfs cgroup2 rw\n\
                     29 25 0:26 / /sys/fs/cgroup/unified rw - cgroup2 none rw\n";
        assert_eq!(mount_point(pure), Some("/sys/fs/cgroup"));
        assert_eq!(mount_point(mixed), Some("/sys/fs/cgroup/unified"));
        assert_eq!(mount_point("1 1 0:1 / / rw - ext4 /dev/a rw\n"), None);
    }

    #[test]
    fn membership_is_of_the_whole_name() {
        let text = "2:pids:/lab\n0::/lab-a/init.scope\n";
        assert!(is_in(text, "lab-a"));
        assert!(!is_in(text, "lab"), "another hierarchy");
        assert!(!is_in("0::/x/lab-a\n", "lab-a"));
    }
}
