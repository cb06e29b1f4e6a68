//! Running the probe program against victims of its own, and asking them.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use podseal_core::probe::{Handed, Network, PROBES, ProbeReport};

use crate::command::{self, CommandError, LIMIT};
use victims::Victims;

mod victims;

/// Why a run of the probe program says nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// Sockets and victims could not be made or asked.
    #[error("cannot {what}")]
    Io {
        /// What.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The program could not be run.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// It printed something else than its report.
    #[error("a probe did not print its report")]
    Report {
        /// Why.
        source: serde_json::Error,
    },
}

fn failed(what: &'static str) -> impl FnOnce(io::Error) -> ProofError {
    move |source| ProofError::Io { what, source }
}

/// What one run of the probe program needs: sockets that it may ruin, and
/// victims that say whether they were reached.
#[derive(Debug)]
pub struct Trial {
    sacrifices: Vec<Sacrifice>,
    victims: Victims,
}

impl Trial {
    /// Makes it, which needs the internet sockets that a seal forbids.
    ///
    /// # Errors
    /// See [`ProofError`].
    pub fn new() -> Result<Self, ProofError> {
        let mut sacrifices = Vec::new();
        for probe in PROBES {
            if let Some(handed) = probe.attempt.handed() {
                sacrifices.extend(
                    Sacrifice::make(probe.id, handed).map_err(failed("make sockets to probe"))?,
                );
            }
        }
        Ok(Self {
            sacrifices,
            victims: Victims::new().map_err(failed("make victims"))?,
        })
    }

    /// Runs `command`, which ends in `podseal` or a container that is it, as
    /// the probe program. Call it once; the sockets do not survive.
    ///
    /// # Errors
    /// See [`ProofError`].
    pub fn run(&self, mut command: Vec<String>) -> Result<ProbeReport, ProofError> {
        command.extend(self.arguments());
        let output = command::run_with_sockets(&command, &self.sockets(), LIMIT)?.success()?;
        self.report(&output)
    }

    /// The sockets that the probe program is to be handed, and their names.
    #[must_use]
    pub fn sockets(&self) -> Vec<(&'static str, BorrowedFd<'_>)> {
        let sacrifices = self.sacrifices.iter();
        sacrifices
            .map(|sacrifice| (sacrifice.id, sacrifice.listener.as_fd()))
            .collect()
    }

    /// The arguments of podseal that make it the probe program.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["probe".to_owned()];
        arguments.extend(self.victims.options());
        arguments
    }

    /// What the probe program said, and the victims have to say to it.
    ///
    /// # Errors
    /// See [`ProofError`].
    pub fn report(&self, output: &str) -> Result<ProbeReport, ProofError> {
        let mut report: ProbeReport =
            serde_json::from_str(output).map_err(|source| ProofError::Report { source })?;
        let reached = self.victims.reached().map_err(failed("ask the victims"))?;
        for result in &mut report.results {
            let probe = PROBES.iter().find(|probe| probe.id == result.id);
            if probe.is_some_and(|probe| probe.attempt.has_victim()) {
                result.outcome.believe_victim(reached.contains(&result.id));
            }
        }
        Ok(report)
    }
}

/// A listener to hand over, and the client of it whose connection is accepted.
#[derive(Debug)]
struct Sacrifice {
    /// The probe it is for.
    id: &'static str,
    listener: TcpListener,
    _client: Option<TcpStream>,
}

impl Sacrifice {
    /// None on a host without IPv6, where that is what is wanted.
    fn make(id: &'static str, handed: Handed) -> io::Result<Option<Self>> {
        let address: SocketAddr = match handed {
            Handed::Listener(Network::Ipv4) | Handed::Accepted => (Ipv4Addr::LOCALHOST, 0).into(),
            Handed::Listener(Network::Ipv6) => (Ipv6Addr::LOCALHOST, 0).into(),
            Handed::Listener(Network::Mapped) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let listener = match TcpListener::bind(address) {
            Ok(listener) => listener,
            Err(_) if address.is_ipv6() => return Ok(None),
            Err(error) => return Err(error),
        };
        let client = (handed == Handed::Accepted)
            .then(|| TcpStream::connect(listener.local_addr()?))
            .transpose()?;
        Ok(Some(Self {
            id,
            listener,
            _client: client,
        }))
    }
}
