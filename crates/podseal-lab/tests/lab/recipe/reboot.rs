//! What is left of a sealed service after a reboot, and after the pause process
//! ended.

use super::{NO_NEW_PRIVILEGES, RESTRICT, assert_served, echo, remove, write_by_hand};
use crate::machine::{KILL_PAUSE_PROCESS, Machine};

const RUNC: &str = "--runtime runc create";

#[test]
fn sealed_services_are_served_after_a_reboot_and_without_a_pause_process() {
    let Some(machine) = Machine::alone("a reboot of sealed services") else {
        return;
    };
    // The recipe without the unit that makes the pause process.
    let edits = [RESTRICT, NO_NEW_PRIVILEGES];
    write_by_hand(
        &machine,
        "bare",
        "ListenStream=127.0.0.1:7105",
        RUNC,
        &edits,
    );
    write_by_hand(&machine, "kept", "ListenStream=127.0.0.1:7106", RUNC, &[]);
    machine
        .user("podseal seal kept && systemctl --user enable --now bare.socket kept.socket")
        .text();
    assert_served(&machine, 7106, "kept.service");
    assert_served(&machine, 7105, "bare.service");

    machine.reboot();
    // Nobody has used Podman so far.
    assert_eq!(echo(&machine, 7105).stdout, "");
    machine.wait_for_state("bare.socket", "failed");
    let journal = machine.journal("bare.service");
    assert!(journal.contains("newuidmap"), "{journal}");
    assert_served(&machine, 7106, "kept.service");
    // Now there is one.
    machine
        .user(
            "systemctl --user reset-failed bare.service bare.socket && \
             systemctl --user start bare.socket",
        )
        .text();
    assert_served(&machine, 7105, "bare.service");
    remove(&machine, "bare");

    for end in ["podman system migrate", KILL_PAUSE_PROCESS] {
        machine.user("systemctl --user stop kept.service").text();
        machine.user(end).text();
        assert_served(&machine, 7106, "kept.service");
    }
    remove(&machine, "kept");
}
