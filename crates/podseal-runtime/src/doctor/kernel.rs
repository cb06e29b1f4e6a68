//! What the kernel says of itself.

use std::fs;
use std::io;
use std::path::Path;

use landlock::Erratum;
use podseal_core::doctor::facts::{Cgroups, Kernel, Landlock, Look, NotLooked, SeLinux};

use super::{Batch, Results, not_looked};
use crate::seal;

/// Asks the kernel for Landlock.
pub(super) fn landlock() -> Landlock {
    let fixed = Erratum::current().bits();
    Landlock {
        abi: podseal_sys::landlock::abi().map_err(|error| error.to_string()),
        errata: (0..u32::BITS)
            .filter(|bit| fixed & (1 << bit) != 0)
            .map(|bit| bit + 1)
            .collect(),
        missing: seal::missing_landlock(),
    }
}

/// What takes a command to find out.
pub(super) struct Commands {
    unshare: usize,
    selinux: Look<Option<(bool, usize)>>,
}

impl Commands {
    pub(super) fn add(batch: &mut Batch) -> Self {
        let selinux = optional("/sys/fs/selinux/enforce").map(|enforce| {
            let query = ["rpm", "-q", "--queryformat=%{VERSION}", "container-selinux"];
            enforce.map(|enforce| (enforce.trim() != "0", batch.add_words(&query)))
        });
        Self {
            unshare: batch.add_words(&["unshare", "--user", "true"]),
            selinux,
        }
    }

    pub(super) fn results(self, results: &Results, landlock: Landlock) -> Kernel {
        let selinux = self.selinux.map(|found| {
            found.map(|(is_enforcing, query)| SeLinux {
                is_enforcing,
                policy: results.line(query),
            })
        });
        Kernel {
            release: read("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned()),
            architecture: std::env::consts::ARCH.to_owned(),
            seccomp_actions: setting("kernel/seccomp/actions_avail"),
            landlock,
            io_uring_disabled: setting("kernel/io_uring_disabled"),
            max_user_namespaces: setting("user/max_user_namespaces"),
            unprivileged_userns_clone: setting("kernel/unprivileged_userns_clone"),
            apparmor_restrict_userns: setting("kernel/apparmor_restrict_unprivileged_userns"),
            user_namespace: results.text(self.unshare).map(|answer| answer.map(drop)),
            unprivileged_port_start: setting("net/ipv4/ip_unprivileged_port_start"),
            cgroups: cgroups(),
            selinux,
            root_is_shared: read("/proc/self/mountinfo").map(|text| is_root_shared(&text)),
        }
    }
}

fn read(path: &str) -> Look<String> {
    fs::read_to_string(path)
        .map_err(|error| NotLooked::because(format!("cannot read {path}: {error}")))
}

/// A file that not every kernel has.
fn optional(path: &str) -> Look<Option<String>> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(NotLooked::because(format!("cannot read {path}: {error}"))),
        Ok(text) => Ok(Some(text)),
    }
}

/// A file of /proc/sys. That it is not there says something only where
/// /proc/sys is.
fn setting(name: &str) -> Look<Option<String>> {
    let root = "/proc/sys/kernel";
    if !Path::new(root).is_dir() {
        return Err(NotLooked::because(format!("there is no {root}")));
    }
    optional(&format!("/proc/sys/{name}"))
}

/// Whether what is mounted on / is shared (mount_namespaces(7)).
fn is_root_shared(mountinfo: &str) -> bool {
    let mut of_root = mountinfo
        .lines()
        .filter(|line| line.split(' ').nth(4) == Some("/"));
    // A later mount covers an earlier one.
    of_root.next_back().is_some_and(|line| {
        let mut optional = line.split(' ').skip(6).take_while(|word| *word != "-");
        optional.any(|word| word.starts_with("shared:"))
    })
}

fn cgroups() -> Look<Cgroups> {
    const CGROUP2: u32 = 0x6367_7270; // linux/magic.h
    let root = Path::new("/sys/fs/cgroup");
    let is_v2 = |path: &Path| {
        rustix::fs::statfs(path).map(|found| u32::try_from(found.f_type) == Ok(CGROUP2))
    };
    if is_v2(root).map_err(|error| not_looked(&error))? {
        let text = read("/proc/self/cgroup")?;
        let own = own_cgroup(&text)
            .ok_or_else(|| NotLooked::because("/proc/self/cgroup has no line of version 2"))?;
        let path = format!("{}{own}/cgroup.controllers", root.display());
        let controllers = read(&path)?;
        return Ok(Cgroups::Unified {
            controllers: controllers.split_whitespace().map(str::to_owned).collect(),
        });
    }
    if is_v2(&root.join("unified")) == Ok(true) {
        return Ok(Cgroups::Hybrid);
    }
    let has_v1 = read("/proc/self/cgroup")?
        .lines()
        .any(|line| !line.starts_with("0::"));
    Ok(if has_v1 {
        Cgroups::Legacy
    } else {
        Cgroups::None
    })
}

fn own_cgroup(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("0::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_mount_on_top_of_root_counts() {
        let line = |optional| format!("1 0 8:1 / / rw,relatime {optional}- ext4 /dev/a rw\n");
        let other = "2 1 8:2 / /home rw shared:7 - ext4 /dev/b rw\n";
        for (text, expected) in [
            (line("shared:1 "), true),
            (line("master:2 shared:1 "), true),
            (line(""), false),
            (line("") + other, false),
            (line("shared:1 ") + &line(""), false),
            (String::new(), false),
        ] {
            assert_eq!(is_root_shared(&text), expected, "{text}");
        }
    }
}
