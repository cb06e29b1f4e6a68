//! `podseal explain`: saved journals. What systemd has is tested in podseal-lab.

use std::fs;

use serde_json::Value;

use crate::fixture::{Ended, Place, Running, output};
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

/// What a run of a shell's script says of its failure.
fn run(script: &str) -> Ended {
    let place = Place::new();
    let mut command = place.command(&["run", "--start=now", "--restart=no", "--listen"]);
    command
        .arg(place.text("s"))
        .args(["--", "sh", "-c", script]);
    let run = Running::start(&mut command);
    run.wait_for("why: ");
    let ended = run.stop();
    place.expect_nothing_left();
    ended
}

#[test]
fn a_run_says_the_first_answer() {
    let script = "echo 'Error: localhost/x: image not known' >&2; exit 125";
    run(script).expect(
        0,
        &[
            "sh: why: the image is not in this user's storage",
            "[image-missing]\nsh:   podman: Error: localhost/x: image not known\nsh:   fix: pull",
            "\nsh:   next: podman pull IMAGE\n",
        ],
    );
    run("echo broken >&2; exit 1").expect(0, &["sh: why: podseal does not know\n"]);
}
