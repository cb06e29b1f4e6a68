//! Facts about this host and user that several parts need.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{Gid, Resource, Uid, getgid, getrlimit, getuid};

/// The user this process runs for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Real user id.
    pub uid: Uid,
    /// Real group id.
    pub gid: Gid,
    /// Name from /etc/passwd, or the number where it has none there.
    pub name: String,
}

impl User {
    /// The calling user.
    #[must_use]
    pub fn current() -> Self {
        let uid = getuid();
        // Not getpwuid(3): in a static binary it would load NSS modules.
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let name = name_in_passwd(&passwd, uid.as_raw())
            .map_or_else(|| uid.as_raw().to_string(), str::to_owned);
        Self {
            uid,
            gid: getgid(),
            name,
        }
    }

    /// Whether Podman works rootless for this user.
    #[must_use]
    pub fn is_rootless(&self) -> bool {
        !self.uid.is_root()
    }
}

fn name_in_passwd(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

/// Directories in which Podman may keep its run-time state for `user`, the
/// likeliest first: XDG_RUNTIME_DIR, else what it falls back to.
#[must_use]
pub fn podman_runtime_directories(user: &User) -> Vec<PathBuf> {
    match xdg_runtime_dir() {
        Some(directory) => vec![directory],
        None => podman_fallback_directories(user),
    }
}

/// Where Podman and its storage library keep run-time state of `user` without
/// XDG_RUNTIME_DIR.
#[must_use]
pub fn podman_fallback_directories(user: &User) -> Vec<PathBuf> {
    let uid = user.uid.as_raw();
    let temporary = std::env::temp_dir();
    let mut directories = vec![
        PathBuf::from(format!("/run/user/{uid}")),
        temporary.join(format!("podman-run-{uid}")),
        temporary.join(format!("storage-run-{uid}")),
    ];
    directories.extend(std::env::var_os("HOME").map(|home| PathBuf::from(home).join("rundir")));
    directories
}

pub(crate) fn xdg_runtime_dir() -> Option<PathBuf> {
    std::env::var_os("XDG_RUNTIME_DIR")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// Where podseal keeps run-time state of its own: `podseal` in
/// XDG_RUNTIME_DIR, in /run for root, or else a directory in /tmp that is
/// checked to be this user's by whoever makes it.
#[must_use]
pub fn runtime_directory(user: &User) -> PathBuf {
    if let Some(directory) = xdg_runtime_dir() {
        return directory.join("podseal");
    }
    if user.uid.is_root() {
        return "/run/podseal".into();
    }
    let login = PathBuf::from(format!("/run/user/{}", user.uid.as_raw()));
    if login.is_dir() {
        login.join("podseal")
    } else {
        std::env::temp_dir().join(format!("podseal-{}", user.uid.as_raw()))
    }
}

/// The value of a field of /proc/PID/status (proc(5)).
#[must_use]
pub fn status_field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}

/// Whether this process has a capability in effect, by its number
/// (capabilities(7)).
fn has_capability(number: u32) -> io::Result<bool> {
    let status = fs::read_to_string("/proc/self/status")?;
    let set = status_field(&status, "CapEff")
        .and_then(|set| u64::from_str_radix(set, 16).ok())
        .ok_or(io::ErrorKind::InvalidData)?;
    Ok(set & (1 << number) != 0)
}

const CAP_SYS_RESOURCE: u32 = 24;

/// The limits to give a container when rootful Podman runs without
/// CAP_SYS_RESOURCE and so can neither keep nor raise its own.
///
/// Podman lowers its own process limit to `kernel.pid_max` when it starts,
/// and then cannot go above that either.
///
/// # Errors
/// /proc could not be read.
pub fn limits_without_sys_resource(
    user: &User,
) -> io::Result<Option<podseal_core::podman::HardLimits>> {
    if user.is_rootless() || has_capability(CAP_SYS_RESOURCE)? {
        return Ok(None);
    }
    let pid_max: u64 = fs::read_to_string("/proc/sys/kernel/pid_max")?
        .trim()
        .parse()
        .map_err(io::Error::other)?;
    let processes = getrlimit(Resource::Nproc).maximum;
    Ok(Some(podseal_core::podman::HardLimits {
        open_files: getrlimit(Resource::Nofile).maximum,
        processes: Some(processes.map_or(pid_max, |limit| limit.min(pid_max))),
    }))
}

/// This program's own file, for starting it again and for mounting it into
/// containers.
///
/// # Errors
/// It was removed or replaced since it started.
pub fn own_executable() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    if Path::new(&path).is_file() {
        Ok(path)
    } else {
        Err(io::Error::new(
            io::ErrorKind::NotFound,
            "podseal's own file was removed or replaced since it started",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_passwd() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nann:x:1000:1000::/home/ann:/bin/sh\n";
        assert_eq!(name_in_passwd(passwd, 0), Some("root"));
        assert_eq!(name_in_passwd(passwd, 1000), Some("ann"));
        assert_eq!(name_in_passwd(passwd, 1), None);
    }
}
