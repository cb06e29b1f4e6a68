//! Rootless Podman's user namespace, which cannot be made under a seal.

use super::{ROW, podman, podseal, problem};
use crate::explain::signature::{Line, Shows, Signature};

/// newuidmap, as Podman quotes it.
const NEWUIDMAP: &[Line] = &[
    podman(&["newuidmap", "uid_map failed"]),
    podman(&["cannot set up namespace using", "newuidmap"]),
    podman(&["newgidmap", "gid_map failed"]),
];

const PAUSE_FIX: &str = "have it made outside the seal, before the service needs it: `podseal seal` writes what does so, by hand it is ExecStartPre=+/usr/bin/podseal pause ensure";

pub(super) const SIGNATURES: &[Signature] = &[
    Signature {
        id: "uidmap-tools",
        title: "newuidmap or newgidmap cannot map ids",
        cause: "newuidmap or newgidmap is missing, or has neither the setuid bit nor a capability",
        wanted: "newuidmap's message, and that `podseal doctor` finds the programs wanting",
        fix: "install the package uidmap (shadow-utils on Fedora) again",
        next: "podseal doctor",
        link: Some("newuidmap(1)"),
        shows: Shows::SaysAnd(NEWUIDMAP, |case| {
            problem(case, "uidmap-tools").unwrap_or_default()
        }),
        still: Some(|case| problem(case, "uidmap-tools")),
        ..ROW
    },
    Signature {
        id: "newuidmap-sealed",
        title: "Podman makes its user namespace under the seal: no pause process, or pause.pid is stale or another process's",
        cause: "Podman found no pause process that it could join, and had to make its user namespace under the seal, where newuidmap gains no privileges (no-new-privileges)",
        wanted: "newuidmap's message in the words of Podman",
        fix: PAUSE_FIX,
        next: "podseal pause ensure{run_as} && podseal explain{scope} {service} --apply",
        link: Some("docs/rules.md#pause-missing"),
        shows: Shows::Says(NEWUIDMAP),
        still: Some(|case| problem(case, "pause-process")),
        ..ROW
    },
    Signature {
        id: "pause-process-gone",
        title: "the pause process is gone when the seal is put on",
        cause: "Podman's pause process was not running, or could not be joined, and under the seal Podman cannot make another",
        wanted: "the message of `podseal enter`, or Podman's of the namespace that it cannot join",
        fix: PAUSE_FIX,
        next: "podseal pause ensure{run_as} && podseal explain{scope} {service} --apply",
        link: Some("docs/rules.md#pause-missing"),
        shows: Shows::Says(&[
            podseal(&["pause process is not running"]),
            podseal(&["cannot join Podman's"]),
            podman(&["cannot re-exec process"]),
            podman(&["invalid internal status, try resetting the pause process"]),
        ]),
        still: Some(|case| problem(case, "pause-process")),
        ..ROW
    },
    Signature {
        id: "no-runtime-directory",
        title: "the user's run-time directory is not there",
        cause: "rootless Podman's user has no run-time directory: its manager does not run, since the user does not linger or logind has not started it",
        wanted: "the message of `podseal pause ensure --run-as`",
        fix: "have the user linger (`loginctl enable-linger`), and the service wait for the user's manager (After=user@UID.service)",
        next: "podseal explain{scope} {service} --apply",
        link: Some("docs/rules.md#user-runtime"),
        shows: Shows::Says(&[podseal(&["has no run-time directory"])]),
        ..ROW
    },
    Signature {
        id: "subordinate-ids-exhausted",
        title: "not enough subordinate ids",
        cause: "the user has no range of subordinate ids, or not as many as the container or image needs",
        wanted: "Podman's message about ids",
        fix: "give the user a larger range in /etc/subuid and /etc/subgid, or ask for fewer ids (--userns=auto:size=…)",
        next: "podseal doctor",
        link: Some("subuid(5)"),
        shows: Shows::Says(&[
            podman(&["not enough unused IDs in user namespace"]),
            podman(&["potentially insufficient UIDs or GIDs available"]),
            podman(&["no subuid ranges found"]),
            podman(&["no subgid ranges found"]),
            podseal(&["has no range of ids for"]),
        ]),
        still: Some(|case| problem(case, "subordinate-ids").filter(|found| !found.is_empty())),
        ..ROW
    },
];
