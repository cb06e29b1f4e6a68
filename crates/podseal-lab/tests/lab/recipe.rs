//! The recipe that podseal is made of, done by hand: systemd's restriction
//! around `podman run`. Shows that the machine is a real one.

use crate::machine::{Ended, IMAGE, Machine};

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

/// What systemd takes away is gone in the container too.
#[test]
fn a_restricted_service_serves_the_socket_it_was_handed() {
    let Some(machine) = Machine::shared("an activated service") else {
        return;
    };
    machine.make_image();
    machine.write(&[
        (
            ".config/systemd/user/by-hand.socket",
            "[Socket]\nListenStream=127.0.0.1:7001\n",
        ),
        (
            ".config/systemd/user/by-hand.service",
            "[Service]\nRestrictAddressFamilies=AF_UNIX AF_NETLINK\n\
             ExecStartPre=+/usr/bin/podman unshare /bin/true\n\
             ExecStart=/usr/bin/podman --runtime=runc run --rm --network=none --pull=never \
             localhost/podseal-lab echo\n",
        ),
    ]);
    let serve = "systemctl --user daemon-reload && systemctl --user start by-hand.socket && \
                 exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/7001; echo hello >&3; head -n 1 <&3'";
    let served = machine.user(serve);
    let journal = machine.journal("by-hand.service");
    machine.user("systemctl --user stop by-hand.socket by-hand.service");
    assert!(served.stdout.contains("hello"), "{served:?}\n{journal}");
}
