//! The recipe that podseal is made of, done by hand: systemd's restriction
//! around `podman run`. Shows that the machine is a real one.

mod by_hand;
mod failures;
mod places;
mod quadlet;
mod reboot;

use crate::machine::{Ended, IMAGE, Machine};

/// Where units of the user's are.
const UNITS: &str = ".config/systemd/user";

/// The unit that makes the pause process, as the recipe has it.
const PAUSE: &str = "\
[Unit]
Description=podman-pause-process.service

[Service]
Type=oneshot
Restart=on-failure
TimeoutStopSec=70
ExecStart=/usr/bin/podman unshare /bin/true
RemainAfterExit=yes
";

/// The recipe up to its socket unit: the service is what Podman generates, with
/// `edits` of it.
fn write_by_hand(machine: &Machine, name: &str, listen: &str, create: &str, edits: &[&str]) {
    machine.make_image();
    let edits: Vec<String> = edits.iter().map(|edit| format!("-e '{edit}'")).collect();
    let edits = edits.join(" ");
    let script = format!(
        "set -e
         podman {create} --rm --name {name} --network none --pull never {IMAGE} echo
         mkdir -p {UNITS}
         podman generate systemd --name --new {name} | sed -e '' {edits} > {UNITS}/{name}.service
         podman rm {name}"
    );
    machine.user(&script).text();
    let socket = format!("{UNITS}/{name}.socket");
    let text = format!("[Socket]\n{listen}\n[Install]\nWantedBy=sockets.target\n");
    machine.write(&[(socket, text)]);
    machine.user("systemctl --user daemon-reload").text();
}

/// The edits of the recipe: systemd's restriction, no new privileges, and the
/// unit that makes the pause process.
const RESTRICT: &str = "/^\\[Service\\]/a RestrictAddressFamilies=AF_UNIX AF_NETLINK";
const NO_NEW_PRIVILEGES: &str = "/^\\[Service\\]/a NoNewPrivileges=yes";
const NEEDS_PAUSE: &str = "/^\\[Unit\\]/a Requires=podman-pause-process.service\\nAfter=podman-pause-process.service\\nBindTo=podman-pause-process.service";

/// What a client of this port of the loopback interface hears.
fn echo(machine: &Machine, port: u16) -> Ended {
    machine.user(&format!(
        "exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port} && echo hello >&3 && head -n 1 <&3'"
    ))
}

fn assert_served(machine: &Machine, port: u16, unit: &str) {
    let heard = echo(machine, port);
    assert!(
        heard.stdout.contains("hello"),
        "{heard:?}\n{}",
        machine.journal(unit)
    );
}

/// Stops and removes a service of this name, its socket and its seal.
fn remove(machine: &Machine, name: &str) {
    let script = format!(
        "systemctl --user disable --now {name}.socket; systemctl --user stop {name}.service
         rm -rf {UNITS}/{name}.service.d {UNITS}/{name}.s*
         systemctl --user reset-failed {name}.socket {name}.service
         systemctl --user daemon-reload"
    );
    machine.user(&script).text();
}

/// Runs the image's `arguments` with `runtime`, restricted by the user's manager.
fn restricted(machine: &Machine, runtime: &str, arguments: &str) -> Ended {
    machine.make_image();
    machine.user(&format!(
        "exec systemd-run --user --quiet --wait --collect --pipe \
         --property='RestrictAddressFamilies=AF_UNIX AF_NETLINK' \
         --property=ExecStartPre='+/usr/bin/podman unshare /bin/true' \
         podman --runtime={runtime} run --rm --network=none --pull=never {IMAGE} {arguments}"
    ))
}

#[test]
fn runc_works_restricted() {
    let Some(machine) = Machine::shared("runc under the recipe") else {
        return;
    };
    let ended = restricted(&machine, "runc", "--version");
    assert!(ended.text().starts_with("podseal "), "{ended:?}");
}

/// crun 1.17 to 1.22 need a kind of socket that the recipe takes away
/// (<https://github.com/containers/crun/issues/1828>).
#[test]
fn crun_works_restricted_but_in_some_versions() {
    let Some(machine) = Machine::shared("crun under the recipe") else {
        return;
    };
    let version = machine.user("crun --version");
    let version = version.text().split_whitespace().nth(2).unwrap();
    let minor: u32 = version.split('.').nth(1).unwrap().parse().unwrap();
    let ended = restricted(&machine, "crun", "--version");
    if (17..=22).contains(&minor) {
        assert_eq!(ended.code, Some(126), "crun {version}: {ended:?}");
        assert!(ended.stderr.contains("recvfrom"), "{ended:?}");
        assert!(ended.stderr.contains("PF_NETLINK"), "{ended:?}");
    } else {
        assert!(ended.text().starts_with("podseal "), "crun {version}");
    }
}
