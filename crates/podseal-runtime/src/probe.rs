//! Making the attempts of the probe table, each in a process of its own.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, BorrowedFd};

use podseal_core::family::Family;
use podseal_core::probe::{Attempt, Handed, Network, Outcome, PROBES, ProbeReport, ProbeResult};
use podseal_sys::attempt;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

mod container;
mod outward;

/// What is outside, and should be out of reach.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    /// Who listens at 127.0.0.1.
    pub ipv4: Option<SocketAddr>,
    /// Who listens at ::1.
    pub ipv6: Option<SocketAddr>,
    /// A process of the same user that minds nothing.
    pub process: Option<Pid>,
    /// The name of an abstract UNIX socket.
    pub abstract_socket: Option<String>,
    /// What to say to whoever is reached, before the probe's id.
    pub token: String,
}

/// A socket to sacrifice, for one probe.
#[derive(Debug, Clone, Copy)]
pub struct Sacrifice<'a> {
    /// [`podseal_core::probe::Probe::id`]
    pub id: &'a str,
    /// The socket.
    pub socket: BorrowedFd<'a>,
}

/// Makes every attempt of the table for which there is what it needs.
#[must_use]
pub fn run(sacrifices: &[Sacrifice<'_>], outside: &Outside) -> ProbeReport {
    let results = PROBES.iter().filter_map(|probe| {
        let socket = sacrifices
            .iter()
            .find(|sacrifice| sacrifice.id == probe.id)
            .map(|sacrifice| sacrifice.socket);
        let said = format!("{} {}\n", outside.token, probe.id);
        let outcome = attempt(probe.attempt, socket, outside, said.as_bytes())?;
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

/// One attempt; none where what it needs is not there.
fn attempt(
    attempt: Attempt,
    socket: Option<BorrowedFd<'_>>,
    outside: &Outside,
    said: &[u8],
) -> Option<Outcome> {
    Some(match attempt {
        Attempt::Socket(family) => isolated(|| make(u64::from(family.0), kind(family), 0)),
        Attempt::SocketUpperBits(family) => {
            isolated(|| make(1 << 32 | u64::from(family.0), kind(family), 0))
        }
        Attempt::SocketI386(family) => i386(family),
        Attempt::IoUring(family) => {
            isolated(|| podseal_sys::uring::socket(i32::from(family.0)).map(drop))
        }
        Attempt::Netlink(protocol) => {
            let protocol = i32::try_from(protocol).unwrap_or(i32::MAX);
            isolated(|| {
                make(
                    u64::from(Family::NETLINK.0),
                    number(SocketType::RAW),
                    protocol,
                )
            })
        }
        Attempt::Outward(handed, way) => {
            let socket = socket?;
            let victim = match handed {
                Handed::Listener(Network::Ipv4) | Handed::Accepted => outside.ipv4?,
                Handed::Listener(Network::Ipv6) => outside.ipv6?,
                Handed::Listener(Network::Mapped) => outward::mapped(outside.ipv4?),
            };
            isolated(|| match handed {
                Handed::Listener(_) => outward::connect(socket, way, victim, said),
                Handed::Accepted => {
                    let accepted = outward::accept(socket)?;
                    outward::connect(accepted.as_fd(), way, victim, said)
                }
            })
        }
        Attempt::Rebind => {
            let socket = socket?;
            isolated(|| outward::rebind(socket))
        }
        Attempt::Relisten => {
            let socket = socket?;
            isolated(|| outward::relisten(outward::accept(socket)?.as_fd()))
        }
        Attempt::UpperLayer => {
            let socket = socket?;
            isolated(|| attempt::set_upper_layer(outward::accept(socket)?.as_fd()))
        }
        Attempt::Signal => {
            let pid = outside.process?;
            isolated(|| Ok(rustix::process::test_kill_process(pid)?))
        }
        Attempt::Trace => {
            let pid = outside.process?;
            isolated(|| attempt::trace(pid.as_raw_nonzero().get()))
        }
        Attempt::TakeDescriptor => {
            let pid = outside.process?;
            isolated(|| {
                let process = pidfd_open(pid, PidfdFlags::empty())?;
                pidfd_getfd(process, 0, PidfdGetfdFlags::empty())?;
                Ok(())
            })
        }
        Attempt::Container(attempt) => isolated(|| container::attempt(attempt)),
        Attempt::AbstractSocket => {
            let name = outside.abstract_socket.as_ref()?;
            isolated(|| {
                let flags = SocketFlags::CLOEXEC;
                let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
                let address = SocketAddrUnix::new_abstract_name(name.as_bytes())?;
                rustix::net::connect(&socket, &address)?;
                rustix::io::write(&socket, said)?;
                Ok(())
            })
        }
    })
}

fn make(family: u64, kind: i32, protocol: i32) -> io::Result<()> {
    attempt::socket(family, kind, protocol).map(drop)
}

fn kind(family: Family) -> i32 {
    number(if family == Family::PACKET {
        SocketType::RAW
    } else {
        SocketType::STREAM
    })
}

/// The numbers are small; see socket(2).
fn number(kind: SocketType) -> i32 {
    i32::try_from(kind.as_raw()).unwrap_or_default()
}

#[cfg(target_arch = "x86_64")]
fn i386(family: Family) -> Outcome {
    const SIGSEGV: i32 = 11;
    let stream = number(SocketType::STREAM);
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
