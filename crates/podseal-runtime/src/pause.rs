//! Podman's pause process: the process that holds the user and mount
//! namespaces of rootless Podman between its commands.
//!
//! Under a seal it cannot be made (newuidmap needs privileges that
//! no-new-privileges takes away), so it must be there before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use podseal_core::doctor::facts::MapTool;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::host::{self, User};
use crate::id_map;
use crate::podman::{Podman, PodmanError};

mod look;
mod manager;
mod run_as;

pub use look::look;
pub use manager::ensure_from_within;
pub use run_as::ensure_as;

/// A living pause process of this user.
#[derive(Debug)]
pub struct PauseProcess {
    /// Its process id.
    pub pid: Pid,
    /// A descriptor of it, taken before it was checked: another process that
    /// gets the same id later is not meant.
    pub pidfd: OwnedFd,
}

/// Why there is no pause process to use.
#[derive(Debug, thiserror::Error)]
pub enum PauseError {
    /// Something about a process could not be looked up.
    #[error("cannot look at {}", path.display())]
    Look {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is none, and this process was not asked to have one made.
    #[error("Podman's pause process is not running")]
    NotRunning,
    /// This process must not make one, and there is none.
    #[error(
        "Podman's pause process is not running, and no-new-privileges keeps it from being made here"
    )]
    NoNewPrivileges,
    /// This process must not make one, and the user's service manager did not.
    #[error(
        "Podman's pause process is not running, no-new-privileges keeps it from being made here, and systemd did not make it: {said}"
    )]
    Manager {
        /// What systemd-run said last.
        said: String,
    },
    /// The service manager cannot be told what to start.
    #[error("cannot start podseal once more")]
    Own {
        /// Why.
        source: io::Error,
    },
    /// A program that maps user ids is missing.
    #[error("{program} is not installed, and rootless Podman cannot map user ids without it")]
    ToolMissing {
        /// newuidmap or newgidmap.
        program: &'static str,
    },
    /// A program that maps user ids may not do so.
    #[error("{} has neither the setuid bit nor file capabilities, so it cannot map user ids", program.display())]
    ToolPowerless {
        /// Its path.
        program: PathBuf,
    },
    /// The user has no range of subordinate ids.
    #[error("{file} has no range of ids for {user}")]
    NoSubordinateIds {
        /// /etc/subuid or /etc/subgid.
        file: &'static str,
        /// The user's name.
        user: String,
    },
    /// Podman could not make it.
    #[error("Podman could not make its pause process")]
    Podman {
        /// Why.
        source: PodmanError,
    },
    /// Podman ran, and left no pause process behind.
    #[error("Podman keeps no pause process in {}", paths_of(files))]
    NotKept {
        /// Where it was looked for.
        files: Vec<PathBuf>,
    },
}

fn paths_of(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    paths.join(", ")
}

impl PauseError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Look { .. } => "check that /proc is mounted and readable".into(),
            Self::NotRunning => {
                "run `podseal pause ensure` before, outside the seal (in a unit: ExecStartPre=+…)"
                    .into()
            }
            Self::NoNewPrivileges => {
                "run it outside the seal: in a unit, ExecStartPre=+… podseal pause ensure".into()
            }
            Self::Manager { .. } => {
                "run `podseal pause ensure` by hand, outside the seal, to see why".into()
            }
            Self::Own { .. } => "install podseal again, and start the service again".into(),
            Self::ToolMissing { .. } => {
                "install the package that has it: uidmap (Debian), shadow-utils (Fedora)".into()
            }
            Self::ToolPowerless { program } => {
                format!("as root: chmod u+s {}", program.display())
            }
            Self::NoSubordinateIds { user, .. } => {
                format!(
                    "as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}, with ranges that no other user has; then as {user}: podman system migrate"
                )
            }
            Self::Podman {
                source: PodmanError::NotInstalled,
            } => PodmanError::NotInstalled.hint(),
            Self::Podman { source } => source
                .why()
                .unwrap_or_else(|| "run `podman unshare true` by hand to see what it says".into()),
            Self::NotKept { .. } => {
                "unset PODMAN_NO_PAUSE_PROCESS, and set XDG_RUNTIME_DIR as Podman sees it".into()
            }
        }
    }
}

/// What [`ensure`] found.
#[derive(Debug)]
pub enum Ensured {
    /// It was there.
    Alive(PauseProcess),
    /// It was made.
    Made(PauseProcess),
}

impl Ensured {
    /// The process.
    #[must_use]
    pub fn process(&self) -> &PauseProcess {
        match self {
            Self::Alive(process) | Self::Made(process) => process,
        }
    }

    /// The process, to keep.
    #[must_use]
    pub fn into_process(self) -> PauseProcess {
        match self {
            Self::Alive(process) | Self::Made(process) => process,
        }
    }
}

/// The pause process of `user`, if a living one is known to Podman.
///
/// The pid file is not believed: the process must be this user's, outside any
/// container, a pause process by its name, and hold a user namespace that
/// this user made in our own.
///
/// # Errors
/// /proc could not be read.
pub fn find(user: &User) -> Result<Option<PauseProcess>, PauseError> {
    find_in(&pid_files(user), user)
}

/// The same of another user, whose environment is not known.
///
/// # Errors
/// /proc could not be read.
pub fn find_of_other(user: &User) -> Result<Option<PauseProcess>, PauseError> {
    find_in(
        &in_directories(host::podman_fallback_directories(user)),
        user,
    )
}

fn find_in(files: &[PathBuf], user: &User) -> Result<Option<PauseProcess>, PauseError> {
    for named in files.iter().filter_map(PidFile::read) {
        if let Some(pid) = named.pid
            && let Some(process) = examine(pid, user)?
        {
            return Ok(Some(process));
        }
    }
    Ok(None)
}

/// A pause.pid.
struct PidFile {
    file: PathBuf,
    text: String,
    /// What it names; only a positive number names a process.
    pid: Option<Pid>,
}

impl PidFile {
    /// It may be another user's, who is not to be waited for: with a pipe in its
    /// place reading would.
    fn read(file: &PathBuf) -> Option<Self> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).ok()?;
        let open = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(file)
            .ok()?;
        if !open.metadata().ok()?.is_file() {
            return None;
        }
        let mut text = String::new();
        open.take(LONGEST).read_to_string(&mut text).ok()?;
        let text = text.trim().to_owned();
        let number = text.parse().ok().filter(|number| *number > 0);
        Some(Self {
            file: file.clone(),
            pid: number.and_then(Pid::from_raw),
            text,
        })
    }
}

/// More than any process id has digits.
const LONGEST: u64 = 64;

fn pid_files(user: &User) -> Vec<PathBuf> {
    in_directories(host::podman_runtime_directories(user))
}

fn in_directories(directories: Vec<PathBuf>) -> Vec<PathBuf> {
    directories
        .into_iter()
        .map(|directory| directory.join("libpod/tmp/pause.pid"))
        .collect()
}

/// The process with id `pid`, if it is a pause process of `user`.
fn examine(pid: Pid, user: &User) -> Result<Option<PauseProcess>, PauseError> {
    let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else {
        return Ok(None);
    };
    let directory = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    // A process that is gone by now, or of somebody else, cannot be read.
    let Ok(status) = fs::read_to_string(directory.join("status")) else {
        return Ok(None);
    };
    if !is_pause_status(&status, user.uid.as_raw()) {
        return Ok(None);
    }
    let Ok(namespace) = File::open(directory.join("ns/user")) else {
        return Ok(None);
    };
    let owner = podseal_sys::namespaces::owner(namespace.as_fd()).ok();
    if owner != Some(user.uid.as_raw()) || !is_child_of_ours(&namespace)? {
        return Ok(None);
    }
    // What was read is of the process that pidfd names only if that still lives.
    if is_alive(&pidfd) {
        Ok(Some(PauseProcess { pid, pidfd }))
    } else {
        Ok(None)
    }
}

/// Whether /proc/PID/status is that of a pause process of `uid`.
///
/// Podman's own is called "podman pause" (or "podman" before it has said so);
/// some versions run catatonit instead. A container's catatonit lives in a
/// process-id namespace of its own and so has two ids.
fn is_pause_status(status: &str, uid: u32) -> bool {
    let field = |name| host::status_field(status, name);
    let uid = uid.to_string();
    matches!(field("Name"), Some("podman pause" | "podman" | "catatonit"))
        && field("Uid").is_some_and(|ids| ids.split_whitespace().all(|id| id == uid))
        && field("NSpid").is_some_and(|ids| ids.split_whitespace().count() == 1)
}

fn is_child_of_ours(namespace: &File) -> Result<bool, PauseError> {
    let Ok(parent) = podseal_sys::namespaces::parent(namespace.as_fd()) else {
        return Ok(false);
    };
    let path = Path::new("/proc/self/ns/user");
    let look = |source| PauseError::Look {
        path: path.to_owned(),
        source,
    };
    let ours = fs::metadata(path).map_err(look)?;
    let parent = File::from(parent).metadata().map_err(look)?;
    Ok((ours.dev(), ours.ino()) == (parent.dev(), parent.ino()))
}

fn is_alive(pidfd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec::default())) == Ok(0)
}

/// Sees to it that there is a pause process: does nothing where there is one,
/// else has Podman make it.
///
/// # Errors
/// It cannot be made; the error tells which part of the host is not ready.
pub fn ensure(user: &User) -> Result<Ensured, PauseError> {
    if let Some(process) = find(user)? {
        return match without_ranges(&process, user) {
            Some(error) => Err(error),
            None => Ok(Ensured::Alive(process)),
        };
    }
    if rustix::thread::no_new_privs().unwrap_or(false) {
        return Err(PauseError::NoNewPrivileges);
    }
    let podman = Podman::installed().map_err(|source| PauseError::Podman { source })?;
    if let Err(source) = podman.make_pause_process() {
        let source = source.into();
        return Err(cause(user).unwrap_or(PauseError::Podman { source }));
    }
    let Some(process) = find(user)? else {
        return Err(cause(user).unwrap_or_else(|| PauseError::NotKept {
            files: pid_files(user),
        }));
    };
    match without_ranges(&process, user) {
        Some(error) => {
            // Of no use to anybody: Podman would take it for good later.
            let _ = pidfd_send_signal(&process.pidfd, Signal::KILL);
            Err(error)
        }
        None => Ok(Ensured::Made(process)),
    }
}

/// Without ranges of ids Podman goes on with the user's own id alone, and
/// images fail in odd ways. Where that is so, says what is missing.
fn without_ranges(process: &PauseProcess, user: &User) -> Option<PauseError> {
    let path = format!("/proc/{}/uid_map", process.pid.as_raw_nonzero());
    let has_one_id = is_one_id(&fs::read_to_string(path).ok()?);
    has_one_id.then(|| cause(user)).flatten()
}

/// Whether a uid_map (user_namespaces(7)) has one id and no more.
fn is_one_id(uid_map: &str) -> bool {
    let mut lengths = uid_map
        .lines()
        .map(|line| line.split_whitespace().nth(2).unwrap_or_default());
    lengths.next() == Some("1") && lengths.next().is_none()
}

/// What about this host explains that Podman cannot make user namespaces.
fn cause(user: &User) -> Option<PauseError> {
    for (program, file) in [("newuidmap", "/etc/subuid"), ("newgidmap", "/etc/subgid")] {
        match id_map::tool(program) {
            MapTool::Missing => return Some(PauseError::ToolMissing { program }),
            MapTool::Found {
                path,
                is_setuid_root: false,
                has_capability: false,
            } => return Some(PauseError::ToolPowerless { program: path }),
            MapTool::Found { .. } => {}
        }
        if id_map::subordinate_ids(Path::new(file), user).unwrap_or(0) == 0 {
            return Some(PauseError::NoSubordinateIds {
                file,
                user: user.name.clone(),
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tpodman pause\nPid:\t7\nUid:\t1000\t1000\t1000\t1000\nNSpid:\t7\n";

    #[test]
    fn only_a_pause_process_of_this_user_outside_containers_will_do() {
        assert!(is_pause_status(STATUS, 1000));
        assert!(is_pause_status(
            &STATUS.replace("podman pause", "catatonit"),
            1000
        ));
        for status in [
            STATUS.replace("podman pause", "bash"),
            STATUS.replace("\t1000\t1000\t", "\t1000\t1001\t"),
            STATUS.replace("NSpid:\t7", "NSpid:\t7\t1"),
            STATUS.replace("NSpid:\t7\n", ""),
            String::new(),
        ] {
            assert!(!is_pause_status(&status, 1000), "{status}");
        }
        assert!(!is_pause_status(STATUS, 1001));
    }

    #[test]
    fn a_living_process_that_is_no_pause_process_is_not_taken_for_one() {
        let user = User::current();
        let own = rustix::process::getpid();
        assert!(examine(own, &user).unwrap().is_none());
    }

    #[test]
    fn the_users_own_id_alone_is_no_range() {
        for (uid_map, expected) in [
            ("         0       1000          1\n", true),
            ("0 1000 1\n1 100000 65536\n", false),
            ("0 0 4294967295\n", false),
            ("", false),
        ] {
            assert_eq!(is_one_id(uid_map), expected, "{uid_map:?}");
        }
    }
}
