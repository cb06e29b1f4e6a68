//! Seals with one mechanism left out: exactly the ways that it closes are open.
//! So the probes can fail, and each mechanism is needed.

use podseal_core::policy::level::Level;
use podseal_core::policy::mechanism::{self, MECHANISMS, Mechanism, Need};
use podseal_core::policy::seal::Seal;
use podseal_core::probe::{Attempt, Outcome, PROBES, ProbeReport, find};
use podseal_runtime::proof::Trial;
use podseal_runtime::seal::{missing_landlock, restrict};

mod container;

use crate::account::lacking_here;
use crate::fixture::Place;

const FAMILIES: &[&str] = &[
    "af-inet",
    "af-inet6",
    "af-packet",
    "af-vsock",
    "upper-bits",
    "other-families",
];
const PROTOCOLS: &[&str] = &["netlink-audit", "netlink-protocols"];
const CONNECT: &[&str] = &[
    "turn-outward",
    "turn-outward-ipv6",
    "turn-outward-mapped",
    "shutdown-connect",
    "fast-open-connect",
    "turn-accepted-outward",
    "turn-accepted-ipv6",
    "turn-connection-outward",
    "received-tcp",
];
const FAST_OPEN: &[&str] = &[
    "fast-open-listener",
    "fast-open-sendmsg",
    "fast-open-sendmmsg",
    "fast-open-sendto",
    "fast-open-connection",
];
/// Landlock closes io-uring-connect as well.
const IO_URING: &[&str] = &["io-uring", "io-uring-fast-open", "io-uring-listen"];
const BIND: &[&str] = &["rebind", "rebind-accepted"];
/// What any Landlock domain closes, whatever its rules.
const DOMAIN: &[&str] = &[
    "ptrace",
    "process-vm-read",
    "pidfd-getfd",
    "proc-mem",
    "proc-net",
    "proc-root",
];
/// What no mechanism closes: the launcher does not start with such a socket.
const REFUSED: &[&str] = &["udp-sendto", "udp-connect", "mptcp-listener"];

/// Closed by Landlock where the kernel has it for UDP.
const UDP: &[&str] = &["udp-sendto", "udp-connect", "received-udp"];

/// What the probes say under `mechanisms`, or without any seal.
fn probe(mechanisms: Option<Vec<&'static Mechanism>>) -> ProbeReport {
    let trial = Trial::new().unwrap();
    let command = vec![Place::new().podseal()];
    // A thread seals itself alone, and what it starts.
    std::thread::scope(|scope| {
        let sealed = scope.spawn(|| {
            if let Some(mechanisms) = mechanisms {
                let mut missing = |mechanism: &Mechanism| panic!("no {}", mechanism.title);
                restrict(&Seal::default(), &mechanisms, &mut missing).unwrap();
            }
            trial.run(command).unwrap()
        });
        sealed.join().unwrap()
    })
}

fn open(report: &ProbeReport) -> Vec<&str> {
    let open = report.results.iter();
    open.filter(|result| result.outcome == Outcome::Succeeded)
        .map(|result| result.id.as_str())
        .collect()
}

/// All mechanisms but `left_out`.
fn without(left_out: &[&Mechanism]) -> Vec<&'static Mechanism> {
    let all = MECHANISMS.iter().copied();
    all.filter(|mechanism| !left_out.contains(mechanism))
        .collect()
}

#[test]
fn each_mechanism_closes_what_nothing_else_does() {
    let unsealed = probe(None);
    let possible = open(&unsealed);
    // What the container alone is kept from is not closed here.
    let is_of_container = |id: &str| {
        let probe = PROBES.iter().find(|probe| probe.id == id);
        probe.is_some_and(|probe| probe.closed_by == Some(Level::Strict))
    };
    for probe in PROBES {
        let is_tried = probe.attempt != Attempt::HostNetwork;
        // Not for podseal to have: modules, emulation, privileges.
        if is_tried && !possible.contains(&probe.id) && probe.needs.is_none() {
            lacking_here(probe.id, "it does not work without a seal either");
        }
    }
    let landlock: Vec<&Mechanism> = MECHANISMS
        .iter()
        .copied()
        .filter(|mechanism| matches!(mechanism.need, Need::Landlock(_)))
        .collect();
    let is_udp_governed = !missing_landlock().contains(&&mechanism::NO_UDP);
    let in_domain = [CONNECT, BIND, DOMAIN, &["signal", "abstract-socket"]].concat();
    for (left_out, opened) in [
        (&[][..], &[][..]),
        (&[&mechanism::FAMILIES], FAMILIES),
        (
            &[&mechanism::FAMILIES, &mechanism::PROTOCOLS],
            &[FAMILIES, PROTOCOLS, &["mptcp", "sctp"]].concat(),
        ),
        (
            &[&mechanism::NATIVE_ABI],
            &["i386", "i386-socketcall", "x32"],
        ),
        (&[&mechanism::NO_IO_URING], IO_URING),
        (&[&mechanism::NO_TCP_CONNECT], CONNECT),
        (
            &[&mechanism::NO_IO_URING, &mechanism::NO_TCP_CONNECT],
            &[IO_URING, CONNECT, &["io-uring-connect"]].concat(),
        ),
        (&[&mechanism::NO_TCP_BIND], BIND),
        (&[&mechanism::NO_FAST_OPEN], FAST_OPEN),
        (&[&mechanism::NO_UPPER_LAYER], &["upper-layer"]),
        (&[&mechanism::PROTOCOLS], PROTOCOLS),
        (&[&mechanism::NO_SIGNALS_OUT], &["signal"]),
        (&[&mechanism::NO_ABSTRACT_SOCKETS], &["abstract-socket"]),
        (&[&mechanism::NO_UDP], &[]),
        (&landlock, &in_domain),
    ] {
        let report = probe(Some(without(left_out)));
        let expected = |id: &&str| {
            if UDP.contains(id) {
                return !is_udp_governed || left_out.contains(&&mechanism::NO_UDP);
            }
            let is_never_closed = find(id).is_some_and(|probe| probe.closed_by.is_none());
            opened.contains(id) || REFUSED.contains(id) || is_never_closed || is_of_container(id)
        };
        let expected: Vec<&str> = possible.iter().copied().filter(expected).collect();
        let ids: Vec<&str> = left_out.iter().map(|mechanism| mechanism.id).collect();
        assert_eq!(open(&report), expected, "without {ids:?}: {report:?}");
    }
}

/// Sockets that no mechanism governs do not get in, unless that is asked for.
#[test]
fn the_launcher_does_not_start_with_a_socket_that_cannot_be_sealed() {
    let place = Place::new();
    let unsealed = probe(None);
    for (options, refused) in [
        (&["--level=standard"][..], REFUSED),
        (&["--level=standard", "--allow-udp"], &["mptcp-listener"]),
        (&["--level=families"], &[]),
    ] {
        let mut command = vec![place.podseal(), "enter".into()];
        command.extend(options.iter().map(|option| (*option).to_owned()));
        command.extend(["--join=never".into(), "--".into(), place.podseal()]);
        let report = Trial::new().unwrap().run(command).unwrap();
        for id in REFUSED {
            let Some(Outcome::Succeeded) = unsealed.outcome(id) else {
                continue;
            };
            let outcome = report.outcome(id);
            if refused.contains(id) {
                assert!(
                    matches!(outcome, Some(Outcome::NotStarted { reason }) if reason.contains("cannot be sealed")),
                    "{id} with {options:?}: {outcome:?}"
                );
            } else {
                assert_eq!(outcome, Some(&Outcome::Succeeded), "{id} with {options:?}");
            }
        }
        // The rest is tried all the same, and in the table's order.
        let ids: Vec<&str> = report.results.iter().map(|row| row.id.as_str()).collect();
        let all = unsealed.results.iter().map(|row| row.id.as_str());
        assert_eq!(ids, all.collect::<Vec<_>>(), "{options:?}");
    }
}
