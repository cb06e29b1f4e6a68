//! `podseal run -- COMMAND`: the life of a service without Podman.

use std::fs;
use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use podseal_core::policy::level::Level;
use podseal_core::probe::{Outcome, PROBES, ProbeReport};
use rustix::process::{Pid, Signal, kill_process};

use crate::fixture::{BOUND, Place, Running, eventually, files};
use crate::notifier::{self, Step, tell};
use crate::talk::{Client, free_port, hello, unique};

fn echo(place: &Place, options: &[&str]) -> Running {
    place.run(options, &[&place.podseal(), "echo"])
}

#[test]
fn traffic_starts_the_service_on_every_kind_of_socket() {
    let place = Place::new();
    let ports: Vec<u16> = std::iter::repeat_with(free_port).take(5).collect();
    let abstract_name = unique("podseal-it");
    for (listen, reach) in [
        (format!("127.0.0.1:{}", ports[0]), None),
        (format!("[::1]:{}", ports[1]), None),
        (format!("udp:127.0.0.1:{}", ports[2]), None),
        (format!("udp:[::1]:{}", ports[3]), None),
        // Every address, of both versions of the protocol.
        (
            ports[4].to_string(),
            Some(format!("127.0.0.1:{}", ports[4])),
        ),
        (ports[4].to_string(), Some(format!("[::1]:{}", ports[4]))),
        (place.text("stream"), None),
        (format!("unix:{}", place.text("stream")), None),
        (format!("unix-dgram:{}", place.text("dgram")), None),
        (format!("unix-seqpacket:{}", place.text("packet")), None),
        (format!("@{abstract_name}"), None),
        (format!("unix-dgram:@{abstract_name}"), None),
    ] {
        let run = echo(&place, &["--allow-udp", "--listen", &listen]);
        run.wait_for("listening on ");
        assert_eq!(place.processes().len(), 1, "{listen}: started too early");
        let reach = reach.as_ref().unwrap_or(&listen);
        hello(reach).unwrap_or_else(|error| panic!("{reach}: {error}: {}", run.stderr()));
        run.wait_for("traffic on ");
        run.wait_for("up, main process ");
        hello(reach).unwrap();
        run.stop().expect(0, &["signal 15, stopping", "stopped"]);
        place.expect_nothing_left();
    }
}

#[test]
fn the_service_is_told_of_its_sockets() {
    const TELL: &str = r#"open=; for fd in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$fd ] && open="$open$fd"; done; echo "told: $LISTEN_FDS $LISTEN_FDNAMES $((LISTEN_PID == $$)) $open"; exec "$PODSEAL" echo"#;
    let place = Place::new();
    for (names, expected) in [
        (vec![], "told: 2 told:told 1 01234"),
        (vec!["--fdname=a"], "told: 2 a:a 1 01234"),
        (vec!["--fdname=a", "--fdname=b c"], "told: 2 a:b c 1 01234"),
    ] {
        let (first, second) = (place.text("first"), place.text("second"));
        let mut options = vec!["--name=told", "--start=now"];
        options.extend(["--listen", &first, "--listen", &second]);
        options.extend(names);
        let run = place.run_script(&options, TELL);
        let line = run.wait_for_line("told: ");
        assert_eq!(line, expected);
        for path in [&first, &second] {
            hello(path).unwrap();
        }
        run.stop().expect(0, &[]);
        place.expect_nothing_left();
    }
}

#[test]
fn a_service_can_be_started_at_once() {
    let place = Place::new();
    let run = echo(&place, &["--start=now", "--listen", &place.text("socket")]);
    run.wait_for("up, main process ");
    assert!(!run.stderr().contains("traffic"), "{}", run.stderr());
    run.stop().expect(0, &[]);
    place.expect_nothing_left();
}

#[test]
fn socket_files_get_the_mode_asked_for() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let path = place.text("socket");
    for (options, mode) in [(vec![], 0o666), (vec!["--socket-mode=0600"], 0o600)] {
        let run = echo(&place, &[&["--listen", &path][..], &options].concat());
        run.wait_for("listening on ");
        let found = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode);
        run.stop().expect(0, &[]);
    }
}

#[test]
fn a_connection_waits_in_the_queue_while_the_service_restarts() {
    const FAIL_ONCE: &str =
        r#"if [ -e failed ]; then exec "$PODSEAL" echo; fi; touch failed; exit 7"#;
    let place = Place::new();
    for listen in [
        format!("127.0.0.1:{}", free_port()),
        place.text("socket"),
        format!("unix-dgram:{}", place.text("dgram")),
    ] {
        let run = place.run_script(&["--listen", &listen], FAIL_ONCE);
        run.wait_for("listening on ");
        hello(&listen).unwrap();
        run.stop().expect(
            0,
            &[
                "ExecStart exited with status 7",
                "down (",
                "starting again in 100 ms",
            ],
        );
        fs::remove_file(place.path("failed")).unwrap();
        place.expect_nothing_left();
    }
}

#[test]
fn a_service_that_died_is_started_again_by_itself() {
    let place = Place::new();
    let path = place.text("socket");
    let run = place.run_script(
        &["--listen", &path],
        r#"echo "main $$"; exec "$PODSEAL" echo"#,
    );
    run.wait_for("listening on ");
    hello(&path).unwrap();
    let line = run.wait_for_line("main ");
    let pid: i32 = line.rsplit(' ').next().unwrap().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    run.wait_for_times("up, main process", 2);
    hello(&path).unwrap();
    run.stop().expect(0, &["ExecStart was killed by signal 9"]);
    place.expect_nothing_left();
}

#[test]
fn a_service_that_keeps_failing_is_given_up() {
    let place = Place::new();
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let run = place.run_script(&["--listen", &address], "echo start >&2; exit 3");
    run.wait_for("listening on ");
    let client = Client::connect(&address).unwrap();
    let ended = run.end();
    ended.expect(
        1,
        &[
            "no longer listening (start-limit-hit)",
            "5 times in 10 seconds",
        ],
    );
    assert_eq!(ended.stderr.matches("start\n").count(), 5, "{ended:?}");
    // Who waited is told, and nobody else can come.
    let error = client.expect(b"x").expect_err("an answer");
    let closed = [io::ErrorKind::ConnectionReset, io::ErrorKind::UnexpectedEof];
    assert!(closed.contains(&error.kind()), "{error}");
    let refused = TcpStream::connect(&address).expect_err("still listening");
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    place.expect_nothing_left();
}

/// It leaves the connection in the queue, so that it is started at once again.
#[test]
fn a_service_that_takes_nothing_is_given_up() {
    let place = Place::new();
    let path = place.text("socket");
    let run = place.run_script(&["--listen", &path, "--restart=no"], "exit 0");
    run.wait_for("listening on ");
    let _client = Client::connect(&path).unwrap();
    // The start limit is the lower one.
    run.end()
        .expect(1, &["no longer listening (start-limit-hit)"]);
    place.expect_nothing_left();
}

#[test]
fn signals_end_it_cleanly() {
    let place = Place::new();
    let path = place.text("socket");
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        for used in [false, true] {
            let run = echo(&place, &["--listen", &path]);
            run.wait_for("listening on ");
            if used {
                hello(&path).unwrap();
            }
            run.signal(signal);
            let number = format!("signal {}, stopping", signal.as_raw());
            run.end().expect(0, &[&number, "stopped"]);
            place.expect_nothing_left();
        }
    }
}

const STUBBORN: &str = r#"trap "" TERM INT HUP; echo ready; while :; do sleep 1000; done"#;

#[test]
fn a_second_signal_kills() {
    let place = Place::new();
    let run = place.run_script(&["--start=now", "--listen", &place.text("s")], STUBBORN);
    run.wait_for_line("ready");
    run.signal(Signal::TERM);
    run.wait_for("signal 15, stopping");
    assert!(place.processes().len() > 1, "it ended by itself");
    run.signal(Signal::INT);
    run.end().expect(0, &["signal 2, killing"]);
    place.expect_nothing_left();
}

#[test]
fn stopping_has_a_limit() {
    let place = Place::new();
    let listen = place.text("s");
    let options = ["--start=now", "--timeout-stop=500ms", "--listen", &listen];
    let run = place.run_script(&options, STUBBORN);
    run.wait_for_line("ready");
    let start = Instant::now();
    run.stop().expect(0, &["down (timeout)"]);
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(500), "{took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    place.expect_nothing_left();
}

/// Processes that daemonized are the service's all the same.
#[test]
fn what_the_service_started_ends_with_it() {
    let place = Place::new();
    let run = place.run_script(
        &["--start=now", "--restart=no", "--listen", &place.text("s")],
        r#"(setsid sh -c 'trap "" TERM; echo away; while :; do sleep 1000; done' &); exec sleep 1000"#,
    );
    run.wait_for_line("away");
    run.signal(Signal::TERM);
    run.wait_for("stopping");
    run.signal(Signal::TERM);
    run.end().expect(0, &[]);
    place.expect_nothing_left();
}

#[test]
fn a_notifying_service_is_up_when_it_says_so() {
    let place = Place::new();
    let steps = [
        tell("STATUS=almost\u{1b}[31m"),
        Step::Until("go".into()),
        tell("READY=1"),
    ];
    let run = notifier::run(&place, &["--notify", "--listen", &place.text("s")], &steps);
    run.wait_for("says: almost[31m");
    assert!(!run.stderr().contains(": up"), "{}", run.stderr());
    fs::write(place.path("go"), "").unwrap();
    run.wait_for(": up, main process ");
    run.stop().expect(0, &[]);
    place.expect_nothing_left();
}

#[test]
fn what_a_service_says_of_itself_is_shown() {
    for (message, shown) in [
        ("STATUS=at work", "notifier: says: at work"),
        ("STOPPING=1", "notifier: says that it is stopping"),
        ("ERRNO=2", "notifier: says that it failed: No such file"),
    ] {
        let place = Place::new();
        let run = notifier::run(&place, &["--listen", &place.text("s")], &[tell(message)]);
        run.wait_for(shown);
        run.stop().expect(0, &[]);
        place.expect_nothing_left();
    }
}

#[test]
fn the_last_words_of_a_service_are_heard() {
    let place = Place::new();
    let steps = [tell("ERRNO=2"), Step::Exit(1)];
    let options = ["--restart=no", "--listen", &place.text("s")];
    let run = notifier::run(&place, &options, &steps);
    run.wait_for("down (exit-code)");
    run.stop().expect(0, &["says that it failed: No such file"]);
    place.expect_nothing_left();
}

#[test]
fn another_main_process_can_be_named() {
    let place = Place::new();
    let options = ["--notify", "--restart=no", "--listen", &place.text("s")];
    let run = notifier::run(&place, &options, &[Step::OtherMain, tell("READY=1")]);
    let line = run.wait_for_line("main ");
    let pid: i32 = line.rsplit(' ').next().unwrap().parse().unwrap();
    run.wait_for(&format!("up, main process {pid}"));
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    // With its main process the service ends, and the rest of it.
    run.wait_for("down (");
    let alone = eventually(BOUND, || (place.processes().len() == 1).then_some(()));
    assert!(alone.is_some(), "{}", run.stderr());
    run.stop().expect(0, &[]);
    place.expect_nothing_left();
}

#[test]
fn a_service_that_is_never_ready_times_out() {
    let place = Place::new();
    let options = ["--notify", "--restart=no", "--timeout-start=300ms"];
    let listen = place.text("s");
    let run = notifier::run(
        &place,
        &[&options[..], &["--listen", &listen]].concat(),
        &[],
    );
    run.wait_for("down (timeout)");
    run.stop().expect(0, &[]);
    place.expect_nothing_left();
}

#[test]
fn a_service_that_ends_before_it_is_ready_has_failed() {
    let place = Place::new();
    let options = ["--notify", "--restart=no", "--listen", &place.text("s")];
    let run = notifier::run(&place, &options, &[Step::Exit(0)]);
    run.wait_for("down (protocol)");
    run.stop().expect(0, &[]);
    place.expect_nothing_left();
}

#[test]
fn a_service_can_ask_for_more_time_to_start() {
    let place = Place::new();
    let options = ["--notify", "--restart=no", "--timeout-start=1s"];
    let listen = place.text("s");
    let steps = [
        tell("EXTEND_TIMEOUT_USEC=20000000"),
        Step::Take(Duration::from_millis(1500)),
        tell("READY=1"),
    ];
    let run = notifier::run(
        &place,
        &[&options[..], &["--listen", &listen]].concat(),
        &steps,
    );
    run.wait_for(": up, main process ");
    run.stop().expect(0, &[]);
    place.expect_nothing_left();
}

#[test]
fn a_socket_that_cannot_be_sealed_is_not_opened() {
    let place = Place::new();
    let udp = format!("udp:127.0.0.1:{}", free_port());
    for (listen, text) in [
        (
            udp.as_str(),
            "a UDP socket cannot be sealed: it sends to any address",
        ),
        (
            "vsock:1:4000",
            "a socket of AF_VSOCK, type 1, protocol 0 cannot be sealed",
        ),
    ] {
        let ended = echo(&place, &["--listen", listen]).end();
        ended.expect(1, &[listen, text, "hint: use TCP or a UNIX socket"]);
    }
    place.expect_nothing_left();
}

/// Also shows that the probe can succeed: without the seal it does.
#[test]
fn the_service_is_sealed() {
    let place = Place::new();
    let open = crate::fixture::output(&mut place.command(&["probe"]));
    let open: ProbeReport = serde_json::from_str(&open.stdout).unwrap();
    assert_eq!(open.outcome("af-inet"), Some(&Outcome::Succeeded));

    let options = ["--start=now", "--restart=no", "--listen", &place.text("s")];
    let run = place.run(&options, &[&place.podseal(), "probe"]);
    let sealed: ProbeReport = serde_json::from_str(&run.wait_for_line("version")).unwrap();
    for probe in PROBES {
        if probe.is_closed_by(Level::default()) {
            let outcome = sealed.outcome(probe.id);
            assert!(outcome != Some(&Outcome::Succeeded), "{}: open", probe.id);
        }
    }
    assert!(sealed.outcome("netlink-audit").is_some());
    run.stop().expect(0, &[]);
    place.expect_nothing_left();
}

#[test]
fn output_passes_through_and_nothing_else_goes_to_standard_output() {
    let place = Place::new();
    let run = place.run_script(
        &[
            "--start=now",
            "--restart=no",
            "--quiet",
            "--listen",
            &place.text("s"),
        ],
        "echo out; echo err >&2",
    );
    run.wait_for_line("out");
    run.wait_for("err\n");
    let ended = run.stop();
    assert_eq!(
        (ended.stdout.as_str(), ended.stderr.as_str()),
        ("out\n", "err\n")
    );
    assert_eq!(files(&place.path("")), [""; 0]);
}

#[test]
fn all_of_a_long_output_passes_through() {
    const LINES: usize = 50_000;
    let place = Place::new();
    let script = format!("seq {LINES}; echo end");
    let run = place.run_script(
        &["--start=now", "--restart=no", "--listen", &place.text("s")],
        &script,
    );
    run.wait_for_line("end");
    let lines: Vec<String> = run.stdout().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), LINES + 1);
    assert_eq!(lines[LINES - 1], LINES.to_string());
    run.stop().expect(0, &[]);
    place.expect_nothing_left();
}

/// The cases where systemd.service(5) has a mark in its table for Restart=,
/// and some where it has none.
#[test]
fn a_service_is_started_again_when_it_was_asked_for() {
    let place = Place::new();
    for (restart, end, again) in [
        ("no", "exit 1", false),
        ("no", "kill -KILL $$", false),
        ("on-success", "exit 0", true),
        ("on-success", "kill -TERM $$", true),
        ("on-success", "exit 1", false),
        ("on-failure", "exit 1", true),
        ("on-failure", "kill -KILL $$", true),
        ("on-failure", "exit 0", false),
        ("on-failure", "kill -INT $$", false),
        ("on-abnormal", "kill -KILL $$", true),
        ("on-abnormal", "exit 1", false),
        ("on-abort", "kill -SEGV $$", true),
        ("on-abort", "exit 1", false),
        ("always", "exit 0", true),
        ("always", "exit 1", true),
    ] {
        // The second time it stays.
        let script = format!("ulimit -c 0; [ -e ended ] && exec sleep 1000; touch ended; {end}");
        let restart = format!("--restart={restart}");
        let listen = place.text("s");
        let options = ["--start=now", &restart, "--listen", &listen];
        let run = place.run_script(&options, &script);
        run.wait_for("down (");
        if again {
            run.wait_for_times("up, main process ", 2);
        }
        let ended = run.stop();
        ended.expect(0, &[]);
        let said = ended.stderr.contains("starting again");
        assert_eq!(said, again, "{restart} {end}: {ended:?}");
        fs::remove_file(place.path("ended")).unwrap();
        place.expect_nothing_left();
    }
}

#[test]
fn a_port_can_be_shared_when_it_was_asked_for() {
    let place = Place::new();
    let listen = format!("127.0.0.1:{}", free_port());
    let options = |name| {
        let listen = listen.as_str();
        [
            "--reuse-port",
            "--bind-to-device=lo",
            "--backlog=8",
            name,
            "--listen",
            listen,
        ]
    };
    let first = echo(&place, &options("--name=first"));
    first.wait_for("listening on ");
    let second = echo(&place, &options("--name=second"));
    second.wait_for("listening on ");
    first.stop().expect(0, &[]);
    hello(&listen).unwrap();
    second.stop().expect(0, &["traffic on "]);
    place.expect_nothing_left();
}

/// A reader that takes nothing holds up the service, not its end.
#[test]
fn output_that_nobody_reads_does_not_keep_it_from_ending() {
    let place = Place::new();
    let (reader, writer) = io::pipe().unwrap();
    let script = "echo begun >&2; exec yes";
    let mut command = place.run_command(
        &["--start=now", "--listen", &place.text("s")],
        &["sh", "-c", script],
    );
    let run = Running::start_writing_to(&mut command, writer.into());
    run.wait_for("begun");
    let full = eventually(BOUND, || {
        (rustix::io::ioctl_fionread(&reader).unwrap() >= 60_000).then_some(())
    });
    assert!(full.is_some(), "{}", run.stderr());
    run.stop().expect(0, &["stopped"]);
    place.expect_nothing_left();
}
