//! The recipe by hand, in its own words, and then sealed.

use super::{
    IMAGE, NEEDS_PAUSE, NO_NEW_PRIVILEGES, PAUSE, RESTRICT, UNITS, assert_served, remove,
    write_by_hand,
};
use crate::machine::Machine;

const RUNC: &str = "--runtime runc create";

#[test]
fn by_hand_checked_sealed_and_unsealed() {
    let Some(machine) = Machine::shared("the recipe by hand, sealed") else {
        return;
    };
    let edits = [RESTRICT, NO_NEW_PRIVILEGES, NEEDS_PAUSE];
    write_by_hand(
        &machine,
        "hand",
        "ListenStream=127.0.0.1:7101",
        RUNC,
        &edits,
    );
    machine.write(&[(format!("{UNITS}/podman-pause-process.service"), PAUSE)]);
    machine
        .user("systemctl --user daemon-reload && systemctl --user enable --now hand.socket")
        .text();
    assert_served(&machine, 7101, "hand.service");

    // What check says about it is what the seal is for.
    let check = "podseal check --fail-on=error hand";
    let checked = machine.user(check);
    assert_eq!(checked.code, Some(1), "{checked:?}");
    for id in ["native-abi", "io-uring-reachable", "pause-not-noticed"] {
        assert!(checked.stdout.contains(&format!("[{id}]")), "{checked:?}");
    }
    status(
        &machine,
        0,
        &["in part what level families is", "native-abi, no-io-uring"],
    );
    let sealed = machine.user("podseal seal hand");
    assert_eq!(sealed.code, Some(0), "{sealed:?}");
    assert!(
        sealed
            .stderr
            .contains("systemctl --user restart hand.service"),
        "{sealed:?}"
    );
    status(&machine, 1, &["it was started before", "NOT SEALED"]);
    machine.user("systemctl --user restart hand.service").text();
    assert_served(&machine, 7101, "hand.service");
    let seen = [
        "level standard",
        "hand.socket active",
        "127.0.0.1:7101",
        "sha256:",
    ];
    status(
        &machine,
        0,
        &[&seen[..], &["conmon", "container", "active (running)"]].concat(),
    );
    // Units of other tests may not be readable, which makes its status 1.
    let listed = machine.user("podseal list");
    let row = listed
        .stdout
        .lines()
        .find(|line| line.starts_with("hand.service "));
    let row = row.unwrap_or_else(|| panic!("{listed:?}"));
    assert!(
        row.contains(" standard ") && row.contains(" active "),
        "{row}"
    );
    machine.user(check).text();
    for key in ["native", "io_uring_setup", "hand.service.d/50-podseal.conf"] {
        let shown = machine.user("systemctl --user show hand.service");
        assert!(shown.text().contains(key), "{key}");
    }

    machine.user("podseal unseal hand").text();
    machine.user("systemctl --user restart hand.service").text();
    assert_served(&machine, 7101, "hand.service");
    remove(&machine, "hand");
}

/// What podseal says of the service has all of these words.
fn status(machine: &Machine, code: i32, words: &[&str]) {
    let said = machine.user("podseal status hand");
    assert_eq!(said.code, Some(code), "{said:?}");
    for word in words {
        assert!(said.stdout.contains(word), "{word}: {}", said.stdout);
    }
}

/// Level families leaves the commands alone, and so does `--pull=always`: Podman
/// fails, and service and socket are given up, until the cause is gone.
#[test]
fn a_pull_fails_under_the_seal_and_is_recovered_from() {
    let Some(machine) = Machine::shared("a pull under the seal") else {
        return;
    };
    let there = "localhost:5000/pulled";
    write_by_hand(
        &machine,
        "pulled",
        "ListenStream=127.0.0.1:7102",
        RUNC,
        &[&format!("s#{IMAGE}#{there}#")],
    );
    let push = |label: &str| {
        let script = format!(
            "tar -C /usr/bin -c podseal | podman import --quiet --change 'LABEL is={label}' \
             --change 'ENTRYPOINT [\"/podseal\"]' - {there} && podman push --quiet {there}"
        );
        machine.user(&script).text();
    };
    push("old");
    let seal = "podseal seal --level=families pulled && systemctl --user start pulled.socket";
    machine.user(seal).text();
    assert_served(&machine, 7102, "pulled.service");

    // The registry is there, and has another image.
    push("new");
    let pull = |policy: &str| {
        machine.user(&format!(
            "sed -i 's/--pull [a-z]*/--pull {policy}/' {UNITS}/pulled.service && \
             systemctl --user daemon-reload"
        ))
    };
    pull("always").text();
    machine.user("systemctl --user stop pulled.service").text();
    let heard = super::echo(&machine, 7102);
    assert_eq!(heard.stdout, "");
    machine.wait_for_state("pulled.socket", "failed");
    machine.wait_for_state("pulled.service", "failed");
    let journal = machine.journal("pulled.service");
    assert!(
        journal.contains("address family not supported by protocol"),
        "{journal}"
    );
    let result = machine.user("systemctl --user show --property=Result --value pulled.socket");
    assert_eq!(result.text(), "service-start-limit-hit");
    // It cannot be sealed like that.
    let refused = machine.user("podseal seal --level=families pulled");
    assert!(refused.stderr.contains("  pull-not-never: "), "{refused:?}");

    pull("never").text();
    machine.user(&format!("podman pull --quiet {there}")).text();
    machine
        .user(
            "systemctl --user reset-failed pulled.service pulled.socket && \
             systemctl --user start pulled.socket",
        )
        .text();
    assert_served(&machine, 7102, "pulled.service");
    let label = machine.user("podman inspect --format '{{.Config.Labels.is}}' pulled");
    assert_eq!(label.text(), "new");
    remove(&machine, "pulled");
    machine.user(&format!("podman rmi --force {there}")).text();
}
