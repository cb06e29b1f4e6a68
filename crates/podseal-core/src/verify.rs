//! Whether a service's seal keeps what its level promises, judged by what came
//! of every probe in a copy of the service.
//!
//! [`copy`] says what the copies are, [`subject`] what is copied, and
//! [`document`] is what is reported. How a copy is run is for podseal-runtime.

pub mod copy;
pub mod document;
pub mod subject;

use std::fmt;

use serde::Serialize;

use crate::policy::level::Level;
use crate::probe::{self, Attempt, Outcome, Probe};

/// Where the probes are made: at each step of a container's start something
/// else runs, and may have lost or gained something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// In the place of Podman, behind the launcher.
    Podman,
    /// In the place of the OCI runtime, which conmon starts.
    OciRuntime,
    /// In the container, as its first process.
    Container,
}

impl Place {
    /// All places, in the order in which a start comes to them.
    pub const ALL: [Self; 3] = [Self::Podman, Self::OciRuntime, Self::Container];

    /// Its word in names and in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Podman => "podman",
            Self::OciRuntime => "oci-runtime",
            Self::Container => "container",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Podman => "Podman",
            Self::OciRuntime => "OCI runtime",
            Self::Container => "container",
        })
    }
}

/// Where a way out leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// To a socket of one's own, and so to the network or the kernel.
    Network,
    /// To somebody else through a socket that was handed over.
    Socket,
    /// To other processes of the user.
    Processes,
    /// To those who start programs for the user: the bus, and systemd.
    Bus,
}

impl Goal {
    /// All goals.
    pub const ALL: [Self; 4] = [Self::Network, Self::Socket, Self::Processes, Self::Bus];

    /// Where an attempt would lead.
    #[must_use]
    pub const fn of(attempt: Attempt) -> Self {
        match attempt {
            _ if attempt.handed().is_some() => Self::Socket,
            Attempt::Signal
            | Attempt::Trace
            | Attempt::TakeDescriptor
            | Attempt::AbstractSocket => Self::Processes,
            _ => Self::Network,
        }
    }
}

/// What a probe at one place says of a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It works without a seal, and failed here.
    Closed,
    /// It works here, and the level does not promise otherwise.
    Accepted,
    /// It works here, and the level promises that it does not.
    Open,
    /// It does not work without a seal either, or was not made here, so nothing
    /// was shown.
    Inconclusive,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::Accepted => "open (accepted at this level)",
            Self::Open => "OPEN",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// Judges one probe at one place.
#[must_use]
pub fn judge(probe: &Probe, level: Level, control: &Outcome, sealed: &Outcome) -> Verdict {
    match probe::verdict(control, sealed) {
        probe::Verdict::Closed => Verdict::Closed,
        probe::Verdict::Open if probe.is_closed_by(level) => Verdict::Open,
        probe::Verdict::Open => Verdict::Accepted,
        probe::Verdict::Inconclusive => Verdict::Inconclusive,
    }
}

/// Probes that need something that a machine may do without. Where such a one
/// does not work without a seal either, there is nothing that the seal would
/// have to close. Any other that does not work without a seal is inconclusive.
const MAY_BE_ABSENT: &[&str] = &[
    // IPv6.
    "af-inet6",
    "turn-outward-ipv6",
    "turn-outward-mapped",
    // Parts of the kernel.
    "af-packet",
    "af-vsock",
    "i386",
    "io-uring",
    "upper-layer",
];

/// Whether what a probe needs is not on this machine: without a seal it was
/// refused, or could not be tried.
#[must_use]
pub fn is_absent(probe: &Probe, control: &Outcome) -> bool {
    MAY_BE_ABSENT.contains(&probe.id) && *control != Outcome::Succeeded
}

/// What an attempt came to, in words: the kernel's answer, and where somebody
/// was to be reached what they saw.
#[must_use]
pub fn evidence(probe: &Probe, outcome: &Outcome) -> String {
    let has_victim = probe.attempt.has_victim();
    match outcome {
        Outcome::Succeeded if has_victim => "the victim heard from it".to_owned(),
        Outcome::Succeeded => "the call succeeded".to_owned(),
        Outcome::Refused { errno } => {
            let answer = std::io::Error::from_raw_os_error(*errno);
            let heard = if has_victim {
                "; the victim heard nothing"
            } else {
                ""
            };
            format!("{answer}{heard}")
        }
        Outcome::Killed { signal } => format!("killed by signal {signal}"),
        Outcome::NotTried { reason } => format!("not tried: {reason}"),
    }
}

#[cfg(test)]
mod tests;
