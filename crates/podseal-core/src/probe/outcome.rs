//! What came of probes.

use serde::{Deserialize, Serialize};

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
    /// The seal does not let a process start with what it needs.
    NotStarted {
        /// What the launcher said.
        reason: String,
    },
    /// It could not be tried.
    NotTried {
        /// Why.
        reason: String,
    },
}

impl Outcome {
    /// What a victim saw counts, whatever the attempt says of itself.
    pub fn believe_victim(&mut self, reached: bool) {
        if reached {
            *self = Self::Succeeded;
        } else if *self == Self::Succeeded {
            *self = Self::NotTried {
                reason: "the victim was not reached".into(),
            };
        }
    }
}

/// One probe's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeResult {
    /// [`Probe::id`](super::Probe::id)
    pub id: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What was seen beyond that, for a probe that tries several things.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// What `podseal probe` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeReport {
    /// Version of this format.
    pub version: u32,
    /// One result for each probe that was asked for.
    pub results: Vec<ProbeResult>,
    /// What the process that made them was under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Observed>,
}

/// What the kernel says of a process, see proc_pid_status(5) and namespaces(7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// Whether it can gain privileges no more.
    pub no_new_privs: bool,
    /// Its seccomp mode: 2 is with filters.
    pub seccomp: u32,
    /// How many filters; before Linux 5.9 it is not told.
    pub filters: Option<u32>,
    /// Its user namespace, as the kernel writes it.
    pub user_namespace: Option<String>,
    /// Its network namespace.
    pub network_namespace: Option<String>,
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
    /// It works without the seal, and under it fails as a seal makes it fail.
    Closed,
    /// It works under the seal.
    Open,
    /// It does not work without the seal either, or failed under it by chance,
    /// so nothing was shown.
    Inconclusive,
}

/// Compares an attempt without the seal with the same under it. For an attempt
/// whose success a victim sees, success is what the victim saw.
#[must_use]
pub fn verdict(unsealed: &Outcome, sealed: &Outcome) -> Verdict {
    match (unsealed, sealed) {
        (_, Outcome::Succeeded) => Verdict::Open,
        (Outcome::Succeeded, sealed) if sealed.is_by_seal() => Verdict::Closed,
        _ => Verdict::Inconclusive,
    }
}

impl Outcome {
    /// Whether it is what a seal makes of an attempt, and not what happens to
    /// one under a seal as well as without.
    fn is_by_seal(&self) -> bool {
        match self {
            Self::Refused { errno } => !CIRCUMSTANCES.contains(errno),
            Self::Killed { signal } => *signal == SIGSYS,
            Self::NotStarted { .. } => true,
            Self::Succeeded | Self::NotTried { .. } => false,
        }
    }
}

/// What a filter kills with.
const SIGSYS: i32 = 31;

/// Errors that come of the moment: something ran out, took too long, was taken
/// or was gone. No mechanism of a seal answers so (errno(3), the numbers are the
/// same on x86-64 and aarch64).
const CIRCUMSTANCES: &[i32] = &[
    3,   // ESRCH
    4,   // EINTR
    5,   // EIO
    9,   // EBADF
    11,  // EAGAIN
    12,  // ENOMEM
    23,  // ENFILE
    24,  // EMFILE
    98,  // EADDRINUSE
    99,  // EADDRNOTAVAIL
    100, // ENETDOWN
    101, // ENETUNREACH
    104, // ECONNRESET
    105, // ENOBUFS
    110, // ETIMEDOUT
    111, // ECONNREFUSED
    113, // EHOSTUNREACH
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_difference_shows_that_a_way_is_closed() {
        let refused = Outcome::Refused { errno: 97 };
        let killed = Outcome::Killed { signal: 31 };
        let untried = Outcome::NotTried { reason: "x".into() };
        let in_use = Outcome::Refused { errno: 98 };
        let out_of_memory = Outcome::Killed { signal: 9 };
        let unstarted = Outcome::NotStarted { reason: "x".into() };
        for (unsealed, sealed, expected) in [
            (&Outcome::Succeeded, &refused, Verdict::Closed),
            (&Outcome::Succeeded, &killed, Verdict::Closed),
            (&Outcome::Succeeded, &unstarted, Verdict::Closed),
            (&untried, &unstarted, Verdict::Inconclusive),
            (&Outcome::Succeeded, &in_use, Verdict::Inconclusive),
            (&Outcome::Succeeded, &out_of_memory, Verdict::Inconclusive),
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
    fn the_victim_is_believed() {
        let refused = Outcome::Refused { errno: 115 };
        for (said, reached, expected) in [
            (refused.clone(), true, Outcome::Succeeded),
            (Outcome::Succeeded, true, Outcome::Succeeded),
            (refused.clone(), false, refused),
        ] {
            let mut outcome = said;
            outcome.believe_victim(reached);
            assert_eq!(outcome, expected);
        }
        let mut outcome = Outcome::Succeeded;
        outcome.believe_victim(false);
        assert!(matches!(outcome, Outcome::NotTried { .. }));
    }

    #[test]
    fn reports_survive_json() {
        let report = ProbeReport {
            version: ProbeReport::VERSION,
            results: vec![ProbeResult {
                id: "i386".into(),
                outcome: Outcome::Killed { signal: 31 },
                evidence: None,
            }],
            process: None,
        };
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(
            json,
            r#"{"version":1,"results":[{"id":"i386","outcome":"killed","signal":31}]}"#
        );
        assert_eq!(serde_json::from_str::<ProbeReport>(&json).unwrap(), report);
    }
}
