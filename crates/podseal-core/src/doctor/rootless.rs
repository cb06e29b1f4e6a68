//! Checks of what Podman needs for users other than root.

use super::facts::{Facts, Look, MapTool, Pause, Rootless};
use super::fix::Fix;
use super::{Check, Group, Judgement, Rule, Status};
use crate::policy::level::Level;

/// What images commonly use, and tools that make users hand out.
const USUAL_IDS: u64 = 65536;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "user-namespaces",
        title: "user namespaces",
        group: Group::Rootless,
        looked_at: "`unshare --user true`, user.max_user_namespaces, Debian's and AppArmor's switches",
        carries: Some(Level::Families),
        rule: Rule::Where(user_namespaces),
    },
    Check {
        id: "uidmap-tools",
        title: "newuidmap, newgidmap",
        group: Group::Rootless,
        looked_at: "PATH, setuid bit and file capabilities",
        carries: Some(Level::Families),
        rule: Rule::Where(map_tools),
    },
    Check {
        id: "subordinate-ids",
        title: "subordinate ids",
        group: Group::Rootless,
        looked_at: "/etc/subuid, /etc/subgid",
        carries: Some(Level::Families),
        rule: Rule::Where(subordinate_ids),
    },
    Check {
        id: "pause-process",
        title: "pause process",
        group: Group::Rootless,
        looked_at: "Podman's pause.pid, and the process it names",
        carries: Some(Level::Families),
        rule: Rule::Where(pause_process),
    },
    Check {
        id: "no-pause-process",
        title: "PODMAN_NO_PAUSE_PROCESS",
        group: Group::Rootless,
        looked_at: "environment",
        carries: Some(Level::Families),
        rule: Rule::Where(no_pause_process),
    },
];

/// What rootless Podman needs; none for root.
fn rootless(facts: &Facts) -> Option<&Rootless> {
    facts.user.is_rootless.then_some(&facts.rootless)
}

/// Whether there are namespaces with more than one id already, so that what
/// makes them is not needed before the next start of the host.
fn is_made(rootless: &Rootless) -> bool {
    matches!(
        rootless.pause,
        Ok(Pause::Alive {
            has_one_id: false,
            ..
        })
    )
}

/// A problem, or only a note as long as the namespaces last.
fn needed_to_make(rootless: &Rootless, found: String, meaning: &str) -> Judgement {
    if is_made(rootless) {
        Judgement::note(
            found,
            format!("{meaning}; works until the present pause process ends"),
        )
    } else {
        Judgement::problem(found, meaning)
    }
}

fn is_zero(setting: &Look<Option<String>>) -> bool {
    matches!(setting, Ok(Some(text)) if text.trim() == "0")
}

fn user_namespaces(facts: &Facts) -> Option<Judgement> {
    let rootless = rootless(facts)?;
    let kernel = &facts.kernel;
    for (setting, value, needed) in [
        (
            "user.max_user_namespaces",
            &kernel.max_user_namespaces,
            "15000",
        ),
        (
            "kernel.unprivileged_userns_clone",
            &kernel.unprivileged_userns_clone,
            "1",
        ),
    ] {
        if is_zero(value) {
            return Some(
                needed_to_make(
                    rootless,
                    format!("{setting} is 0"),
                    "users may make no user namespaces, and rootless Podman needs one",
                )
                .fix(Fix::sysctl(&format!("{setting}={needed}"))),
            );
        }
    }
    if is_made(rootless) {
        return Some(Judgement::ok("Podman has made one"));
    }
    Some(match &kernel.user_namespace {
        Err(why) => Judgement::unknown(why),
        Ok(Err(said)) => Judgement::problem(
            format!("cannot be made: {said}"),
            "rootless Podman needs one",
        )
        .fix(Fix::advice(
            "look for what forbids it: a container or unit that doctor runs in, or the host's security module",
        )),
        Ok(Ok(())) => match &kernel.apparmor_restrict_userns {
            Ok(Some(text)) if text.trim() == "1" => Judgement::note(
                "one can be made, and AppArmor restricts programs without a profile",
                "Podman needs its AppArmor profile (in /etc/apparmor.d) to use one",
            ),
            _ => Judgement::ok("one can be made"),
        },
    })
}

fn map_tools(facts: &Facts) -> Option<Judgement> {
    let rootless = rootless(facts)?;
    let mut found = Vec::new();
    for (name, tool) in [
        ("newuidmap", &rootless.newuidmap),
        ("newgidmap", &rootless.newgidmap),
    ] {
        match tool {
            MapTool::Missing => {
                return Some(
                    needed_to_make(
                        rootless,
                        format!("{name} is not in PATH"),
                        "rootless Podman cannot map user ids without it",
                    )
                    .fix(Fix::install(facts, "uidmap", "shadow-utils")),
                );
            }
            MapTool::Found {
                path,
                is_setuid_root: false,
                has_capability: false,
            } => {
                return Some(
                    needed_to_make(
                        rootless,
                        format!(
                            "{} is not setuid root and has no file capability",
                            path.display()
                        ),
                        "it may not map user ids",
                    )
                    .fix(
                        Fix::advice("give it back its setuid bit")
                            .root(format!("chmod u+s {}", path.display())),
                    ),
                );
            }
            MapTool::Found {
                path,
                is_setuid_root,
                ..
            } => found.push(format!(
                "{} ({})",
                path.display(),
                if *is_setuid_root {
                    "setuid"
                } else {
                    "file capability"
                }
            )),
        }
    }
    Some(Judgement::ok(found.join(", ")))
}

fn subordinate_ids(facts: &Facts) -> Option<Judgement> {
    let rootless = rootless(facts)?;
    let user = &facts.user.name;
    let mut fewest = u64::MAX;
    for (file, count) in [
        ("/etc/subuid", &rootless.subuids),
        ("/etc/subgid", &rootless.subgids),
    ] {
        match count {
            Err(why) => return Some(Judgement::unknown(why)),
            Ok(0) => {
                return Some(
                    needed_to_make(
                        rootless,
                        format!("{file} has no range of ids for {user}"),
                        "containers could have one user id only, and most images fail with that",
                    )
                    .fix(
                        Fix::advice("give the user ranges that no other user has, then have Podman take note")
                            .root(format!(
                                "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}"
                            ))
                            .user("podman system migrate"),
                    ),
                );
            }
            Ok(count) => fewest = fewest.min(*count),
        }
    }
    let found = format!("{fewest} ids for {user}");
    Some(if fewest < USUAL_IDS {
        Judgement::note(found, "images with files of higher ids cannot be pulled")
    } else {
        Judgement::ok(found)
    })
}

fn pause_process(facts: &Facts) -> Option<Judgement> {
    let rootless = rootless(facts)?;
    let make = || have_one(rootless);
    let absent = "`podseal run` and services sealed by podseal have it made; otherwise a sealed unit cannot start Podman";
    Some(match &rootless.pause {
        Err(why) => Judgement::unknown(why),
        Ok(Pause::None {
            looked_for,
            lives_elsewhere: None,
        }) => {
            // Podman's first choice is the one to name.
            let first = looked_for.first().map(|path| path.display().to_string());
            let first = first.unwrap_or_else(|| "pause.pid".to_owned());
            let elsewhere = match looked_for.len() {
                0 | 1 => "",
                _ => ", nor in the places that Podman takes instead",
            };
            Judgement::note(format!("none: no {first}{elsewhere}"), absent).fix(make())
        }
        Ok(Pause::None {
            lives_elsewhere: Some(file),
            ..
        }) => Judgement::note(
            format!("none in XDG_RUNTIME_DIR, one in {}", file.display()),
            "Podman keeps to the run-time directory that it was first run with, until `podman system reset`",
        )
        .fix(make()),
        Ok(Pause::Stale { file, text }) => Judgement::note(
            format!("{} names {text:?}, which does not live", file.display()),
            absent,
        )
        .fix(make()),
        Ok(Pause::Foreign { file, pid, name }) => Judgement::note(
            format!(
                "{} names process {pid} ({name}), which is no pause process of this user",
                file.display()
            ),
            absent,
        )
        .fix(make()),
        Ok(Pause::Alive {
            pid,
            has_one_id: true,
            ..
        }) => Judgement::problem(
            format!("process {pid}, whose user namespace has one id"),
            "it was made before there were ranges of ids or tools to map them, and images fail in it",
        )
        .fix(Fix::advice("after mending the ids, have it made anew").user("podman system migrate")),
        Ok(Pause::Alive {
            pid,
            no_new_privileges,
            seccomp,
            ..
        }) => {
            let found = format!(
                "process {pid}; no-new-privileges {}, seccomp {}",
                on(*no_new_privileges),
                on(*seccomp)
            );
            if *no_new_privileges || *seccomp {
                Judgement::note(
                    found,
                    "it was made inside a service and may end with it; those who join its namespaces do not inherit that",
                )
            } else {
                Judgement::ok(found)
            }
        }
    })
}

/// How to come by a pause process.
pub(super) fn have_one(rootless: &Rootless) -> Fix {
    if let Ok(Pause::None {
        lives_elsewhere: Some(_),
        ..
    }) = rootless.pause
    {
        Fix::advice("give podseal the run-time directory that Podman has")
            .user("unset XDG_RUNTIME_DIR")
    } else {
        Fix::advice("have Podman make the pause process, then ask again")
            .user("podseal pause ensure")
    }
}

const fn on(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

fn no_pause_process(facts: &Facts) -> Option<Judgement> {
    /// The first major version that heeds it.
    const HEEDS: u32 = 6;
    rootless(facts)?;
    let value = facts.podman.no_pause_process.as_ref()?;
    let found = format!("is {value:?}");
    let unset = || Fix::advice("unset it").user("unset PODMAN_NO_PAUSE_PROCESS");
    Some(match &facts.podman.version {
        Ok(Ok(version)) if version.major < HEEDS => Judgement::note(
            found,
            format!(
                "Podman {version} passes over it; from {HEEDS} on it would keep no pause process"
            ),
        )
        .fix(unset()),
        Ok(Ok(_)) => Judgement::problem(
            found,
            "Podman keeps no pause process, and under a seal it cannot do without",
        )
        .fix(unset()),
        _ => Judgement::new(Status::Unknown, found).fix(unset()),
    })
}
