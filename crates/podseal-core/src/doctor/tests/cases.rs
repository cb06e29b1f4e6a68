//! One fact after another that is not as it should be.

use super::*;
use crate::policy::mechanism;

/// At each level in turn.
fn trials(results: [Trial<()>; 3]) -> Vec<(Level, Trial<()>)> {
    Level::ALL.into_iter().zip(results).collect()
}

fn said(text: &str) -> Result<(), String> {
    Err(text.into())
}

const ALL: &[Level] = &Level::ALL;
const STANDARD: &[Level] = &[Level::Standard, Level::Strict];
const STRICT: &[Level] = &[Level::Strict];
const NONE: &[Level] = &[];

/// What is changed on a healthy host, the check that sees it, its status, the
/// levels concerned, and what the finding says (found, meaning, advice or
/// command).
pub(super) type Case = (
    fn(&mut Facts),
    &'static str,
    Status,
    &'static [Level],
    &'static str,
);

pub(super) const KERNEL: &[Case] = &[
    (
        |f| f.kernel.architecture = "riscv64".into(),
        "architecture",
        Status::Problem,
        ALL,
        "no filter for the riscv64",
    ),
    (
        |f| f.kernel.architecture = "aarch64".into(),
        "architecture",
        Status::Note,
        NONE,
        "not tried yet",
    ),
    (
        |f| f.kernel.seccomp_actions = Ok(None),
        "seccomp",
        Status::Problem,
        ALL,
        "CONFIG_SECCOMP_FILTER",
    ),
    (
        |f| f.kernel.seccomp_actions = Ok(Some("trap errno allow".into())),
        "seccomp",
        Status::Problem,
        ALL,
        "kill_process are needed",
    ),
    (
        |f| f.kernel.seccomp_actions = Err(NotLooked::because("no /proc/sys")),
        "seccomp",
        Status::Unknown,
        NONE,
        "no /proc/sys",
    ),
    (
        |f| {
            f.kernel.landlock = Landlock {
                abi: Err("Function not implemented".into()),
                errata: Vec::new(),
                missing: mechanism::MECHANISMS
                    .iter()
                    .copied()
                    .filter(|row| matches!(row.need, mechanism::Need::Landlock(_)))
                    .collect(),
            }
        },
        "landlock",
        Status::Problem,
        STANDARD,
        "no TCP connections out",
    ),
    (
        |f| {
            f.kernel.landlock.missing = mechanism::MECHANISMS
                .iter()
                .copied()
                .filter(|row| row.id == "no-udp")
                .collect();
        },
        "landlock",
        Status::Ok,
        NONE,
        "which is optional",
    ),
    (
        |f| f.seals.sealed[1].1 = Ok(Ok(report(&Outcome::Succeeded))),
        "seal",
        Status::Problem,
        &[Level::Standard],
        "OPEN under the seal: af-inet",
    ),
    (
        |f| f.seals.sealed[0].1 = Ok(Err("error: cannot install".into())),
        "seal",
        Status::Problem,
        &[Level::Families],
        "cannot install",
    ),
    (
        |f| f.seals.unsealed = Ok(Ok(report(&REFUSED))),
        "seal",
        Status::Unknown,
        ALL,
        "nothing was shown",
    ),
    (
        |f| f.seals.unsealed = Ok(Err("killed".into())),
        "seal",
        Status::Unknown,
        ALL,
        "does not run without a seal",
    ),
    (
        |f| f.seals.sealed.clear(),
        "seal",
        Status::Unknown,
        ALL,
        "not tried",
    ),
    (
        |f| f.kernel.io_uring_disabled = Ok(Some("2\n".into())),
        "io-uring",
        Status::Ok,
        NONE,
        "off for everybody",
    ),
    (
        |f| f.kernel.cgroups = Ok(Cgroups::Hybrid),
        "cgroups",
        Status::Note,
        NONE,
        "crun",
    ),
    (
        |f| {
            f.kernel.cgroups = Ok(Cgroups::Unified {
                controllers: Vec::new(),
            });
        },
        "cgroups",
        Status::Note,
        NONE,
        "no controllers",
    ),
    (
        |f| {
            f.kernel.selinux = Ok(Some(SeLinux {
                is_enforcing: true,
                policy: Ok("2.182.0".into()),
            }));
        },
        "selinux",
        Status::Problem,
        ALL,
        "dnf upgrade container-selinux",
    ),
    (
        |f| {
            f.kernel.selinux = Ok(Some(SeLinux {
                is_enforcing: true,
                policy: Ok("2.229.0".into()),
            }));
        },
        "selinux",
        Status::Ok,
        NONE,
        "2.229.0",
    ),
    (
        |f| {
            f.kernel.selinux = Ok(Some(SeLinux {
                is_enforcing: true,
                policy: Err(NotLooked::because("no rpm")),
            }));
        },
        "selinux",
        Status::Unknown,
        ALL,
        "no rpm",
    ),
    (
        |f| f.user.no_new_privileges = Ok(true),
        "own-process",
        Status::Note,
        NONE,
        "sealed already",
    ),
    (
        |f| f.kernel.root_is_shared = Ok(false),
        "root-propagation",
        Status::Note,
        NONE,
        "mount --make-rshared /",
    ),
];

pub(super) const PODMAN: &[Case] = &[
    (
        |f| f.podman.path = None,
        "podman",
        Status::Problem,
        ALL,
        "apt-get install podman",
    ),
    (
        |f| f.podman.version = Ok(Ok(Version::new(3, 3, 9))),
        "podman",
        Status::Problem,
        ALL,
        "3.4.0 or newer",
    ),
    (
        |f| f.podman.info = Ok(Err("Error: cannot re-exec process to join".into())),
        "podman-works",
        Status::Problem,
        ALL,
        "podseal pause ensure",
    ),
    (
        |f| f.podman.info = Ok(Err("Error: odd".into())),
        "podman-works",
        Status::Problem,
        ALL,
        "Error: odd",
    ),
    (
        |f| {
            if let Ok(Ok(info)) = &mut f.podman.info {
                info.storage_driver = "vfs".into();
            }
        },
        "storage",
        Status::Note,
        NONE,
        "fuse-overlayfs",
    ),
    (
        |f| f.systemd.manager = Ok(Err("no bus".into())),
        "cgroup-manager",
        Status::Note,
        NONE,
        "cgroupfs",
    ),
    (
        |f| {
            f.podman.info = Err(NotLooked::because("x"));
            f.podman.conmon = None;
        },
        "conmon",
        Status::Problem,
        ALL,
        "apt-get install conmon",
    ),
    (
        |f| f.podman.runtimes.clear(),
        "oci-runtime",
        Status::Problem,
        ALL,
        "apt-get install runc",
    ),
    (
        |f| f.podman.profile = Ok(Err("/p.json: it is not JSON".into())),
        "container-profile",
        Status::Problem,
        STRICT,
        "apt-get install golang-github-containers-common",
    ),
    (
        |f| f.podman.profile = Err(NotLooked::because("x")),
        "container-profile",
        Status::Unknown,
        STRICT,
        "not looked at",
    ),
    (
        |f| {
            let netlink = Ok(said("recvfrom(PF_NETLINK)"));
            f.podman.runtimes[0].trials = trials([netlink, Ok(said("x")), Ok(said("x"))]);
        },
        "oci-runtime",
        Status::Problem,
        ALL,
        "crun 1.23 or later",
    ),
    (
        |f| f.podman.runtimes[0].trials = trials([Ok(Ok(())), Ok(said("odd")), Ok(said("odd"))]),
        "oci-runtime",
        Status::Problem,
        STANDARD,
        "works at families; fails at standard, strict: odd",
    ),
    // Failing at one level and not tried at the other, neither is shown.
    (
        |f| {
            let untried = Err(NotLooked::because("x"));
            f.podman.runtimes[0].trials = trials([Ok(said("odd")), untried.clone(), untried]);
        },
        "oci-runtime",
        Status::Problem,
        ALL,
        "odd",
    ),
    (
        |f| {
            f.podman.runtimes[0].trials =
                trials([Ok(said("odd")), Ok(said("odd")), Ok(said("odd"))]);
            f.podman.runtimes.push(runtime("/usr/bin/runc"));
        },
        "oci-runtime",
        Status::Note,
        NONE,
        "runtime = \"/usr/bin/runc\"",
    ),
];

pub(super) const ROOTLESS: &[Case] = &[
    (
        without_pause,
        "oci-runtime",
        Status::Unknown,
        ALL,
        "podseal pause ensure",
    ),
    (
        without_pause,
        "podman-works",
        Status::Unknown,
        ALL,
        "podseal pause ensure",
    ),
    (
        without_pause,
        "pause-process",
        Status::Note,
        NONE,
        "/run/user/1000/libpod/tmp/pause.pid",
    ),
    (
        |f| {
            without_pause(f);
            f.rootless.pause = Ok(Pause::None {
                looked_for: Vec::new(),
                lives_elsewhere: Some("/tmp/podman-run-1/libpod/tmp/pause.pid".into()),
            });
        },
        "oci-runtime",
        Status::Unknown,
        ALL,
        "unset XDG_RUNTIME_DIR",
    ),
    (
        |f| {
            f.rootless.pause = Ok(Pause::Foreign {
                file: "/p".into(),
                pid: 8,
                name: "bash".into(),
            });
        },
        "pause-process",
        Status::Note,
        NONE,
        "process 8 (bash)",
    ),
    (
        |f| {
            f.rootless.pause = Ok(Pause::Stale {
                file: "/p".into(),
                text: "9".into(),
            });
        },
        "pause-process",
        Status::Note,
        NONE,
        "\"9\", which does not live",
    ),
    (
        |f| {
            f.rootless.pause = Ok(Pause::Alive {
                pid: 7,
                no_new_privileges: true,
                seccomp: true,
                has_one_id: false,
            });
        },
        "pause-process",
        Status::Note,
        NONE,
        "no-new-privileges on, seccomp on",
    ),
    (
        |f| {
            f.rootless.pause = Ok(Pause::Alive {
                pid: 7,
                no_new_privileges: false,
                seccomp: false,
                has_one_id: true,
            });
        },
        "pause-process",
        Status::Problem,
        ALL,
        "podman system migrate",
    ),
    (
        |f| f.rootless.pause = Err(NotLooked::because("no /proc")),
        "pause-process",
        Status::Unknown,
        ALL,
        "no /proc",
    ),
    (
        |f| {
            without_pause(f);
            f.kernel.max_user_namespaces = Ok(Some("0\n".into()));
        },
        "user-namespaces",
        Status::Problem,
        ALL,
        "sysctl -w user.max_user_namespaces=15000",
    ),
    (
        |f| f.kernel.max_user_namespaces = Ok(Some("0\n".into())),
        "user-namespaces",
        Status::Note,
        NONE,
        "until the present pause process ends",
    ),
    (
        |f| {
            without_pause(f);
            f.kernel.unprivileged_userns_clone = Ok(Some("0\n".into()));
        },
        "user-namespaces",
        Status::Problem,
        ALL,
        "kernel.unprivileged_userns_clone=1",
    ),
    (
        |f| {
            without_pause(f);
            f.kernel.apparmor_restrict_userns = Ok(Some("1\n".into()));
        },
        "user-namespaces",
        Status::Note,
        NONE,
        "AppArmor profile",
    ),
    (
        |f| {
            without_pause(f);
            f.kernel.user_namespace = Ok(Err("unshare: Operation not permitted".into()));
        },
        "user-namespaces",
        Status::Problem,
        ALL,
        "Operation not permitted",
    ),
    (
        |f| {
            without_pause(f);
            f.rootless.newuidmap = MapTool::Missing;
        },
        "uidmap-tools",
        Status::Problem,
        ALL,
        "apt-get install uidmap",
    ),
    (
        |f| {
            without_pause(f);
            f.rootless.newgidmap = MapTool::Found {
                path: "/usr/bin/newgidmap".into(),
                is_setuid_root: false,
                has_capability: false,
            };
        },
        "uidmap-tools",
        Status::Problem,
        ALL,
        "chmod u+s /usr/bin/newgidmap",
    ),
    (
        |f| {
            without_pause(f);
            f.rootless.subgids = Ok(0);
        },
        "subordinate-ids",
        Status::Problem,
        ALL,
        "/etc/subgid has no range of ids for ann",
    ),
    (
        |f| f.rootless.subuids = Ok(1000),
        "subordinate-ids",
        Status::Note,
        NONE,
        "1000 ids",
    ),
    (
        |f| f.podman.no_pause_process = Some("1".into()),
        "no-pause-process",
        Status::Note,
        NONE,
        "Podman 5.4.2 passes over it",
    ),
    (
        |f| {
            f.podman.no_pause_process = Some("1".into());
            f.podman.version = Ok(Ok(Version::new(6, 0, 0)));
        },
        "no-pause-process",
        Status::Problem,
        ALL,
        "unset PODMAN_NO_PAUSE_PROCESS",
    ),
];

pub(super) const SYSTEMD: &[Case] = &[
    (
        |f| f.systemd.version = Ok(None),
        "systemd",
        Status::Note,
        NONE,
        "podseal run",
    ),
    (
        |f| f.systemd.version = Ok(Some(261)),
        "systemd",
        Status::Ok,
        NONE,
        "ends the line",
    ),
    (
        |f| f.systemd.manager = Ok(Err("no bus".into())),
        "service-manager",
        Status::Note,
        NONE,
        "no bus",
    ),
    (
        |f| f.systemd.lingers = Ok(false),
        "lingering",
        Status::Note,
        NONE,
        "loginctl enable-linger",
    ),
];
