//! Probes without the seal and under each level, on the host and in the
//! container.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;

use podseal_core::podman::HardLimits;
use podseal_core::policy::level::Level;
use podseal_core::policy::seal::Seal;
use podseal_core::probe::{Handed, Network, Outcome, PROBES, Probe, ProbeReport, Verdict, verdict};

use super::victims::Victims;
use super::{Demo, DemoError, IMAGE, failed};
use crate::command::{self, LIMIT};

/// The name of the containers in which it probes.
pub(super) const CONTAINER: &str = "podseal-demo-probe";

/// What came of one probe at one place.
#[derive(Debug)]
pub struct Finding {
    /// Without a seal.
    pub unsealed: Outcome,
    /// Under each of [`Level::ALL`].
    pub sealed: Vec<(Level, Outcome)>,
}

impl Finding {
    /// What a level and no seal say together.
    pub fn verdicts(&self) -> impl Iterator<Item = (Level, Verdict)> {
        self.sealed
            .iter()
            .map(|(level, sealed)| (*level, verdict(&self.unsealed, sealed)))
    }
}

/// One row of the proof.
#[derive(Debug)]
pub struct Row {
    /// What was tried.
    pub probe: &'static Probe,
    /// Where Podman, conmon and the OCI runtime run.
    pub host: Finding,
    /// Inside the container.
    pub container: Finding,
}

impl Row {
    /// Whether the seal kept what its levels promise. Where a way is shut
    /// without the seal as well, there is nothing to keep.
    #[must_use]
    pub fn is_as_promised(&self) -> bool {
        [&self.host, &self.container]
            .into_iter()
            .flat_map(Finding::verdicts)
            .all(|(level, verdict)| !self.probe.is_closed_by(level) || verdict != Verdict::Open)
    }
}

#[derive(Clone, Copy)]
enum Place {
    Host,
    Container,
}

impl Demo {
    /// Makes every probe at both places, without a seal and under each level.
    ///
    /// # Errors
    /// A probe could not be run.
    pub fn probe(&self) -> Result<Vec<Row>, DemoError> {
        let at = |place| -> Result<_, DemoError> {
            let unsealed = self.probe_once(None, place)?;
            let sealed = Level::ALL
                .map(|level| Ok((level, self.probe_once(Some(level), place)?)))
                .into_iter()
                .collect::<Result<Vec<_>, DemoError>>()?;
            Ok((unsealed, sealed))
        };
        let (host, container) = (at(Place::Host)?, at(Place::Container)?);
        let finding =
            |(unsealed, sealed): &(ProbeReport, Vec<(Level, ProbeReport)>), probe| Finding {
                unsealed: outcome(unsealed, probe),
                sealed: sealed
                    .iter()
                    .map(|(level, report)| (*level, outcome(report, probe)))
                    .collect(),
            };
        let rows = PROBES.iter().map(|probe| Row {
            probe,
            host: finding(&host, probe),
            container: finding(&container, probe),
        });
        Ok(rows.collect())
    }

    /// One run of the probe program. It is handed sockets to sacrifice, and
    /// victims of its own say who was reached.
    fn probe_once(&self, level: Option<Level>, place: Place) -> Result<ProbeReport, DemoError> {
        self.check_interrupted()?;
        let mut sockets = Vec::new();
        for probe in PROBES {
            if let Some(handed) = probe.attempt.handed()
                && let Some(sacrifice) = Sacrifice::make(handed)?
            {
                sockets.push((probe.id, sacrifice));
            }
        }
        let sockets: Vec<_> = sockets
            .iter()
            .map(|(id, sacrifice)| (*id, sacrifice.listener.as_fd()))
            .collect();
        let victims = Victims::new().map_err(failed("make victims"))?;

        let mut command = Vec::new();
        if let Some(level) = level {
            let seal = Seal {
                level,
                ..self.seal.clone()
            };
            command.extend([self.own.clone(), "enter".into()]);
            command.extend(seal.options());
            command.push("--".into());
        }
        command.extend(match place {
            Place::Host => vec![self.own.clone()],
            Place::Container => self.container(),
        });
        command.push("probe".into());
        command.extend(victims.options());
        let output = command::run_with_sockets(&command, &sockets, LIMIT)?.success()?;
        let mut report: ProbeReport =
            serde_json::from_str(&output).map_err(|source| DemoError::Report { source })?;
        let reached = victims.reached().map_err(failed("ask the victims"))?;
        for result in &mut report.results {
            let probe = PROBES.iter().find(|probe| probe.id == result.id);
            if probe.is_some_and(|probe| probe.attempt.has_victim()) {
                result.outcome.believe_victim(reached.contains(&result.id));
            }
        }
        Ok(report)
    }

    fn container(&self) -> Vec<String> {
        [
            self.engine.podman.word(),
            format!("--runtime={}", self.engine.oci_runtime.path.display()),
            "run".into(),
            format!("--name={CONTAINER}"),
            "--rm".into(),
            "--network=none".into(),
            "--pull=never".into(),
        ]
        .into_iter()
        .chain(self.engine.limits.iter().flat_map(HardLimits::options))
        .chain([IMAGE.to_owned()])
        .collect()
    }
}

/// A listener to hand over, and the client of it whose connection is accepted.
struct Sacrifice {
    listener: TcpListener,
    _client: Option<TcpStream>,
}

impl Sacrifice {
    /// None on a host without IPv6, where that is what is wanted.
    fn make(handed: Handed) -> Result<Option<Self>, DemoError> {
        let address: SocketAddr = match handed {
            Handed::Listener(Network::Ipv4) | Handed::Accepted => (Ipv4Addr::LOCALHOST, 0).into(),
            Handed::Listener(Network::Ipv6) => (Ipv6Addr::LOCALHOST, 0).into(),
            Handed::Listener(Network::Mapped) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let listener = match TcpListener::bind(address) {
            Ok(listener) => listener,
            Err(_) if address.is_ipv6() => return Ok(None),
            Err(error) => return Err(failed("open a socket to probe")(error)),
        };
        let client = (handed == Handed::Accepted)
            .then(|| TcpStream::connect(listener.local_addr()?))
            .transpose()
            .map_err(failed("connect to a socket to probe"))?;
        Ok(Some(Self {
            listener,
            _client: client,
        }))
    }
}

fn outcome(report: &ProbeReport, probe: &Probe) -> Outcome {
    report
        .outcome(probe.id)
        .cloned()
        .unwrap_or_else(|| Outcome::NotTried {
            reason: "not tried".into(),
        })
}
