use super::facts::*;
use super::*;
use crate::podman::Version;
use crate::probe::{Outcome, PROBES, ProbeReport, ProbeResult};

mod cases;

use cases::{KERNEL, PODMAN, ROOTLESS, SYSTEMD};

/// What podseal's own probe says: `sealed` is what each way comes to.
fn report(sealed: &Outcome) -> ProbeReport {
    let ids = ["af-inet", "i386", "io-uring", "netlink-audit"];
    assert!(ids.iter().all(|id| PROBES.iter().any(|row| row.id == *id)));
    ProbeReport {
        version: ProbeReport::VERSION,
        results: ids
            .map(|id| ProbeResult {
                id: id.into(),
                outcome: sealed.clone(),
                evidence: None,
            })
            .into(),
        process: None,
    }
}

const REFUSED: Outcome = Outcome::Refused { errno: 97 };

fn runtime(path: &str) -> Runtime {
    Runtime {
        path: path.into(),
        version: Ok("version 1".into()),
        trials: Level::ALL.map(|level| (level, Ok(Ok(())))).into(),
    }
}

/// A host on which all is well, for a user who is not root.
fn healthy() -> Facts {
    let tool = |name| MapTool::Found {
        path: name,
        is_setuid_root: true,
        has_capability: false,
    };
    let setting = |text: &str| Ok(Some(format!("{text}\n")));
    Facts {
        user: User {
            name: "ann".into(),
            is_rootless: true,
            no_new_privileges: Ok(false),
        },
        kernel: Kernel {
            release: Ok("6.18.0".into()),
            architecture: "x86_64".into(),
            seccomp_actions: setting("kill_process kill_thread trap errno user_notif allow"),
            landlock: Landlock {
                abi: Ok(10),
                errata: vec![1, 2],
                missing: Vec::new(),
            },
            io_uring_disabled: setting("0"),
            max_user_namespaces: setting("15000"),
            unprivileged_userns_clone: Ok(None),
            apparmor_restrict_userns: Ok(None),
            user_namespace: Ok(Ok(())),
            unprivileged_port_start: setting("1024"),
            cgroups: Ok(Cgroups::Unified {
                controllers: vec!["memory".into(), "pids".into()],
            }),
            selinux: Ok(None),
            root_is_shared: Ok(true),
        },
        seals: Seals {
            unsealed: Ok(Ok(report(&Outcome::Succeeded))),
            sealed: Level::ALL
                .map(|level| (level, Ok(Ok(report(&REFUSED)))))
                .into(),
        },
        podman: Podman {
            path: Some("/usr/bin/podman".into()),
            version: Ok(Ok(Version::new(5, 4, 2))),
            info: Ok(Ok(Info {
                cgroup_manager: "systemd".into(),
                event_logger: "journald".into(),
                log_driver: "journald".into(),
                storage_driver: "overlay".into(),
                storage: "/s".into(),
                oci_runtime: "/usr/bin/crun".into(),
                conmon: "/usr/bin/conmon".into(),
                seccomp_profile: Some("/seccomp.json".into()),
            })),
            profile: Ok(Ok("/seccomp.json".into())),
            conmon: Some("/usr/bin/conmon".into()),
            runtimes: vec![runtime("/usr/bin/crun")],
            no_pause_process: None,
        },
        rootless: Rootless {
            newuidmap: tool("/usr/bin/newuidmap".into()),
            newgidmap: tool("/usr/bin/newgidmap".into()),
            subuids: Ok(65536),
            subgids: Ok(65536),
            pause: Ok(Pause::Alive {
                pid: 7,
                no_new_privileges: false,
                seccomp: false,
                has_one_id: false,
            }),
        },
        systemd: Systemd {
            version: Ok(Some(257)),
            manager: Ok(Ok(())),
            lingers: Ok(true),
        },
        installer: Some(Installer::AptGet),
    }
}

fn without_pause(facts: &mut Facts) {
    let why = || NotLooked::because("no pause process");
    facts.rootless.pause = Ok(Pause::None {
        looked_for: vec!["/run/user/1000/libpod/tmp/pause.pid".into()],
        lives_elsewhere: None,
    });
    facts.podman.info = Err(why());
    for runtime in &mut facts.podman.runtimes {
        runtime.trials = Level::ALL.map(|level| (level, Err(why()))).into();
    }
}

fn finding<'a>(findings: &'a [Finding], id: &str) -> &'a Finding {
    findings
        .iter()
        .find(|finding| finding.id == id)
        .unwrap_or_else(|| panic!("no finding {id}"))
}

#[test]
fn each_fact_that_is_wrong_is_seen_by_its_check() {
    for (change, id, status, concerned, text) in
        [KERNEL, PODMAN, ROOTLESS, SYSTEMD].into_iter().flatten()
    {
        let mut facts = healthy();
        change(&mut facts);
        let findings = examine(&facts);
        let finding = finding(&findings, id);
        let words = format!("{finding:?}").replace("\\\"", "\"");
        assert_eq!(finding.status, *status, "{text}: {words}");
        assert_eq!(finding.levels, *concerned, "{text}: {words}");
        assert!(words.contains(text), "{text:?} is not in {words}");
        let expected = match status {
            Status::Problem => Reach::NotReachable,
            Status::Unknown if concerned.is_empty() => continue,
            Status::Unknown => Reach::Unknown,
            Status::Ok | Status::Note => continue,
        };
        for row in levels(&findings) {
            if concerned.contains(&row.level) {
                // Another check may know of a problem where this one is blind.
                assert!(row.reach >= expected, "{id}: {row:?}");
                assert!(row.in_the_way.contains(id) || row.reach > expected);
            }
        }
    }
}

#[test]
fn a_healthy_host_has_nothing_to_mend() {
    let mut facts = healthy();
    for is_rootless in [true, false] {
        facts.user.is_rootless = is_rootless;
        let findings = examine(&facts);
        for finding in &findings {
            assert_eq!(finding.status, Status::Ok, "{finding:?}");
            assert!(!finding.found.is_empty() && finding.levels.is_empty());
        }
        for row in levels(&findings) {
            assert_eq!((row.reach, row.in_the_way.len()), (Reach::Reachable, 0));
        }
        let about_rootless = findings.iter().any(|f| f.group == Group::Rootless);
        assert_eq!(about_rootless, is_rootless);
    }
}

#[test]
fn what_was_not_looked_at_is_never_reachable() {
    let why = || NotLooked::because("not here");
    let mut facts = healthy();
    facts.podman.info = Err(why());
    let rows = levels(&examine(&facts));
    assert!(rows.iter().all(|row| row.reach == Reach::Unknown));
    assert!(rows.iter().all(|row| row.in_the_way == ["podman-works"]));
    // What is known to be in the way comes before what is not known.
    facts.podman.runtimes.clear();
    let rows = levels(&examine(&facts));
    assert!(rows.iter().all(|row| row.reach == Reach::NotReachable));
    assert!(rows.iter().all(|row| row.in_the_way == ["oci-runtime"]));
}

/// A level that cannot be had takes the stronger ones with it.
#[test]
fn levels_build_on_one_another() {
    let mut facts = healthy();
    facts.seals.sealed[0].1 = Ok(Err("x".into()));
    let rows = levels(&examine(&facts));
    assert!(rows.iter().all(|row| row.reach == Reach::NotReachable));
}

#[test]
fn only_root_types_commands_of_root_as_they_are() {
    let command = Command {
        line: "chmod u+s /x".into(),
        as_root: true,
    };
    assert_eq!(command.typed(true), "sudo chmod u+s /x");
    assert_eq!(command.typed(false), "chmod u+s /x");
}

#[test]
fn every_check_has_an_id_of_its_own_and_a_group_stands_together() {
    let checks: Vec<_> = checks().collect();
    let mut groups: Vec<Group> = Vec::new();
    for (index, check) in checks.iter().enumerate() {
        assert!(checks[..index].iter().all(|other| other.id != check.id));
        assert!(
            check
                .id
                .chars()
                .all(|c| c == '-' || c.is_ascii_lowercase() || c.is_ascii_digit()),
            "{}",
            check.id
        );
        if groups.last() != Some(&check.group) {
            assert!(!groups.contains(&check.group));
            groups.push(check.group);
        }
    }
}
