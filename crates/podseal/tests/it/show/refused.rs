//! What cannot be shown.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;

use rustix::fs::{CWD, Mode, mkfifoat};
use serde_json::Value;

use super::{START, command, document, link, write};
use crate::account::normal_user;
use crate::fixture::{Place, output};

#[test]
fn bad_input() {
    let place = Place::new();
    fs::create_dir_all(place.path("hi/directory.service")).unwrap();
    fs::create_dir_all(place.path("hi/good.service.d/x.conf")).unwrap();
    link(&place, "hi/loop.service", "loop.service");
    link(&place, "hi/ring.service", "ring2.service");
    link(&place, "hi/ring2.service", "ring.service");
    link(&place, "hi/outside-loop.service", "../loop");
    link(&place, "loop", "loop");
    link(&place, "hi/dead.service", "/nonexistent/dead.service");
    link(&place, "hi/type.service", "good.socket");
    link(&place, "hi/device.service", "/dev/zero");
    write(&place, "hi/good.service", START);
    write(&place, "hi/dropin.service", START);
    link(&place, "hi/dropin.service.d/1.conf", "1.conf");
    fs::write(place.path("hi/binary.service"), b"[Service]\n\0\xff\0").unwrap();
    let large = fs::File::create(place.path("hi/large.service")).unwrap();
    large.set_len(100 << 20).unwrap();
    mkfifoat(CWD, place.path("hi/pipe.service"), Mode::RWXU).unwrap();
    let _listener = UnixListener::bind(place.path("hi/bound.service")).unwrap();

    for (argument, texts) in [
        ("none", &["there is no file of none.service"][..]),
        ("none@x", &["there is no file of none@x.service"]),
        (
            "t@",
            &[
                "t@.service is a template",
                "hint: give an instance, as in t@NAME",
            ],
        ),
        ("t@.socket", &["t@.socket is a template"]),
        ("..", &["\"..\" names no unit", "hint: "]),
        ("a b", &["\"a b\" names no unit"]),
        ("", &["\"\" names no unit"]),
        ("hi/", &["\"hi/\" names no unit"]),
        ("../..", &["\"../..\" names no unit"]),
        ("a@/b.service", &["cannot read a@/b.service: No such file"]),
        ("./none.service", &["there is no file ./none.service"]),
        ("/dev/null", &["\"/dev/null\" names no unit"]),
        ("a.timer", &["a.timer is a timer"]),
        (
            "a.container",
            &["there is no a.container where", "write its path, as in ./a"],
        ),
        ("hi/a.container", &["there is no file hi/a.container"]),
        ("hi/a.kube", &["of Quadlet's files only .container is read"]),
        ("directory", &["hi/directory.service is a directory"]),
        (
            "hi/directory.service",
            &["hi/directory.service is a directory"],
        ),
        ("loop", &["hi/loop.service is a link to loop.service"]),
        ("ring", &["hi/ring.service is a link to ring2.service"]),
        (
            "outside-loop",
            &["hi/outside-loop.service is a link to ../loop"],
        ),
        (
            "dead",
            &["dead.service is a link to /nonexistent/dead.service"],
        ),
        ("type", &["type.service is a link to good.socket"]),
        ("device", &["hi/device.service is not a regular file"]),
        ("pipe", &["hi/pipe.service is not a regular file"]),
        (
            "hi/pipe.service",
            &["hi/pipe.service is not a regular file"],
        ),
        ("bound", &["hi/bound.service is not a regular file"]),
        (
            "dropin",
            &["hi/dropin.service.d/1.conf is a link to 1.conf"],
        ),
        ("binary", &["hi/binary.service:2: ", "binary data"]),
        ("large", &["hi/large.service is larger than 16 MiB"]),
    ] {
        let ended = output(&mut command(&place, &["--", argument]));
        ended.expect(1, texts);
        ended.expect(1, &["error: ", "hint: "]);
        assert_eq!(ended.stdout, "", "{argument}");
    }

    // What can be shown is, and every error is told.
    let ended = output(&mut command(&place, &["none", "good", "directory", "good"]));
    ended.expect(1, &["none.service", "directory.service"]);
    let document = document(&ended);
    let names: Vec<&Value> = document["units"].as_array().unwrap().iter().collect();
    assert_eq!(names.len(), 2);
    assert_eq!(names[0]["unit"], "good.service");

    // The file in this directory is not meant by its name.
    write(&place, "here.service", START);
    let ended = output(&mut command(&place, &["here.service"]));
    ended.expect(
        1,
        &["hint: for the file in this directory, write ./here.service"],
    );
}

#[test]
fn command_lines_that_say_something_wrong() {
    let place = Place::new();
    for (arguments, text) in [
        (&[][..], "<NAME|FILE>"),
        (&["--format=yaml", "a"], "yaml"),
        (&["--user", "--system", "a"], "--system"),
    ] {
        let ended = output(&mut command(&place, arguments));
        ended.expect(2, &[text]);
        assert_eq!(ended.stdout, "");
    }
}

#[test]
fn files_that_may_not_be_read() {
    let place = Place::of(normal_user());
    for name in ["a", "b", "c"] {
        write(&place, &format!("hi/{name}.service"), START);
        write(&place, &format!("hi/{name}.service.d/1.conf"), START);
    }
    for (argument, closed, what) in [
        ("a", "hi/a.service", "read"),
        ("b", "hi/b.service.d/1.conf", "read"),
        // That of b does not matter for c.
        ("c", "hi/c.service.d", "list"),
        ("c", "hi", "list"),
    ] {
        let mode = fs::Permissions::from_mode(0o000);
        fs::set_permissions(place.path(closed), mode).unwrap();
        let ended = output(&mut command(&place, &[argument]));
        let error = format!("cannot {what} {}: Permission denied", place.text(closed));
        ended.expect(1, &[&error, "hint: run podseal as a user who may read it"]);
        assert_eq!(ended.stdout, "");
    }
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(place.path("hi"), mode).unwrap();
}
