//! Seals that do not work, and say so.

use super::{assert_served, echo, remove, write_by_hand};
use crate::machine::Machine;

/// crun 1.17 to 1.22 need a kind of socket that the seal takes away.
#[test]
fn a_runtime_that_does_not_work_sealed_says_so() {
    let Some(machine) = Machine::shared("crun under the seal") else {
        return;
    };
    let version = machine.user("crun --version");
    let version = version.text().split_whitespace().nth(2).unwrap();
    let minor: u32 = version.split('.').nth(1).unwrap().parse().unwrap();
    write_by_hand(
        &machine,
        "crun",
        "ListenStream=127.0.0.1:7103",
        "--runtime crun create",
        &[],
    );
    machine
        .user("podseal seal crun && systemctl --user start crun.socket")
        .text();
    if (17..=22).contains(&minor) {
        assert_eq!(echo(&machine, 7103).stdout, "");
        machine.wait_for_state("crun.socket", "failed");
        let journal = machine.journal("crun.service");
        assert!(journal.contains("recvfrom"), "crun {version}: {journal}");
        // The same service with the other runtime.
        machine
            .user(
                "sed -i 's/--runtime crun/--runtime runc/' .config/systemd/user/crun.service && \
                 podseal seal crun && systemctl --user reset-failed crun.service crun.socket && \
                 systemctl --user start crun.socket",
            )
            .text();
    }
    assert_served(&machine, 7103, "crun.service");
    remove(&machine, "crun");
}
