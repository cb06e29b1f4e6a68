//! Probes without the seal and under each level, on the host and in the
//! container.

use podseal_core::podman::{HardLimits, strict};
use podseal_core::policy::level::Level;
use podseal_core::policy::seal::Seal;
use podseal_core::probe::{Outcome, PROBES, Probe, ProbeReport, Verdict, verdict};

use super::{Demo, DemoError, IMAGE};
use crate::container_profile;
use crate::proof::{self, Trial};

/// The name of the containers in which it probes.
pub(super) const CONTAINER: &str = "podseal-demo-probe";

/// What came of one probe at one place.
#[derive(Debug)]
pub struct Finding {
    /// Without a seal.
    pub unsealed: Outcome,
    /// Under each level that makes a difference there ([`Level::on_host`]).
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
            // On the host the levels are those that count there.
            .all(|(level, verdict)| !self.probe.is_closed_by(level) || verdict != Verdict::Open)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Host,
    Container,
}

impl Place {
    /// The levels that differ there.
    fn levels(self) -> impl Iterator<Item = Level> {
        Level::ALL.into_iter().filter(move |level| match self {
            Self::Host => level.on_host() == *level,
            Self::Container => true,
        })
    }
}

impl Demo {
    /// Makes every probe at both places, without a seal and under each level.
    /// The ones that need a container of their own are made for `all` only.
    ///
    /// # Errors
    /// A probe could not be run.
    pub fn probe(&self, all: bool) -> Result<Vec<Row>, DemoError> {
        let at = |place| -> Result<_, DemoError> {
            let unsealed = self.probe_once(None, place, all)?;
            let sealed = place
                .levels()
                .map(|level| Ok((level, self.probe_once(Some(level), place, all)?)))
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
        let wanted = PROBES.iter().filter(|probe| all || probe.is_in_demo);
        let rows = wanted.map(|probe| Row {
            probe,
            host: finding(&host, probe),
            container: finding(&container, probe),
        });
        Ok(rows.collect())
    }

    fn probe_once(
        &self,
        level: Option<Level>,
        place: Place,
        all: bool,
    ) -> Result<ProbeReport, DemoError> {
        self.check_interrupted()?;
        let seal = level.map(|level| Seal {
            level,
            ..self.seal.clone()
        });
        let seal = seal.as_ref();
        let launcher = self.launcher(seal);
        let at = |program| [launcher.clone(), program].concat();
        let mut report = Trial::new()?.run(at(match place {
            Place::Host => vec![self.own.clone()],
            Place::Container => self.container("none", seal)?,
        }))?;
        if all && place == Place::Host {
            self.check_interrupted()?;
            let results = proof::host_network(at(self.container("host", seal)?))?;
            report.results.extend(results);
        }
        Ok(report)
    }

    /// What puts a command under a seal.
    fn launcher(&self, seal: Option<&Seal>) -> Vec<String> {
        let mut command = Vec::new();
        if let Some(seal) = seal {
            command.extend([self.own.clone(), "enter".into()]);
            command.extend(seal.options());
            command.push("--".into());
        }
        command
    }

    fn container(&self, network: &str, seal: Option<&Seal>) -> Result<Vec<String>, DemoError> {
        let podman = &self.engine.podman;
        let profile = seal.map(|seal| container_profile::for_level(podman, seal));
        let (options, image) = match (seal, profile.transpose()?.flatten()) {
            (None, _) | (_, None) => (Vec::new(), IMAGE.to_owned()),
            (Some(seal), Some(profile)) => {
                let profile = container_profile::write(&profile, self.instance.directory())?;
                let profile = profile.to_string_lossy();
                let image = strict::pinned(IMAGE, &podman.digest(IMAGE)?);
                (strict::options(&seal.mechanisms(), &profile), image)
            }
        };
        let command = [
            self.engine.podman.word(),
            format!("--runtime={}", self.engine.oci_runtime.path.display()),
            "run".into(),
            format!("--name={CONTAINER}"),
            "--rm".into(),
            format!("--network={network}"),
            "--pull=never".into(),
        ]
        .into_iter()
        .chain(options)
        .chain(self.engine.limits.iter().flat_map(HardLimits::options))
        .chain([image]);
        Ok(command.collect())
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
