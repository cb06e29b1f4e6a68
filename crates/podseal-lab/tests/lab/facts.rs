//! The machine is what the other tests take it for.

use crate::machine::{IMAGE, Machine};

#[test]
fn both_managers_run() {
    let Some(machine) = Machine::shared("managers") else {
        return;
    };
    assert!(machine.systemd_version() >= 252);
    assert_eq!(
        machine.root("systemctl is-system-running").text(),
        "running"
    );
    assert_eq!(
        machine.user("systemctl --user is-system-running").text(),
        "running"
    );
    assert_eq!(
        machine
            .user("loginctl show-user --property=Linger lab")
            .text(),
        "Linger=yes"
    );
}

#[test]
fn statuses_and_input_pass_through() {
    let Some(machine) = Machine::shared("statuses") else {
        return;
    };
    assert_eq!(machine.user("exit 7").code, Some(7));
    assert_eq!(machine.root("kill -KILL $$").code, Some(137));
    assert_eq!(
        machine.user_with("id -un; cat", b"said").text(),
        "lab\nsaid"
    );
    assert_eq!(machine.root("id -un").text(), "root");
    machine.write(&[("deep/er/file", "text"), ("deep/link", "-> er/file")]);
    assert_eq!(machine.user("cat deep/link").text(), "text");
}

/// There is no way out but the loopback interface.
#[test]
fn the_network_is_its_own() {
    let Some(machine) = Machine::shared("the network") else {
        return;
    };
    let interfaces = machine.root("ls /sys/class/net");
    assert_eq!(interfaces.text(), "lo");
}

#[test]
fn images_go_to_the_registry_and_back() {
    let Some(machine) = Machine::shared("the registry") else {
        return;
    };
    machine.make_image();
    let there = "localhost:5000/there";
    let script = format!(
        "podman push --quiet {IMAGE} {there} && podman pull --quiet {there} >&2 && \
         podman run --rm --network=none --pull=never {there} --version && podman rmi {there} >&2"
    );
    assert!(machine.user(&script).text().starts_with("podseal "));
}

#[test]
fn a_reboot_brings_the_user_back() {
    let Some(machine) = Machine::alone("a reboot") else {
        return;
    };
    machine.write(&[
        ("kept", "text"),
        (
            ".config/systemd/user/at-boot.service",
            "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n\
             [Install]\nWantedBy=default.target\n",
        ),
    ]);
    machine
        .user("systemctl --user enable at-boot.service")
        .text();
    let boot =
        || machine.root("cat /proc/sys/kernel/random/boot_id; journalctl --list-boots -q | wc -l");
    let pause = "cat $XDG_RUNTIME_DIR/libpod/tmp/pause.pid";
    machine
        .user("podman unshare true; touch /tmp/lost /dev/shm/lost")
        .text();
    machine.user(pause).text();
    let before = boot().text().to_owned();
    machine.reboot();
    // The kernel goes on; its number of the boot shows that no VM is meant.
    let after = boot();
    let kernel = |text: &str| text.lines().next().map(str::to_owned);
    assert_eq!(kernel(after.text()), kernel(&before));
    assert_eq!(machine.user("cat kept").text(), "text");
    assert_ne!(machine.user("ls /tmp/lost").code, Some(0));
    assert_ne!(machine.user("ls /dev/shm/lost").code, Some(0));
    assert_ne!(machine.user(pause).code, Some(0));
    machine.wait_for_state("at-boot.service", "active");
    machine
        .user("systemctl --user disable at-boot.service")
        .text();
}

/// What `podseal doctor` says of an OCI runtime, after trying it on a container
/// of its own, is what comes of a sealed container of Podman's.
#[test]
fn oci_runtimes_work_for_doctor_as_for_podman() {
    let Some(machine) = Machine::shared("OCI runtimes") else {
        return;
    };
    machine.make_image();
    let said = machine.user("podseal doctor");
    for runtime in ["crun", "runc"] {
        let run = format!(
            "podseal enter --level=standard -- podman --runtime={runtime} run --rm \
             --network=none --pull=never {IMAGE} --version"
        );
        let works = machine.user(&run).code == Some(0);
        let word = if works { "works" } else { "fails" };
        let mut lines = said.stdout.lines();
        let is_said = lines.any(|line| {
            line.contains(&format!("bin/{runtime} ("))
                && line.contains(&format!("{word} at every level"))
        });
        assert!(is_said, "{runtime} {word}: {said:?}");
    }
}
