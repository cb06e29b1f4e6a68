//! Probes: the ways out of a seal, as a table, and what came of each.

use serde::{Deserialize, Serialize};

use crate::family::Family;
use crate::policy::level::Level;

pub mod strict;

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
    /// socket(2) for this protocol of netlink(7).
    Netlink(u32),
    /// A socket that was handed over is connected to somebody else.
    Outward(Handed, Way),
    /// A listener that was handed over is dissolved, bound to another port and
    /// made to listen there.
    Rebind,
    /// An accepted connection is dissolved and made to listen on the port that
    /// the kernel chooses.
    Relisten,
    /// The "tls" upper layer is put on an accepted connection (`TCP_ULP`).
    UpperLayer,
    /// kill(2) of a process outside, with signal 0.
    Signal,
    /// ptrace(2) of a process outside (`PTRACE_SEIZE`).
    Trace,
    /// pidfd_getfd(2) of a process outside.
    TakeDescriptor,
    /// connect(2) to an abstract UNIX socket of a process outside.
    AbstractSocket,
    /// Something that is the container's own affair.
    Container(strict::Attempt),
}

/// A socket to sacrifice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handed {
    /// A listener.
    Listener(Network),
    /// A connection accepted from an IPv4 listener that was handed over.
    Accepted,
}

/// Where a listener listens, and the somebody else is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Both at 127.0.0.1.
    Ipv4,
    /// Both at ::1.
    Ipv6,
    /// At ::, for IPv4 as well, and at 127.0.0.1.
    Mapped,
}

/// How a socket is connected to somebody else. All but [`Self::ShutDown`] first
/// dissolve what it is, with connect(2) to AF_UNSPEC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// connect(2)
    Connect,
    /// sendto(2) with `MSG_FASTOPEN`
    SendTo,
    /// sendmsg(2) with `MSG_FASTOPEN`
    SendMessage,
    /// sendmmsg(2) with `MSG_FASTOPEN`
    SendMessages,
    /// connect(2) with `TCP_FASTOPEN_CONNECT`, then write(2)
    FastOpenConnect,
    /// shutdown(2), then connect(2)
    ShutDown,
}

impl Attempt {
    /// The listener that has to be handed over for it, named by
    /// [`Probe::id`], since it does not survive.
    #[must_use]
    pub const fn handed(self) -> Option<Handed> {
        match self {
            Self::Outward(handed, _) => Some(handed),
            Self::Rebind => Some(Handed::Listener(Network::Ipv4)),
            Self::Relisten | Self::UpperLayer => Some(Handed::Accepted),
            _ => None,
        }
    }

    /// Whether somebody else sees if it worked, and is to be asked.
    #[must_use]
    pub const fn has_victim(self) -> bool {
        matches!(self, Self::Outward(..) | Self::AbstractSocket)
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Stable kebab-case name.
    pub id: &'static str,
    /// For people.
    pub title: &'static str,
    /// What is tried.
    pub attempt: Attempt,
    /// The first level that promises that it fails. Level strict promises it of
    /// the container only.
    pub closed_by: Option<Level>,
}

impl Probe {
    /// Whether `level` promises that it fails in the container; on the host, ask
    /// for [`Level::on_host`].
    #[must_use]
    pub fn is_closed_by(&self, level: Level) -> bool {
        self.closed_by.is_some_and(|first| first <= level)
    }
}

/// All probes, in the order in which they are made and shown.
pub const PROBES: &[Probe] = &PROBES_OF_ALL;

const PROBES_OF_ALL: [Probe; GENERAL.len() + strict::PROBES.len()] = {
    let mut all = [GENERAL[0]; GENERAL.len() + strict::PROBES.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] = if at < GENERAL.len() {
            GENERAL[at]
        } else {
            strict::PROBES[at - GENERAL.len()]
        };
        at += 1;
    }
    all
};

/// Those that are tried on the host as well.
const GENERAL: &[Probe] = &[
    Probe {
        id: "af-inet",
        title: "socket(AF_INET)",
        attempt: Attempt::Socket(Family::INET),
        closed_by: Some(Level::Families),
    },
    Probe {
        id: "af-inet6",
        title: "socket(AF_INET6)",
        attempt: Attempt::Socket(Family::INET6),
        closed_by: Some(Level::Families),
    },
    Probe {
        id: "af-packet",
        title: "socket(AF_PACKET)",
        attempt: Attempt::Socket(Family::PACKET),
        closed_by: Some(Level::Families),
    },
    Probe {
        id: "af-vsock",
        title: "socket(AF_VSOCK)",
        attempt: Attempt::Socket(Family::VSOCK),
        closed_by: Some(Level::Families),
    },
    Probe {
        id: "upper-bits",
        title: "socket(AF_INET), upper bits set",
        attempt: Attempt::SocketUpperBits(Family::INET),
        closed_by: Some(Level::Families),
    },
    Probe {
        id: "i386",
        title: "socket(AF_INET) as an i386 call",
        attempt: Attempt::SocketI386(Family::INET),
        closed_by: Some(Level::Families),
    },
    Probe {
        id: "io-uring",
        title: "AF_INET socket through io_uring",
        attempt: Attempt::IoUring(Family::INET),
        closed_by: Some(Level::Families),
    },
    Probe {
        id: "netlink-audit",
        title: "socket(AF_NETLINK), audit protocol",
        attempt: Attempt::Netlink(9),
        closed_by: Some(Level::Standard),
    },
    Probe {
        id: "turn-outward",
        title: "listener: AF_UNSPEC, connect",
        attempt: Attempt::Outward(Handed::Listener(Network::Ipv4), Way::Connect),
        closed_by: Some(Level::Standard),
    },
    Probe {
        id: "turn-outward-ipv6",
        title: "the same with IPv6",
        attempt: Attempt::Outward(Handed::Listener(Network::Ipv6), Way::Connect),
        closed_by: Some(Level::Standard),
    },
    Probe {
        id: "turn-outward-mapped",
        title: "the same with IPv4 in IPv6",
        attempt: Attempt::Outward(Handed::Listener(Network::Mapped), Way::Connect),
        closed_by: Some(Level::Standard),
    },
    Probe {
        id: "turn-accepted-outward",
        title: "accepted: AF_UNSPEC, connect",
        attempt: Attempt::Outward(Handed::Accepted, Way::Connect),
        closed_by: Some(Level::Standard),
    },
    Probe {
        id: "fast-open-sendto",
        title: "accepted: sendto(MSG_FASTOPEN)",
        attempt: Attempt::Outward(Handed::Accepted, Way::SendTo),
        closed_by: Some(Level::Standard),
    },
    Probe {
        id: "fast-open-sendmsg",
        title: "listener: sendmsg(MSG_FASTOPEN)",
        attempt: Attempt::Outward(Handed::Listener(Network::Ipv4), Way::SendMessage),
        closed_by: Some(Level::Standard),
    },
    Probe {
        id: "fast-open-sendmmsg",
        title: "listener: sendmmsg(MSG_FASTOPEN)",
        attempt: Attempt::Outward(Handed::Listener(Network::Ipv4), Way::SendMessages),
        closed_by: Some(Level::Standard),
    },
    Probe {
        id: "fast-open-connect",
        title: "listener: TCP_FASTOPEN_CONNECT",
        attempt: Attempt::Outward(Handed::Listener(Network::Ipv4), Way::FastOpenConnect),
        closed_by: Some(Level::Standard),
    },
    Probe {
        id: "shutdown-connect",
        title: "listener: shutdown, connect",
        attempt: Attempt::Outward(Handed::Listener(Network::Ipv4), Way::ShutDown),
        closed_by: Some(Level::Standard),
    },
    Probe {
        id: "rebind",
        title: "listener: bound to another port",
        attempt: Attempt::Rebind,
        closed_by: Some(Level::Standard),
    },
    // Landlock looks at bind(2), not at the port that listen(2) finds by itself.
    Probe {
        id: "relisten",
        title: "accepted: listens on a random port",
        attempt: Attempt::Relisten,
        closed_by: Some(Level::Strict),
    },
    Probe {
        id: "upper-layer",
        title: "accepted: TCP_ULP",
        attempt: Attempt::UpperLayer,
        closed_by: Some(Level::Standard),
    },
    Probe {
        id: "signal",
        title: "signal to a process outside",
        attempt: Attempt::Signal,
        closed_by: Some(Level::Standard),
    },
    Probe {
        id: "ptrace",
        title: "ptrace of a process outside",
        attempt: Attempt::Trace,
        closed_by: Some(Level::Standard),
    },
    Probe {
        id: "pidfd-getfd",
        title: "descriptor of a process outside",
        attempt: Attempt::TakeDescriptor,
        closed_by: Some(Level::Standard),
    },
    Probe {
        id: "abstract-socket",
        title: "abstract UNIX socket outside",
        attempt: Attempt::AbstractSocket,
        closed_by: Some(Level::Standard),
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
