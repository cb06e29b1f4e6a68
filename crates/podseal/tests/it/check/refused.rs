use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rustix::fs::{CWD, Mode, mkfifoat};

use super::{SEALED, SOCKET, check, command, link, rules, sealed, write};
use crate::account::normal_user;
use crate::fixture::{Place, output};

#[test]
fn what_cannot_be_read_is_said_and_the_rest_is_checked() {
    let place = sealed();
    fs::create_dir_all(place.path("bad/directory.service")).unwrap();
    link(&place, "bad/loop.service", "loop.service");
    link(&place, "bad/up", "..");
    write(&place, "bad/below/web.service", SEALED);
    write(&place, "bad/below/web.socket", SOCKET);
    fs::write(place.path("bad/binary.service"), b"[Service]\n\0\xff\0").unwrap();
    let large = fs::File::create(place.path("bad/large.service")).unwrap();
    large.set_len(100 << 20).unwrap();
    mkfifoat(CWD, place.path("bad/pipe.service"), Mode::RWXU).unwrap();
    let ended = check(
        &place,
        &["web", "bad/", "../x/y.service", "a@/b", "none", "t@"],
    );
    ended.expect(
        2,
        &[
            "bad/directory.service is a directory",
            "bad/loop.service is a link to loop.service",
            "bad/binary.service:2: ",
            "bad/large.service is larger than 16 MiB",
            "bad/pipe.service is not a regular file",
            "there is no file of none.service",
            "t@.service is a template",
            "hint: ",
        ],
    );
    assert!(
        ended.stdout.contains("nothing found in "),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains("could not look "), "{}", ended.stdout);
}

#[test]
fn files_and_directories_that_may_not_be_read() {
    let place = Place::of(normal_user());
    if place.is_root() {
        return;
    }
    write(&place, "hi/web.service", SEALED);
    write(&place, "hi/web.socket", SOCKET);
    write(&place, "hi/web.service.d/1.conf", "[Service]\n");
    write(&place, "hi/deep/x.service", SEALED);
    for (closed, argument, what) in [
        ("hi/web.service.d/1.conf", "web", "read"),
        ("hi/web.socket", "web", "read"),
        ("hi/deep", "hi/", "list"),
    ] {
        let mode = |mode| fs::Permissions::from_mode(mode);
        fs::set_permissions(place.path(closed), mode(0o000)).unwrap();
        let ended = output(&mut command(&place, &[argument]));
        ended.expect(
            2,
            &[&format!("cannot {what} "), closed, "Permission denied"],
        );
        fs::set_permissions(place.path(closed), mode(0o755)).unwrap();
    }
}

#[test]
fn what_systemd_refuses_is_a_finding() {
    let place = sealed();
    write(
        &place,
        "hi/web.service",
        "[Service]\nExecStart=bin/podman run web\n",
    );
    let ended = check(&place, &["--format=json"]);
    ended.expect(1, &[]);
    assert!(rules(&ended).contains(&"unit-refused".to_owned()));
    // Cut off in the middle of a line, or of a character.
    for text in [
        &SEALED.as_bytes()[..90],
        b"[Service]\nExecStart=podman run \xe2\x82",
        b"[Serv",
    ] {
        fs::write(place.path("hi/web.service"), text).unwrap();
        check(&place, &["web"]).expect(1, &[]);
    }
}

#[test]
fn units_that_need_one_another_come_to_an_end() {
    let place = Place::new();
    let alone = SEALED.replace("Requires=web.socket\nAfter=web.socket\n", "");
    let needs =
        |other: &str| format!("{alone}[Unit]\nRequires={other}.service\nAfter={other}.service\n");
    write(&place, "hi/a.service", &needs("b"));
    write(&place, "hi/b.service", &needs("a"));
    check(&place, &["a"]).expect(0, &[]);
    check(&place, &["a", "b", "a", "./hi/a.service"]).expect(0, &[]);
}

#[test]
fn command_lines_that_say_something_wrong() {
    let place = Place::new();
    for (arguments, text) in [
        (&["--format=yaml"][..], "yaml"),
        (&["--fail-on=fatal"], "fatal"),
        (&["--user", "--system"], "--system"),
        (&["--dry-run"], "--fix"),
    ] {
        check(&place, arguments).expect(2, &[text]);
    }
}
