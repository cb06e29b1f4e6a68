//! Making the attempts of the probe table, each in a process of its own.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, BorrowedFd};

use podseal_core::probe::{Attempt, Outcome, PROBES, ProbeReport, ProbeResult};
use podseal_sys::attempt;
use rustix::process::Pid;

use crate::live;
use crate::proof::{self, ProofError};

mod container;
mod files;
mod loaded;
mod outward;
mod processes;
mod sockets;

pub use files::{HostFile, InvalidHostFile};

/// What is outside, and should be out of reach.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    /// Who listens at 127.0.0.1.
    pub ipv4: Option<SocketAddr>,
    /// Who listens at ::1.
    pub ipv6: Option<SocketAddr>,
    /// Who waits for datagrams at 127.0.0.1.
    pub datagram: Option<SocketAddr>,
    /// A process of the same user that minds nothing.
    pub process: Option<Pid>,
    /// Where the program of that process begins in its memory.
    pub memory: Option<usize>,
    /// The name of an abstract UNIX socket.
    pub abstract_socket: Option<String>,
    /// Files of the host, each for one probe.
    pub files: Vec<HostFile>,
    /// What to say to whoever is reached, before the probe's id.
    pub token: String,
    /// A Podman command that runs podseal in a container with the host's network;
    /// none where it is not to be tried.
    pub host_network: Vec<String>,
}

/// A socket to sacrifice, for one probe.
#[derive(Debug, Clone, Copy)]
pub struct Sacrifice<'a> {
    /// [`podseal_core::probe::Probe::id`]
    pub id: &'a str,
    /// The socket.
    pub socket: BorrowedFd<'a>,
}

/// What came of an attempt, and what else was seen.
struct Seen {
    outcome: Outcome,
    evidence: Option<String>,
}

impl From<Outcome> for Seen {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            evidence: None,
        }
    }
}

/// Makes every attempt of the table for which there is what it needs.
#[must_use]
pub fn run(sacrifices: &[Sacrifice<'_>], outside: &Outside) -> ProbeReport {
    let results = PROBES.iter().filter_map(|probe| {
        let given = Given {
            socket: sacrifices
                .iter()
                .find(|sacrifice| sacrifice.id == probe.id)
                .map(|sacrifice| sacrifice.socket),
            file: outside.files.iter().find(|file| file.id == probe.id),
            outside,
            said: format!("{} {}\n", outside.token, probe.id),
        };
        let Seen { outcome, evidence } = given.attempt(probe.attempt)?;
        Some(ProbeResult {
            id: probe.id.to_owned(),
            outcome,
            evidence,
        })
    });
    ProbeReport {
        version: ProbeReport::VERSION,
        results: results.collect(),
        process: live::own(),
    }
}

/// What there is for one probe.
struct Given<'a> {
    socket: Option<BorrowedFd<'a>>,
    file: Option<&'a HostFile>,
    outside: &'a Outside,
    said: String,
}

impl Given<'_> {
    /// One attempt; none where what it needs is not there.
    fn attempt(&self, attempt: Attempt) -> Option<Seen> {
        let said = self.said.as_bytes();
        let outcome = match attempt {
            Attempt::Socket(family) => sockets::make(family),
            Attempt::SocketUpperBits(family) => sockets::make_with_upper_bits(family),
            Attempt::OtherFamilies => return Some(sockets::other_families()),
            Attempt::Protocol(family, protocol) => sockets::make_of(family, protocol),
            Attempt::SocketI386(family) => sockets::i386(family),
            Attempt::SocketcallI386(family) => sockets::socketcall_i386(family),
            Attempt::SocketX32(family) => sockets::x32(family),
            Attempt::IoUring(family) => sockets::io_uring(family),
            Attempt::Netlink(protocol) => sockets::netlink(protocol),
            Attempt::OtherNetlink => return Some(sockets::other_netlink()),
            Attempt::Outward(handed, way) => {
                let victim = outward::victim(handed, self.outside)?;
                let socket = self.socket?;
                isolated(|| {
                    let socket = outward::take(handed, socket)?;
                    outward::connect(socket.as_fd(), way, victim, said)
                })
            }
            Attempt::Rebind(handed) => {
                let socket = self.socket?;
                isolated(|| outward::rebind(outward::take(handed, socket)?.as_fd()))
            }
            Attempt::Relisten(handed) => {
                let socket = self.socket?;
                isolated(|| outward::relisten(outward::take(handed, socket)?.as_fd()))
            }
            Attempt::RelistenIoUring(handed) => {
                let socket = self.socket?;
                isolated(|| outward::relisten_io_uring(outward::take(handed, socket)?.as_fd()))
            }
            Attempt::UpperLayer(handed) => {
                let socket = self.socket?;
                isolated(|| attempt::set_upper_layer(outward::take(handed, socket)?.as_fd()))
            }
            Attempt::Signal => processes::signal(self.outside.process?),
            Attempt::Trace => processes::trace(self.outside.process?),
            Attempt::ReadMemory => {
                processes::read_memory(self.outside.process?, self.outside.memory?)
            }
            Attempt::TakeDescriptor => processes::take_descriptor(self.outside.process?),
            Attempt::OpenProcess(file) => {
                processes::open(self.outside.process?, file, self.outside.memory?)
            }
            Attempt::AbstractSocket => {
                let name = self.outside.abstract_socket.as_ref()?;
                isolated(|| files::connect_abstract(name, said))
            }
            Attempt::PathSocket => self.file?.connect(said),
            Attempt::Service(_) => self.file?.connect(&[]),
            Attempt::Write(_) => self.file?.write(),
            Attempt::NewPrivileges => processes::new_privileges(),
            Attempt::Container(attempt) => isolated(|| container::attempt(attempt)),
            Attempt::HostNetwork if self.outside.host_network.is_empty() => return None,
            Attempt::HostNetwork => match proof::host_network(self.outside.host_network.clone()) {
                Ok(results) => results.into_iter().next()?.outcome,
                Err(ProofError::Command(error)) => not_tried(error.last_words()),
                Err(error) => not_tried(error.to_string()),
            },
        };
        Some(outcome.into())
    }
}

fn isolated(attempt: impl FnOnce() -> io::Result<()>) -> Outcome {
    match attempt::isolated(attempt) {
        Ok(attempt::Outcome::Succeeded) => Outcome::Succeeded,
        Ok(attempt::Outcome::Errno(errno)) => Outcome::Refused { errno },
        Ok(attempt::Outcome::Killed(signal)) => Outcome::Killed { signal },
        Err(error) => not_tried(error.to_string()),
    }
}

fn not_tried(reason: impl Into<String>) -> Outcome {
    Outcome::NotTried {
        reason: reason.into(),
    }
}
