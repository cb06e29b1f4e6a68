//! `podseal enter`: each case is a process of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;

use podseal_core::policy::container::profile;
use podseal_core::policy::level::Level;
use podseal_core::policy::seal::Seal;
use podseal_core::probe::{GROUPS, Outcome, PROBES, ProbeReport};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::account::{is_root, lacking_here, normal_user};
use crate::fixture::{Ended, Place, output, without_landlock};

const EAFNOSUPPORT: i32 = 97;

fn enter(place: &Place, options: &[&str], command: &[&str]) -> Ended {
    let mut words = vec!["enter"];
    words.extend(options);
    words.push("--");
    words.extend(command);
    // A directory in it that the user cannot enter changes what execve(2) says.
    let path = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    output(place.command(&words).env("PATH", path))
}

fn probe(place: &Place, options: &[&str]) -> ProbeReport {
    let ended = enter(place, options, &[&place.podseal(), "probe"]);
    assert!(ended.status.success(), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

#[test]
fn every_way_to_an_internet_socket_is_closed() {
    for level in Level::ALL {
        let report = probe(&Place::new(), &[&format!("--level={level}")]);
        for row in PROBES
            .iter()
            .filter(|row| row.is_closed_by(level.on_host()))
        {
            match report.outcome(row.id) {
                Some(Outcome::Refused { .. } | Outcome::Killed { .. }) => {}
                // Not for podseal to have: modules, emulation.
                Some(Outcome::NotTried { .. }) if row.needs.is_some() => {}
                Some(Outcome::NotTried { reason }) => lacking_here(row.id, reason),
                // What needs sockets and victims is the demo's to try.
                None => assert!(!GROUPS[0].probes.contains(row), "{}", row.id),
                Some(other) => panic!("{}: {other:?}", row.id),
            }
        }
        for id in ["af-inet", "af-inet6", "af-packet", "af-vsock", "upper-bits"] {
            let expected = Outcome::Refused {
                errno: EAFNOSUPPORT,
            };
            assert_eq!(report.outcome(id), Some(&expected), "{id}");
        }
    }
}

/// A socket that the command would get is looked at, whatever LISTEN_FDS says.
#[test]
fn a_socket_that_cannot_be_sealed_ends_the_launch() {
    let place = Place::new();
    let udp = (AddressFamily::INET, SocketType::DGRAM);
    let vsock = (AddressFamily::VSOCK, SocketType::STREAM);
    let tcp = (AddressFamily::INET6, SocketType::STREAM);
    let is_udp = "file descriptor 0: a UDP socket cannot be sealed";
    for ((family, kind), options, code, text) in [
        (udp, "", 202, is_udp),
        (udp, "--allow-udp", 0, ""),
        (udp, "--level=families", 0, ""),
        (
            vsock,
            "",
            202,
            "a socket of AF_VSOCK, type 1, protocol 0 cannot be sealed",
        ),
        (tcp, "", 0, ""),
    ] {
        // Other tests start commands at the same time, which must not get it.
        let Ok(socket) = socket_with(family, kind, SocketFlags::CLOEXEC, None) else {
            lacking_here("a socket to hand over", "this kernel does not have it");
            continue;
        };
        let mut command = place.command(&["enter"]);
        command
            .args(options.split_whitespace())
            .args(["--", "echo", "started"]);
        let ended = output(command.stdin(socket));
        ended.expect(code, &[text]);
        assert_eq!(ended.stdout == "started\n", code == 0, "{ended:?}");
    }
}

#[test]
fn without_landlock_level_standard_is_refused_or_said_to_be_less() {
    let lacks = "lacks what level standard needs for \"no TCP connections out\": Landlock ABI 4";
    without_landlock(move || {
        let place = Place::new();
        let run = |options: &[&str]| enter(&place, options, &["echo", "started"]);
        run(&[]).expect(228, &[lacks, "--best-effort"]);
        run(&["--level=families"]).expect(0, &[]);
        let less = run(&["--best-effort"]);
        less.expect(0, &[]);
        let warnings = less.stderr.matches("warning: sealed without").count();
        assert_eq!(warnings, 4, "{less:?}");
        // What does not need Landlock is there.
        let report = probe(&place, &["--best-effort"]);
        let netlink = report.outcome("netlink-audit");
        assert!(
            matches!(netlink, Some(Outcome::Refused { .. })),
            "{report:?}"
        );
    });
}

/// At level strict the container has its side, or is not started.
#[test]
fn a_container_that_is_not_strict_is_not_started() {
    let place = Place::new();
    let image = format!("x@sha256:{}", "0".repeat(64));
    let seal = Seal {
        level: Level::Strict,
        ..Seal::default()
    };
    let base = r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": []}"#;
    let made = profile(base, &seal.mechanisms()).unwrap();
    fs::write(place.path("made.json"), &made).unwrap();
    fs::write(place.path("edited.json"), made.replace("ERRNO", "ALLOW")).unwrap();
    let made = place.text("made.json");
    let strict = format!(
        "--cap-drop=all --security-opt=no-new-privileges --read-only --security-opt=seccomp={made}"
    );
    // Podman's own refusal shows that it was started.
    let started = "image not known";
    for (options, image, code, text) in [
        (strict.clone(), &*image, 125, started),
        (
            strict.replace("--read-only", ""),
            &image,
            228,
            "it has no --read-only",
        ),
        (
            strict.replace(&made, "/none.json"),
            &image,
            228,
            "cannot read the container's seccomp profile /none.json",
        ),
        (
            strict.replace(&made, &place.text("edited.json")),
            &image,
            228,
            "is not the seccomp profile that podseal makes",
        ),
        (
            strict.replace(&made, "unconfined"),
            &image,
            228,
            "it has no one",
        ),
        (
            format!("{strict} --privileged"),
            &image,
            228,
            "--privileged: ",
        ),
        (
            format!("{strict} --security-opt=seccomp=unconfined"),
            &image,
            228,
            "it has no one",
        ),
        (
            format!("{strict} --no-such-option"),
            &image,
            228,
            "does not know the option",
        ),
        (
            strict.clone(),
            "x",
            228,
            "the image x is not named by digest",
        ),
    ] {
        let mut command = vec!["podman", "run", "--pull=never"];
        command.extend(options.split_whitespace());
        command.push(image);
        let enter_options = ["--level=strict", "--join=never"];
        let ended = enter(&place, &enter_options, &command);
        if code == 125 && ended.status.code() == Some(203) {
            lacking_here("a container at level strict", "there is no podman");
            continue;
        }
        ended.expect(code, &[text]);
    }
}

#[test]
fn families_that_are_named_are_allowed() {
    let place = Place::new();
    let ids = ["af-inet", "af-inet6", "upper-bits"];
    for (families, open) in [
        ("AF_INET", [true, false, true]),
        ("AF_INET6 AF_UNIX", [false, true, false]),
        ("af_inet AF_INET6", [true, true, true]),
        ("AF_LOCAL AF_ROUTE", [false, false, false]),
        ("none", [false, false, false]),
    ] {
        let report = probe(&place, &["--families", families]);
        for (id, open) in ids.iter().zip(open) {
            let outcome = report.outcome(id).unwrap();
            assert_eq!(*outcome == Outcome::Succeeded, open, "{families}: {id}");
            if !open {
                assert_eq!(
                    *outcome,
                    Outcome::Refused {
                        errno: EAFNOSUPPORT
                    }
                );
            }
        }
    }
}

/// Through a program that knows nothing of podseal, and another family than
/// those of the probe.
#[test]
fn unix_sockets_go_on_working_unless_they_are_left_out() {
    let place = Place::new();
    let (listen, socket) = (
        format!("UNIX-LISTEN:{},fork", place.text("s")),
        place.text("s"),
    );
    let Ok(socat) = place.program("socat").args(["-V"]).output() else {
        return lacking_here("UNIX sockets under the seal", "there is no socat");
    };
    assert!(socat.status.success());
    let _server =
        crate::fixture::Running::start(place.program("socat").args([&listen, "EXEC:cat"]));
    crate::fixture::eventually(crate::fixture::BOUND, || {
        fs::exists(&socket).unwrap().then_some(())
    });
    let client = format!("echo hello | socat - UNIX-CONNECT:{socket}");
    for (options, expected) in [
        (vec![], "hello\n"),
        (vec!["--families=AF_UNIX"], "hello\n"),
        (vec!["--families=AF_NETLINK"], ""),
        (vec!["--families=none"], ""),
    ] {
        let ended = enter(&place, &options, &["sh", "-c", &client]);
        assert_eq!(ended.stdout, expected, "{options:?}: {ended:?}");
    }
}

#[test]
fn the_process_stays_the_same_and_is_sealed() {
    let place = Place::new();
    let script = "echo $$; cat /proc/$$/status";
    let run =
        crate::fixture::Running::start(&mut place.command(&["enter", "--", "sh", "-c", script]));
    let id = run.id().to_string();
    let ended = run.end();
    let mut lines = ended.stdout.lines();
    assert_eq!(lines.next(), Some(id.as_str()));
    for expected in ["NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(lines.clone().any(|line| line == expected), "{ended:?}");
    }
}

#[test]
fn the_commands_own_end_passes_through() {
    let place = Place::new();
    assert_eq!(
        enter(&place, &[], &["sh", "-c", "exit 42"]).status.code(),
        Some(42)
    );
    let killed = enter(&place, &[], &["sh", "-c", "kill -TERM $$"]);
    assert_eq!(killed.status.signal(), Some(15));
}

#[test]
fn a_step_that_fails_ends_with_systemds_status_for_it() {
    let place = Place::new();
    fs::write(place.path("no-program"), "").unwrap();
    let no_program = place.text("no-program");
    for (options, command, code, texts) in [
        (
            vec![],
            vec!["podseal-no-such-command"],
            203,
            [
                "cannot execute podseal-no-such-command",
                "hint: check the command's name and PATH",
            ],
        ),
        (
            vec![],
            vec![no_program.as_str()],
            203,
            ["cannot execute", "Permission denied"],
        ),
        (
            vec!["--families=AF_NONSENSE"],
            vec!["true"],
            2,
            ["\"AF_NONSENSE\" is not a socket family", "--families"],
        ),
        (
            vec!["--families=~AF_INET"],
            vec!["true"],
            2,
            ["deny list", "lists the families that stay allowed"],
        ),
        (
            vec!["--families=none AF_UNIX"],
            vec!["true"],
            2,
            ["\"none\" stands alone", "--families"],
        ),
        (
            vec!["--families="],
            vec!["true"],
            2,
            ["no socket family given", "none"],
        ),
        (vec!["--level=most"], vec!["true"], 2, ["most", "families"]),
        (vec![], vec![], 2, ["required", "Usage"]),
    ] {
        enter(&place, &options, &command).expect(code, &texts);
    }
}

#[test]
fn without_a_pause_process_podman_is_not_started() {
    let place = Place::of(normal_user());
    // No command that would find out by itself.
    for command in ["podman", "true"] {
        let options = if command == "true" {
            vec!["--join=always"]
        } else {
            vec![]
        };
        enter(&place, &options, &[command, "--version"]).expect(
            226,
            &[
                "pause process is not running",
                "hint: run `podseal pause ensure`",
            ],
        );
    }
    assert!(enter(&place, &["--join=never"], &["true"]).status.success());
}

/// The user's manager is asked. Here there is none at the user's run-time
/// directory; where there is one, the lab's tests show that it helps.
#[test]
fn under_no_new_privileges_only_a_manager_makes_a_pause_process() {
    let place = Place::of(normal_user());
    let podseal = place.podseal();
    let inner = [
        &*podseal,
        "enter",
        "--make-pause",
        "--join=always",
        "--",
        "true",
    ];
    enter(&place, &["--join=never"], &inner).expect(
        226,
        &[
            "no-new-privileges keeps it from being made here",
            "systemd did not make it: ",
            "hint: run `podseal pause ensure` by hand",
        ],
    );
}

/// A pid file is not believed: here it names a process of the user that is
/// none.
#[test]
fn a_stale_pid_file_is_not_believed() {
    let place = Place::of(normal_user());
    let sleep = crate::fixture::Running::start(place.program("sleep").arg("1000"));
    let directory = place.path("libpod/tmp");
    let status = place.program("mkdir").arg("-p").arg(&directory).status();
    assert!(status.unwrap().success());
    for pid in [
        sleep.id().to_string(),
        "999999999".into(),
        "x".into(),
        "-1".into(),
    ] {
        fs::write(directory.join("pause.pid"), &pid).unwrap();
        enter(&place, &["--join=always"], &["true"]).expect(226, &["is not running"]);
    }
}

#[test]
fn root_joins_nothing() {
    if !is_root() {
        return lacking_here("podseal enter as root", "the tests do not run as root");
    }
    assert!(
        enter(&Place::new(), &["--join=always"], &["true"])
            .status
            .success()
    );
}

/// A program called podman, which says how it was called.
fn saying_podman(place: &Place) -> String {
    let program = place.path("podman");
    fs::write(&program, "#!/bin/sh\necho \"$@\"\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    place.text("podman")
}

/// What a health check runs is in the container and not under the seal. Level
/// families promises nothing that it could break.
#[test]
fn a_container_has_no_health_check() {
    let place = Place::new();
    let podman = saying_podman(&place);
    for (level, before, after) in [
        (
            "standard",
            "run -d x --rm",
            "run --no-healthcheck -d x --rm",
        ),
        (
            "standard",
            "--log-level=info container run x",
            "--log-level=info container run --no-healthcheck x",
        ),
        ("standard", "create x", "create --no-healthcheck x"),
        (
            "standard",
            "run --no-healthcheck x",
            "run --no-healthcheck x",
        ),
        (
            "standard",
            "run --health-cmd none x",
            "run --health-cmd none x",
        ),
        ("standard", "stop x", "stop x"),
        ("families", "run -d x", "run -d x"),
        ("families", "run --health-cmd=/y x", "run --health-cmd=/y x"),
    ] {
        let level = format!("--level={level}");
        let options = ["--join=never", &level];
        let direct: Vec<&str> = std::iter::once(&*podman).chain(before.split(' ')).collect();
        let behind_env: Vec<&str> = ["env", "A=1"].into_iter().chain(direct.clone()).collect();
        for command in [direct, behind_env] {
            let ended = enter(&place, &options, &command);
            assert_eq!(ended.stdout, format!("{after}\n"), "{command:?}: {ended:?}");
        }
    }
    for option in [
        "--health-cmd=/y",
        "--health-startup-cmd=/y",
        "--sdnotify=healthy",
    ] {
        let name = option.split('=').next().unwrap();
        enter(&place, &["--join=never"], &[&podman, "run", option, "x"])
            .expect(228, &[name, "outside the seal", "--level=families"]);
    }
}

#[test]
fn podman_collects_its_garbage_late_unless_it_is_told_when() {
    let place = Place::new();
    for (name, told, expected) in [
        ("podman", None, "800\n"),
        ("podman", Some("50"), "50\n"),
        ("other", None, "\n"),
    ] {
        let program = place.path(name);
        fs::write(&program, "#!/bin/sh\necho $GOGC\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = place.command(&["enter", "--join=never", "--"]);
        command.arg(&program).env_remove("GOGC");
        command.envs(told.map(|told| ("GOGC", told)));
        assert_eq!(output(&mut command).stdout, expected, "{name} {told:?}");
    }
}
