//! Making the attempts of the probe table, each in a process of its own.

use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use podseal_core::family::Family;
use podseal_core::probe::{Attempt, Outcome, PROBES, ProbeReport, ProbeResult};
use podseal_sys::attempt;
use rustix::net::SocketType;

/// Somebody that a socket should not reach, and the text to say to them.
#[derive(Debug, Clone)]
pub struct Victim {
    /// Where they listen.
    pub address: SocketAddr,
    /// What they will see when they are reached.
    pub token: String,
}

/// Makes every attempt of the table. Turning a socket outward needs `handed`,
/// a socket that was handed over, and a victim.
#[must_use]
pub fn run(handed: Option<BorrowedFd<'_>>, victim: Option<&Victim>) -> ProbeReport {
    let results = PROBES.iter().filter_map(|probe| {
        let outcome = match probe.attempt {
            Attempt::Socket(family) => {
                isolated(|| attempt::socket(u64::from(family.0), kind(family)).map(drop))
            }
            Attempt::SocketUpperBits(family) => isolated(|| {
                let argument = 1 << 32 | u64::from(family.0);
                attempt::socket(argument, kind(family)).map(drop)
            }),
            Attempt::SocketI386(family) => i386(family),
            Attempt::IoUring(family) => {
                isolated(|| podseal_sys::uring::socket(i32::from(family.0)).map(drop))
            }
            Attempt::TurnOutward => {
                let (handed, victim) = (handed?, victim?);
                isolated(|| attempt::turn_outward(handed, victim.address, victim.token.as_bytes()))
            }
        };
        Some(ProbeResult {
            id: probe.id.to_owned(),
            outcome,
        })
    });
    ProbeReport {
        version: ProbeReport::VERSION,
        results: results.collect(),
    }
}

fn kind(family: Family) -> i32 {
    let kind = if family == Family::PACKET {
        SocketType::RAW
    } else {
        SocketType::STREAM
    };
    // The numbers are small; see socket(2).
    i32::try_from(kind.as_raw()).unwrap_or_default()
}

#[cfg(target_arch = "x86_64")]
fn i386(family: Family) -> Outcome {
    const SIGSEGV: i32 = 11;
    let stream = i32::try_from(SocketType::STREAM.as_raw()).unwrap_or_default();
    match isolated(|| attempt::socket_i386(i32::from(family.0), stream).map(drop)) {
        Outcome::Killed { signal: SIGSEGV } => Outcome::NotTried {
            reason: "this kernel has no i386 calls".into(),
        },
        outcome => outcome,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn i386(_: Family) -> Outcome {
    Outcome::NotTried {
        reason: "this architecture has no i386 calls".into(),
    }
}

fn isolated(attempt: impl FnOnce() -> io::Result<()>) -> Outcome {
    match attempt::isolated(attempt) {
        Ok(attempt::Outcome::Succeeded) => Outcome::Succeeded,
        Ok(attempt::Outcome::Errno(errno)) => Outcome::Refused { errno },
        Ok(attempt::Outcome::Killed(signal)) => Outcome::Killed { signal },
        Err(error) => Outcome::NotTried {
            reason: error.to_string(),
        },
    }
}
