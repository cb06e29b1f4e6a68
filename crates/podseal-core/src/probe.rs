//! Probes: the ways to an internet socket, as a table, and what came of each.

use serde::{Deserialize, Serialize};

use crate::family::Family;

/// One way to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// socket(2) for a stream, or for raw packets with AF_PACKET.
    Socket(Family),
    /// The same with bit 32 of the first argument set, which the kernel does
    /// not look at and a 64-bit comparison in a filter would.
    SocketUpperBits(Family),
    /// socket(2) through the i386 system-call ABI.
    SocketI386(Family),
    /// `IORING_OP_SOCKET` of io_uring(7).
    IoUring(Family),
    /// The socket that was handed over, dissolved with connect(2) to AF_UNSPEC
    /// and connected to somebody else.
    TurnOutward,
}

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Probe {
    /// Stable kebab-case name.
    pub id: &'static str,
    /// For people.
    pub title: &'static str,
    /// What is tried.
    pub attempt: Attempt,
    /// Whether level `families` promises that it fails.
    pub closed_by_families: bool,
}

/// All probes, in the order in which they are made and shown. The last ruins
/// the socket it is made with.
pub const PROBES: &[Probe] = &[
    Probe {
        id: "af-inet",
        title: "socket(AF_INET)",
        attempt: Attempt::Socket(Family::INET),
        closed_by_families: true,
    },
    Probe {
        id: "af-inet6",
        title: "socket(AF_INET6)",
        attempt: Attempt::Socket(Family::INET6),
        closed_by_families: true,
    },
    Probe {
        id: "af-packet",
        title: "socket(AF_PACKET)",
        attempt: Attempt::Socket(Family::PACKET),
        closed_by_families: true,
    },
    Probe {
        id: "af-vsock",
        title: "socket(AF_VSOCK)",
        attempt: Attempt::Socket(Family::VSOCK),
        closed_by_families: true,
    },
    Probe {
        id: "upper-bits",
        title: "socket(AF_INET) with upper bits set",
        attempt: Attempt::SocketUpperBits(Family::INET),
        closed_by_families: true,
    },
    Probe {
        id: "i386",
        title: "socket(AF_INET) as an i386 call",
        attempt: Attempt::SocketI386(Family::INET),
        closed_by_families: true,
    },
    Probe {
        id: "io-uring",
        title: "AF_INET socket through io_uring",
        attempt: Attempt::IoUring(Family::INET),
        closed_by_families: true,
    },
    Probe {
        id: "turn-outward",
        title: "activated socket turned outward",
        attempt: Attempt::TurnOutward,
        closed_by_families: false,
    },
];

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// It worked.
    Succeeded,
    /// A call failed with this errno.
    Refused {
        /// errno(3)
        errno: i32,
    },
    /// The process was killed by this signal.
    Killed {
        /// signal(7)
        signal: i32,
    },
    /// It could not be tried.
    NotTried {
        /// Why.
        reason: String,
    },
}

/// One probe's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeResult {
    /// [`Probe::id`]
    pub id: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What `podseal probe` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeReport {
    /// Version of this format.
    pub version: u32,
    /// One result for each probe that was asked for.
    pub results: Vec<ProbeResult>,
}

impl ProbeReport {
    /// The present version of the format.
    pub const VERSION: u32 = 1;

    /// What came of the probe called `id`.
    #[must_use]
    pub fn outcome(&self, id: &str) -> Option<&Outcome> {
        self.results
            .iter()
            .find(|result| result.id == id)
            .map(|result| &result.outcome)
    }
}

/// What a probe with and without the seal says together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It works without the seal and not under it.
    Closed,
    /// It works under the seal.
    Open,
    /// It does not work without the seal either, so nothing was shown.
    Inconclusive,
}

/// Compares an attempt without the seal with the same under it. For an attempt
/// whose success a victim sees, success is what the victim saw.
#[must_use]
pub fn verdict(unsealed: &Outcome, sealed: &Outcome) -> Verdict {
    match (unsealed, sealed) {
        (_, Outcome::Succeeded) => Verdict::Open,
        (Outcome::Succeeded, Outcome::Refused { .. } | Outcome::Killed { .. }) => Verdict::Closed,
        _ => Verdict::Inconclusive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_difference_shows_that_a_way_is_closed() {
        let refused = Outcome::Refused { errno: 97 };
        let killed = Outcome::Killed { signal: 31 };
        let untried = Outcome::NotTried { reason: "x".into() };
        for (unsealed, sealed, expected) in [
            (&Outcome::Succeeded, &refused, Verdict::Closed),
            (&Outcome::Succeeded, &killed, Verdict::Closed),
            (&Outcome::Succeeded, &Outcome::Succeeded, Verdict::Open),
            (&refused, &Outcome::Succeeded, Verdict::Open),
            (&untried, &Outcome::Succeeded, Verdict::Open),
            (&refused, &refused, Verdict::Inconclusive),
            (&Outcome::Succeeded, &untried, Verdict::Inconclusive),
            (&untried, &killed, Verdict::Inconclusive),
        ] {
            assert_eq!(
                verdict(unsealed, sealed),
                expected,
                "{unsealed:?} {sealed:?}"
            );
        }
    }

    #[test]
    fn reports_survive_json() {
        let report = ProbeReport {
            version: ProbeReport::VERSION,
            results: vec![ProbeResult {
                id: "i386".into(),
                outcome: Outcome::Killed { signal: 31 },
            }],
        };
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(
            json,
            r#"{"version":1,"results":[{"id":"i386","outcome":"killed","signal":31}]}"#
        );
        assert_eq!(serde_json::from_str::<ProbeReport>(&json).unwrap(), report);
    }

    #[test]
    fn ids_are_unique() {
        for (index, row) in PROBES.iter().enumerate() {
            assert!(PROBES[..index].iter().all(|other| other.id != row.id));
        }
    }
}
