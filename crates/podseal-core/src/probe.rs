//! Probes: the ways out of a seal, as a table, and what came of each.

use crate::family::Family;
use crate::policy::level::Level;
use crate::policy::seal::Seal;

mod attempt;
pub mod document;
mod files;
mod handed;
mod outcome;
mod processes;
mod sockets;
pub mod strict;

pub use attempt::{Attempt, Base, Handed, Location, Network, ProcessFile, Protocol, Way};
pub use outcome::{Observed, Outcome, ProbeReport, ProbeResult, Verdict, verdict};

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Stable kebab-case name.
    pub id: &'static str,
    /// For people, in a table.
    pub title: &'static str,
    /// What is tried.
    pub attempt: Attempt,
    /// The first level that promises that it fails. Level strict promises it of
    /// the container only.
    pub closed_by: Option<Level>,
    /// What the machine has to have, beyond what podseal needs, for it to work
    /// without a seal.
    pub needs: Option<&'static str>,
    /// What it means where it is open, and why that is accepted.
    pub risk: Option<&'static str>,
    /// Whether `podseal demo` shows it, which has not room for all.
    pub is_in_demo: bool,
}

impl Probe {
    /// A way that no level closes.
    const fn open(
        id: &'static str,
        title: &'static str,
        attempt: Attempt,
        risk: &'static str,
    ) -> Self {
        Self {
            id,
            title,
            attempt,
            closed_by: None,
            needs: None,
            risk: Some(risk),
            is_in_demo: false,
        }
    }

    /// A way that `level` is the first to close.
    const fn closed(id: &'static str, title: &'static str, attempt: Attempt, level: Level) -> Self {
        Self {
            id,
            title,
            attempt,
            closed_by: Some(level),
            needs: None,
            risk: None,
            is_in_demo: false,
        }
    }

    const fn needs(self, what: &'static str) -> Self {
        Self {
            needs: Some(what),
            ..self
        }
    }

    const fn risk(self, risk: &'static str) -> Self {
        Self {
            risk: Some(risk),
            ..self
        }
    }

    const fn in_demo(self) -> Self {
        Self {
            is_in_demo: true,
            ..self
        }
    }

    /// Whether `level` promises that it fails in the container; on the host, ask
    /// for [`Level::on_host`].
    #[must_use]
    pub fn is_closed_by(&self, level: Level) -> bool {
        self.closed_by.is_some_and(|first| first <= level)
    }

    /// Whether `seal` promises that it fails: its level does, and nothing was
    /// asked for that opens it.
    #[must_use]
    pub fn is_closed_under(&self, seal: &Seal) -> bool {
        self.is_closed_by(seal.level) && self.given_up_by(seal).is_none()
    }

    /// The option of `seal` that opens what its level closes.
    #[must_use]
    pub fn given_up_by(&self, seal: &Seal) -> Option<&'static str> {
        let lets = |family| seal.families.contains(family);
        let (is_accepted, option) = match self.attempt {
            Attempt::Socket(family) | Attempt::SocketUpperBits(family) => {
                (lets(family), "--families")
            }
            // From level standard on, TCP only.
            Attempt::Protocol(family, _) => {
                let is_whole = seal.level == Level::Families;
                (lets(family) && is_whole, "--families")
            }
            Attempt::OtherFamilies => (seal.families.iter().any(is_other), "--families"),
            Attempt::HostNetwork => (lets(Family::INET), "--families"),
            Attempt::Outward(Handed::Datagram, _) => (seal.allow_udp, "--allow-udp"),
            Attempt::Container(strict::Attempt::Connect) => (seal.allow_connect, "--allow-connect"),
            _ => return None,
        };
        (is_accepted && self.is_closed_by(seal.level)).then_some(option)
    }
}

/// Whether a family is none of those that most programs use or that have a
/// probe of their own.
fn is_other(family: Family) -> bool {
    ![Family::UNIX, Family::NETLINK].contains(&family)
        && !PROBES
            .iter()
            .any(|probe| probe.attempt == Attempt::Socket(family))
}

/// Probes that belong together.
#[derive(Debug)]
pub struct Group {
    /// For people.
    pub title: &'static str,
    /// What they have in common.
    pub about: &'static str,
    /// They.
    pub probes: &'static [Probe],
}

/// All groups, in the order in which they are made and shown.
pub const GROUPS: &[Group] = &[
    sockets::GROUP,
    handed::GROUP,
    processes::GROUP,
    files::GROUP,
    strict::GROUP,
];

/// All probes, in the order in which they are made and shown.
pub static PROBES: &[Probe] = &joined::<{ count() }>();

const fn count() -> usize {
    let (mut count, mut group) = (0, 0);
    while group < GROUPS.len() {
        count += GROUPS[group].probes.len();
        group += 1;
    }
    count
}

const fn joined<const COUNT: usize>() -> [Probe; COUNT] {
    let mut all = [GROUPS[0].probes[0]; COUNT];
    let (mut at, mut group) = (0, 0);
    while group < GROUPS.len() {
        let probes = GROUPS[group].probes;
        let mut index = 0;
        while index < probes.len() {
            all[at] = probes[index];
            at += 1;
            index += 1;
        }
        group += 1;
    }
    all
}

/// The probe called `id`.
#[must_use]
pub fn find(id: &str) -> Option<&'static Probe> {
    PROBES.iter().find(|probe| probe.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_titles_are_unique() {
        for (index, row) in PROBES.iter().enumerate() {
            let before = &PROBES[..index];
            assert!(before.iter().all(|other| other.id != row.id), "{}", row.id);
            assert!(
                before.iter().all(|other| other.title != row.title),
                "{}",
                row.title
            );
            assert!(row.title.len() <= 40, "{}", row.title);
        }
    }

    #[test]
    fn what_stays_open_has_a_reason() {
        for row in PROBES {
            assert!(row.closed_by.is_some() || row.risk.is_some(), "{}", row.id);
        }
    }

    #[test]
    fn a_seal_that_lets_something_be_does_not_promise_to_close_it() {
        let udp = Seal {
            allow_udp: true,
            ..Seal::default()
        };
        let internet = Seal {
            families: [Family::UNIX, Family::INET].into_iter().collect(),
            ..Seal::default()
        };
        let more = Seal {
            level: Level::Families,
            families: [Family::INET, Family(38)].into_iter().collect(),
            ..Seal::default()
        };
        for (id, seal, expected) in [
            ("mptcp", &internet, true),
            ("mptcp", &more, false),
            ("other-families", &internet, true),
            ("other-families", &more, false),
            ("host-network", &internet, false),
            ("i386", &internet, true),
            ("io-uring", &more, true),
            ("udp-sendto", &Seal::default(), true),
            ("udp-sendto", &udp, false),
            ("af-inet", &udp, true),
            ("af-inet", &internet, false),
            ("af-inet6", &internet, true),
            ("turn-outward", &internet, true),
            ("relisten", &udp, false),
        ] {
            let probe = find(id).expect(id);
            assert_eq!(probe.is_closed_under(seal), expected, "{id}: {seal:?}");
        }
    }

    /// Every promise of SECURITY.md says which probes show it.
    #[test]
    fn promises_and_probes_go_together() {
        let security = include_str!("../../../SECURITY.md");
        let named: Vec<&str> = security
            .split("docs/probes.md#")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
            .collect();
        for id in &named {
            assert!(find(id).is_some(), "SECURITY.md names {id}");
        }
        for probe in PROBES {
            assert!(named.contains(&probe.id), "SECURITY.md lacks {}", probe.id);
        }
    }
}
