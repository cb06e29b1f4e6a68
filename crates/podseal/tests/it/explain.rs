//! `podseal explain`: saved journals. What systemd has is tested in podseal-lab.

use std::fs;
use std::os::unix::net::{UnixListener, UnixStream};

use serde_json::Value;

use crate::fixture::{BOUND, Ended, Place, Running, eventually, output};
use crate::schema::Schema;

/// Podman finds no image, and systemd tells of it.
const JOURNAL: &str = r#"{"_COMM":"podman","_SYSTEMD_USER_UNIT":"web.service","_SYSTEMD_INVOCATION_ID":"1","MESSAGE":"Error: localhost/x: image not known"}
{"_COMM":"systemd","USER_UNIT":"web.service","USER_INVOCATION_ID":"1","MESSAGE_ID":"98e322203f7a4ed290d09fe03c09fe15","EXIT_CODE":"exited","EXIT_STATUS":"125","MESSAGE":"web.service: Main process exited"}
{"_COMM":"systemd","USER_UNIT":"web.service","USER_INVOCATION_ID":"1","MESSAGE_ID":"d9b373ed55a64feb8242e02dbe79a49c","UNIT_RESULT":"exit-code","MESSAGE":"web.service: Failed with result 'exit-code'."}
"#;

fn explain(journal: &str, options: &[&str]) -> Ended {
    let place = Place::new();
    let path = place.path("journal");
    fs::write(&path, journal).unwrap();
    let mut command = place.command(&["explain", "--journal"]);
    command.arg(&path).args(options);
    output(&mut command)
}

#[test]
fn a_saved_journal_is_explained() {
    let ended = explain(JOURNAL, &[]);
    ended.expect(0, &[]);
    for text in [
        "web.service\n  cause: the image is not in this user's storage",
        "[image-missing]\n    podman: Error: localhost/x: image not known\n",
        "\npodman pull IMAGE\n",
    ] {
        assert!(ended.stdout.contains(text), "{text}: {ended:?}");
    }
}

#[test]
fn what_is_not_known_is_said() {
    let journal = JOURNAL.replace("image not known", "of unknown kind");
    let ended = explain(&journal, &["web"]);
    ended.expect(1, &[]);
    let text = "podseal does not know why\n  lines that look relevant:\n    podman: Error: ";
    assert!(ended.stdout.contains(text), "{ended:?}");
}

#[test]
fn the_json_form_has_its_schema() {
    let schema = Schema::parse(include_str!("../../../../docs/schema/explain.schema.json"));
    let ended = explain(JOURNAL, &["--format=json"]);
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(schema.problem(&document), None);
    assert_eq!(document["answers"][0]["id"], "image-missing");
}

#[test]
fn what_cannot_be_looked_at_is_an_error() {
    explain("nonsense", &[]).expect(2, &["journal:1: not a line of `journalctl"]);
    explain("", &[]).expect(2, &["no service in it"]);
    explain(JOURNAL, &["other"]).expect(2, &["has nothing about other.service"]);
    explain(JOURNAL, &["../web"]).expect(2, &["names no service or socket"]);
}

/// A run of a shell's script called "web".
fn run(place: &Place, options: &[&str], script: &str) -> Running {
    let listen = place.text("s");
    let own = ["--name=web", "--restart=no", "--listen", &listen];
    place.run(&[&own[..], options].concat(), &["sh", "-c", script])
}

/// What is said of it.
fn asked(place: &Place, options: &[&str]) -> Ended {
    output(&mut place.command(&[&["explain", "web"][..], options].concat()))
}

const NO_IMAGE: &str = "echo 'Error: localhost/x: image not known' >&2; exit 125";

#[test]
fn a_run_says_the_first_answer() {
    for (script, words) in [
        (
            NO_IMAGE,
            "web: why: the image is not in this user's storage, and the seal does not let it be \
             pulled at start [image-missing]\nweb:   podman: Error: localhost/x: image not known\n\
             web:   fix: pull it beforehand with `podman pull IMAGE`, as the same user\n\
             web:   next: podman pull IMAGE\n",
        ),
        ("echo broken; exit 1", "web: why: podseal does not know\n"),
    ] {
        let place = Place::new();
        let run = run(&place, &["--start=now"], script);
        run.wait_for("why: ");
        run.stop().expect(0, &[words]);
        place.expect_nothing_left();
    }
}

#[test]
fn a_run_is_explained() {
    let place = Place::new();
    let healthy = run(&place, &[], "exit 1");
    healthy.wait_for("listening");
    asked(&place, &[]).expect(0, &[]);
    healthy.stop().expect(0, &[]);

    let run = run(
        &place,
        &["--start=now"],
        &format!("echo one; echo two; {NO_IMAGE}"),
    );
    run.wait_for("why: ");
    let ended = asked(&place, &[]);
    ended.expect(0, &[]);
    for text in [
        "web.service\n  cause: the image is not in this user's storage",
        "[image-missing]\n    podman: Error: localhost/x: image not known\n",
        "\npodman pull IMAGE\n",
    ] {
        assert!(ended.stdout.contains(text), "{text}: {ended:?}");
    }
    let ended = asked(&place, &["--format=json"]);
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    let schema = Schema::parse(include_str!("../../../../docs/schema/explain.schema.json"));
    assert_eq!(schema.problem(&document), None);
    assert_eq!(document["run"], "web");
    // systemd does not have it.
    asked(&place, &["--user"]).expect(2, &[]);
    let shown = output(&mut place.command(&["status", "web"]));
    let why = "why       the image is not in this user's storage";
    assert!(shown.stdout.contains(why), "{shown:?}");
    run.stop().expect(0, &[]);
    place.expect_nothing_left();
}

#[test]
fn the_last_lines_of_a_run_are_shown_where_podseal_does_not_know() {
    let place = Place::new();
    let script = "for i in $(seq 1000); do echo line $i; done; echo no config; exit 1";
    let run = run(&place, &["--start=now"], script);
    run.wait_for("why: ");
    let ended = asked(&place, &[]);
    ended.expect(1, &[]);
    for text in [
        "web.service: it failed, and podseal does not know why",
        "    service: line 1000\n",
        "    service: no config\n",
        "\npodseal status web.service\n",
    ] {
        assert!(ended.stdout.contains(text), "{text}: {ended:?}");
    }
    assert!(!ended.stdout.contains("line 990\n"), "{ended:?}");
    run.stop().expect(0, &[]);
}

#[test]
fn a_run_that_is_mended_is_started_again() {
    let place = Place::new();
    let flag = place.text("flag");
    let script = format!("test -e {flag} && exec sleep 1000; {NO_IMAGE}");
    let run = run(&place, &["--start=now"], &script);
    run.wait_for("why: ");
    fs::write(&flag, "").unwrap();
    asked(&place, &["--apply"]).expect(0, &["started web.socket"]);
    let _client = UnixStream::connect(place.path("s")).unwrap();
    run.wait_for_times(", main process ", 2);
    let shown = output(&mut place.command(&["status", "web"]));
    assert!(shown.stdout.contains("web.service active"), "{shown:?}");
    run.stop().expect(0, &[]);
    place.expect_nothing_left();
}

/// A client that waits, and asks until the answer comes.
fn asked_until(place: &Place, answer: &str) -> Ended {
    let _client = UnixStream::connect(place.path("s")).unwrap();
    let asked = || Some(asked(place, &[])).filter(|ended| ended.stdout.contains(answer));
    let ended = eventually(BOUND, asked);
    ended.unwrap_or_else(|| panic!("never {answer}: {:?}", self::asked(place, &[])))
}

#[test]
fn what_accepts_nothing_is_seen_at_unix_sockets_too() {
    let place = Place::new();
    let run = run(&place, &[], "exec sleep 1000");
    run.wait_for("listening");
    let ended = asked_until(&place, "[never-accepts]");
    let waits = format!("wait on {} to be accepted: 1\n", place.text("s"));
    assert!(ended.stdout.contains(&waits), "{ended:?}");
    let _client = UnixStream::connect(place.path("s")).unwrap();
    let shown = output(&mut place.command(&["status", "web.socket"]));
    assert!(shown.stdout.contains("2 waiting"), "{shown:?}");
    run.stop().expect(0, &[]);
}

#[test]
fn what_is_started_again_and_again_is_noticed() {
    for (script, answer) in [
        (format!("sleep 3; {NO_IMAGE}"), "[image-missing]"),
        (
            "exec sleep 3".to_owned(),
            "[exits-at-once]\n    podseal run: web.service ended ",
        ),
    ] {
        let place = Place::new();
        let run = run(&place, &[], &script);
        run.wait_for("listening");
        asked_until(&place, answer).expect(0, &[]);
        run.stop().expect(0, &[]);
        place.expect_nothing_left();
    }
}

#[test]
fn what_units_of_a_run_cannot_do_is_explained() {
    let place = Place::new();
    let units = place.path("units");
    fs::create_dir(&units).unwrap();
    let write = |name: &str, text: String| fs::write(units.join(name), text).unwrap();
    let socket = |path: &str| format!("[Socket]\nListenStream={}\n", place.text(path));
    write("web.socket", socket("s"));
    write(
        "web.service",
        "[Service]\nExecStart=/opt/gone/server\n".into(),
    );
    write("taken.socket", socket("taken"));
    write(
        "taken.service",
        "[Service]\nExecStart=/bin/sleep 1000\n".into(),
    );
    write(
        "late.service",
        "[Service]\nType=notify\nTimeoutStartSec=1\nExecStart=/bin/sleep 1000\n".into(),
    );
    let directory = units.to_str().unwrap();
    let mut command = place.command(&["run", "--name=three", "--units", directory]);
    command.args(["web.socket", "late.service", "taken.socket"]);
    let run = Running::start(&mut command);
    run.wait_for_times("listening on ", 2);
    let _client = UnixStream::connect(place.path("s")).unwrap();
    run.wait_for("is not installed, or not in PATH");
    run.wait_for("late.service: down (timeout)");
    output(&mut place.command(&["stop", "taken.socket"])).expect(0, &[]);
    // As with systemd, the file stays.
    fs::remove_file(place.path("taken")).unwrap();
    let _other = UnixListener::bind(place.path("taken")).unwrap();
    output(&mut place.command(&["start", "taken.socket"])).expect(1, &["taken.socket: failed"]);
    for (unit, words) in [
        ("web", "[program-missing]"),
        ("web.socket", "[program-missing]"),
        ("late", "[notify-timeout]"),
        ("taken", "[address-in-use]"),
    ] {
        let ended = output(&mut place.command(&["explain", unit]));
        assert!(ended.stdout.contains(words), "{unit}: {ended:?}");
    }
    run.stop();
}
