//! What cannot work: each case ends with a message that says what to do, and
//! leaves nothing behind.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::account::{bare_user, is_root, lacking_here, normal_user};
use crate::fixture::{Ended, Place, Running, output};
use crate::talk::{free_port, hello};

/// `podseal run` with these words, which must end by itself.
fn refused(place: &Place, words: &[&str], code: i32, texts: &[&str]) -> Ended {
    let mut command = place.command(&["run"]);
    refused_command(place, command.args(words), code, texts)
}

fn refused_command(place: &Place, command: &mut Command, code: i32, texts: &[&str]) -> Ended {
    let ended = output(command);
    ended.expect(code, texts);
    assert_eq!(ended.stdout, "", "{ended:?}");
    place.expect_nothing_left();
    ended
}

#[test]
fn command_lines_that_say_something_wrong() {
    let place = Place::new();
    for (words, texts) in [
        (
            vec!["--listen=8080", "--families=AF_NONSENSE", "--", "true"],
            vec![
                "\"AF_NONSENSE\" is not a socket family",
                "for example AF_UNIX",
            ],
        ),
        (
            vec!["--listen=8080", "--families=~AF_INET", "--", "true"],
            vec!["deny list"],
        ),
        (
            vec!["--listen=localhost:80", "--", "true"],
            vec!["localhost:80", "--listen"],
        ),
        (vec!["--listen=127.0.0.1", "--", "true"], vec!["127.0.0.1"]),
        (
            vec!["--listen=127.0.0.1:0", "--", "true"],
            vec!["127.0.0.1:0"],
        ),
        (vec!["--listen=70000", "--", "true"], vec!["70000"]),
        (
            vec!["--listen=300.0.0.1:80", "--", "true"],
            vec!["300.0.0.1:80"],
        ),
        (
            vec!["--listen=unix:relative", "--", "true"],
            vec!["relative"],
        ),
        (
            vec!["--listen=udp:/tmp/a", "--", "true"],
            vec!["PORT, IPV4:PORT or [IPV6]:PORT"],
        ),
        (vec!["--listen="], vec!["--listen"]),
        (vec!["--", "true"], vec!["--listen <ADDRESS>"]),
        (
            vec!["--listen=8080"],
            vec!["give --image IMAGE, or -- COMMAND"],
        ),
        (
            vec!["--listen=8080", "--name=../x", "--", "true"],
            vec!["a name has letters"],
        ),
        (
            vec!["--listen=8080", "--fdname=a:b", "--", "true"],
            vec!["other than ':'"],
        ),
        (
            vec!["--listen=@a", "--socket-mode=0888", "--", "true"],
            vec!["octal number up to 777"],
        ),
        (
            vec!["--listen=@a", "--timeout-start=soon", "--", "true"],
            vec!["soon"],
        ),
        (
            vec!["--listen=@a", "--runtime=runc", "--", "true"],
            vec!["--image"],
        ),
    ] {
        refused(&place, &words, 2, &texts);
    }
}

#[test]
fn addresses_that_cannot_be_had() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let taken_address = format!("127.0.0.1:{port}");
    // Outside the place, which must have no socket in it.
    let other = tempfile::tempdir().unwrap();
    let (socket, file) = (other.path().join("socket"), other.path().join("file"));
    let _listener = UnixListener::bind(&socket).unwrap();
    fs::write(&file, "precious").unwrap();
    let below_file = other.path().join("file/socket");
    let free = format!("127.0.0.1:{}", free_port());
    for (addresses, texts) in [
        (
            vec![taken_address.as_str()],
            vec![
                "cannot listen on",
                "hint: something else listens there; `ss -lnp sport = :",
            ],
        ),
        // What was opened before is closed again.
        (
            vec![&free, &place.text("s"), &taken_address],
            vec!["cannot listen on"],
        ),
        (
            vec![socket.to_str().unwrap()],
            vec!["cannot listen on", "hint: something else listens there"],
        ),
        (
            vec![file.to_str().unwrap()],
            vec!["cannot listen on", "no stale socket"],
        ),
        (
            vec![below_file.to_str().unwrap()],
            vec!["cannot listen on", "socket: "],
        ),
        // TEST-NET-1 of RFC 5737 is nobody's address.
        (
            vec!["192.0.2.1:8080"],
            vec!["hint: the address is none of this host's"],
        ),
    ] {
        let mut words: Vec<String> = addresses.iter().map(|a| format!("--listen={a}")).collect();
        words.extend(["--".to_owned(), place.podseal(), "echo".into()]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        refused(&place, &words, 1, &texts);
    }
    assert_eq!(fs::read_to_string(file).unwrap(), "precious");
    TcpListener::bind(free).expect("the port is free again");
}

#[test]
fn a_socket_file_that_nobody_listens_on_is_replaced() {
    let place = Place::new();
    let path = place.text("s");
    drop(UnixListener::bind(&path).unwrap());
    let run = place.run(&["--listen", &path], &[&place.podseal(), "echo"]);
    run.wait_for("listening on ");
    hello(&path).unwrap();
    run.stop().expect(0, &[]);
    place.expect_nothing_left();
}

#[test]
fn a_privileged_port_as_a_normal_user() {
    let lowest = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    if lowest.trim().parse::<u16>().unwrap() <= 80 {
        return lacking_here("a privileged port", "none is on this host");
    }
    let place = Place::of(normal_user());
    let service = place.podseal();
    refused(
        &place,
        &["--listen=127.0.0.1:80", "--", &service, "echo"],
        1,
        &[
            "cannot listen on 127.0.0.1:80: Permission denied",
            "hint: ports below net.ipv4.ip_unprivileged_port_start (1024) need root",
        ],
    );
}

#[test]
fn an_interface_that_is_not_there() {
    let place = Place::new();
    let listen = format!("--listen=127.0.0.1:{}", free_port());
    let words = [&*listen, "--bind-to-device=podseal-none", "--", "true"];
    refused(&place, &words, 1, &["with BindToDevice=", "No such device"]);
}

#[test]
fn commands_that_are_not_there() {
    let place = Place::new();
    fs::write(place.path("no-program"), "").unwrap();
    for program in [
        "podseal-no-such-command",
        "/nonexistent",
        &place.text("no-program"),
    ] {
        let missing = format!("{program} is not installed, or not in PATH");
        let hint = "hint: check the command's name and PATH";
        refused(
            &place,
            &["--listen=@never", "--", program],
            1,
            &[&missing, hint],
        );
    }
}

#[test]
fn another_number_of_names_than_of_sockets() {
    let place = Place::new();
    let words = [
        "--listen=@a",
        "--listen=@b",
        "--listen=@c",
        "--fdname=a",
        "--fdname=b",
        "--",
        "true",
    ];
    refused(
        &place,
        &words,
        1,
        &["2 names for 3 sockets: give --fdname once, or once for each --listen"],
    );
}

#[test]
fn two_runs_with_one_name() {
    let place = Place::new();
    let (first, second) = (place.text("first"), place.text("second"));
    let service = [&*place.podseal(), "echo"];
    let run = place.run(&["--name=one", "--listen", &first], &service);
    run.wait_for("listening on ");
    let again = output(&mut place.run_command(&["--name=one", "--listen", &second], &service));
    let process = format!(
        "a service named one is already running (process {})",
        run.id()
    );
    again.expect(1, &[&process, "hint: stop it, or choose another --name"]);
    assert!(!Path::new(&second).exists());
    // The first does not notice, and another name is fine.
    let other = place.run(&["--name=other", "--listen", &second], &service);
    other.wait_for("listening on ");
    hello(&first).unwrap();
    hello(&second).unwrap();
    run.stop().expect(0, &[]);
    hello(&second).unwrap();
    other.stop().expect(0, &[]);
    place.expect_nothing_left();
}

/// What a run leaves that was killed, as nothing else can leave it.
#[test]
fn a_name_is_free_again_when_its_run_was_killed() {
    let place = Place::new();
    let path = place.text("s");
    let service = [&*place.podseal(), "echo"];
    let run = place.run(&["--listen", &path], &service);
    run.wait_for("listening on ");
    run.signal(Signal::KILL);
    run.end();
    assert!(place.path("podseal").exists());
    let run = place.run(&["--listen", &path], &service);
    run.wait_for("listening on ");
    hello(&path).unwrap();
    run.stop().expect(0, &[]);
    place.expect_nothing_left();
}

#[test]
fn a_runtime_directory_that_others_can_enter() {
    let place = Place::new();
    fs::create_dir(place.path("podseal")).unwrap();
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(place.path("podseal"), open).unwrap();
    let ended = output(&mut place.run_command(&["--listen=@never"], &["true"]));
    ended.expect(
        1,
        &[
            "belongs to another user or is open to others",
            "hint: look at ",
        ],
    );
    // It is not podseal's to remove.
    fs::remove_dir(place.path("podseal")).unwrap();
    place.expect_nothing_left();
}

#[test]
fn standard_output_that_is_closed() {
    let place = Place::new();
    let path = place.text("s");
    let script = r#"echo words; exec "$PODSEAL" echo"#;
    for how in ["closed", "reader gone"] {
        let mut command = if how == "closed" {
            let mut shell = place.program("sh");
            shell.args([
                "-c",
                r#"exec "$PODSEAL" run --listen "$1" -- sh -c "$2" >&-"#,
                "sh",
            ]);
            shell.args([&path, script]);
            shell
        } else {
            place.run_command(&["--listen", &path], &["sh", "-c", script])
        };
        command.env("PODSEAL", place.podseal());
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let run = Running::start_writing_to(&mut command, Stdio::from(writer));
        run.wait_for("listening on ");
        hello(&path).unwrap_or_else(|error| panic!("{how}: {error}: {}", run.stderr()));
        hello(&path).unwrap();
        run.stop().expect(0, &["stopped"]);
        place.expect_nothing_left();
    }
}

#[test]
fn a_reader_that_has_seen_enough() {
    let place = Place::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    fs::write(place.path("a.service"), "[Service]\nExecStart=/a\n").unwrap();
    let mut command = place.command(&["show", &place.text("a.service")]);
    let run = Running::start_writing_to(&mut command, Stdio::from(writer));
    let ended = run.end();
    ended.expect(1, &[]);
    assert_eq!(ended.stderr, "");
}

/// Nobody can be told anything then, and that is all.
#[test]
fn standard_error_that_is_closed() {
    let place = Place::new();
    let path = place.text("s");
    let script = r#"exec "$PODSEAL" run --start=now --listen "$1" -- sh -c 'echo up; exec "$PODSEAL" echo' 2>&-"#;
    let mut shell = place.program("sh");
    shell
        .args(["-c", script, "sh", &path])
        .env("PODSEAL", place.podseal());
    let run = Running::start(&mut shell);
    run.wait_for_line("up");
    hello(&path).unwrap();
    run.stop().expect(0, &[]);
    place.expect_nothing_left();
}

#[test]
fn no_podman() {
    let place = Place::new();
    fs::create_dir(place.path("empty")).unwrap();
    let mut command = place.command(&["run", "--listen=@never", "--image=none"]);
    command.env("PATH", place.path("empty"));
    let hint = "hint: install it, for example: apt-get install podman";
    refused_command(
        &place,
        &mut command,
        1,
        &["Podman is not installed, or not in PATH", hint],
    );
}

/// `podseal run --image` with a script in Podman's place: what is tried here
/// cannot be had of a real one.
fn refused_with_fake_podman(script: &str, texts: &[&str]) {
    let place = Place::new();
    let directory = place.path("bin");
    fs::create_dir(&directory).unwrap();
    let podman = directory.join("podman");
    fs::write(place.path("script"), format!("#!/bin/sh\n{script}\n")).unwrap();
    // Not written here, lest a process forked off meanwhile keep it busy.
    let installed = Command::new("install")
        .args(["-m", "0755"])
        .args([place.path("script"), podman])
        .status();
    assert!(installed.unwrap().success());
    let path = format!("{}:/usr/bin:/bin", directory.display());
    let mut command = place.command(&["run", "--listen=@never", "--image=example.org/a:1"]);
    refused_command(&place, command.env("PATH", path), 1, texts);
}

#[test]
fn a_podman_that_will_not_do() {
    for (script, texts) in [
        (
            r"printf '3.3.1\n/usr/bin/crun\n'",
            &[
                "Podman 3.3.1 is too old",
                "needs 3.4.0 or later",
                "hint: upgrade Podman",
            ][..],
        ),
        (
            "echo nonsense",
            &[
                "`podman info` did not answer as expected",
                "hint: run `podman info` by hand",
            ],
        ),
        (
            r"printf 'x.y\n/usr/bin/crun\n'",
            &["`podman info` did not answer as expected"],
        ),
        (
            "echo 'Error: broken' >&2; exit 125",
            &["Error: broken", "hint: run `podman info` by hand"],
        ),
        // Podman's log says enough.
        (
            r#"case $1 in info) exit 125 ;; image) exit 1 ;; *) exec /usr/bin/podman "$@" ;; esac"#,
            &["the image example.org/a:1 is not in this user's storage"],
        ),
        (
            r#"[ "$1" = info ] && printf '4.3.1\n/usr/bin/crun\n' && exit; exit 1"#,
            &[
                "the image example.org/a:1 is not in this user's storage",
                "hint: podman pull example.org/a:1",
            ],
        ),
        (
            r#"[ "$1" = info ] && printf '4.3.1\n/usr/bin/crun\n' && exit; echo 'Error: storage' >&2; exit 125"#,
            &["Error: storage"],
        ),
    ] {
        refused_with_fake_podman(script, texts);
    }
}

#[test]
fn podman_options_that_would_undo_the_seal() {
    let place = Place::new();
    for (options, text) in [
        (
            vec!["-p", "8080:80"],
            "the Podman option -p cannot be used here",
        ),
        (
            vec!["-p8080:80"],
            "cannot be used here: a sealed container has no network to publish",
        ),
        (vec!["--publish=8080:80"], "use --listen"),
        (
            vec!["--network=host"],
            "the Podman option --network=host cannot be used here: a sealed container has no network; it is reached through --listen",
        ),
        (vec!["--net=host"], "cannot be used here"),
        (vec!["--pod=x"], "it would share the pod's network"),
        (
            vec!["--env=A=1", "--pull=always"],
            "give --pull to podseal, before the --",
        ),
        (vec!["nginx"], "\"nginx\" is not a Podman option"),
    ] {
        let mut words = vec!["--listen=@never", "--image=none", "--"];
        words.extend(options);
        refused(&place, &words, 1, &[text]);
    }
}

#[test]
fn a_user_without_subordinate_ids() {
    if !is_root() {
        return lacking_here("a user without subordinate ids", "only root can make one");
    }
    let place = Place::of(Some(bare_user()));
    let texts = [
        "/etc/subuid has no range of ids for podseal-test-bare",
        "hint: as root: usermod --add-subuids",
    ];
    // More than once: Podman goes on without ranges if it can.
    for _ in 0..2 {
        output(&mut place.command(&["pause", "ensure"])).expect(1, &texts);
    }
    place.expect_nothing_left();
}

#[test]
fn a_user_without_the_tools_that_map_ids() {
    let place = Place::of(normal_user());
    let directory = place.path("bin");
    fs::create_dir(&directory).unwrap();
    for program in ["podman", "sh"] {
        let found = ["/usr/bin", "/usr/local/bin", "/bin"]
            .map(|directory| Path::new(directory).join(program))
            .into_iter()
            .find(|path| path.exists());
        let Some(found) = found else {
            return lacking_here("a user without newuidmap", "there is no podman");
        };
        std::os::unix::fs::symlink(found, directory.join(program)).unwrap();
    }
    let mut command = place.command(&["pause", "ensure"]);
    let ended = output(command.env("PATH", &directory));
    ended.expect(
        1,
        &[
            "newuidmap is not installed",
            "hint: install the package that has it: uidmap",
        ],
    );
    place.expect_nothing_left();
}
