//! Seals with one mechanism left out: exactly the ways that it closes are open.
//! So the probes can fail, and each mechanism is needed.

use podseal_core::policy::level::Level;
use podseal_core::policy::mechanism::{self, MECHANISMS, Mechanism, Need};
use podseal_core::policy::seal::Seal;
use podseal_core::probe::{Outcome, PROBES, ProbeReport};
use podseal_runtime::proof::Trial;
use podseal_runtime::seal::restrict;

mod container;

use crate::account::lacking_here;
use crate::fixture::Place;

const FAMILIES: &[&str] = &["af-inet", "af-inet6", "af-packet", "af-vsock", "upper-bits"];
const CONNECT: &[&str] = &[
    "turn-outward",
    "turn-outward-ipv6",
    "turn-outward-mapped",
    "turn-accepted-outward",
    "fast-open-connect",
    "shutdown-connect",
];
const FAST_OPEN: &[&str] = &[
    "fast-open-sendto",
    "fast-open-sendmsg",
    "fast-open-sendmmsg",
];
/// What not every kernel has, or lets every user do.
const OPTIONAL: &[&str] = &[
    "i386",
    "io-uring",
    "upper-layer",
    "af-packet",
    "af-vsock",
    "chroot",
    "write-root",
    "user-namespace",
    "user-namespace-clone",
    "user-namespace-clone3",
    "mount",
    "keyring",
];
/// What any Landlock domain closes, whatever its rules.
const DOMAIN: &[&str] = &["ptrace", "pidfd-getfd"];

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
        if !possible.contains(&probe.id) {
            // Not for podseal to have: modules, emulation, privileges.
            lacking_unless_optional(probe.id);
        }
    }
    let landlock: Vec<&Mechanism> = MECHANISMS
        .iter()
        .copied()
        .filter(|mechanism| matches!(mechanism.need, Need::Landlock(_)))
        .collect();
    let in_domain = [CONNECT, DOMAIN, &["rebind", "signal", "abstract-socket"]].concat();
    for (left_out, opened) in [
        (&[][..], &[][..]),
        (&[&mechanism::FAMILIES], FAMILIES),
        (&[&mechanism::NATIVE_ABI], &["i386"]),
        (&[&mechanism::NO_IO_URING], &["io-uring"]),
        (&[&mechanism::NO_TCP_CONNECT], CONNECT),
        (&[&mechanism::NO_TCP_BIND], &["rebind"]),
        (&[&mechanism::NO_FAST_OPEN], FAST_OPEN),
        (&[&mechanism::NO_UPPER_LAYER], &["upper-layer"]),
        (&[&mechanism::PROTOCOLS], &["netlink-audit"]),
        (&[&mechanism::NO_SIGNALS_OUT], &["signal"]),
        (&[&mechanism::NO_ABSTRACT_SOCKETS], &["abstract-socket"]),
        (&landlock, &in_domain),
    ] {
        let report = probe(Some(without(left_out)));
        let expected = |id: &&str| opened.contains(id) || is_of_container(id);
        let expected: Vec<&str> = possible.iter().copied().filter(expected).collect();
        let ids: Vec<&str> = left_out.iter().map(|mechanism| mechanism.id).collect();
        assert_eq!(open(&report), expected, "without {ids:?}: {report:?}");
    }
}

fn lacking_unless_optional(id: &str) {
    if !OPTIONAL.contains(&id) {
        lacking_here(id, "it does not work without a seal either");
    }
}
