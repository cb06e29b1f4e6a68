//! Checks of Podman and the programs it calls.

use super::facts::{Facts, Info, Installer, Pause, Runtime};
use super::fix::Fix;
use super::{Check, Group, Judgement, Rule, Status};
use crate::explain::{
    first_answer,
    journal::{Log, Speaker},
};
use crate::podman::Version;
use crate::policy::level::Level;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "podman",
        title: "Podman",
        group: Group::Podman,
        looked_at: "podman --version",
        carries: Some(Level::Families),
        rule: Rule::Always(podman),
    },
    Check {
        id: "podman-works",
        title: "Podman works",
        group: Group::Podman,
        looked_at: "podman info",
        carries: Some(Level::Families),
        rule: Rule::Where(works),
    },
    Check {
        id: "storage",
        title: "storage",
        group: Group::Podman,
        looked_at: "podman info",
        carries: None,
        rule: Rule::Where(storage),
    },
    Check {
        id: "cgroup-manager",
        title: "cgroup manager",
        group: Group::Podman,
        looked_at: "podman info",
        carries: None,
        rule: Rule::Where(cgroup_manager),
    },
    Check {
        id: "logging",
        title: "events and logs",
        group: Group::Podman,
        looked_at: "podman info",
        carries: None,
        rule: Rule::Where(logging),
    },
    Check {
        id: "conmon",
        title: "conmon",
        group: Group::Podman,
        looked_at: "podman info, else PATH",
        carries: Some(Level::Families),
        rule: Rule::Where(conmon),
    },
    Check {
        id: "container-profile",
        title: "seccomp profile",
        group: Group::Podman,
        looked_at: "the file that `podman info` names",
        carries: Some(Level::Strict),
        rule: Rule::Where(profile),
    },
    Check {
        id: "oci-runtime",
        title: "OCI runtimes",
        group: Group::Podman,
        looked_at: "a tiny container under the seal, for each runtime and level",
        carries: Some(Level::Families),
        rule: Rule::Always(oci_runtime),
    },
];

fn podman(facts: &Facts) -> Judgement {
    let Some(path) = &facts.podman.path else {
        let fix = match facts.installer {
            Some(Installer::Dnf) => Fix::install(facts, "podman", "podman"),
            _ => Fix::install(facts, "podman crun conmon uidmap", "podman"),
        };
        return Judgement::problem("not in PATH", "there is nothing to run containers with")
            .fix(fix);
    };
    let path = path.display();
    match &facts.podman.version {
        Err(why) => Judgement::unknown(why),
        Ok(Err(said)) => Judgement::problem(format!("{path}: {said}"), "Podman does not run here")
            .fix(Fix::advice("run it by hand to see what it says").user("podman --version")),
        Ok(Ok(version)) if *version < Version::MINIMUM => Judgement::problem(
            format!("{path}, version {version}"),
            format!(
                "handing sockets to a container without network needs {} or newer",
                Version::MINIMUM
            ),
        )
        .fix(Fix::advice("upgrade Podman")),
        Ok(Ok(version)) => Judgement::ok(format!("{path}, version {version}")),
    }
}

fn works(facts: &Facts) -> Option<Judgement> {
    facts.podman.path.as_ref()?;
    Some(match &facts.podman.info {
        Err(why) => Judgement::unknown(why).fix(have_it_run(facts)),
        Ok(Err(said)) => {
            let answer = first_answer(Log::said_by(Speaker::Podman, said));
            let judgement = Judgement::problem(
                said.lines().last().unwrap_or("it failed, and said nothing"),
                match &answer {
                    Some(answer) => answer.signature.cause,
                    None => "Podman cannot work for this user",
                },
            );
            judgement.fix(match answer {
                Some(answer) => Fix::advice(answer.signature.fix),
                None => Fix::advice("run it by hand to see all it says").user("podman info"),
            })
        }
        Ok(Ok(_)) if facts.user.is_rootless => Judgement::ok("rootless"),
        Ok(Ok(_)) => Judgement::ok("for root; rootless is a second line of defence"),
    })
}

/// What doctor does not do by itself, since something stays of it.
fn have_it_run(facts: &Facts) -> Fix {
    if facts.user.is_rootless {
        super::rootless::have_one(&facts.rootless)
    } else {
        Fix::advice("let Podman run once, then ask again").user("podman info")
    }
}

/// What `podman info` said, if it did.
fn info(facts: &Facts) -> Option<&Info> {
    facts.podman.info.as_ref().ok()?.as_ref().ok()
}

fn storage(facts: &Facts) -> Option<Judgement> {
    let info = info(facts)?;
    let found = format!("{} in {}", info.storage_driver, info.storage.display());
    Some(if info.storage_driver == "vfs" {
        Judgement::note(
            found,
            "vfs copies the whole image for each container: slow, and much space",
        )
        .fix(Fix::advice(
            "use overlay: Linux 5.13 or newer, or the package fuse-overlayfs; then `podman system reset`, which removes all images and containers",
        ))
    } else {
        Judgement::ok(found)
    })
}

fn cgroup_manager(facts: &Facts) -> Option<Judgement> {
    let info = info(facts)?;
    let unreachable = matches!(facts.systemd.manager, Ok(Err(_)));
    Some(if info.cgroup_manager == "systemd" && unreachable {
        Judgement::note(
            "systemd, which does not answer",
            "Podman asks systemd for a scope and cannot have one",
        )
        .fix(Fix::advice(
            "set cgroup_manager = \"cgroupfs\" below [engine] in containers.conf, or log in so that systemd runs",
        ))
    } else {
        Judgement::ok(info.cgroup_manager.as_str())
    })
}

fn logging(facts: &Facts) -> Option<Judgement> {
    let info = info(facts)?;
    let found = format!("events: {}, logs: {}", info.event_logger, info.log_driver);
    Some(if info.log_driver == "none" {
        Judgement::note(found, "`podman logs` shows nothing")
    } else {
        Judgement::ok(found)
    })
}

fn conmon(facts: &Facts) -> Option<Judgement> {
    facts.podman.path.as_ref()?;
    let path = info(facts)
        .map(|info| &info.conmon)
        .or(facts.podman.conmon.as_ref());
    Some(match path {
        Some(path) => Judgement::ok(path.display().to_string()),
        None => Judgement::problem("not found", "Podman starts no container without it")
            .fix(Fix::install(facts, "conmon", "conmon")),
    })
}

/// What the profile of containers at level strict is made from.
fn profile(facts: &Facts) -> Option<Judgement> {
    facts.podman.path.as_ref()?;
    Some(match &facts.podman.profile {
        Err(why) => Judgement::unknown(why),
        Ok(Ok(path)) => Judgement::ok(path.display().to_string()),
        Ok(Err(said)) => Judgement::problem(
            said.as_str(),
            "level strict makes the container's profile from it",
        )
        .fix(Fix::install(
            facts,
            "golang-github-containers-common",
            "containers-common",
        )),
    })
}

fn oci_runtime(facts: &Facts) -> Judgement {
    let runtimes = &facts.podman.runtimes;
    if runtimes.is_empty() {
        return Judgement::problem("none in PATH", "there is nothing to start containers with")
            .fix(Fix::install(facts, "runc", "crun"));
    }
    let statuses = Level::ALL.map(|level| (level, at(runtimes, level)));
    let status = statuses.iter().map(|(_, status)| *status).max();
    let failing: Vec<String> = statuses
        .iter()
        .filter(|(_, status)| *status == Status::Problem)
        .map(|(level, _)| level.to_string())
        .collect();
    let mut judgement = Judgement::new(status.unwrap_or(Status::Unknown), String::new());
    judgement.found = runtimes.iter().map(describe).collect();
    let failed: Vec<&str> = runtimes.iter().flat_map(said).collect();
    let answer = failed
        .iter()
        .find_map(|said| first_answer(Log::said_by(Speaker::Podman, said)));
    match judgement.status {
        Status::Problem => {
            judgement = judgement.meaning(match &answer {
                Some(answer) => answer.signature.cause.to_owned(),
                None if failing.len() == Level::ALL.len() => {
                    "no OCI runtime works under the seal".to_owned()
                }
                None => format!("no OCI runtime works at level {}", failing.join(", ")),
            });
            judgement = judgement.fix(match answer {
                Some(answer) => Fix::advice(answer.signature.fix),
                None if runtimes
                    .iter()
                    .any(|runtime| runtime.path.ends_with("runc")) =>
                {
                    Fix::advice("`podseal --verbose doctor` shows the commands and all they say")
                }
                None => Fix::install(facts, "runc", "runc"),
            });
        }
        // Without it none can be tried.
        Status::Unknown
            if facts.user.is_rootless
                && !matches!(facts.rootless.pause, Ok(Pause::Alive { .. })) =>
        {
            judgement = judgement.fix(have_it_run(facts));
        }
        Status::Ok if !failed.is_empty() => {
            judgement.status = Status::Note;
            judgement =
                judgement.meaning("podseal takes one that works; `podman run` takes its default");
            if let Some(works) = runtimes
                .iter()
                .find(|runtime| said(runtime).next().is_none())
            {
                judgement = judgement.fix(Fix::advice(format!(
                    "for services that podseal does not start: runtime = \"{}\" below [engine] in containers.conf",
                    works.path.display()
                )));
            }
        }
        _ => {}
    }
    let levels = statuses.iter().filter(|(_, status)| *status != Status::Ok);
    judgement.levels(levels.map(|(level, _)| *level).collect())
}

/// How the best of `runtimes` does at `level`.
fn at(runtimes: &[Runtime], level: Level) -> Status {
    let trials = runtimes.iter().map(|runtime| {
        let trial = runtime.trials.iter().find(|(tried, _)| *tried == level);
        match trial.map(|(_, trial)| trial) {
            Some(Ok(Ok(()))) => Status::Ok,
            Some(Ok(Err(_))) => Status::Problem,
            Some(Err(_)) | None => Status::Unknown,
        }
    });
    trials.min().unwrap_or(Status::Unknown)
}

/// What `runtime` said where it failed.
fn said(runtime: &Runtime) -> impl Iterator<Item = &str> {
    runtime.trials.iter().filter_map(|(_, trial)| {
        let said = trial.as_ref().ok()?.as_ref().err()?;
        Some(said.as_str())
    })
}

/// One line: each result once, with the levels that had it.
fn describe(runtime: &Runtime) -> String {
    let mut results: Vec<(&str, &str, Vec<String>)> = Vec::new();
    for (level, trial) in &runtime.trials {
        let (word, why) = match trial {
            Ok(Ok(())) => ("works", ""),
            Ok(Err(said)) => ("fails", said.as_str()),
            Err(not_looked) => ("not tried", not_looked.reason.as_str()),
        };
        match results.iter_mut().find(|row| (row.0, row.1) == (word, why)) {
            Some((_, _, levels)) => levels.push(level.to_string()),
            None => results.push((word, why, vec![level.to_string()])),
        }
    }
    let results: Vec<String> = results
        .into_iter()
        .map(|(word, why, levels)| {
            let why = if why.is_empty() {
                String::new()
            } else {
                format!(": {why}")
            };
            let levels = match (word, levels.len() == Level::ALL.len()) {
                ("not tried", true) => String::new(),
                (_, true) => " at every level".to_owned(),
                (_, false) => format!(" at {}", levels.join(", ")),
            };
            format!("{word}{levels}{why}")
        })
        .collect();
    let version = match &runtime.version {
        Ok(version) => format!(" ({version})"),
        Err(_) => String::new(),
    };
    format!(
        "{}{version}: {}",
        runtime.path.display(),
        results.join("; ")
    )
}
