//! `podseal check`: unit files in a private search path, and what is found.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::Value;

use crate::fixture::{Ended, Place, output};

mod fix;
mod refused;
mod schema;

/// `podseal check` with nothing of this host's in the search path.
fn command(place: &Place, arguments: &[&str]) -> Command {
    let mut command = place.command(&["check"]);
    command
        .args(arguments)
        .env("SYSTEMD_UNIT_PATH", "hi:lo")
        .env("XDG_CONFIG_HOME", place.path("config"))
        .env("HOME", place.path("home"));
    command
}

fn check(place: &Place, arguments: &[&str]) -> Ended {
    output(&mut command(place, arguments))
}

fn write(place: &Place, file: &str, text: &str) {
    let path = place.path(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn link(place: &Place, file: &str, target: &str) {
    let path = place.path(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    symlink(target, path).unwrap();
}

const SEALED: &str = "[Unit]\nRequires=web.socket\nAfter=web.socket\n[Service]\n\
    ExecStart=/usr/bin/podman run --rm --network=none --pull=never web@sha256:\
    0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n\
    ExecStartPre=+/usr/bin/podseal pause ensure\n\
    RestrictAddressFamilies=AF_UNIX AF_NETLINK\nNoNewPrivileges=yes\n\
    SystemCallArchitectures=native\n\
    SystemCallFilter=~io_uring_setup:ENOSYS io_uring_enter:ENOSYS io_uring_register:ENOSYS\n";
const SOCKET: &str = "[Socket]\nListenStream=127.0.0.1:8080\nBindToDevice=lo\n";

/// A sealed pair in the search path.
fn sealed() -> Place {
    let place = Place::new();
    write(&place, "hi/web.service", SEALED);
    write(&place, "hi/web.socket", SOCKET);
    place
}

/// The rules that found something, in their order.
fn rules(ended: &Ended) -> Vec<String> {
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(document["version"], 1);
    let findings = document["findings"].as_array().unwrap().iter();
    let id = |finding: &Value| finding["rule"].as_str().unwrap().to_owned();
    findings.map(id).collect()
}

#[test]
fn what_is_sealed_is_clean_however_it_is_named() {
    let place = sealed();
    write(
        &place,
        "hi/other.service",
        "[Service]\nExecStart=/bin/true\n",
    );
    for (arguments, summary) in [
        (
            &[][..],
            "nothing found in 2 units; passed over 1 service without Podman",
        ),
        (&["web"], "nothing found in 2 units"),
        (&["web.socket"], "nothing found in 2 units"),
        (&["./hi/web.service"], "nothing found in 2 units"),
        (
            &["./hi/web.service", "hi/web.socket"],
            "nothing found in 2 units",
        ),
        (
            &["hi/"],
            "nothing found in 2 units; passed over 1 service without Podman",
        ),
        (
            &["."],
            "nothing found in 2 units; passed over 1 service without Podman",
        ),
    ] {
        let ended = check(&place, arguments);
        ended.expect(0, &[]);
        assert_eq!(ended.stdout.trim_end(), summary, "{arguments:?}");
        assert_eq!(ended.stderr, "");
    }
}

#[test]
fn a_finding_shows_the_place_the_reason_and_the_fix() {
    let place = sealed();
    let text = "[Service]\n# why\nRestrictAddressFamilies=AF_UNIX \\\n  AF_INET\n";
    write(&place, "lo/web.service.d/60-x.conf", text);
    let ended = check(&place, &["web"]);
    ended.expect(1, &[]);
    let file = place.text("lo/web.service.d/60-x.conf");
    let expected = format!(
        "error[families-too-many]: more socket families than Podman needs\n \
         --> {file}:4:3 (web.service)\n  |\n4 |   AF_INET\n  |   ^^^^^^^ AF_INET may be used as well\n"
    );
    assert!(ended.stdout.starts_with(&expected), "{}", ended.stdout);
    for text in [
        "\n  = why: Podman and the OCI runtimes need AF_UNIX",
        "\n  = fix: set RestrictAddressFamilies=AF_UNIX AF_NETLINK\n",
        "\n  = see: docs/rules.md#families-too-many\n",
        "\n1 error in 2 units\n",
    ] {
        assert!(ended.stdout.contains(text), "{text} in {}", ended.stdout);
    }
}

/// A unit file cannot write to the terminal, or make a line without an end.
#[test]
fn lines_are_shown_without_control_characters_and_cut() {
    let place = sealed();
    let long = format!("SEAL={} \u{1b}[31mred --network=host", "x".repeat(5000));
    let text = format!("[Service]\nExecStart=\nExecStart=/usr/bin/podman run --env={long} web\n");
    write(&place, "hi/web.service.d/60-x.conf", &text);
    let ended = check(&place, &["web"]);
    ended.expect(1, &[]);
    assert!(!ended.stdout.contains('\u{1b}'));
    assert!(ended.stdout.lines().all(|line| line.chars().count() < 400));
}

#[test]
fn the_exit_status_follows_the_severity() {
    let place = sealed();
    write(
        &place,
        "hi/web.socket",
        "[Socket]\nListenStream=127.0.0.1:1\n",
    );
    for (fail_on, code) in [("error", 0), ("warning", 0), ("note", 1), ("never", 0)] {
        check(&place, &["--fail-on", fail_on]).expect(code, &[]);
    }
    write(
        &place,
        "hi/web.service.d/1.conf",
        "[Service]\nOpenFile=/x\n",
    );
    for (fail_on, code) in [("error", 0), ("warning", 1), ("note", 1), ("never", 0)] {
        check(&place, &["--fail-on", fail_on]).expect(code, &[]);
    }
    check(&place, &["--fail-on=never", "web", "none"]).expect(2, &["none.service"]);
}

#[test]
fn what_is_ignored_is_listed_in_every_format() {
    let place = sealed();
    let comment = "# podseal: ignore open-file it is the clock's device\n";
    write(
        &place,
        "hi/web.service.d/1.conf",
        "[Service]\nOpenFile=/x\n",
    );
    write(&place, "hi/web.service.d/2.conf", comment);
    let ended = check(&place, &["--fail-on=note"]);
    ended.expect(0, &[]);
    assert!(ended.stdout.contains("ignored[open-file]: web.service: "));
    assert!(ended.stdout.contains("2.conf:1: it is the clock's device"));
    assert!(ended.stdout.contains("nothing found in 2 units, 1 ignored"));
    let ended = check(&place, &["--format=json"]);
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    let ignored = &document["findings"][0]["ignored"];
    assert_eq!(ignored["reason"], "it is the clock's device");
    let ended = check(&place, &["--format=sarif"]);
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    let suppression = &document["runs"][0]["results"][0]["suppressions"][0];
    assert_eq!(suppression["justification"], "it is the clock's device");

    write(
        &place,
        "hi/web.service.d/2.conf",
        "# podseal: ignore open-file\n# podseal: ignore no-rule x\n",
    );
    let ended = check(&place, &["--format=json"]);
    ended.expect(1, &[]);
    let expected = ["open-file", "ignore-without-reason", "ignore-unknown-rule"];
    assert_eq!(rules(&ended), expected);
}

#[test]
fn sarif_is_as_its_schema_says() {
    let place = sealed();
    schema::expect_sarif(&sarif(&place, &[]));
    write(
        &place,
        "hi/web.service",
        "[Service]\nExecStart=/usr/bin/podman run web\n",
    );
    write(
        &place,
        "hi/web.service.d/2.conf",
        "# podseal: ignore native-abi a reason\n",
    );
    link(&place, "hi/masked.socket", "/dev/null");
    let document = sarif(
        &place,
        &["web", "masked.socket", "none", "./hi/web.service"],
    );
    schema::expect_sarif(&document);
    let run = &document["runs"][0];
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    let results = run["results"].as_array().unwrap();
    assert!(results.len() > 5);
    for result in results {
        let pointer = format!("/tool/driver/rules/{}", result["ruleIndex"]);
        let rule = run.pointer(&pointer).unwrap();
        assert_eq!(rule["id"], result["ruleId"]);
    }
    let place = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "hi/web.service");
}

fn sarif(place: &Place, arguments: &[&str]) -> Value {
    let mut command = command(place, arguments);
    let ended = output(command.arg("--format=sarif"));
    serde_json::from_str(&ended.stdout).unwrap()
}

/// A service whose partner is in another directory of the search path, an
/// alias, and an instance.
#[test]
fn units_find_one_another() {
    let place = Place::new();
    let service = SEALED.replace("web.socket", "web@%i.socket");
    write(&place, "lo/web@.service", &service);
    write(&place, "hi/web@.socket", SOCKET);
    link(&place, "hi/site@.service", "../lo/web@.service");
    let ended = check(&place, &["web@a", "--format=json"]);
    ended.expect(0, &[]);
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(document["units"].as_array().unwrap().len(), 2);
    check(&place, &["site@b"]).expect(0, &[]);
}

/// What is not to be seen through is not clean.
#[test]
fn a_script_is_not_clean_when_it_is_asked_for() {
    let place = Place::new();
    write(
        &place,
        "hi/web.service",
        "[Service]\nExecStart=/opt/start-web\n",
    );
    write(&place, "hi/web.socket", SOCKET);
    for argument in ["web.service", "web.socket", "./hi/web.service"] {
        let ended = check(&place, &[argument, "--format=json"]);
        ended.expect(1, &[]);
        assert_eq!(rules(&ended), ["no-podman"], "{argument}");
    }
}

/// Units of one name in two directories are two units.
#[test]
fn directories_have_nothing_to_do_with_one_another() {
    let place = sealed();
    write(&place, "fleet/a/web.service", SEALED);
    write(&place, "fleet/b/web.service", SEALED);
    write(&place, "fleet/b/web.socket", SOCKET);
    let ended = check(&place, &["fleet/", "--format=json"]);
    ended.expect(1, &[]);
    assert_eq!(rules(&ended), ["service-without-its-socket"]);
    assert!(ended.stdout.contains("fleet/a/web.service"));
}

/// Podman's own units are passed over, and those of its user's that look so are
/// not.
#[test]
fn a_template_and_a_unit_named_as_podmans_own() {
    let place = Place::new();
    write(
        &place,
        "hi/podman.service",
        &SEALED.replace("=none", "=host"),
    );
    write(
        &place,
        "hi/web@.service",
        &SEALED.replace("web.socket", "web@%i.socket"),
    );
    write(&place, "hi/web@.socket", SOCKET);
    let ended = check(&place, &["--format=json"]);
    ended.expect(1, &[]);
    let found = ["network-not-none", "service-without-its-socket"];
    for rule in found {
        assert!(rules(&ended).contains(&rule.to_owned()), "{}", ended.stdout);
    }
    assert!(ended.stdout.contains("\"web@.service\""));
}
