//! Units that are not run, or not as they say.

use std::fs::{self, File};

use super::{SOCKET, Units, echo_service};
use crate::fixture::{Place, output};

/// Runs `a.socket` of these units, which must fail with all of `texts`.
fn refused(units: &[(&str, &str)], texts: &[&str]) {
    let place = Place::new();
    let units = Units::new(&place, units);
    let ended = units.run(&["a.socket"]).end();
    ended.expect(1, texts);
    assert!(!ended.stderr.contains("listening"), "{ended:?}");
    place_is_clean(&place, &units);
}

fn place_is_clean(place: &Place, units: &Units<'_>) {
    fs::remove_dir_all(units.directory()).unwrap();
    place.expect_nothing_left();
}

#[test]
fn settings_that_would_change_what_a_service_may_do() {
    for (setting, text) in [
        (
            "ProtectSystem=strict",
            "ProtectSystem=strict is not supported",
        ),
        ("PrivateUsers=yes", "PrivateUsers=yes is not supported"),
        ("User=nobody", "User=nobody is not supported"),
        ("CapabilityBoundingSet=CAP_CHOWN", "CapabilityBoundingSet="),
        (
            "SystemCallFilter=@system-service",
            "SystemCallFilter= is not supported",
        ),
        (
            "SystemCallFilter=~io_uring_setup read",
            "SystemCallFilter= is not supported",
        ),
        (
            "SystemCallArchitectures=x86-64 x86",
            "SystemCallArchitectures=",
        ),
        ("Type=forking", "Type=forking and Type=dbus"),
        ("ExecCondition=true", "ExecCondition=true is not supported"),
        ("UMask=0077", "UMask="),
    ] {
        let service = echo_service(&format!("{setting}\n"));
        refused(
            &[("a.socket", SOCKET), ("a.service", &service)],
            &["/units/a.service:5: ", text, "hint: "],
        );
    }
    for (setting, text) in [
        ("SocketUser=root", "SocketUser=root is not supported"),
        (
            "SocketProtocol=mptcp",
            "SocketProtocol=mptcp is not supported",
        ),
        ("ListenFIFO=/run/x", "ListenFIFO=/run/x is not supported"),
        ("ExecStartPre=true", "ExecStartPre=true is not supported"),
    ] {
        let socket = format!("{SOCKET}{setting}\n");
        refused(
            &[("a.socket", &socket), ("a.service", &echo_service(""))],
            &["/units/a.socket:4: ", text],
        );
    }
}

/// Also in a drop-in; and a reset takes it back.
#[test]
fn drop_ins_count() {
    let dropin = ("a.service.d/x.conf", "[Service]\nUser=nobody\n");
    refused(
        &[
            ("a.socket", SOCKET),
            ("a.service", &echo_service("")),
            dropin,
        ],
        &["/units/a.service.d/x.conf:2: User=nobody is not supported"],
    );
    let place = Place::new();
    let service = echo_service("SystemCallFilter=@system-service\n");
    let units = Units::new(
        &place,
        &[
            ("a.socket", SOCKET),
            ("a.service", &service),
            (
                "a.service.d/x.conf",
                "[Service]\nSystemCallFilter=\n\
                 SystemCallFilter=~io_uring_setup io_uring_enter io_uring_register\n",
            ),
        ],
    );
    let run = units.run(&["a.socket"]);
    run.wait_for("listening on ");
    run.stop()
        .expect(0, &["a.service: sealed at level families: "]);
}

#[test]
fn other_settings_are_warned_about() {
    let place = Place::new();
    let service = echo_service("MemoryMax=1G\nPIDFile=/run/x\nNoSuch=1\nSlice=x.slice\n");
    let socket = format!("{SOCKET}[Unit]\nRequires=x.mount sockets.target\nAfter=x.target\n");
    let units = Units::new(&place, &[("a.socket", &socket), ("a.service", &service)]);
    let run = units.run(&["a.socket"]);
    run.wait_for("listening on ");
    let ended = run.stop();
    ended.expect(
        0,
        &[
            "/units/a.service:5: MemoryMax= is left out",
            "/units/a.service:6: PIDFile= is left out",
            "/units/a.service:7: unknown key \"NoSuch\" in section [Service]",
            "/units/a.service:8: Slice= is left out",
            "/units/a.socket:5: Requires=x.mount: a mount is not supervised",
        ],
    );
    assert!(!ended.stderr.contains("target"), "{ended:?}");
}

#[test]
fn units_that_are_not_what_they_should_be() {
    let service = echo_service("");
    let both = |text: &str| {
        [
            ("a.socket".to_owned(), SOCKET.to_owned()),
            ("a.service".to_owned(), text.to_owned()),
        ]
    };
    for (text, texts) in [
        ("", &["a.service", "masked"][..]),
        (
            "[Service]\nExecStart=a\0b\n",
            &["/units/a.service:2: ", "binary data"],
        ),
        (
            "[Unit]\nRequires=gone.service\n[Service]\nExecStart=true\n",
            &["/units/a.service:2: there is no file of gone.service in "],
        ),
        (
            "[Unit]\nAfter=a.service\nBefore=a.socket\n[Service]\nExecStart=true\n",
            &["the order of units is a cycle: ", "/units/a.service:3"],
        ),
        (
            "[Service]\n",
            &["has none of ExecStart=", "systemd does not load it"],
        ),
    ] {
        let units = both(text);
        let units: Vec<(&str, &str)> = units.iter().map(|(n, t)| (&**n, &**t)).collect();
        refused(&units, texts);
    }
    let cycle = "[Unit]\nAfter=b.service\nRequires=b.service\n[Service]\nExecStart=true\n";
    refused(
        &[
            ("a.socket", SOCKET),
            ("a.service", cycle),
            ("b.service", &cycle.replace("b.service", "a.service")),
        ],
        &[
            "the order of units is a cycle: ",
            "/units/a.service:2",
            "/units/b.service:2",
        ],
    );
    let place = Place::new();
    let units = Units::new(&place, &[("a.socket", SOCKET)]);
    fs::create_dir(units.directory().join("a.service")).unwrap();
    units
        .run(&["a.socket"])
        .end()
        .expect(1, &["is a directory, not a unit file"]);
    fs::remove_dir(units.directory().join("a.service")).unwrap();
    std::os::unix::fs::symlink("a.service", units.directory().join("a.service")).unwrap();
    units
        .run(&["a.socket"])
        .end()
        .expect(1, &["a.service", "link"]);
    fs::remove_file(units.directory().join("a.service")).unwrap();
    let huge = File::create(units.directory().join("a.service")).unwrap();
    huge.set_len(100 << 20).unwrap();
    units
        .run(&["a.socket"])
        .end()
        .expect(1, &["is larger than 16 MiB"]);
    fs::write(units.directory().join("a.service"), &service).unwrap();
    place_is_clean(&place, &units);
}

#[test]
fn names_and_options_that_make_no_sense() {
    let place = Place::new();
    let units = Units::new(&place, &[("a@.service", "[Service]\nExecStart=true\n")]);
    for name in [
        "../a.service",
        "a/b.service",
        "..",
        "a",
        "a@.service",
        "a.timer",
        "x y.service",
    ] {
        let ended = units.run(&[name]).end();
        ended.expect(1, &["hint: "]);
        assert!(ended.stderr.contains(name), "{ended:?}");
    }
    units
        .run(&["b.service"])
        .end()
        .expect(1, &["there is no file of b.service in "]);
    let directory = units.directory().to_str().unwrap().to_owned();
    for arguments in [
        &["run", "--units", &directory][..],
        &["run", "--units", &directory, "--listen", "/x", "a.socket"],
        &["run", "--units", &directory, "a.socket", "--", "true"],
        &["run", "a.socket", "--listen", "/x", "--", "true"],
        &["stop"],
    ] {
        let ended = output(&mut place.command(arguments));
        ended.expect(2, &["error: "]);
    }
    let ended = output(&mut place.command(&["run", "--units", "/nonexistent", "a.socket"]));
    ended.expect(1, &["cannot list /nonexistent"]);
}
