//! Health checks: what they run is in the container and under no unit's seal.

use crate::machine::{IMAGE, Machine};

const CHECKED: &str = "localhost/podseal-lab-checked";

/// The timers of Podman's that run health checks.
fn timers(machine: &Machine, name: &str) -> String {
    let script = format!(
        "id=$(podman inspect --format '{{{{.Id}}}}' {name}) && systemctl --user list-units \
         --all --plain --no-legend --type=timer \"$id*\" | wc -l"
    );
    machine.user(&script).text().to_owned()
}

/// An image brings a check. At level families Podman has systemd run it, which
/// shows that there is something to switch off.
#[test]
fn only_level_families_leaves_an_images_own() {
    let Some(machine) = Machine::shared("health checks under a seal") else {
        return;
    };
    machine.make_image();
    let build = format!(
        "printf 'FROM {IMAGE}\\nHEALTHCHECK --interval=1h CMD [\"/podseal\", \"--version\"]\\n' | \
         podman build --quiet --format docker --tag {CHECKED} -"
    );
    machine.user(&build).text();
    for (name, level, port, expected) in [
        ("checked-families", "families", 7041, "1"),
        ("checked-standard", "standard", 7042, "0"),
    ] {
        machine.write(&[
            (
                format!(".config/systemd/user/{name}.socket"),
                format!("[Socket]\nListenStream=127.0.0.1:{port}\n"),
            ),
            (
                format!(".config/systemd/user/{name}.service"),
                format!(
                    "[Unit]\nRequires={name}.socket\nAfter={name}.socket\n\
                     [Service]\nType=notify\nNotifyAccess=all\n\
                     ExecStart=/usr/bin/podman --runtime=runc run --rm --replace --detach \
                     --sdnotify=conmon --cgroups=no-conmon --name=%N --network=none \
                     --pull=never {CHECKED} echo\nExecStop=/usr/bin/podman stop --time=1 %N\n"
                ),
            ),
        ]);
        let served = machine.user(&format!(
            "systemctl --user daemon-reload && podseal seal --level={level} {name} >&2 && \
             systemctl --user start {name}.socket && \
             exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}; echo one >&3; head -n 1 <&3'"
        ));
        assert_eq!(served.text(), "one");
        assert_eq!(timers(&machine, name), expected, "{name}");
    }
    let status = || machine.user("podseal status checked-standard");
    let ended = status();
    assert_eq!(ended.code, Some(0), "{ended:?}");

    // Whose container it is can give it one while it runs.
    let can = machine.user("podman update --help | grep --quiet -e --health-cmd");
    if can.code == Some(0) {
        machine
            .user(
                "podman update --health-cmd='/podseal --version' --health-interval=1h \
                 --health-timeout=5s --health-retries=3 checked-standard",
            )
            .text();
        let verify = machine.user("podseal verify checked-standard");
        for ended in [status(), verify] {
            assert_eq!(ended.code, Some(1), "{ended:?}");
            assert!(ended.stdout.contains("health-checked"), "{ended:?}");
        }
    }
    machine
        .user(
            "systemctl --user stop checked-families.socket checked-standard.socket \
             checked-families checked-standard; \
             rm -r ~/.config/systemd/user/checked-*; systemctl --user daemon-reload",
        )
        .text();
}
