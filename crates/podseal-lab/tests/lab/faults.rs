//! Faults, brought about for real, and what `podseal explain` says first.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::machine::{Ended, Machine};

mod cases;
mod sound;

use cases::{FAULTS, Fault, PRELUDE};
use sound::SOUND;

/// Ends what a fault left running.
const CLEAR: &str = "\
    systemctl --user stop $name.socket $name.service 2>/dev/null; \
    systemctl --user reset-failed $name.socket $name.service 2>/dev/null; true";

/// An image of links into the host's /usr, for servers in shell and perl.
const HOST_IMAGE: &str = "\
    podman image exists localhost/host || { \
    cd $(mktemp -d) && mkdir usr proc dev sys tmp run etc && \
    ln -s usr/bin bin && ln -s usr/lib lib && ln -s usr/lib64 lib64 && \
    tar -c . | podman import --quiet - localhost/host; }";

/// What `podseal explain` said, and the status it ended with.
struct Said {
    status: i32,
    document: Value,
}

impl Said {
    fn new(what: &str, ended: &Ended) -> Self {
        match serde_json::from_str(&ended.stdout) {
            Ok(document) => Self {
                status: ended.code.unwrap_or(-1),
                document,
            },
            Err(error) => panic!("{what}: {error}: {ended:?}"),
        }
    }

    /// The first answer, or the verdict where there is none.
    fn first(&self) -> &str {
        match self.document["verdict"].as_str().unwrap() {
            "explained" => self.document["answers"][0]["id"].as_str().unwrap(),
            verdict => verdict,
        }
    }

    fn status_fits(&self) -> bool {
        self.status == i32::from(self.first() == "unknown")
    }
}

/// Brings a fault about, asks about the service and about its journal, and takes
/// the fault away again.
fn explained(machine: &Machine, fault: &Fault) -> [Said; 2] {
    let name = format!("fault-{}", fault.name);
    if let Some(script) = fault.root {
        machine.root(script).text();
    }
    let before = format!("{PRELUDE}\nname={name}\n");
    let broken = machine.user(&format!("{before}{}", fault.script));
    assert_eq!(broken.code, Some(0), "{name}: {broken:?}");
    let asked = machine.user(&format!("podseal explain --format json {name}"));
    let saved = machine.user(&format!(
        "journalctl --user --boot --output=json -u {name} -u {name}.socket | \
         podseal explain --format json --journal - {name}"
    ));
    machine.user(&format!("{before}{CLEAR}"));
    // Where systemd said nothing about the unit there is nothing to look at.
    let saved = if saved.code == Some(2) {
        &asked
    } else {
        &saved
    };
    [Said::new(&name, &asked), Said::new(&name, saved)]
}

/// Each fault gets its first answer; what is no fault that podseal knows gets
/// none. A saved journal has fewer facts: it may leave podseal without an answer
/// or with a more general one, and not with a wrong one.
#[test]
fn faults_are_explained() {
    let Some(machine) = Machine::alone("faults, explained") else {
        return;
    };
    machine.make_image();
    machine.user(HOST_IMAGE).text();
    let mut wrong = BTreeMap::new();
    for fault in FAULTS.iter().chain(SOUND) {
        let [asked, saved] = explained(&machine, fault);
        if asked.first() != fault.first || !asked.status_fits() {
            wrong.insert(fault.name, format!("{:#}", asked.document));
        }
        let may_be = [fault.first, fault.saved, "unknown", "healthy"];
        if !may_be.contains(&saved.first()) || !saved.status_fits() {
            wrong.insert(fault.name, format!("saved: {:#}", saved.document));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// `--apply` does nothing while the cause is there, and has the socket listen
/// again when it is gone.
#[test]
fn what_is_mended_is_started_again() {
    let Some(machine) = Machine::alone("a recovery") else {
        return;
    };
    machine.make_image();
    let script = r"name=mended
sealed <<X
$pre
ExecStart=$run localhost/mended echo
X
poke 7140; podseal explain $name --apply";
    let refused = machine.user(&format!("{PRELUDE}\n{script}"));
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stderr.contains("the cause is still there"),
        "{refused:?}"
    );
    let served = machine.user(
        "podman tag localhost/podseal-lab localhost/mended && podseal explain mended --apply && \
         exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/7140; echo hello >&3; head -n 1 <&3'",
    );
    machine
        .user("systemctl --user stop mended.socket mended.service; podman untag localhost/mended");
    assert!(served.stdout.contains("the cause is gone"), "{served:?}");
    assert!(served.stdout.ends_with("hello\n"), "{served:?}");
}

/// Commands that meet a failure, or look at a service that has one, say what
/// `podseal explain` says first.
#[test]
fn other_commands_say_the_first_answer() {
    let Some(machine) = Machine::alone("first answers") else {
        return;
    };
    machine.make_image();
    let sealed = |name: &str, port: &str, run: &str| {
        machine.user(&format!(
            "{PRELUDE}\nname={name}; plain <<X
$pre
ExecStart={run}
X
socket 127.0.0.1:{port}; podseal seal $name"
        ))
    };
    let poke = |name: &str, port: &str| {
        let script = format!("{PRELUDE}\nname={name}; poke {port}");
        machine.user(&script).text();
    };
    let says = |command: &str, words: &[&str]| {
        let ended = machine.user(command);
        let text = format!("{}{}", ended.stdout, ended.stderr);
        for word in words {
            assert!(text.contains(word), "{command}: {word}: {text}");
        }
    };
    let missing = [
        "the image is not in this user's storage",
        "[image-missing]",
        "podman: Error: localhost/first: image not known",
        "next: podman pull localhost/first",
    ];
    // An image that was removed since.
    machine
        .user("podman tag localhost/podseal-lab localhost/first")
        .text();
    sealed("first", "7141", "$run localhost/first echo").text();
    machine
        .user("podman untag localhost/podseal-lab localhost/first")
        .text();
    poke("first", "7141");
    for command in [
        "status first",
        "status first.socket",
        "status",
        "verify first",
    ] {
        says(&format!("podseal {command}"), &missing);
    }
    says(
        "podseal seal --level=families first",
        &["first.service failed before: the image", "[image-missing]"],
    );
    machine.user(&format!("name=first; {CLEAR}"));
    says("podseal status first", &["first.service inactive"]);

    // An OCI runtime that breaks, where this one does.
    sealed(
        "second",
        "7142",
        "/usr/bin/podman --runtime=crun run --rm --network=none --pull=never localhost/podseal-lab echo",
    )
    .text();
    let version = machine.user("crun --version | head -n 1");
    if version.text().contains(" 1.21") {
        poke("second", "7142");
        says(
            "podseal status second",
            &["[crun-netlink]", "next: podseal doctor"],
        );
        says("podseal verify second", &["container: ", "[crun-netlink]"]);
    }
    machine.user(&format!("name=second; {CLEAR}"));

    // A registry that is asked: no seal is made for it, and it is sealed by hand.
    machine.user(&format!(
        "{PRELUDE}\nname=third; sealed <<X
$pre
ExecStart=/usr/bin/podman run --rm --network=none --pull=always docker.io/library/nothing
X
poke 7143"
    ));
    let next = "next: podman pull docker.io/library/nothing";
    says("podseal status third", &["[pull-under-seal]", next]);
    machine.user(&format!("name=third; {CLEAR}"));
}
