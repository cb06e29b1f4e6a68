use std::time::Duration;

use super::case::{Case, Facts, Finding};
use super::document::{next, typed};
use super::journal::{Entry, Log, Speaker};
use super::signatures::all;
use super::state::UnitState;
use super::{Verdict, explain, first_answer};
use crate::lifecycle::Exit;
use crate::unit::effective::Scope;

const SERVICE: &str = "web.service";

/// An entry as journalctl writes it.
fn entry(fields: &[(&str, &str)]) -> Entry {
    let fields = fields.iter().map(|(name, value)| (*name, *value));
    let fields: std::collections::BTreeMap<_, _> = fields.collect();
    serde_json::from_value(serde_json::to_value(fields).unwrap()).unwrap()
}

/// A process of the service says something.
fn says(comm: &str, message: &str) -> Entry {
    entry(&[
        ("_COMM", comm),
        ("_PID", "7"),
        ("_SYSTEMD_USER_UNIT", SERVICE),
        ("_SYSTEMD_INVOCATION_ID", "1"),
        ("MESSAGE", message),
    ])
}

/// systemd says that the main process ended with a status, and the service
/// failed with a result.
fn fails(status: &str, result: &str) -> Vec<Entry> {
    let about = |id: &str, more: (&str, &str), message: &str| {
        entry(&[
            ("_COMM", "systemd"),
            ("USER_UNIT", SERVICE),
            ("USER_INVOCATION_ID", "1"),
            ("EXIT_CODE", "exited"),
            ("MESSAGE_ID", id),
            ("MESSAGE", message),
            more,
        ])
    };
    vec![
        about(
            super::message_id::PROCESS_EXIT,
            ("EXIT_STATUS", status),
            "web.service: Main process exited",
        ),
        about(
            super::message_id::FAILED,
            ("UNIT_RESULT", result),
            "web.service: Failed with result",
        ),
    ]
}

fn verdict(entries: &[Entry]) -> &'static str {
    let case = Case::of_journal("web", Scope::User, entries).unwrap();
    let explanation = explain(&case);
    match explanation.verdict {
        Verdict::Explained => explanation.answers[0].signature.id,
        Verdict::Healthy => "healthy",
        Verdict::Unknown => "unknown",
    }
}

/// What cannot be had for a test, in the words of upstream's source or of a
/// report to upstream.
#[test]
fn recorded_failures_are_known() {
    let kernel = |message| entry(&[("_TRANSPORT", "audit"), ("MESSAGE", message)]);
    let podman = |message| says("podman", message);
    for (said, status, result, expected) in [
        // opencontainers/runc issue 3488
        (
            podman(
                "Error: OCI runtime error: runc: FATAL: bad value for _LIBCONTAINER_LOGPIPE=7 (7): Success",
            ),
            "126",
            "exit-code",
            "runc-three-sockets",
        ),
        // containers/crun issue 929
        (
            podman(
                "Error: OCI runtime error: crun: socket: Address family not supported by protocol",
            ),
            "126",
            "exit-code",
            "crun-socket",
        ),
        // The kernel's avc_audit_pre_callback() and its kin.
        (
            kernel(
                "AVC avc:  denied  { connectto } for  pid=7 comm=\"web\" path=\"/x\" scontext=system_u:system_r:container_t:s0:c1,c2 tcontext=unconfined_u:unconfined_r:container_runtime_t:s0 tclass=unix_stream_socket permissive=0",
            ),
            "1",
            "exit-code",
            "selinux-denied",
        ),
        // service_enter_dead() and unit_notify_cgroup_oom() of systemd
        (says("web", "working"), "137", "oom-kill", "out-of-memory"),
        // Podman's TryJoinFromFilePaths()
        (
            podman("Error: cannot re-exec process to join the existing user namespace"),
            "125",
            "exit-code",
            "pause-process-gone",
        ),
        // containers/image, docker's registry client
        (
            podman(
                "Error: initializing source docker://r.example/x:latest: reading manifest latest in r.example/x: unauthorized: authentication required",
            ),
            "125",
            "exit-code",
            "registry-denied",
        ),
        // crun's libcrun_get_cgroup_mode() callers
        (
            podman(
                "Error: OCI runtime error: crun: cgroups in hybrid mode not supported, drop all controllers from cgroupv1",
            ),
            "126",
            "exit-code",
            "crun-hybrid-cgroups",
        ),
        // runc's setupRlimits()
        (
            podman(
                "Error: OCI runtime error: runc: runc create failed: error setting rlimit type 7: operation not permitted",
            ),
            "126",
            "exit-code",
            "rlimit",
        ),
    ] {
        let message = said.message.clone();
        let entries = [vec![said], fails(status, result)].concat();
        assert_eq!(verdict(&entries), expected, "{message}");
    }
}

#[test]
fn what_a_server_quotes_is_no_evidence() {
    for message in [
        "Error: localhost/x: image not known",
        "time=\"1\" level=error msg=\"newuidmap: write to uid_map failed\"",
        "cgroups in hybrid mode not supported",
        "Failed to create listening socket (127.0.0.1:80): Address already in use",
        "error: Podman's pause process is not running",
    ] {
        let start = entry(&[
            ("_COMM", "podman"),
            ("_SYSTEMD_USER_UNIT", SERVICE),
            ("_SYSTEMD_INVOCATION_ID", "1"),
            ("PODMAN_EVENT", "start"),
            ("MESSAGE", "container start"),
        ]);
        for comm in ["podman", "web"] {
            let said = vec![start.clone(), says(comm, message), says(comm, "bye")];
            let entries = [said, fails("1", "exit-code")].concat();
            assert_eq!(verdict(&entries), "unknown", "{comm}: {message}");
        }
    }
}

#[test]
fn only_last_words_tell_of_sockets() {
    const WORDS: &str = "listen: Address family not supported by protocol";
    let ends = |lines: &[&str]| {
        let said: Vec<Entry> = lines.iter().map(|line| says("web", line)).collect();
        verdict(&[said, fails("1", "exit-code")].concat())
    };
    assert_eq!(ends(&["starting", WORDS]), "listens-itself");
    assert_eq!(ends(&[WORDS, "    at Server.listen", ""]), "listens-itself");
    assert_eq!(ends(&[WORDS, "out of licences"]), "unknown");
    let connects = "connect to localhost: Address family not supported by protocol";
    assert_eq!(ends(&[connects]), "needs-loopback");
}

#[test]
fn a_failure_without_a_known_cause_is_not_explained_by_what_follows() {
    let socket = entry(&[
        ("_COMM", "systemd"),
        ("USER_UNIT", "web.socket"),
        ("USER_INVOCATION_ID", "2"),
        ("MESSAGE_ID", super::message_id::FAILED),
        ("UNIT_RESULT", "service-start-limit-hit"),
        ("MESSAGE", "web.socket: Failed with result"),
    ]);
    let entries = [
        vec![says("web", "bye")],
        fails("1", "exit-code"),
        vec![socket],
    ]
    .concat();
    assert_eq!(verdict(&entries), "unknown");
    // Where the service's own end is not in the journal, it is all there is.
    assert_eq!(verdict(&entries[3..]), "service-start-limit-hit");
}

#[test]
fn an_earlier_start_does_not_count() {
    let mut earlier = vec![says("podman", "Error: x: image not known")];
    earlier.extend(fails("125", "exit-code"));
    for entry in &mut earlier {
        entry.invocation = Some("0".to_owned());
    }
    let later = [vec![says("web", "bye")], fails("1", "exit-code")].concat();
    assert_eq!(verdict(&[earlier.clone(), later].concat()), "unknown");
    assert_eq!(verdict(&earlier), "image-missing");
}

#[test]
fn what_a_socket_said_before_its_last_start_does_not_count() {
    let socket = |start: Option<&str>, message: &str| {
        let mut fields = vec![
            ("_COMM", "systemd"),
            ("USER_UNIT", "web.socket"),
            ("MESSAGE", message),
        ];
        fields.extend(start.map(|start| ("USER_INVOCATION_ID", start)));
        entry(&fields)
    };
    let refused = socket(
        None,
        "web.socket: Socket service web.service already active, refusing.",
    );
    let busy = socket(
        Some("7"),
        "web.socket: Failed to create listening socket (127.0.0.1:80): Address already in use",
    );
    let listens = socket(Some("8"), "Listening on web.socket.");
    let ends = |before: Vec<Entry>| verdict(&[before, fails("1", "exit-code")].concat());
    assert_eq!(
        ends(vec![refused.clone(), busy.clone(), listens.clone()]),
        "unknown"
    );
    assert_eq!(ends(vec![listens.clone(), busy]), "address-in-use");
    assert_eq!(
        ends(vec![listens, refused.clone()]),
        "service-already-active"
    );
    let failed = socket(Some(""), "Failed to listen on web.socket.");
    assert_eq!(ends(vec![refused, failed]), "service-already-active");
}

#[test]
fn a_line_without_a_unit_is_known_by_its_process() {
    let line = |pid| {
        entry(&[
            ("SYSLOG_IDENTIFIER", "podseal"),
            ("_PID", pid),
            ("MESSAGE", "error: Podman's pause process is not running"),
        ])
    };
    let service = UnitState {
        name: SERVICE.to_owned(),
        main: Some(7),
        invocation: Some("1".to_owned()),
        ..UnitState::default()
    };
    let mut entries = vec![line("7"), line("8")];
    super::case::adopt(&service, &mut entries);
    assert_eq!(entries[0].unit.as_deref(), Some(SERVICE));
    assert_eq!(entries[0].speaker, Speaker::Podseal);
    assert_eq!(entries[1].unit, None);
    let podman = entry(&[
        ("SYSLOG_IDENTIFIER", "podseal"),
        ("MESSAGE", "time=\"1\" level=error msg=\"newuidmap\""),
    ]);
    assert_eq!(podman.speaker, Speaker::Podman);
}

#[test]
fn the_output_of_a_command_is_read_by_its_form_and_status() {
    let answer = |text, exit| first_answer(Log::of_output(text, exit)).map(|a| a.signature.id);
    let pull = "Error: initializing source docker://x: dial tcp: socket: address family not supported by protocol";
    assert_eq!(answer(pull, Exit::Code(125)), Some("pull-under-seal"));
    assert_eq!(answer("it said: image not known", Exit::Code(125)), None);
    assert_eq!(answer("Error: x: image not known", Exit::Code(1)), None);
    assert_eq!(answer("", Exit::Signal(31)), Some("foreign-system-call"));
    let launcher = "error: cannot restrict socket families: no";
    assert_eq!(answer(launcher, Exit::Code(228)), Some("launcher-refused"));
    assert_eq!(answer(launcher, Exit::Code(1)), None);
    for log in ["", "Error: something else", "dial plan\nsocket: broken"] {
        assert_eq!(answer(log, Exit::Code(125)), None, "{log}");
    }
}

#[test]
fn a_cause_that_is_gone_leads_to_apply() {
    let entries = [
        vec![says("podman", "Error: x: image not known")],
        fails("125", "exit-code"),
    ]
    .concat();
    let mut case = Case::of_journal("web", Scope::User, &entries).unwrap();
    case.facts.image = Some("x".to_owned());
    for (exists, gone, typed) in [
        (None, None, "podman pull x"),
        (Some(false), Some(false), "podman pull x"),
        (
            Some(true),
            Some(true),
            "podseal explain web.service --apply",
        ),
    ] {
        case.facts.image_exists = exists;
        let explanation = explain(&case);
        assert_eq!(explanation.answers[0].is_gone, gone);
        assert_eq!(next(&case, &explanation), typed);
    }
}

#[test]
fn a_generator_that_refuses_is_found_in_a_journal() {
    let said = "quadlet-generator[7]: converting \"web.container\": unsupported key 'Imagee' in group 'Container' in /x";
    let entry = entry(&[
        ("_COMM", "podman-user-gen"),
        ("_EXE", "/x/quadlet"),
        ("MESSAGE", said),
    ]);
    assert_eq!(verdict(&[entry]), "quadlet-refused");
}

#[test]
fn some_lines_need_a_fact() {
    let said = vec![says("web", "no sockets: LISTEN_PID is 7")];
    let mut case = Case::of_journal(
        "web",
        Scope::User,
        &[said, fails("1", "exit-code")].concat(),
    )
    .unwrap();
    case.sockets.push(UnitState {
        active: "active".to_owned(),
        ..UnitState::default()
    });
    assert_eq!(explain(&case).verdict, Verdict::Unknown);
    case.facts.findings = Some(vec![Finding {
        id: "environment-host",
        message: "--env-host".to_owned(),
    }]);
    assert_eq!(explain(&case).answers[0].signature.id, "environment-host");
}

#[test]
fn a_socket_unit_that_is_not_there_cannot_be_started() {
    let said = vec![says("web", "no sockets: LISTEN_FDS is not set")];
    let log = [said, fails("1", "exit-code")].concat();
    let mut case = Case::of_journal("web", Scope::User, &log).unwrap();
    // A journal may only not have heard of it.
    assert_eq!(
        explain(&case).answers[0].signature.id,
        "started-without-socket"
    );
    case.facts.is_notify = Some(false);
    let explanation = explain(&case);
    let ids = explanation.answers.iter().map(|answer| answer.signature.id);
    assert_eq!(ids.collect::<Vec<_>>(), ["no-socket-unit"]);
    let wanted = next(&case, &explanation);
    assert_eq!(wanted, "podseal check web.service");
    case.sockets.push(UnitState {
        name: "web.socket".to_owned(),
        active: "inactive".to_owned(),
        ..UnitState::default()
    });
    let explanation = explain(&case);
    let wanted = next(&case, &explanation);
    assert_eq!(wanted, "podseal explain web.service --apply");
}

#[test]
fn facts_alone_can_explain() {
    let unit = |name: &str, active: &str, load: &str| UnitState {
        name: name.to_owned(),
        active: active.to_owned(),
        load: load.to_owned(),
        result: "success".to_owned(),
        ..UnitState::default()
    };
    let mut case = Case {
        run: None,
        scope: Scope::System,
        service: unit(SERVICE, "active", "loaded"),
        sockets: vec![unit("web.socket", "active", "loaded")],
        log: Log::default(),
        facts: Facts::default(),
    };
    assert_eq!(explain(&case).verdict, Verdict::Healthy);
    assert_eq!(
        typed("{systemctl} stop {service} {socket}{scope}", &case),
        "systemctl stop web.service web.socket --system"
    );
    case.service.active_for = Some(Duration::from_secs(6));
    case.facts.waiting = Some(vec![("127.0.0.1:80".to_owned(), 2)]);
    assert_eq!(explain(&case).answers[0].signature.id, "never-accepts");
    case.facts.waiting = None;
    case.facts.findings = Some(vec![Finding {
        id: "seal-stale",
        message: "old".to_owned(),
    }]);
    assert_eq!(explain(&case).answers[0].signature.id, "seal-stale");
    case.facts.findings = None;
    case.service.load = "masked".to_owned();
    assert_eq!(explain(&case).answers[0].signature.id, "unit-masked");
}

#[test]
fn fields_of_the_journal_may_be_bytes_or_missing() {
    let text = r#"{"MESSAGE":[27,91,51,49,109,104,105],"_COMM":"web","_SYSTEMD_UNIT":"web.service","X":["a","b"],"Y":null}"#;
    let entry: Entry = serde_json::from_str(text).unwrap();
    assert_eq!(
        (entry.message.as_str(), entry.speaker),
        ("hi", Speaker::Service)
    );
    assert_eq!(entry.unit.as_deref(), Some(SERVICE));
    assert!(serde_json::from_str::<Entry>("[]").is_err());
}

#[test]
fn rows_are_whole() {
    let mut seen = std::collections::BTreeSet::new();
    for row in all() {
        assert!(seen.insert(row.id), "{} twice", row.id);
        for text in [row.id, row.title, row.cause, row.wanted, row.fix, row.next] {
            assert!(
                !text.is_empty() && !text.ends_with('.'),
                "{}: {text}",
                row.id
            );
        }
    }
}
