//! What is looked at on a host. Nothing here is a judgement.

use std::path::PathBuf;

use crate::podman::Version;
use crate::policy::level::Level;
use crate::policy::mechanism::Mechanism;
use crate::probe::ProbeReport;

/// Something that was looked at, or why it was not.
pub type Look<T> = Result<T, NotLooked>;

/// Something that was tried: the inner error is what was said when it failed.
pub type Trial<T> = Look<Result<T, String>>;

/// Why something is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotLooked {
    /// For people; a fragment without a full stop.
    pub reason: String,
}

impl NotLooked {
    /// For this reason.
    pub fn because(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
        }
    }
}

/// All that is known about a host.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Who asks.
    pub user: User,
    /// The kernel.
    pub kernel: Kernel,
    /// What the seal itself was seen to do.
    pub seals: Seals,
    /// Podman and what it calls.
    pub podman: Podman,
    /// What rootless Podman needs; meaningless for root.
    pub rootless: Rootless,
    /// systemd.
    pub systemd: Systemd,
    /// Where packages come from.
    pub installer: Option<Installer>,
}

/// The user that doctor runs as.
#[derive(Debug, Clone)]
pub struct User {
    /// Name from /etc/passwd, or the number.
    pub name: String,
    /// Whether it is not root.
    pub is_rootless: bool,
    /// Whether doctor itself runs under no-new-privileges.
    pub no_new_privileges: Look<bool>,
}

/// What the kernel says. A setting that this kernel does not have is `None`.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// `uname -r`
    pub release: Look<String>,
    /// As Rust spells it.
    pub architecture: String,
    /// `kernel.seccomp.actions_avail`
    pub seccomp_actions: Look<Option<String>>,
    /// Landlock, by asking it.
    pub landlock: Landlock,
    /// `kernel.io_uring_disabled`
    pub io_uring_disabled: Look<Option<String>>,
    /// `user.max_user_namespaces`
    pub max_user_namespaces: Look<Option<String>>,
    /// `kernel.unprivileged_userns_clone`, Debian's
    pub unprivileged_userns_clone: Look<Option<String>>,
    /// `kernel.apparmor_restrict_unprivileged_userns`
    pub apparmor_restrict_userns: Look<Option<String>>,
    /// Making a user namespace as this user.
    pub user_namespace: Trial<()>,
    /// `net.ipv4.ip_unprivileged_port_start`
    pub unprivileged_port_start: Look<Option<String>>,
    /// What is mounted on /sys/fs/cgroup.
    pub cgroups: Look<Cgroups>,
    /// SELinux; `None` where it is off.
    pub selinux: Look<Option<SeLinux>>,
    /// Whether mounts below `/` are passed on.
    pub root_is_shared: Look<bool>,
}

/// landlock(7) as this kernel has it.
#[derive(Debug, Clone)]
pub struct Landlock {
    /// ABI version; the error is what the kernel said.
    pub abi: Result<u32, String>,
    /// Numbers of the errata that are fixed.
    pub errata: Vec<u32>,
    /// What of the levels it does not have, whether required or not.
    pub missing: Vec<&'static Mechanism>,
}

/// Which cgroup hierarchies there are (cgroups(7)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cgroups {
    /// Version 2 alone, with the controllers that this process may use.
    Unified {
        /// `cgroup.controllers`
        controllers: Vec<String>,
    },
    /// Version 1 with version 2 beside it.
    Hybrid,
    /// Version 1 alone.
    Legacy,
    /// None.
    None,
}

/// SELinux where it is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeLinux {
    /// Whether it refuses, or only logs.
    pub is_enforcing: bool,
    /// Version of the package container-selinux.
    pub policy: Look<String>,
}

/// The seal, tried on podseal's own probe.
#[derive(Debug, Clone)]
pub struct Seals {
    /// What the probe could do without a seal.
    pub unsealed: Trial<ProbeReport>,
    /// The same under each level.
    pub sealed: Vec<(Level, Trial<ProbeReport>)>,
}

/// Podman and the programs it calls.
#[derive(Debug, Clone)]
pub struct Podman {
    /// Its path; `None` where it is not in PATH.
    pub path: Option<PathBuf>,
    /// Its version.
    pub version: Trial<Version>,
    /// `podman info`
    pub info: Trial<Info>,
    /// conmon's path.
    pub conmon: Option<PathBuf>,
    /// The seccomp profile that a container's is made from at level strict;
    /// the error is what is wrong with it.
    pub profile: Trial<PathBuf>,
    /// Installed OCI runtimes, each tried at each level.
    pub runtimes: Vec<Runtime>,
    /// The value of `PODMAN_NO_PAUSE_PROCESS`.
    pub no_pause_process: Option<String>,
}

/// What of `podman info` counts here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// `cgroupfs` or `systemd`
    pub cgroup_manager: String,
    /// `file`, `journald` or `none`
    pub event_logger: String,
    /// Driver of `podman logs`.
    pub log_driver: String,
    /// `overlay`, `vfs` …
    pub storage_driver: String,
    /// Where images are.
    pub storage: PathBuf,
    /// Path of the OCI runtime that is taken by default.
    pub oci_runtime: PathBuf,
    /// Path of conmon.
    pub conmon: PathBuf,
    /// Path of the seccomp profile that containers get by default.
    pub seccomp_profile: Option<PathBuf>,
}

/// An OCI runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runtime {
    /// Its path.
    pub path: PathBuf,
    /// The first line of `--version`.
    pub version: Look<String>,
    /// A tiny container under the seal of each level.
    pub trials: Vec<(Level, Trial<()>)>,
}

/// What rootless Podman needs of the host.
#[derive(Debug, Clone)]
pub struct Rootless {
    /// newuidmap(1)
    pub newuidmap: MapTool,
    /// newgidmap(1)
    pub newgidmap: MapTool,
    /// How many ids the user has in /etc/subuid.
    pub subuids: Look<u64>,
    /// How many ids the user has in /etc/subgid.
    pub subgids: Look<u64>,
    /// Podman's pause process.
    pub pause: Look<Pause>,
}

/// A program that maps ids for users who are not root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MapTool {
    /// It is not in PATH.
    Missing,
    /// It is there.
    Found {
        /// Its path.
        path: PathBuf,
        /// Whether it belongs to root and has the setuid bit.
        is_setuid_root: bool,
        /// Whether it has file capabilities.
        has_capability: bool,
    },
}

/// What Podman's pause.pid names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pause {
    /// There is no such file.
    None {
        /// The files that were looked for.
        looked_for: Vec<PathBuf>,
        /// One that Podman uses without XDG_RUNTIME_DIR, whose process lives.
        lives_elsewhere: Option<PathBuf>,
    },
    /// The file names no process that lives.
    Stale {
        /// The file.
        file: PathBuf,
        /// What it says.
        text: String,
    },
    /// The file names a process that is no pause process of this user.
    Foreign {
        /// The file.
        file: PathBuf,
        /// The process.
        pid: i32,
        /// Its name.
        name: String,
    },
    /// It runs.
    Alive {
        /// The process.
        pid: i32,
        /// Whether it was made under no-new-privileges.
        no_new_privileges: bool,
        /// Whether it was made under a seccomp filter.
        seccomp: bool,
        /// Whether its user namespace has one id only.
        has_one_id: bool,
    },
}

/// systemd, for services that it is to run.
#[derive(Debug, Clone)]
pub struct Systemd {
    /// Version of the manager that answered, or else of systemctl; `None`
    /// where there is no systemctl.
    pub version: Look<Option<u32>>,
    /// Asking the manager: the user's, or the system's for root.
    pub manager: Trial<()>,
    /// Whether the user's manager runs without a login.
    pub lingers: Look<bool>,
}

/// A package manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installer {
    /// Debian's, Ubuntu's.
    AptGet,
    /// Fedora's.
    Dnf,
}
