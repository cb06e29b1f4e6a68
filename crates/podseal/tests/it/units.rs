//! `podseal run --units` without Podman: what systemd does with such units, and
//! what it is asked while it runs.

use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;

use crate::fixture::{BOUND, Ended, Place, Running, eventually, output};
use crate::schema::Schema;
use crate::talk::{Client, free_port, hello};

mod lifecycle;
mod refused;

/// A directory of units.
pub(crate) struct Units<'a> {
    pub(crate) place: &'a Place,
}

impl<'a> Units<'a> {
    pub(crate) fn new(place: &'a Place, units: &[(&str, &str)]) -> Self {
        let own = Self { place };
        fs::create_dir_all(own.directory()).unwrap();
        for (name, text) in units {
            own.write(name, text);
        }
        own
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.place.path("units")
    }

    /// Writes a unit; `PODSEAL` and `PLACE` in it are replaced by paths.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let text = text.replace("PODSEAL", &self.place.podseal()).replace(
            "PLACE",
            self.place.path("").to_str().unwrap().trim_end_matches('/'),
        );
        let path = self.directory().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn run(&self, units: &[&str]) -> Running {
        let directory = self.directory();
        let arguments = [&["run", "--units", directory.to_str().unwrap()], units].concat();
        Running::start(&mut self.place.command(&arguments))
    }

    /// `podseal VERB UNIT…` while the run goes on.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Ended {
        output(&mut self.place.command(arguments))
    }

    /// What `podseal status` says of a unit, without its process.
    pub(crate) fn status(&self, unit: &str) -> String {
        let status = self.ask(&["status", unit]);
        let line = status.stdout.lines().find(|line| line.contains(unit));
        let line = line.unwrap_or_default().trim().to_owned();
        line.replacen(&format!("{unit} "), "", 1)
    }

    pub(crate) fn wait_for_status(&self, unit: &str, text: &str) {
        let found = eventually(BOUND, || self.status(unit).starts_with(text).then_some(()));
        assert!(found.is_some(), "{unit}: {}", self.status(unit));
    }
}

const SOCKET: &str = "[Socket]\nListenStream=PLACE/s\nRemoveOnStop=yes\n";
const SEALED: &str = "RestrictAddressFamilies=AF_UNIX AF_NETLINK\n";

fn echo_service(more: &str) -> String {
    format!("[Service]\nType=exec\nExecStart=PODSEAL echo\n{SEALED}{more}")
}

#[test]
fn units_run_in_their_order_and_can_be_asked() {
    let place = Place::new();
    let service = echo_service("[Unit]\nRequires=prep.service\nAfter=prep.service\n");
    let prep = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=touch PLACE/prepared\n\
                ExecStop=rm PLACE/prepared\n";
    let units = Units::new(
        &place,
        &[
            ("a.socket", SOCKET),
            ("a.service", &service),
            ("prep.service", prep),
        ],
    );
    let run = units.run(&["a.socket"]);
    run.wait_for("a.socket: listening on ");
    assert_eq!(units.status("a.service"), "inactive (dead), sealed");
    assert!(units.status("a.socket").starts_with("active (listening)"));
    hello(&place.text("s")).unwrap();
    assert!(place.path("prepared").exists());
    assert_eq!(units.status("prep.service"), "active (exited), NOT SEALED");
    units.wait_for_status("a.service", "active (running), main process ");
    assert!(units.status("a.socket").starts_with("active (running)"));

    // The dependent stops first, and only then what it needs.
    units.ask(&["stop", "prep.service"]).expect(0, &[]);
    assert!(!place.path("prepared").exists());
    assert_eq!(units.status("a.service"), "inactive (dead), sealed");
    units.ask(&["restart", "a.service"]).expect(0, &[]);
    units.wait_for_status("a.service", "active (running)");
    hello(&place.text("s")).unwrap();

    // A socket stops without its service, and not the other way round.
    units.ask(&["stop", "a.socket"]).expect(0, &[]);
    units.wait_for_status("a.service", "active (running)");
    units
        .ask(&["start", "a.socket"])
        .expect(1, &["a.socket: failed"]);
    run.wait_for("a.socket: not opened: its service runs without it");
    units.ask(&["stop", "a.service"]).expect(0, &[]);
    units.ask(&["start", "a.socket"]).expect(0, &[]);
    hello(&place.text("s")).unwrap();
    for verb in ["status", "start", "stop", "restart", "reset-failed"] {
        let status = if verb == "status" { 4 } else { 1 };
        units
            .ask(&[verb, "other.service"])
            .expect(status, &["no run has a unit other.service"]);
    }
    let json = units.ask(&["status", "--format=json", "a.socket"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let schema = Schema::parse(include_str!("../../../../docs/schema/status.schema.json"));
    assert_eq!(schema.problem(&json), None);
    assert_eq!(json["version"], 2);
    assert_eq!(json["runs"][0]["name"], "a");
    let unit = &json["runs"][0]["units"][0];
    assert_eq!(unit["unit"], "a.socket");
    assert_eq!(unit["listen"][0], place.text("s"));
    let json = units.ask(&["status", "--format=json", "a"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(schema.problem(&json), None);
    let unit = &json["runs"][0]["units"][0];
    assert_eq!(unit["problems"], serde_json::json!([]));
    let processes = unit["processes"].as_array().unwrap();
    assert!(!processes.is_empty(), "{unit}");
    for process in processes {
        assert_eq!(process["no_new_privs"], true, "{process}");
        assert!(process["filters"].as_u64() >= Some(1), "{process}");
    }
    run.stop().expect(
        0,
        &[
            "a.service: sealed at level families: AF_UNIX AF_NETLINK only",
            "warning: prep.service is NOT SEALED",
        ],
    );
    fs::remove_dir_all(units.directory()).unwrap();
    place.expect_nothing_left();
    units.ask(&["status"]).expect(0, &["nothing is run"]);
}

/// Until somebody resets it; what is changed in the files counts then.
#[test]
fn a_socket_whose_service_keeps_failing_is_given_up_until_reset() {
    let place = Place::new();
    let units = Units::new(
        &place,
        &[
            ("a.socket", SOCKET),
            (
                "a.service",
                "[Service]\nExecStart=false\nRestart=on-failure\n",
            ),
        ],
    );
    let run = units.run(&["a.socket"]);
    run.wait_for("listening on ");
    let _client = Client::connect(&place.text("s")).unwrap();
    run.wait_for("a.socket: no longer listening (service-start-limit-hit)");
    assert_eq!(
        units.status("a.socket"),
        "failed (failed), result service-start-limit-hit"
    );
    assert_eq!(
        units.status("a.service"),
        "failed (failed), result exit-code, NOT SEALED"
    );
    units.ask(&["status", "a"]).expect(3, &[]);
    assert!(hello(&place.text("s")).is_err());

    units.write("a.service", &echo_service(""));
    units
        .ask(&["reset-failed", "a.service", "a.socket"])
        .expect(0, &[]);
    units.ask(&["start", "a.socket"]).expect(0, &[]);
    hello(&place.text("s")).unwrap();
    assert!(units.status("a.service").ends_with("sealed"));
    assert!(!units.status("a.service").contains("NOT"));

    // A file that is broken does not count.
    units.write("a.service", "[Service]\nType=forking\nExecStart=true\n");
    units.ask(&["restart", "a.service"]).expect(0, &[]);
    run.wait_for("what was read before counts until this is mended");
    hello(&place.text("s")).unwrap();
    run.stop().expect(0, &["stopped"]);
}

#[test]
fn a_run_ends_with_a_failure_when_a_unit_has_failed() {
    let place = Place::new();
    let units = Units::new(
        &place,
        &[("a.service", "[Service]\nType=exec\nExecStart=false\n")],
    );
    let run = units.run(&["a.service"]);
    run.wait_for("a.service: down (exit-code)");
    run.stop().expect(1, &["stopped; failed: a.service"]);
    place.expect_nothing_left();
}

/// Whatever they do to their environment, session and parent.
#[test]
fn processes_belong_to_the_unit_that_started_them() {
    const AWAY: &str = r#"[Service]
Type=exec
ExecStart=sh -c 'setsid env -i sh -c "setsid env -i sleep 1234 & exec setsid env -i sleep 1234" & exec sleep 1234'
"#;
    let place = Place::new();
    let units = Units::new(&place, &[("a.service", AWAY), ("b.service", AWAY)]);
    let sleeping = || {
        let ps = output(std::process::Command::new("ps").args(["-e", "-o", "pid=,args="]));
        // No other test sleeps so long.
        let own = |line: &&str| line.ends_with("sleep 1234");
        ps.stdout.lines().filter(own).count()
    };
    let before = sleeping();
    let run = units.run(&["a.service", "b.service"]);
    let all = eventually(BOUND, || (sleeping() == before + 6).then_some(()));
    assert!(all.is_some(), "{before} {}", sleeping());
    units.ask(&["stop", "a.service"]).expect(0, &[]);
    let half = eventually(BOUND, || (sleeping() == before + 3).then_some(()));
    assert!(half.is_some(), "{before} {}", sleeping());
    units.wait_for_status("b.service", "active (running)");
    run.stop().expect(0, &[]);
    assert_eq!(sleeping(), before);
    place.expect_nothing_left();
}

#[test]
fn a_service_gets_its_commands_environment_and_sockets() {
    const SERVICE: &str = r#"[Service]
Type=oneshot
WorkingDirectory=/tmp
Environment=A=1 "B=two words"
EnvironmentFile=-/nonexistent
EnvironmentFile=PLACE/env
ExecStartPre=-false
ExecStart=sh -c 'echo "told: $$PWD $$A|$$B|$$C|$0|$1|$2 $$LISTEN_FDS $$LISTEN_FDNAMES" >> PLACE/log' ${B} $B
ExecStart=:sh -c 'echo "$A${C}" >> PLACE/log'
ExecStart=@sh other -c 'echo "$$0" >> PLACE/log'
ExecStopPost=sh -c 'echo "$$SERVICE_RESULT $$EXIT_CODE $$EXIT_STATUS" >> PLACE/log'
"#;
    let place = Place::new();
    let units = Units::new(
        &place,
        &[
            (
                "b.socket",
                "[Socket]\nListenStream=PLACE/s\nListenStream=PLACE/t\nFileDescriptorName=web\nService=a.service\n",
            ),
            (
                "c.socket",
                "[Socket]\nListenStream=PLACE/u\nService=a.service\n",
            ),
            ("a.service", SERVICE),
        ],
    );
    fs::write(place.path("env"), "C='from file'\n# D=1\n").unwrap();
    let run = units.run(&["b.socket", "c.socket"]);
    run.wait_for_times("listening on ", 2);
    units.ask(&["start", "a.service"]).expect(0, &[]);
    run.wait_for("a.service: down (success)");
    let log = fs::read_to_string(place.path("log")).unwrap();
    let expected = "told: /tmp 1|two words|from file|two words|two|words 3 web:web:c.socket\n\
                    1from file\nother\nsuccess exited 0\n";
    assert_eq!(log, expected, "{}", run.stderr());
    run.stop().expect(0, &[]);
    // RemoveOnStop=no
    assert!(place.path("s").exists());
}

/// Each unit has its own restrictions, and a `+` command none.
#[test]
fn restrictions_are_those_of_each_unit() {
    let place = Place::new();
    let script = "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status | tr '\\\\n\\\\t' '  '";
    let service = |settings: &str, prefix: &str| {
        format!(
            "[Service]\nType=oneshot\nRemainAfterExit=yes\n{settings}\
             ExecStart={prefix}sh -c \"{script}; python3 -c 'import socket; socket.socket()' \
             2>&1 | grep -c supported; true\"\n"
        )
    };
    let cases = [
        ("none.service", "", "", "NoNewPrivs: 0 Seccomp: 0 0"),
        ("plus.service", SEALED, "+", "NoNewPrivs: 0 Seccomp: 0 0"),
        ("sealed.service", SEALED, "", "NoNewPrivs: 1 Seccomp: 2 1"),
        (
            "deny.service",
            "RestrictAddressFamilies=~AF_INET\n",
            "",
            "NoNewPrivs: 1 Seccomp: 2 1",
        ),
        (
            "other.service",
            "RestrictAddressFamilies=AF_INET\n",
            "",
            "NoNewPrivs: 1 Seccomp: 2 0",
        ),
        (
            "nnp.service",
            "NoNewPrivileges=yes\n",
            "",
            "NoNewPrivs: 1 Seccomp: 2 0",
        ),
    ];
    let units = Units::new(&place, &[]);
    for (name, settings, prefix, expected) in cases {
        units.write(name, &service(settings, prefix));
        let run = units.run(&[name]);
        run.wait_for(&format!("{name}: up"));
        let ended = run.stop();
        let said = ended
            .stdout
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        assert_eq!(said, expected, "{name}: {ended:?}");
        let sealed = format!("{name}: sealed at level families: AF_UNIX AF_NETLINK only");
        assert_eq!(
            ended.stderr.contains(&sealed),
            settings == SEALED && prefix.is_empty(),
            "{ended:?}"
        );
        let loud = format!("warning: {name} is NOT SEALED");
        assert_eq!(
            ended.stderr.contains(&loud),
            settings != SEALED || prefix == "+",
            "{ended:?}"
        );
    }
}

#[test]
fn a_second_signal_kills_and_a_stale_control_socket_is_named() {
    let place = Place::new();
    let stubborn = "[Service]\nType=exec\nExecStart=sh -c 'trap \"\" TERM; echo ready; while :; do sleep 1000; done'\n";
    let units = Units::new(&place, &[("a.service", stubborn)]);
    let run = units.run(&["a.service"]);
    run.wait_for_line("ready");
    run.signal(Signal::TERM);
    run.wait_for("stopping");
    units
        .ask(&["restart", "a.service"])
        .expect(1, &["a.service: canceled"]);
    run.signal(Signal::TERM);
    run.end().expect(0, &["killing"]);
    place.expect_nothing_left();

    let run = units.run(&["a.service"]);
    run.wait_for_line("ready");
    run.signal(Signal::KILL);
    run.end();
    units.ask(&["stop", "a.service"]).expect(
        1,
        &["the run a has ended without removing its socket", "hint: "],
    );
    // It is taken over.
    let run = units.run(&["a.service"]);
    run.wait_for_line("ready");
    units.wait_for_status("a.service", "active (running)");
    run.signal(Signal::TERM);
    run.wait_for("stopping");
    run.signal(Signal::TERM);
    run.end().expect(0, &[]);
}

#[test]
fn only_the_user_may_ask() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let listen = format!("127.0.0.1:{}", free_port());
    let run = place.run(&["--name=a", "--listen", &listen], &["true"]);
    run.wait_for("listening on ");
    let mode = |path: &str| {
        let metadata = fs::metadata(place.path(path)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode("podseal/a"), 0o700);
    assert_eq!(mode("podseal/a/control"), 0o600);
    // A single service can be asked, too.
    let units = Units { place: &place };
    assert!(units.status("a.socket").starts_with("active (listening)"));
    run.stop().expect(0, &[]);
}
