//! Checks of the kernel.

use super::facts::{Cgroups, Facts, Look, SeLinux};
use super::fix::Fix;
use super::{Check, Group, Judgement, Rule};
use crate::policy::architecture::Architecture;
use crate::policy::level::Level;
use crate::policy::mechanism::Need;
use crate::probe::Outcome;

/// The first container-selinux that lets containers use a socket that systemd
/// opened (README, "Requirements").
const CONTAINER_SELINUX: [u32; 3] = [2, 183, 0];

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "architecture",
        title: "architecture",
        group: Group::Kernel,
        looked_at: "uname -rm",
        carries: Some(Level::Families),
        rule: Rule::Always(architecture),
    },
    Check {
        id: "seccomp",
        title: "system-call filters",
        group: Group::Kernel,
        looked_at: "kernel.seccomp.actions_avail",
        carries: Some(Level::Families),
        rule: Rule::Always(seccomp),
    },
    Check {
        id: "landlock",
        title: "Landlock",
        group: Group::Kernel,
        looked_at: "landlock_create_ruleset(2), each right tried",
        carries: Some(Level::Standard),
        rule: Rule::Always(landlock),
    },
    Check {
        id: "seal",
        title: "the seal itself",
        group: Group::Kernel,
        looked_at: "`podseal probe` without a seal and under each level",
        carries: Some(Level::Families),
        rule: Rule::Always(super::seal::judge),
    },
    Check {
        id: "io-uring",
        title: "io_uring",
        group: Group::Kernel,
        looked_at: "kernel.io_uring_disabled",
        carries: None,
        rule: Rule::Always(io_uring),
    },
    Check {
        id: "i386",
        title: "i386 system calls",
        group: Group::Kernel,
        looked_at: "socket(2) by int 0x80",
        carries: None,
        rule: Rule::Where(i386),
    },
    Check {
        id: "port-start",
        title: "low ports",
        group: Group::Kernel,
        looked_at: "net.ipv4.ip_unprivileged_port_start",
        carries: None,
        rule: Rule::Where(port_start),
    },
    Check {
        id: "cgroups",
        title: "control groups",
        group: Group::Kernel,
        looked_at: "/sys/fs/cgroup",
        carries: None,
        rule: Rule::Always(cgroups),
    },
    // The trial containers have no SELinux label, so they do not show it.
    Check {
        id: "selinux",
        title: "SELinux",
        group: Group::Kernel,
        looked_at: "/sys/fs/selinux/enforce, the package container-selinux",
        carries: Some(Level::Families),
        rule: Rule::Always(selinux),
    },
    Check {
        id: "root-propagation",
        title: "mounts below /",
        group: Group::Kernel,
        looked_at: "/proc/self/mountinfo",
        carries: None,
        rule: Rule::Where(root_propagation),
    },
    Check {
        id: "own-process",
        title: "doctor's own process",
        group: Group::Kernel,
        looked_at: "NoNewPrivs in /proc/self/status",
        carries: None,
        rule: Rule::Where(own_process),
    },
];

fn architecture(facts: &Facts) -> Judgement {
    let name = &facts.kernel.architecture;
    let found = match &facts.kernel.release {
        Ok(release) => format!("Linux {release}, {name}"),
        Err(_) => name.clone(),
    };
    match Architecture::from_name(name) {
        Ok(Architecture::X86_64) => Judgement::ok(found),
        Ok(Architecture::Aarch64) => {
            Judgement::note(found, "filters for it are written, and were not tried yet")
        }
        Err(error) => Judgement::problem(found, error.to_string()),
    }
}

fn seccomp(facts: &Facts) -> Judgement {
    let fix = || Fix::advice("use a kernel with CONFIG_SECCOMP_FILTER");
    match &facts.kernel.seccomp_actions {
        // The seal itself is tried, too, and that is what counts.
        Err(why) => Judgement::unknown(why).levels(Vec::new()),
        Ok(None) => Judgement::problem("this kernel has none", "nothing can be sealed").fix(fix()),
        Ok(Some(actions)) => {
            let has = |action| actions.split_whitespace().any(|word| word == action);
            if has("errno") && has("kill_process") {
                Judgement::ok("errno and kill_process are there")
            } else {
                Judgement::problem(actions.trim(), "errno and kill_process are needed").fix(fix())
            }
        }
    }
}

fn landlock(facts: &Facts) -> Judgement {
    let landlock = &facts.kernel.landlock;
    let found = match &landlock.abi {
        Ok(abi) => format!("ABI {abi}"),
        Err(said) => format!("not there: {said}"),
    };
    let errata: Vec<String> = landlock.errata.iter().map(u32::to_string).collect();
    let errata = match errata.as_slice() {
        [] => "no errata fixed, or this kernel does not list them".to_owned(),
        fixed => format!("errata fixed: {}", fixed.join(", ")),
    };
    let required: Vec<&str> = landlock
        .missing
        .iter()
        .filter(|mechanism| mechanism.is_required)
        .map(|mechanism| mechanism.title)
        .collect();
    if required.is_empty() {
        let optional = landlock.missing.iter().map(|mechanism| {
            let since = match mechanism.need {
                Need::Landlock(right) => format!(" (Linux {})", right.since().1),
                Need::NoNewPrivileges | Need::Seccomp | Need::Container => String::new(),
            };
            format!("without \"{}\"{since}, which is optional", mechanism.title)
        });
        let judgement = Judgement::ok(format!("{found}, {errata}"));
        return optional.fold(judgement, Judgement::also);
    }

    Judgement::problem(
            found,
            format!("level standard cannot do: {}", required.join("; ")),
        )
        .fix(Fix::advice(
            "boot Linux 6.12 or newer, with landlock among the LSMs (boot option lsm=, see /sys/kernel/security/lsm); or use --level=families",
        ))
}

/// A setting's value as a number; none where this kernel does not have it.
fn number(setting: &Look<Option<String>>) -> Option<u64> {
    setting.as_ref().ok()?.as_ref()?.trim().parse().ok()
}

fn io_uring(facts: &Facts) -> Judgement {
    let setting = &facts.kernel.io_uring_disabled;
    match (setting, number(setting)) {
        (Err(why), _) => Judgement::unknown(why),
        (Ok(_), Some(2)) => Judgement::ok("off for everybody"),
        (Ok(_), Some(1)) => Judgement::ok("for privileged processes only"),
        (Ok(_), Some(0)) => Judgement::ok("on; the seal answers ENOSYS"),
        (Ok(_), _) => Judgement::ok("no setting to turn it off; the seal answers ENOSYS"),
    }
}

fn i386(facts: &Facts) -> Option<Judgement> {
    let unsealed = match &facts.seals.unsealed {
        Err(why) => return Some(Judgement::unknown(why)),
        Ok(Err(_)) => return None,
        Ok(Ok(report)) => report,
    };
    Some(match unsealed.outcome("i386")? {
        Outcome::Succeeded => Judgement::ok("work; the seal kills the caller"),
        Outcome::Refused { .. } | Outcome::Killed { .. } => Judgement::ok("do not work"),
        Outcome::NotStarted { reason } | Outcome::NotTried { reason } => {
            Judgement::ok(reason.as_str())
        }
    })
}

fn port_start(facts: &Facts) -> Option<Judgement> {
    let setting = &facts.kernel.unprivileged_port_start;
    if !facts.user.is_rootless {
        return None;
    }
    Some(match (setting, number(setting)) {
        (Err(why), _) => Judgement::unknown(why),
        (Ok(_), Some(0)) => Judgement::ok("users may listen on every port"),
        (Ok(_), Some(first)) => Judgement::ok(format!("users may listen on ports from {first} on")),
        (Ok(_), None) => Judgement::ok("no such setting: users may listen on ports from 1024 on"),
    })
}

fn cgroups(facts: &Facts) -> Judgement {
    let mixed = |found: &str| {
        Judgement::note(
            found,
            "some OCI runtimes do not run here (crun), and users cannot limit their containers",
        )
        .fix(Fix::advice(
            "boot with systemd.unified_cgroup_hierarchy=1, or without the options that keep version 1",
        ))
    };
    match &facts.kernel.cgroups {
        Err(why) => Judgement::unknown(why),
        Ok(Cgroups::Unified { controllers }) => {
            let found = format!("version 2, with {}", listed(controllers));
            if controllers.iter().any(|name| name == "pids") {
                Judgement::ok(found)
            } else {
                Judgement::note(
                    found,
                    "without the pids controller Podman's default limit on processes does not work here",
                )
                .fix(Fix::advice(if facts.user.is_rootless {
                    "log in through systemd, which delegates it, or set pids_limit = 0 in containers.conf"
                } else {
                    "boot with systemd.unified_cgroup_hierarchy=1, or set pids_limit = 0 in containers.conf"
                }))
            }
        }
        Ok(Cgroups::Hybrid) => mixed("versions 1 and 2 mixed"),
        Ok(Cgroups::Legacy) => mixed("version 1"),
        Ok(Cgroups::None) => Judgement::note("none", "Podman needs --cgroups=disabled here"),
    }
}

fn listed(words: &[String]) -> String {
    if words.is_empty() {
        "no controllers".to_owned()
    } else {
        words.join(" ")
    }
}

fn selinux(facts: &Facts) -> Judgement {
    let SeLinux {
        is_enforcing,
        policy,
    } = match &facts.kernel.selinux {
        Err(why) => return Judgement::unknown(why),
        Ok(None) => return Judgement::ok("off"),
        Ok(Some(selinux)) => selinux,
    };
    let mode = if *is_enforcing {
        "enforcing"
    } else {
        "permissive"
    };
    let version = match policy {
        Ok(version) => version,
        Err(why) if *is_enforcing => return Judgement::unknown(why),
        Err(why) => return Judgement::ok(format!("{mode}; {}", why.reason)),
    };
    let found = format!("{mode}, container-selinux {version}");
    if !*is_enforcing || numbers(version) >= CONTAINER_SELINUX.to_vec() {
        return Judgement::ok(found);
    }
    Judgement::problem(
        found,
        "containers may not use the sockets they are handed before version 2.183.0",
    )
    .fix(Fix::advice("upgrade container-selinux").root("dnf upgrade container-selinux"))
}

/// The numbers that a version begins with.
fn numbers(version: &str) -> Vec<u32> {
    version
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect()
}

fn root_propagation(facts: &Facts) -> Option<Judgement> {
    if !facts.user.is_rootless {
        return None;
    }
    Some(match &facts.kernel.root_is_shared {
        Err(why) => Judgement::unknown(why),
        Ok(true) => Judgement::ok("/ is a shared mount"),
        Ok(false) => Judgement::note(
            "/ is not a shared mount",
            "Podman warns of it; only volumes with mount propagation need it",
        )
        .fix(Fix::advice("make it shared if you use such volumes").root("mount --make-rshared /")),
    })
}

fn own_process(facts: &Facts) -> Option<Judgement> {
    match &facts.user.no_new_privileges {
        Err(why) => Some(Judgement::unknown(why)),
        Ok(false) => None,
        Ok(true) => Some(
            Judgement::note(
                "no-new-privileges is set",
                "doctor runs in something sealed already; outside it more may work",
            )
            .fix(Fix::advice("run doctor from a login shell")),
        ),
    }
}
