use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{SEALED, SOCKET, check, command, rules, sealed, write};
use crate::account::normal_user;
use crate::fixture::{Place, files, output};

const OPEN: &str = "[Service]\nExecStart=/usr/bin/podman run --network=none --pull=never web\n";
const DROP_IN: &str = "hi/web.service.d/90-podseal-check.conf";

fn open() -> Place {
    let place = sealed();
    write(&place, "hi/web.service", OPEN);
    place
}

#[test]
fn a_dry_run_only_shows_the_difference() {
    let place = open();
    let ended = check(&place, &["--fix", "--dry-run"]);
    ended.expect(1, &[]);
    let head = format!("--- /dev/null\n+++ {}\n@@", place.text(DROP_IN));
    assert!(ended.stdout.starts_with(&head), "{}", ended.stdout);
    assert!(
        ended
            .stdout
            .contains("\n+RestrictAddressFamilies=AF_UNIX AF_NETLINK\n")
    );
    assert_eq!(files(&place.path("hi")), ["web.service", "web.socket"]);
}

#[test]
fn what_is_safe_is_written_beside_the_units_and_they_stay() {
    let place = open();
    for arguments in [&["--fix"][..], &["--fix", "hi/web.service"]] {
        let ended = check(&place, &[arguments, &["--format=json"]].concat());
        ended.expect(0, &["+NoNewPrivileges=yes", "wrote "]);
        assert_eq!(rules(&ended), ["image-not-pinned"]);
        assert_eq!(
            fs::read_to_string(place.path("hi/web.service")).unwrap(),
            OPEN
        );
        assert_eq!(
            fs::read_to_string(place.path("hi/web.socket")).unwrap(),
            SOCKET
        );
        // Nothing but it, and nothing more to do.
        assert_eq!(
            files(&place.path("hi/web.service.d")),
            ["90-podseal-check.conf"]
        );
        let written = fs::read_to_string(place.path(DROP_IN)).unwrap();
        check(&place, &["--fix"]).expect(0, &["no finding can be taken away"]);
        assert_eq!(fs::read_to_string(place.path(DROP_IN)).unwrap(), written);
        fs::remove_dir_all(place.path("hi/web.service.d")).unwrap();
    }
}

#[test]
fn an_earlier_drop_in_is_added_to_and_another_ones_is_left() {
    let place = sealed();
    write(
        &place,
        "hi/web.service.d/1.conf",
        "[Service]\nSystemCallArchitectures=\n",
    );
    check(&place, &["--fix"]).expect(0, &[]);
    write(
        &place,
        "hi/web.service.d/1.conf",
        "[Service]\nSystemCallArchitectures=\nSystemCallFilter=\n",
    );
    let ended = check(&place, &["--fix"]);
    ended.expect(0, &[]);
    assert!(
        ended
            .stdout
            .contains(&format!("--- {}\n", place.text(DROP_IN)))
    );
    let written = fs::read_to_string(place.path(DROP_IN)).unwrap();
    assert!(written.contains("# native-abi\n") && written.contains("# io-uring-reachable\n"));

    write(&place, "hi/web.service", OPEN);
    for text in ["", "[Service]\n", "\u{fffd}"] {
        write(&place, DROP_IN, text);
        let ended = check(&place, &["--fix"]);
        ended.expect(
            2,
            &["90-podseal-check.conf was not written by podseal", "hint: "],
        );
        assert_eq!(fs::read_to_string(place.path(DROP_IN)).unwrap(), text);
    }
    fs::remove_file(place.path(DROP_IN)).unwrap();
    super::link(&place, DROP_IN, "../web.socket");
    check(&place, &["--fix"]).expect(2, &["was not written by podseal"]);
    assert_eq!(
        fs::read_to_string(place.path("hi/web.socket")).unwrap(),
        SOCKET
    );
}

/// All or nothing: the second unit's directory cannot be written to.
#[test]
fn a_failure_takes_back_what_was_written() {
    let place = Place::of(normal_user());
    if place.is_root() {
        return;
    }
    for name in ["a", "b"] {
        write(&place, &format!("hi/{name}.service"), OPEN);
    }
    fs::create_dir(place.path("hi/b.service.d")).unwrap();
    let mode = fs::Permissions::from_mode(0o555);
    fs::set_permissions(place.path("hi/b.service.d"), mode).unwrap();
    let writable = fs::Permissions::from_mode(0o777);
    fs::set_permissions(place.path("hi"), writable).unwrap();
    let ended = output(&mut command(&place, &["--fix"]));
    ended.expect(
        2,
        &[
            "cannot write ",
            "b.service.d",
            "Permission denied",
            "hint: ",
        ],
    );
    assert_eq!(files(&place.path("hi/a.service.d")), [""; 0]);
    assert_eq!(files(&place.path("hi/b.service.d")), [""; 0]);
}

#[test]
fn nothing_is_fixed_where_not_all_could_be_looked_at() {
    let place = open();
    write(&place, "hi/bad.service", SEALED);
    fs::write(place.path("hi/bad.service"), b"[Service]\n\0").unwrap();
    check(&place, &["--fix"]).expect(2, &["bad.service:2", "nothing is fixed"]);
    assert_eq!(
        files(&place.path("hi")),
        ["bad.service", "web.service", "web.socket"]
    );
}
