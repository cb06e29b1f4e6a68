//! Each process of a sealed service, tried from its own place.

use super::{IMAGE, UNITS, assert_served, remove};
use crate::machine::Machine;

/// Stands in the place of a program: tries the ways out, then becomes it.
/// Podman asks the runtime more than once; each time is written down.
const PROBING: &str = "#!/bin/sh
here=/home/lab/places/$$.$(basename \"$0\")
env -u LISTEN_FDS podseal probe > $here
grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status >> $here
exec PROGRAM \"$@\"
";

/// What every process can do that nothing keeps from it.
const OPEN_TO_ALL: [&str; 4] = ["af-inet", "af-inet6", "io-uring", "i386"];

/// What each of the programs in this place found, and forgets it.
fn found_by(machine: &Machine, name: &str) -> String {
    let found = machine.user(&format!("cat places/*.{name} && rm places/*.{name}"));
    found.text().to_owned()
}

/// How a probe writes down what came of a way out.
fn outcome(way: &str, outcome: &str) -> String {
    format!("{{\"id\":\"{way}\",\"outcome\":\"{outcome}\"")
}

#[test]
fn every_process_of_a_sealed_service_is_sealed() {
    let Some(machine) = Machine::shared("the places of a sealed service") else {
        return;
    };
    machine.make_image();
    let programs = [
        ("podman", "/usr/bin/podman"),
        ("conmon", "/usr/bin/conmon"),
        ("runc", "$(command -v runc)"),
    ];
    for (name, program) in programs {
        let text = PROBING.replace("PROGRAM", program);
        machine.write(&[(format!("bin/{name}"), text)]);
    }
    machine.user("chmod +x bin/* && mkdir -p places").text();
    let start = |arguments: &str| {
        format!(
            "[Unit]\nRequires=places.socket\nAfter=places.socket\n\
             [Service]\nType=notify\nNotifyAccess=all\nEnvironment=PODMAN_SYSTEMD_UNIT=%n\n\
             ExecStart=/home/lab/bin/podman --conmon=/home/lab/bin/conmon \
             --runtime=/home/lab/bin/runc run --replace --rm -d --name=places \
             --sdnotify=conmon --cgroups=split --network=none --pull=never {IMAGE} {arguments}\n\
             ExecStop=/usr/bin/podman stop --ignore places\n"
        )
    };
    let service = format!("{UNITS}/places.service");
    let socket = format!("{UNITS}/places.socket");
    machine.write(&[
        (socket.as_str(), "[Socket]\nListenStream=127.0.0.1:7104\n"),
        (service.as_str(), &start("echo")),
    ]);
    let reload = "systemctl --user daemon-reload && systemctl --user start places.socket";
    machine.user(reload).text();
    // Without a seal, so that it is seen what the seal does.
    assert_served(&machine, 7104, "places.service");
    for (name, _) in programs {
        let found = found_by(&machine, name);
        for way in OPEN_TO_ALL {
            assert!(
                found.contains(&outcome(way, "succeeded")),
                "{name}: {found}"
            );
        }
    }
    let seal = "podseal seal places && systemctl --user stop places.service";
    machine.user(seal).text();
    assert_served(&machine, 7104, "places.service");
    for (name, _) in programs {
        let found = found_by(&machine, name);
        let probes = found.matches("\"results\"").count();
        for way in OPEN_TO_ALL {
            let count = |what: &str| found.matches(what).count();
            assert_eq!(count(&format!("\"id\":\"{way}\"")), probes, "{found}");
            assert_eq!(count(&outcome(way, "succeeded")), 0, "{name}: {found}");
        }
        let lines = |text: &str| found.lines().filter(|line| *line == text).count();
        assert_eq!(lines("NoNewPrivs:\t1"), probes, "{name}: {found}");
        assert_eq!(lines("Seccomp:\t2"), probes, "{name}: {found}");
    }

    // The processes that stay, as the kernel has them.
    let live = machine.user(
        "cgroup=/sys/fs/cgroup$(systemctl --user show --property=ControlGroup --value places.service)
         for process in $(find $cgroup -name cgroup.procs | xargs cat); do
             sed -n -e 's/^Name:\t//p' -e '/^NoNewPrivs:/p' -e '/^Seccomp:/p' /proc/$process/status
         done",
    );
    let live = live.text();
    for name in ["conmon", "podseal"] {
        assert!(
            live.contains(&format!("{name}\nNoNewPrivs:\t1\nSeccomp:\t2")),
            "{live}"
        );
    }
    assert!(!live.contains("NoNewPrivs:\t0"), "{live}");

    // In the container's place, which has a network of its own.
    let unsealed = format!("podman run --rm --runtime=runc --network=none {IMAGE} probe");
    let unsealed = machine.user(&unsealed);
    machine.write(&[(service.as_str(), start("probe").replace(" -d", ""))]);
    let script = "podseal seal places && systemctl --user restart places.service; \
                  podman wait --ignore places";
    machine.user(script);
    let journal = machine.journal("places.service");
    let sealed = journal.lines().find(|line| line.contains("\"results\""));
    let sealed = sealed.unwrap_or_else(|| panic!("{journal}"));
    for way in ["af-inet", "af-inet6"] {
        let open = outcome(way, "succeeded");
        assert!(unsealed.text().contains(&open), "{unsealed:?}");
        let closed = format!("{},\"errno\":97}}", outcome(way, "refused"));
        assert!(sealed.contains(&closed), "{sealed}");
    }
    remove(&machine, "places");
    machine.user("rm -rf places bin").text();
}
