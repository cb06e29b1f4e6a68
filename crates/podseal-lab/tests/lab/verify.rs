//! `podseal verify` of services of the user's manager, with the real Podman.

use crate::machine::{Ended, IMAGE, Machine};

/// The recipe's units, as they are made by hand.
fn write(machine: &Machine, name: &str, port: u16) {
    machine.make_image();
    machine.write(&[
        (
            format!(".config/systemd/user/{name}.socket"),
            format!("[Socket]\nListenStream=127.0.0.1:{port}\n"),
        ),
        (
            format!(".config/systemd/user/{name}.service"),
            format!(
                "[Unit]\nRequires={name}.socket\nAfter={name}.socket\n\
                 [Service]\nRestrictAddressFamilies=AF_UNIX AF_NETLINK\n\
                 ExecStartPre=+/usr/bin/podman unshare /bin/true\n\
                 ExecStart=/usr/bin/podman --runtime=runc run --rm --replace --name=%N \
                 --cidfile=%t/%N.cid --network=none --pull=never {IMAGE} echo\n"
            ),
        ),
    ]);
    machine.user("systemctl --user daemon-reload").text();
}

const HOST_NETWORK: &str = "podman run --network=host, AF_INET";

fn verify(machine: &Machine, arguments: &str) -> Ended {
    machine.user(&format!("exec podseal verify {arguments}"))
}

/// The cells of a probe: without a seal, and at each place.
pub(crate) fn row<'a>(ended: &'a Ended, title: &str) -> Vec<&'a str> {
    let mut lines = ended.stdout.lines();
    let line = lines.find(|line| line.contains(&format!(" {title}  ")));
    let line = line.unwrap_or_else(|| panic!("no {title:?} in {ended:?}"));
    let cells = line.trim_matches(['│', ' ']).split("  ").map(str::trim);
    cells.filter(|cell| !cell.is_empty()).skip(1).collect()
}

/// No unit, file, container or directory of a copy.
fn expect_nothing_left(machine: &Machine) {
    let left = machine.user(
        "systemctl --user list-units --all --plain --no-legend 'podseal-verify-*'; \
         ls $XDG_RUNTIME_DIR/systemd/user | grep podseal; \
         ls $XDG_RUNTIME_DIR/podseal 2>&1 | grep verify; \
         podman ps --all --quiet --filter name=podseal-verify; true",
    );
    assert_eq!(left.text(), "");
}

#[test]
fn the_recipe_by_hand_and_sealed() {
    let Some(machine) = Machine::alone("verify of the recipe") else {
        return;
    };
    write(&machine, "verified", 7021);
    // The service runs meanwhile, and is not disturbed.
    let served = machine.user(
        "systemctl --user start verified.socket && \
         exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/7021; echo one >&3; head -n 1 <&3; \
         podseal verify verified; code=$?; echo two >&3; head -n 1 <&3; exit $code'",
    );
    assert_eq!(served.code, Some(1), "{served:?}");
    assert!(served.stdout.starts_with("one\n"), "{served:?}");
    assert!(served.stdout.ends_with("two\n"), "{served:?}");
    assert!(served.stdout.contains("proven: no level"), "{served:?}");
    for (title, cells) in [
        ("socket(AF_INET)", ["open", "closed", "closed", "closed"]),
        (
            "socket(AF_INET) as an i386 call",
            ["open", "OPEN", "OPEN", "OPEN"],
        ),
        // In the container Podman's own filter closes it.
        (
            "AF_INET socket through io_uring",
            ["open", "OPEN", "OPEN", "closed"],
        ),
        (
            "listener: AF_UNSPEC, connect",
            ["open", "open", "open", "open"],
        ),
        (
            "accepted: sendto(MSG_FASTOPEN)",
            ["open", "open", "open", "open"],
        ),
    ] {
        assert_eq!(row(&served, title), cells, "{title}: {served:?}");
    }
    expect_nothing_left(&machine);

    // What runs was started before: the copies keep what it does not.
    machine.user("podseal seal verified").text();
    let ended = verify(&machine, "verified");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for part in [
        "but what runs is LESS; proven: no level",
        "[started-before-seal]; fix: restart the service",
        "[process-unsealed]; fix: restart the service",
    ] {
        assert!(ended.stdout.contains(part), "no {part:?} in {ended:?}");
    }

    machine.user("systemctl --user restart verified").text();
    let ended = verify(&machine, "verified");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("proven: level standard"), "{ended:?}");
    let line = "The running service: every process has what one of a copy had";
    assert!(ended.stdout.contains(line), "{ended:?}");
    for title in [
        "listener: AF_UNSPEC, connect",
        "signal to a process outside",
    ] {
        let closed = ["open", "closed", "closed", "closed"];
        assert_eq!(row(&ended, title), closed, "{ended:?}");
    }
    // Podman is one of the probes where it runs, and nowhere else.
    assert_eq!(row(&ended, HOST_NETWORK), ["open", "closed"], "{ended:?}");
    expect_nothing_left(&machine);
    machine.user("systemctl --user stop verified.socket verified.service; podseal unseal verified");
}

/// Who is not the user, and not root in the container either.
#[test]
fn processes_of_the_containers_users_are_looked_at() {
    let Some(machine) = Machine::alone("a user of the container") else {
        return;
    };
    write(&machine, "numbered", 7025);
    let dropin = ".config/systemd/user/numbered.service.d/10-user.conf";
    machine.write(&[(
        dropin,
        format!(
            "[Service]\nExecStart=\nExecStart=/usr/bin/podman --runtime=runc run --rm --replace \
             --name=%N --user=1000 --network=none --pull=never {IMAGE} echo\n"
        ),
    )]);
    let script = "systemctl --user daemon-reload && podseal seal numbered && \
                  systemctl --user start numbered.socket && \
                  exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/7025; echo one >&3; head -n 1 <&3; \
                  podseal verify numbered; code=$?; podseal unseal numbered; \
                  systemctl --user stop numbered.socket numbered.service; exit $code'";
    let ended = machine.user(script);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let mut lines = ended.stdout.lines();
    let process = lines.find(|line| line.contains("podseal, container, no_new_privs"));
    let process = process.unwrap_or_else(|| panic!("{ended:?}"));
    let socket = "the service's TCP listener 127.0.0.1:7025";
    assert!(process.contains(socket), "{process}");
    expect_nothing_left(&machine);
}

/// What the level would close is seen to be open without a seal.
#[test]
fn a_service_without_a_seal_is_open() {
    let Some(machine) = Machine::alone("verify of no seal") else {
        return;
    };
    write(&machine, "plain", 7030);
    let script = "sed -i /RestrictAddressFamilies/d ~/.config/systemd/user/plain.service && \
                  systemctl --user daemon-reload && podseal verify --level=families plain";
    let ended = machine.user(script);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(
        row(&ended, "socket(AF_INET)"),
        ["open", "OPEN", "OPEN", "OPEN"]
    );
    assert_eq!(row(&ended, HOST_NETWORK), ["open", "OPEN"], "{ended:?}");
    expect_nothing_left(&machine);
}

/// What the service has from a drop-in for all services, and in which order.
#[test]
fn a_copy_is_restricted_as_the_service_is() {
    let Some(machine) = Machine::alone("drop-ins for all services") else {
        return;
    };
    write(&machine, "ordered", 7022);
    machine.write(&[
        (
            ".config/systemd/user/service.d/10-all.conf",
            "[Service]\nUMask=0027\nSystemCallFilter=~kexec_load\n",
        ),
        (
            ".config/systemd/user/ordered.service.d/20-own.conf",
            "[Service]\nUMask=0077\nSystemCallFilter=\nSystemCallFilter=~reboot\n",
        ),
    ]);
    machine.user("systemctl --user daemon-reload").text();
    let ended = verify(&machine, "ordered");
    machine
        .user("rm -r ~/.config/systemd/user/service.d && systemctl --user daemon-reload")
        .text();
    assert_eq!(row(&ended, "socket(AF_INET)")[1..], ["closed"; 3]);
    expect_nothing_left(&machine);
}

#[test]
fn interrupted_it_leaves_nothing_and_killed_the_next_removes_it() {
    let Some(machine) = Machine::alone("an interrupted verify") else {
        return;
    };
    write(&machine, "cut", 7023);
    // Until the copy for the container has its unit.
    let until = "until ls $XDG_RUNTIME_DIR/systemd/user/podseal-verify-*-container.service \
                 2>/dev/null; do sleep 0.02; done; ";
    for (signal, is_left) in [("INT", false), ("TERM", false), ("KILL", true)] {
        let script = format!(
            "podseal verify cut >/dev/null & {until} kill -{signal} $!; wait $!; echo ended; \
             ls $XDG_RUNTIME_DIR/systemd/user | grep -c podseal; true"
        );
        let ended = machine.user(&format!("exec bash -c '{script}'"));
        let found = ended.text().lines().last().unwrap().to_owned();
        assert_eq!(found != "0", is_left, "{signal}: {ended:?}");
    }
    let ended = verify(&machine, "cut");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    expect_nothing_left(&machine);
}

#[test]
fn systemd_has_to_know_the_files() {
    let Some(machine) = Machine::alone("files that changed") else {
        return;
    };
    write(&machine, "stale", 7024);
    let script = "systemctl --user start stale.socket; sleep 0.01; \
                  systemctl --user start stale.service; \
                  echo 'Nice=1' >> ~/.config/systemd/user/stale.service; \
                  podseal verify stale; code=$?; \
                  systemctl --user daemon-reload; \
                  systemctl --user stop stale.socket stale.service; exit $code";
    let ended = machine.user(script);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let hint = "hint: systemctl --user daemon-reload";
    assert!(ended.stderr.contains(hint), "{ended:?}");
}

/// Makes a service of the lab's image at level strict, says a word to it and
/// runs a script; then takes it away.
fn strict(name: &str, port: u16, option: &str, script: &str) -> String {
    format!(
        "podman image exists {IMAGE} || tar -C /usr/bin -c podseal | podman import --quiet \
         --change 'ENTRYPOINT [\"/podseal\"]' - {IMAGE} >/dev/null; \
         digest=$(podman image inspect --format '{{{{.Digest}}}}' {IMAGE}) && \
         podseal up {option} {name} --level strict --image {IMAGE}@$digest \
         --listen 127.0.0.1:{port} -- echo && \
         timeout 20 bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}; echo one >&3; head -n 1 <&3' && \
         {script}; code=$?; podseal down {option} --force {name} >&2; exit $code"
    )
}

#[test]
fn level_strict_is_proven_and_a_weaker_one_is_not() {
    let Some(machine) = Machine::alone("verify of level strict") else {
        return;
    };
    let ended = machine.user(&strict("strong", 7026, "", "podseal verify strong"));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("proven: level strict"), "{ended:?}");
    for (title, cells) in [
        (
            "a root that can be written",
            ["open", "open", "open", "closed"],
        ),
        (
            "connect(2) of a UNIX socket",
            ["open", "open", "open", "closed"],
        ),
    ] {
        assert_eq!(row(&ended, title), cells, "{title}: {ended:?}");
    }
    expect_nothing_left(&machine);

    // The launcher starts nothing with another profile in the place of podseal's.
    let changed = "cp /usr/share/containers/seccomp.json \
                   ~/.config/systemd/user/strong.service.d/50-podseal.seccomp.json && \
                   podseal verify strong; code=$?; \
                   rm ~/.config/systemd/user/strong.service.d/50-podseal.seccomp.json; \
                   (exit $code)";
    let ended = machine.user(&strict("strong", 7027, "", changed));
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stdout.contains("proven: no level"), "{ended:?}");
    let why = "50-podseal.seccomp.json is not the seccomp profile that podseal makes for it";
    assert!(ended.stdout.contains(why), "{ended:?}");
    expect_nothing_left(&machine);

    // Not all of the container's part, behind a launcher that lets that be.
    let weakened = "cd ~/.config/systemd/user/strong.service.d && \
                    sed -i.kept 's/--level=strict/--level=standard/; s/ --read-only / /' \
                    50-podseal.conf && systemctl --user daemon-reload && \
                    podseal verify --level=strict strong; code=$?; \
                    mv 50-podseal.conf.kept 50-podseal.conf; (exit $code)";
    let ended = machine.user(&strict("strong", 7029, "", weakened));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("proven: no level"), "{ended:?}");
    for (title, verdict) in [
        ("a root that can be written", "OPEN"),
        ("connect(2) of a UNIX socket", "closed"),
    ] {
        let cells = row(&ended, title);
        assert_eq!(cells, ["open", "open", "open", verdict], "{ended:?}");
    }
    expect_nothing_left(&machine);
}

#[test]
fn a_service_of_the_systems_manager() {
    let Some(machine) = Machine::alone("verify --system") else {
        return;
    };
    // As hosts have it whose first root file system was made by initramfs-tools.
    let script = "mount -o remount,noexec /run; podseal verify --system strong; code=$?; \
                  mount -o remount,exec /run; \
                  systemctl list-units --all --plain --no-legend 'podseal-verify-*'; \
                  ls /run/systemd/system /run /var/lib | grep podseal-; \
                  ls /run/podseal 2>&1 | grep verify; \
                  podman ps --all --quiet --filter name=podseal-verify; (exit $code)";
    let ended = machine.root(&strict("strong", 7028, "--system", script));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("proven: level strict"), "{ended:?}");
    let line = "The running service: every process has what one of a copy had";
    assert!(ended.stdout.contains(line), "{ended:?}");
    // Nothing comes after the report: nothing is left.
    let last = ended.stdout.trim_end().lines().last().unwrap();
    assert!(last.starts_with("- kernel bugs"), "{ended:?}");
}
