//! Running the probe program against victims of its own, and asking them.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::Duration;

use podseal_core::lifecycle::Exit;
use podseal_core::probe::{Attempt, Handed, Outcome, PROBES, ProbeReport, ProbeResult};

use crate::account::Account;
use crate::command::{self, CommandError, LIMIT, Output};
use crate::probe::HostFile;
use crate::seal::UNSEALABLE;
use sacrifice::Sacrifice;
use victims::Victims;

mod files;
mod sacrifice;
mod victims;

pub use files::known;

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

/// How long one container may take that is started for one probe.
const CONTAINER_LIMIT: Duration = Duration::from_secs(20);

fn failed(what: &'static str) -> impl FnOnce(io::Error) -> ProofError {
    move |source| ProofError::Io { what, source }
}

/// A socket to hand over, and its name.
pub type Named<'a> = (&'a str, BorrowedFd<'a>);

/// Another user, as whom root has the probe program run.
#[derive(Debug, Clone, Copy)]
pub struct As<'a> {
    /// The user.
    pub account: &'a Account,
    /// The absolute path of podseal.
    pub podseal: &'a str,
    /// A directory of root's, where nobody else may write and the user may pass.
    pub directory: &'a Path,
}

/// What one run of the probe program needs: sockets that it may ruin, files of
/// the host, and victims that say whether they were reached.
#[derive(Debug)]
pub struct Trial {
    sacrifices: Vec<Sacrifice>,
    files: Vec<HostFile>,
    victims: Victims,
}

impl Trial {
    /// Makes it, which needs the internet sockets that a seal forbids.
    ///
    /// # Errors
    /// See [`ProofError`].
    pub fn new() -> Result<Self, ProofError> {
        Self::run_as(None)
    }

    /// The same for the probe program as another user, where there is one: what
    /// belongs to a user is then that user's.
    ///
    /// # Errors
    /// See [`ProofError`].
    pub fn run_as(other: Option<&As<'_>>) -> Result<Self, ProofError> {
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
            files: match other {
                None => known(),
                Some(other) => files::known_to(other)?,
            },
            victims: Victims::new(other).map_err(failed("make victims"))?,
        })
    }

    /// Runs `command`, which ends in `podseal` or a container that is it, as
    /// the probe program. Call it once; the sockets do not survive.
    ///
    /// # Errors
    /// See [`ProofError`].
    pub fn run(&self, command: Vec<String>) -> Result<ProbeReport, ProofError> {
        let command = [command, self.arguments()].concat();
        self.run_by(&mut |sockets| Ok(command::run_with_sockets(None, &command, sockets, LIMIT)?))
    }

    /// The arguments of podseal that make it the probe program.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["probe".to_owned()];
        arguments.extend(self.victims.options());
        arguments.extend(self.files.iter().map(|file| format!("--file={file}")));
        arguments
    }

    /// Has the probe program, with [`Self::arguments`], run by `start`, which
    /// is given the sockets that it is to be handed. Call it once.
    ///
    /// # Errors
    /// Those of `start`, and [`ProofError`].
    pub fn run_by<E: From<ProofError>>(
        &self,
        start: &mut dyn FnMut(&[Named<'_>]) -> Result<Output, E>,
    ) -> Result<ProbeReport, E> {
        let output = start(&self.sockets(|_| true))?;
        let mut report = if is_refused(&output) {
            self.run_apart(start)?
        } else {
            report(output)?
        };
        let reached = self.victims.reached().map_err(failed("ask the victims"))?;
        for result in &mut report.results {
            let probe = podseal_core::probe::find(&result.id);
            if probe.is_some_and(|probe| probe.attempt.has_victim()) {
                result.outcome.believe_victim(reached.contains(&result.id));
            }
        }
        Ok(report)
    }

    /// A seal that refuses some sockets is asked of each kind, and then runs
    /// with those that it lets be.
    fn run_apart<E: From<ProofError>>(
        &self,
        start: &mut dyn FnMut(&[Named<'_>]) -> Result<Output, E>,
    ) -> Result<ProbeReport, E> {
        let mut all = report(start(&self.sockets(|handed| !handed.is_refused()))?)?;
        for kind in [Handed::Datagram, Handed::Multipath] {
            let of_kind = self.sacrifices.iter().filter(|row| row.handed == kind);
            let ids: Vec<&str> = of_kind.map(|row| row.id).collect();
            if ids.is_empty() {
                continue;
            }
            let output = start(&self.sockets(|handed| handed == kind))?;
            if is_refused(&output) {
                let reason = output.last_words();
                all.results.extend(ids.iter().map(|id| ProbeResult {
                    id: (*id).to_owned(),
                    outcome: Outcome::NotStarted {
                        reason: reason.clone(),
                    },
                    evidence: None,
                }));
            } else {
                let results = report(output)?.results.into_iter();
                all.results
                    .extend(results.filter(|result| ids.contains(&result.id.as_str())));
            }
        }
        let place = |result: &ProbeResult| PROBES.iter().position(|probe| probe.id == result.id);
        all.results.sort_by_key(place);
        Ok(all)
    }

    /// The sockets that are wanted.
    fn sockets(&self, is_wanted: impl Fn(Handed) -> bool) -> Vec<Named<'_>> {
        let wanted = self.sacrifices.iter().filter(|row| is_wanted(row.handed));
        wanted.map(|row| (row.id, row.socket())).collect()
    }
}

/// Removes what a process left that was killed while it had victims.
///
/// # Errors
/// See [`ProofError`].
pub fn remove_left(process: u32) -> Result<(), ProofError> {
    victims::remove_left(process).map_err(failed("remove sockets of victims"))
}

/// Runs `command`, which ends in a container that is `podseal`, in the host's
/// network namespace: another way out, see [`Attempt::HostNetwork`].
///
/// # Errors
/// See [`ProofError`].
pub fn host_network(mut command: Vec<String>) -> Result<Vec<ProbeResult>, ProofError> {
    command.push("probe".into());
    let report = report(command::run(&command, CONTAINER_LIMIT)?)?;
    let rows = PROBES
        .iter()
        .filter(|probe| probe.attempt == Attempt::HostNetwork);
    let results = rows.filter_map(|probe| {
        Some(ProbeResult {
            id: probe.id.to_owned(),
            outcome: report.outcome("af-inet")?.clone(),
            evidence: None,
        })
    });
    Ok(results.collect())
}

/// Whether the launcher did not start because of a socket.
fn is_refused(output: &Output) -> bool {
    output.exit == Exit::Code(i32::from(UNSEALABLE))
}

fn report(output: Output) -> Result<ProbeReport, ProofError> {
    serde_json::from_str(&output.success()?).map_err(|source| ProofError::Report { source })
}
