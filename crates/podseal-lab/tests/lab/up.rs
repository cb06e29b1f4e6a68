//! `podseal up` and `podseal down` with a real manager and real containers.

use crate::machine::{Ended, IMAGE, KILL_PAUSE_PROCESS, Machine};

/// A function that says a word to a port and prints what comes back.
const TALK: &str = "talk() { timeout 20 bash -c \
    \"exec 3<>/dev/tcp/$1/$2; echo hello-$2 >&3; head -n 1 <&3\"; }; ";

/// Everything of a service called `$NAME` that could be left.
const LEFT: &str = "find .config -name \"*$NAME*\"; podman ps --all --quiet --filter name=systemd-$NAME; \
    systemctl --user list-units --all --plain --no-legend \"$NAME*\"";

fn up(machine: &Machine, name: &str, arguments: &str) -> Ended {
    machine.make_image();
    machine.user(&format!(
        "podseal up {name} --image {IMAGE} {arguments} -- echo"
    ))
}

fn talk(machine: &Machine, host: &str, port: u16) -> String {
    let ended = machine.user(&format!("{TALK} talk {host} {port}"));
    ended.stdout.trim_end().to_owned()
}

fn left(machine: &Machine, name: &str) -> String {
    machine.user(&format!("NAME={name}; {LEFT}")).stdout
}

/// Takes a service away when its test is over, however it ended.
struct Service<'a> {
    machine: &'a Machine,
    name: &'a str,
}

impl Drop for Service<'_> {
    fn drop(&mut self) {
        self.machine
            .user(&format!("podseal down --force {}", self.name));
    }
}

fn expect(ended: &Ended, code: i32, texts: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    for text in texts {
        assert!(ended.stderr.contains(text), "no {text:?} in {ended:?}");
    }
}

/// Made, served, made again, removed and removed again, in one form.
fn life(machine: &Machine, form: &str, name: &str, port: u16) {
    let _service = Service { machine, name };
    let socket = format!("/run/user/1000/{name}.sock");
    let arguments = format!(
        "--form {form} --env A=1 --listen 127.0.0.1:{port} --listen [::1]:{port} --listen {socket}"
    );
    let made = up(machine, name, &arguments);
    expect(
        &made,
        0,
        &["wrote ", &format!("listening on 127.0.0.1:{port}")],
    );
    // The user lingers.
    assert!(!made.stderr.contains("warning"), "{made:?}");
    let states = format!(
        "systemctl --user is-active {name}.socket {name}.service; systemctl --user is-enabled {name}.socket"
    );
    let states = machine.user(&states).stdout;
    assert_eq!(states, "active\ninactive\nenabled\n", "{made:?}");

    let hello = format!("hello-{port}");
    assert_eq!(
        talk(machine, "127.0.0.1", port),
        hello,
        "{}",
        machine.journal(name)
    );
    assert_eq!(talk(machine, "::1", port), hello);
    let unix = format!(
        "python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.settimeout(20); \
         s.connect(\"{socket}\"); s.sendall(b\"unix\\n\"); print(s.recv(9).decode(), end=\"\")' || \
         echo no python3"
    );
    let unix = machine.user(&unix).stdout;
    assert!(
        matches!(unix.as_str(), "unix\n" | "no python3\n"),
        "{unix:?}"
    );
    let sealed = format!(
        "pid=$(systemctl --user show --property=MainPID --value {name}.service); \
         grep -E 'NoNewPrivs|Seccomp:' /proc/$pid/status | tr -d '\\t'"
    );
    assert_eq!(machine.user(&sealed).stdout, "NoNewPrivs:1\nSeccomp:2\n");

    expect(
        &up(machine, name, &arguments),
        0,
        &[&format!("{name} is unchanged")],
    );
    let running = machine.user(&format!("systemctl --user is-active {name}.service"));
    assert_eq!(running.text(), "active");

    // At another address; the old one is closed, and its file gone.
    let port = port + 1;
    let moved = up(machine, name, &format!("--listen 127.0.0.1:{port}"));
    expect(&moved, 0, &["closed ", "stopped "]);
    assert_eq!(talk(machine, "127.0.0.1", port), format!("hello-{port}"));
    assert_eq!(talk(machine, "127.0.0.1", port - 1), "");
    assert_eq!(machine.user(&format!("test -e {socket}")).code, Some(1));

    let down = machine.user(&format!("podseal down {name}"));
    expect(&down, 0, &["stopped ", "removed "]);
    assert_eq!(left(machine, name), "");
    assert_eq!(talk(machine, "127.0.0.1", port), "");
    let again = machine.user(&format!("podseal down {name}"));
    expect(&again, 1, &["there is no service"]);
}

#[test]
fn up_and_down_as_a_service() {
    // A reload by another test would make systemd forget what to remove.
    if let Some(machine) = Machine::alone("podseal up as a service") {
        life(&machine, "service", "up-service", 7201);
    }
}

#[test]
fn up_and_down_with_quadlet() {
    let Some(machine) = Machine::alone("podseal up with Quadlet") else {
        return;
    };
    if machine.has_quadlet("podseal up with Quadlet") {
        life(&machine, "quadlet", "up-quadlet", 7203);
    }
}

#[test]
fn several_sockets_with_names() {
    let Some(machine) = Machine::shared("sockets with names") else {
        return;
    };
    let name = "up-names";
    let _service = Service {
        machine: &machine,
        name,
    };
    let listen = "--listen 127.0.0.1:7205 --fdname http --listen 127.0.0.1:7206 --fdname admin";
    expect(&up(&machine, name, listen), 0, &["up-names-admin.socket"]);
    assert_eq!(talk(&machine, "127.0.0.1", 7206), "hello-7206");
    assert_eq!(talk(&machine, "127.0.0.1", 7205), "hello-7205");
    let names = machine.user(
        "pid=$(podman inspect --format '{{.State.Pid}}' systemd-up-names); \
         podman unshare cat /proc/$pid/environ | tr '\\0' '\\n' | grep LISTEN_FDNAMES",
    );
    let mut names: Vec<&str> = names.text().split(['=', ':']).skip(1).collect();
    names.sort_unstable();
    assert_eq!(names, ["admin", "http"]);
    // Fewer of them.
    expect(
        &up(&machine, name, "--listen 127.0.0.1:7205 --fdname http"),
        0,
        &["removed "],
    );
    assert_eq!(talk(&machine, "127.0.0.1", 7206), "");
    assert_eq!(talk(&machine, "127.0.0.1", 7205), "hello-7205");
    machine.user("podseal down up-names").text();
    assert_eq!(left(&machine, name), "");
}

/// crun 1.17 to 1.22 do not work under the seal.
#[test]
fn a_runtime_that_works_is_chosen() {
    let Some(machine) = Machine::shared("the choice of an OCI runtime") else {
        return;
    };
    let version = machine.user("crun --version");
    let version = version.text().split_whitespace().nth(2).unwrap();
    let minor: u32 = version.split('.').nth(1).unwrap().parse().unwrap();
    let ended = up(&machine, "up-runtime", "--dry-run --listen 127.0.0.1:7208");
    if (17..=22).contains(&minor) {
        expect(
            &ended,
            0,
            &["crun does not work here: recvfrom", "using ", "runc"],
        );
        assert!(ended.stdout.contains("--runtime=/usr/"), "{ended:?}");
    } else {
        expect(&ended, 0, &[]);
        assert!(!ended.stdout.contains("--runtime="), "{ended:?}");
    }
}

#[test]
fn what_fails_leaves_everything_as_it_was() {
    let Some(machine) = Machine::shared("podseal up that fails") else {
        return;
    };
    let name = "up-fails";
    let _service = Service {
        machine: &machine,
        name,
    };
    // An address that is in use, for a new service and for one that is there.
    let taken = "systemd-run --user --quiet --collect --unit=up-taken --socket-property=ListenStream=127.0.0.1:7210 /bin/true";
    machine.user("systemctl --user stop up-taken.socket");
    machine.user(taken).text();
    let failed = [
        "up-fails.socket was not opened\nhint: another process listens",
        "[address-in-use]",
        "Address already in use",
        "next: ss -ltnp",
    ];
    expect(&up(&machine, name, "--listen 127.0.0.1:7210"), 1, &failed);
    assert_eq!(left(&machine, name), "");
    expect(&up(&machine, name, "--listen 127.0.0.1:7211"), 0, &[]);
    assert_eq!(talk(&machine, "127.0.0.1", 7211), "hello-7211");
    let files =
        "cat $(find .config -type f -name '*up-fails*' -o -path '*up-fails*' -type f | sort)";
    let before = machine.user(files).text().to_owned();
    expect(&up(&machine, name, "--listen 127.0.0.1:7210"), 1, &failed);
    machine.user("systemctl --user stop up-taken.socket").text();
    assert_eq!(machine.user(files).text(), before);
    assert_eq!(talk(&machine, "127.0.0.1", 7211), "hello-7211");

    // A port that only root may open.
    let ended = up(&machine, "up-low", "--listen 127.0.0.1:81");
    if ended.code == Some(0) {
        machine.user("podseal down up-low").text();
    } else {
        expect(
            &ended,
            1,
            &["[privileged-port]", "Permission denied", "--system"],
        );
    }
    assert_eq!(left(&machine, "up-low"), "");

    // A directory that cannot be written.
    let read_only = "mkdir -p closed && chmod 555 closed; XDG_CONFIG_HOME=$HOME/closed podseal up up-closed \
        --image localhost/podseal-lab --listen 127.0.0.1:7212 --no-start -- echo";
    expect(
        &machine.user(read_only),
        1,
        &["Permission denied", "hint: "],
    );
    assert_eq!(
        machine
            .user("ls -A closed; chmod 755 closed; rmdir closed")
            .stdout,
        ""
    );
    // Another than the manager's.
    let elsewhere = read_only
        .replace("555 closed", "755 closed")
        .replace("--no-start", "");
    expect(
        &machine.user(&elsewhere),
        1,
        &["systemd does not read ", "XDG_CONFIG_HOME"],
    );
    assert_eq!(machine.user("find closed -type f; rm -r closed").stdout, "");

    // Without the user's manager.
    let alone = format!(
        "env -u DBUS_SESSION_BUS_ADDRESS XDG_RUNTIME_DIR=/nonexistent podseal up up-alone --image {IMAGE} --listen 1"
    );
    expect(
        &machine.user(&alone),
        1,
        &["the user's systemd cannot be reached", "podseal run"],
    );
}

#[test]
fn units_of_others_stay() {
    let Some(machine) = Machine::shared("units of others") else {
        return;
    };
    let text = "[Service]\nExecStart=/bin/sleep 1000\n";
    machine.write(&[(".config/systemd/user/up-other.service", text)]);
    machine
        .user("systemctl --user daemon-reload && systemctl --user start up-other")
        .text();
    let ended = up(&machine, "up-other", "--listen 127.0.0.1:7213");
    expect(&ended, 1, &["up-other.service", "hint: "]);
    let ended = machine.user("podseal down up-other");
    expect(&ended, 1, &["podseal did not write ", "up-other.service"]);
    let state = machine.user(
        "systemctl --user is-active up-other; systemctl --user stop up-other; \
         cat .config/systemd/user/up-other.service; rm .config/systemd/user/up-other.service; \
         systemctl --user daemon-reload",
    );
    assert_eq!(state.text(), format!("active\n{}", text.trim_end()));
    // One of the distribution's.
    let ended = up(&machine, "podman", "--listen 127.0.0.1:7213");
    expect(&ended, 1, &["there is a unit podman.service already: /"]);
    let ended = machine.user("podseal down podman");
    expect(&ended, 1, &["there is no service podman"]);
}

/// Killed while the manager is asked: the same command finishes it.
#[test]
fn killed_while_the_manager_works() {
    let Some(machine) = Machine::shared("podseal up that is killed") else {
        return;
    };
    let name = "up-killed";
    let _service = Service {
        machine: &machine,
        name,
    };
    machine.make_image();
    let killed_at = |step: &str, when: &str, command: &str| {
        let ended = machine.user(&format!(
            "mkdir -p killer; printf '%s\\n' '#!/bin/sh' \
             'case \"$*\" in *\"{step}\"*) {when} ;; esac; exec /usr/bin/systemctl \"$@\"' \
             > killer/systemctl; chmod +x killer/systemctl; PATH=$HOME/killer:$PATH; {command}; \
             status=$?; rm -r killer; exit $status"
        ));
        assert_eq!(ended.code, Some(137), "{step}: {ended:?}");
    };
    let [before, after] = [
        "kill -9 $PPID; exit",
        "/usr/bin/systemctl \"$@\"; kill -9 $PPID; exit",
    ];
    let command =
        |port: u16| format!("podseal up {name} --image {IMAGE} --listen 127.0.0.1:{port} -- echo");
    let mut port = 7220;
    let mut finish = |step: &str, when: &str, is_there: bool| {
        if is_there {
            // Running, and to be at another address.
            assert_eq!(talk(&machine, "127.0.0.1", port), format!("hello-{port}"));
            port += 1;
        } else {
            machine.user(&format!("podseal down {name}"));
        }
        killed_at(step, when, &command(port));
        expect(&machine.user(&command(port)), 0, &["listening on "]);
        let served = talk(&machine, "127.0.0.1", port);
        assert_eq!(
            served,
            format!("hello-{port}"),
            "{step}, {when}, {is_there}"
        );
        expect(&machine.user(&command(port)), 0, &["is unchanged"]);
    };
    for step in [
        "list-units",
        "daemon-reload",
        "show --property=LoadState",
        " start ",
    ] {
        for when in [before, after] {
            finish(step, when, false);
            finish(step, when, true);
        }
    }
    for when in [before, after] {
        finish(" stop ", when, true);
    }
    for step in [" stop ", "daemon-reload", "reset-failed"] {
        for when in [before, after] {
            machine.user(&command(port)).text();
            killed_at(step, when, &format!("podseal down {name}"));
            machine.user(&format!("podseal down {name}"));
            assert_eq!(left(&machine, name), "", "{step}");
        }
    }
}

/// The new file of a socket does not say which file the old one has to remove.
#[test]
fn units_that_somebody_else_has_read_again() {
    let Some(machine) = Machine::shared("podseal up beside another reload") else {
        return;
    };
    let name = "up-reload";
    let _service = Service {
        machine: &machine,
        name,
    };
    let socket = "/run/user/1000/up-reload.sock";
    expect(&up(&machine, name, &format!("--listen {socket}")), 0, &[]);
    // Before each request.
    let ended = machine.user(&format!(
        "mkdir -p reader; printf '%s\n' '#!/bin/sh' \
         '/usr/bin/systemctl --user daemon-reload; exec /usr/bin/systemctl \"$@\"' \
         > reader/systemctl; chmod +x reader/systemctl; PATH=$HOME/reader:$PATH \
         podseal up {name} --image {IMAGE} --listen 127.0.0.1:7230 -- echo; \
         status=$?; rm -r reader; exit $status"
    ));
    expect(&ended, 0, &["closed up-reload.socket"]);
    assert_eq!(machine.user(&format!("test -e {socket}")).code, Some(1));
    assert_eq!(talk(&machine, "127.0.0.1", 7230), "hello-7230");
}

#[test]
fn a_service_of_the_systems() {
    let Some(machine) = Machine::shared("podseal up --system") else {
        return;
    };
    let image = format!(
        "podman image exists {IMAGE} || tar -C /usr/bin -c podseal | \
         podman import --quiet --change 'ENTRYPOINT [\"/podseal\"]' - {IMAGE}"
    );
    machine.root(&image).text();
    let command =
        format!("podseal up --system up-system --image {IMAGE} --listen 127.0.0.1:80 -- echo");
    expect(&machine.user(&command), 1, &["made by root"]);
    let made = machine.root(&command);
    expect(
        &made,
        0,
        &[
            "wrote /etc/systemd/system/up-system.socket",
            "podseal down --system up-system",
        ],
    );
    let served = talk(&machine, "127.0.0.1", 80);
    let journal = machine
        .root("journalctl --no-pager --output=cat --unit=up-system")
        .stdout;
    let down = machine.root("podseal down --system up-system");
    assert_eq!(served, "hello-80", "{journal}");
    expect(&down, 0, &["removed "]);
    let left = "find /etc/systemd /etc/containers -name '*up-system*'; podman ps --all --quiet";
    assert_eq!(machine.root(left).stdout, "");
}

/// systemctl and the user's manager have a socket of their own.
#[test]
fn without_a_d_bus_daemon() {
    let Some(machine) = Machine::alone("a user without D-Bus") else {
        return;
    };
    machine
        .user("systemctl --user stop dbus.socket dbus.service && rm $XDG_RUNTIME_DIR/bus")
        .text();
    let ended = up(&machine, "up-bus", "--listen 127.0.0.1:7227");
    // The launcher asks for another one.
    machine.user(KILL_PAUSE_PROCESS).text();
    let served = talk(&machine, "127.0.0.1", 7227);
    let status = machine.user("podseal status up-bus");
    let down = machine.user("podseal down up-bus");
    machine.user("systemctl --user start dbus.socket").text();
    expect(&ended, 0, &["listening on 127.0.0.1:7227"]);
    assert_eq!(served, "hello-7227");
    let running = "up-bus.service active (running)";
    assert!(status.stdout.contains(running), "{status:?}");
    expect(&down, 0, &["stopped up-bus.service"]);
}
