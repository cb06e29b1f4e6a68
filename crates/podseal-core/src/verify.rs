//! Whether a service's seal keeps what its level promises, judged by what came
//! of every probe in a copy of the service.
//!
//! [`copy`] says what the copies are, [`subject`] what is copied, and
//! [`document`] is what is reported; [`running`] is what the service itself
//! shows. How a copy is run is for podseal-runtime.

pub mod copy;
pub mod document;
pub mod running;
pub mod subject;

use std::fmt;

use serde::Serialize;

use crate::policy::seal::Seal;
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
    /// To a socket of one's own, and so to the network.
    Network,
    /// To somebody else through a socket that was handed over.
    Socket,
    /// To parts of the kernel, by netlink(7).
    Kernel,
    /// To other processes of the user.
    Processes,
    /// To those who start programs for the user: services such as the bus and
    /// systemd, and files that they read.
    Host,
    /// Out of the container, by what its program does not need.
    Container,
}

impl Goal {
    /// All goals.
    pub const ALL: [Self; 6] = [
        Self::Network,
        Self::Socket,
        Self::Kernel,
        Self::Processes,
        Self::Host,
        Self::Container,
    ];

    /// Where an attempt would lead.
    #[must_use]
    pub const fn of(attempt: Attempt) -> Self {
        match attempt {
            Attempt::Socket(_)
            | Attempt::SocketUpperBits(_)
            | Attempt::OtherFamilies
            | Attempt::Protocol(..)
            | Attempt::SocketI386(_)
            | Attempt::SocketcallI386(_)
            | Attempt::SocketX32(_)
            | Attempt::IoUring(_)
            | Attempt::HostNetwork => Self::Network,
            Attempt::Netlink(_) | Attempt::OtherNetlink => Self::Kernel,
            Attempt::Outward(..)
            | Attempt::Rebind(_)
            | Attempt::Relisten(_)
            | Attempt::RelistenIoUring(_)
            | Attempt::UpperLayer(_) => Self::Socket,
            Attempt::Signal
            | Attempt::Trace
            | Attempt::ReadMemory
            | Attempt::TakeDescriptor
            | Attempt::OpenProcess(_)
            | Attempt::AbstractSocket
            | Attempt::PathSocket
            | Attempt::NewPrivileges => Self::Processes,
            Attempt::Service(_) | Attempt::Write(_) => Self::Host,
            Attempt::Container(_) => Self::Container,
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

/// Judges one probe at one place. `seal` is what its service is held to.
#[must_use]
pub fn judge(
    probe: &Probe,
    seal: &Seal,
    place: Place,
    control: &Outcome,
    sealed: &Outcome,
) -> Verdict {
    match probe::verdict(control, sealed) {
        probe::Verdict::Closed => Verdict::Closed,
        probe::Verdict::Open if is_promised(probe, seal, place) => Verdict::Open,
        probe::Verdict::Open => Verdict::Accepted,
        probe::Verdict::Inconclusive
            if *control == Outcome::Succeeded && is_out_of_sight(probe, place, sealed) =>
        {
            Verdict::Closed
        }
        probe::Verdict::Inconclusive => Verdict::Inconclusive,
    }
}

/// Whether a seal promises that a probe fails at a place: on the host it is of
/// another level than in the container.
#[must_use]
pub fn is_promised(probe: &Probe, seal: &Seal, place: Place) -> bool {
    is_made_at(probe, place) && probe.is_closed_under(&at(seal, place))
}

/// The option of a seal that opens at a place what its level closes there.
#[must_use]
pub fn given_up_by(probe: &Probe, seal: &Seal, place: Place) -> Option<&'static str> {
    probe.given_up_by(&at(seal, place))
}

/// What a seal is at a place.
fn at(seal: &Seal, place: Place) -> Seal {
    let level = match place {
        Place::Container => seal.level,
        Place::Podman | Place::OciRuntime => seal.level.on_host(),
    };
    Seal {
        level,
        ..seal.clone()
    }
}

/// Whether a probe is made at a place: what only Podman can do, in its place.
#[must_use]
pub fn is_made_at(probe: &Probe, place: Place) -> bool {
    probe.attempt != Attempt::HostNetwork || place == Place::Podman
}

/// Whether somebody outside could not be found from inside a container: they
/// are there all the while, but have no number in its process namespace and no
/// name in its network namespace. Elsewhere such an answer comes of chance.
fn is_out_of_sight(probe: &Probe, place: Place, sealed: &Outcome) -> bool {
    const ESRCH: i32 = 3;
    const ECONNREFUSED: i32 = 111;
    let answer = match probe.attempt {
        Attempt::Signal | Attempt::Trace | Attempt::ReadMemory | Attempt::TakeDescriptor => ESRCH,
        Attempt::AbstractSocket => ECONNREFUSED,
        _ => return false,
    };
    place == Place::Container && *sealed == Outcome::Refused { errno: answer }
}

/// Whether what a probe needs is not on this machine: without a seal it was
/// refused, or could not be tried. Then there is nothing that the seal would
/// have to close. Any other that does not work without a seal is inconclusive.
#[must_use]
pub fn is_absent(probe: &Probe, control: &Outcome) -> bool {
    probe.needs.is_some() && *control != Outcome::Succeeded
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
        Outcome::NotStarted { reason } => format!("not let start: {reason}"),
        Outcome::NotTried { reason } => format!("not tried: {reason}"),
    }
}

#[cfg(test)]
mod tests;
