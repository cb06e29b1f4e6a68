//! A manager that does not do what it is asked, and files that cannot be
//! written: everything is as before.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{LISTEN, UNITS, UP, place, podseal, program, tree, up, user, write};
use crate::account::{is_root, lacking_here};
use crate::fixture::{Ended, Place, output};

/// A systemctl that has read every file and plays the states in `state`; the
/// command in `broken` fails.
fn systemctl(place: &Place, broken: &str) {
    let units = place.text(UNITS);
    let script = format!(
        "echo \"$*\" | sed 's/--user --no-pager //' >> {calls}\n\
         asked=$*\n\
         while test $# -gt 0 && test \"$1\" != --; do shift; done\n\
         case $asked in\n\
         *'{broken}'*) echo it is broken >&2; exit 1;;\n\
         *Version*) ;;\n\
         *list-units*) printf '%s\\n' \"$@\" | grep -xF -f - {state} 2>/dev/null;;\n\
         *DropInPaths*) shift; for unit in \"$@\"; do\n\
         printf 'LoadState=loaded\\nFragmentPath={units}/%s\\n' \"$unit\"\n\
         printf 'DropInPaths={units}/%s.d/50-podseal.conf\\n\\n' \"$unit\"; done;;\n\
         *ActiveState*) printf 'LoadState=loaded\\nActiveState=active\\n';;\n\
         *' start '*) shift; printf '%s\\n' \"$@\" >> {state};;\n\
         *' stop '*) : > {state};;\n\
         esac; exit 0",
        calls = place.text("calls"),
        state = place.text("state"),
    );
    program(place, "systemctl", &script);
    let _ = fs::remove_file(place.path("calls"));
}

/// What the manager was asked to change, in order.
fn calls(place: &Place) -> Vec<String> {
    let text = fs::read_to_string(place.path("calls")).unwrap_or_default();
    let asks = ["show", "list-units"];
    let lines = text
        .lines()
        .filter(|line| !asks.iter().any(|ask| line.starts_with(ask)));
    lines.map(str::to_owned).collect()
}

/// `podseal up` that tells the manager.
fn start(place: &Place, arguments: &[&str]) -> Ended {
    let up = UP.iter().copied().filter(|word| *word != "--no-start");
    let arguments: Vec<&str> = up.chain(arguments.iter().copied()).collect();
    podseal(place, &arguments)
}

#[test]
fn the_manager_is_told_in_this_order() {
    let place = place();
    systemctl(&place, "nothing");
    start(&place, &[LISTEN]).expect(0, &["wrote ", "listening on 127.0.0.1:3000"]);
    let reset = "reset-failed -- web.socket web.service";
    assert_eq!(
        calls(&place),
        ["daemon-reload", reset, "start -- web.socket"]
    );

    systemctl(&place, "nothing");
    start(&place, &[LISTEN]).expect(0, &["web is unchanged"]);
    assert_eq!(calls(&place), ["daemon-reload"]);

    // The service alone: the sockets stay open.
    systemctl(&place, "nothing");
    write(&place, "state", "web.socket\nweb.service\n");
    start(&place, &[LISTEN, "--env=A=1"]).expect(0, &["stopped web.service: the next connection"]);
    assert_eq!(
        calls(&place),
        ["daemon-reload", "stop -- web.service", reset]
    );

    systemctl(&place, "nothing");
    write(&place, "state", "web.socket\nweb.service\n");
    start(&place, &["--listen=/x", "--env=A=1"]).expect(0, &["closed web.socket; connections"]);
    assert_eq!(
        calls(&place),
        [
            "stop -- web.socket web.service",
            "daemon-reload",
            "stop -- web.service",
            reset,
            "start -- web.socket"
        ]
    );

    systemctl(&place, "nothing");
    podseal(&place, &["down", "web"]).expect(0, &["stopped web.service", "removed "]);
    assert_eq!(
        calls(&place),
        ["stop -- web.socket web.service", "daemon-reload", reset,]
    );
    assert_eq!(tree(&place), []);
}

#[test]
fn without_a_manager_only_files_are_written() {
    let place = place();
    program(&place, "systemctl", "exit 1");
    start(&place, &[LISTEN]).expect(1, &["the user's systemd cannot be reached", "--no-start"]);
    assert_eq!(tree(&place), []);
    start(&place, &[LISTEN, "--dry-run"]).expect(0, &[]);
    up(&place, &[LISTEN]).expect(0, &["systemd was not asked"]);
    podseal(&place, &["down", "web"]).expect(0, &["no systemd was asked to stop it"]);
    assert_eq!(tree(&place), []);
}

#[test]
fn what_the_manager_does_not_do_undoes_all() {
    for (broken, message) in [
        (
            "daemon-reload",
            "systemd could not be made to read its units again",
        ),
        ("start -- web", "web.socket was not opened: it is broken"),
        ("DropInPaths", "could not be made to say what it has read"),
    ] {
        let place = place();
        systemctl(&place, broken);
        start(&place, &[LISTEN]).expect(1, &[message, "hint: "]);
        assert_eq!(tree(&place), [], "{broken}");

        systemctl(&place, "nothing");
        start(&place, &[LISTEN]).expect(0, &[]);
        let before = tree(&place);
        systemctl(&place, broken);
        start(&place, &["--listen=127.0.0.1:3001"]).expect(1, &[message]);
        assert_eq!(tree(&place), before, "{broken}");
    }
    // A manager that looks elsewhere.
    let place = place();
    systemctl(&place, "nothing");
    let text = fs::read_to_string(place.path("bin/systemctl")).unwrap();
    fs::write(
        place.path("bin/systemctl"),
        text.replace("FragmentPath=", "FragmentPath=/x"),
    )
    .unwrap();
    start(&place, &[LISTEN]).expect(1, &["systemd does not read ", "for web.service"]);
    assert_eq!(tree(&place), []);
}

#[test]
fn what_was_open_is_open_again() {
    let place = place();
    systemctl(&place, "nothing");
    start(&place, &[LISTEN]).expect(0, &[]);
    // It cannot be opened at the new address, but at the old one.
    write(&place, "state", "web.socket\n");
    systemctl(&place, "nothing");
    let text = fs::read_to_string(place.path("bin/systemctl")).unwrap();
    let once = text.replace(
        "*' start '*)",
        &format!(
            "*' start '*) grep -q 3001 {}/web.socket && exit 1;",
            place.text(UNITS)
        ),
    );
    fs::write(place.path("bin/systemctl"), once).unwrap();
    start(&place, &["--listen=127.0.0.1:3001"]).expect(1, &["web.socket was not opened"]);
    let state = fs::read_to_string(place.path("state")).unwrap();
    assert_eq!(state, "web.socket\n");
    // Nor is it gone where its files cannot be removed.
    systemctl(&place, "daemon-reload");
    let before = tree(&place);
    podseal(&place, &["down", "web"]).expect(1, &["read its units again"]);
    assert_eq!(tree(&place), before);
    let state = fs::read_to_string(place.path("state")).unwrap();
    assert_eq!(state, "web.socket\n");
}

#[test]
fn lingering_is_asked_for_and_put_back() {
    let place = place();
    let loginctl = |answer: &str, status: u8| {
        let calls = place.text("logind");
        let script = format!(
            "case \"$*\" in *show-user*) echo {answer};; *) echo $2 >> {calls}; exit {status};; esac"
        );
        program(&place, "loginctl", &script);
        let _ = fs::remove_file(place.path("logind"));
    };
    let asked = || fs::read_to_string(place.path("logind")).unwrap_or_default();
    systemctl(&place, "nothing");
    loginctl("no", 0);
    start(&place, &[LISTEN]).expect(
        0,
        &["warning: nothing of this is started at boot", "--linger"],
    );
    assert_eq!(asked(), "");
    start(&place, &[LISTEN, "--linger"]).expect(0, &[]);
    assert_eq!(asked(), "enable-linger\n");
    loginctl("yes", 0);
    let ended = start(&place, &[LISTEN, "--linger"]);
    assert!(!ended.stderr.contains("warning"), "{ended:?}");
    assert_eq!(asked(), "");
    let before = tree(&place);
    let other = ["--listen=127.0.0.1:3001", "--linger"];
    loginctl("no", 1);
    start(&place, &other).expect(1, &["lingering could not be enabled", "hint: "]);
    loginctl("no", 0);
    systemctl(&place, "daemon-reload");
    start(&place, &other).expect(1, &["read its units again"]);
    assert_eq!(asked(), "enable-linger\ndisable-linger\n");
    assert_eq!(tree(&place), before);
}

#[test]
fn directories_that_cannot_be_written() {
    if is_root() {
        // For root there are none; the lab has a user.
        return;
    }
    let place = place();
    fs::create_dir_all(place.path(UNITS)).unwrap();
    let mode = |mode| fs::set_permissions(place.path(UNITS), fs::Permissions::from_mode(mode));
    mode(0o555).unwrap();
    let ended = up(&place, &[LISTEN]);
    mode(0o755).unwrap();
    ended.expect(1, &["Permission denied", "hint: "]);
    assert_eq!(tree(&place), []);
}

#[test]
fn a_full_file_system() {
    let place = place();
    fs::create_dir(place.path("config")).unwrap();
    // Room for some of the files, and less each time.
    let script = format!(
        "mount -t tmpfs -o size=64k tmpfs config || exit 99
        cat /dev/zero > config/fill 2>/dev/null
        size=$(stat -c %s config/fill)
        while [ $size -gt 0 ]; do
            truncate -s $size config/fill
            $PODSEAL {up} {LISTEN} && break
            [ \"$(ls -A config)\" = fill ] || exit 98
            echo full; size=$((size - 4096))
        done
        ls -A config/systemd/user",
        up = UP.join(" "),
    );
    let mut command = place.program("unshare");
    command.args(["--mount", "sh", "-c", &script]);
    let ended = output(user(&place, command.env("PODSEAL", place.podseal())));
    if !matches!(ended.status.code(), Some(0 | 98)) {
        return lacking_here("a full file system", "nothing may be mounted");
    }
    ended.expect(0, &["No space left", "hint: make room"]);
    assert!(ended.stdout.matches("full").count() > 2, "{ended:?}");
    assert!(
        ended
            .stdout
            .ends_with("web.service\nweb.service.d\nweb.socket\n"),
        "{ended:?}"
    );
}

#[test]
fn a_user_that_podman_cannot_run_as() {
    let place = place();
    systemctl(&place, "nothing");
    for (words, code, text) in [
        (&["--run-as=web"][..], 2, "--system"),
        (
            &["--system", "--linger"],
            2,
            "with --system it needs --run-as",
        ),
        (
            &["--system", "--run-as=web", "--form=quadlet"],
            2,
            "makes no service that runs as another user",
        ),
        (&["--system", "--run-as=root"], 1, "root is root"),
        (&["--system", "--run-as=1000"], 1, "give the user's name"),
        (
            &["--system", "--run-as=no-such"],
            1,
            "/etc/passwd has no user no-such",
        ),
    ] {
        start(&place, &[words, &[LISTEN]].concat()).expect(code, &[text]);
    }
    let ensure = ["pause", "ensure", "--run-as=no-such"];
    podseal(&place, &ensure).expect(1, &["has no user no-such", "hint: "]);
    assert_eq!(tree(&place), []);
}
