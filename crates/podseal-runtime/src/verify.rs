//! Proving the seal of a service: copies of it are made and run, with the
//! probe program in the place of Podman, of the OCI runtime and of the
//! container's program. The service itself is looked at, and not touched.
//!
//! What a copy is, and what its probes say, is decided in
//! [`podseal_core::verify`].

use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use podseal_core::explain::case::Case;
use podseal_core::explain::short::Short;
use podseal_core::policy::level::Level;
use podseal_core::policy::seal::Seal;
use podseal_core::probe::{Outcome, ProbeReport};
use podseal_core::unit::effective::service::Service;
use podseal_core::verify::Place;
use podseal_core::verify::copy::Own;
use podseal_core::verify::document::{Document, NotTried, Reported};
use podseal_core::verify::subject::{NoSubject, Subject};

use crate::account::{Account, AccountError};
use crate::command::{self, CommandError, LIMIT};
use crate::control::Run;
use crate::explain::{self, Host};
use crate::host::{self, User};
use crate::instance::InstanceError;
use crate::proof::{As, ProofError, Trial};
use crate::systemd::Manager;
use files::Files;
use run::{Ended, Running};
use traces::Traces;

mod files;
mod run;
mod running;
mod same;
mod traces;

/// Who runs the copies, as it does the service.
#[derive(Debug, Clone, Copy)]
pub enum Runner {
    /// systemd.
    Manager(Manager),
    /// `podseal run`.
    Supervisor,
}

/// What is to be verified.
#[derive(Debug)]
pub struct Request<'a> {
    /// The service.
    pub service: &'a Service,
    /// The level to hold it to, where it is not the one that it claims.
    pub level: Option<Level>,
    /// Who runs it.
    pub runner: Runner,
    /// The run that has it, where it is not systemd and there is one.
    pub run: Option<&'a Run>,
}

/// Why nothing was shown.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It has no command that could be copied.
    #[error("{unit} cannot be verified")]
    Subject {
        /// The service.
        unit: String,
        /// Why.
        source: NoSubject,
    },
    /// Nothing can be run as its user.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// It claims no level.
    #[error("{unit} is not sealed")]
    NotSealed {
        /// The service.
        unit: String,
    },
    /// systemd has something else in memory than is in its files.
    #[error("systemd has not read the files of {unit} again since they changed")]
    Stale {
        /// The service.
        unit: String,
        /// `--user` or `--system`.
        option: &'static str,
    },
    /// systemd understands the copy otherwise than the service.
    #[error("systemd gives a copy of {unit} another {property} than the service")]
    Differs {
        /// The service.
        unit: String,
        /// The first property that differs.
        property: String,
    },
    /// There is no directory for the copies.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// The probes could not be made without a seal.
    #[error("cannot make the probes without a seal")]
    Unsealed {
        /// Why.
        source: ProofError,
    },
    /// systemd could not be asked.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// Something else failed.
    #[error("cannot {what}")]
    Io {
        /// What.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A signal asked to end.
    #[error("interrupted")]
    Interrupted,
    /// Something is left behind.
    #[error("cannot remove what was made for {unit}: {}", causes.join("; "))]
    Left {
        /// The service, or a run that was killed.
        unit: String,
        /// What, and why.
        causes: Vec<String>,
    },
}

impl VerifyError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Subject { .. } => Some("see what `podseal check` says of it".into()),
            Self::Account(AccountError::NotRoot { .. }) => Some("run it as root".into()),
            Self::Account(error) => Some(error.hint()),
            Self::NotSealed { unit } => Some(format!(
                "seal it: podseal seal {unit}; or hold it to a level all the same, with --level"
            )),
            Self::Stale { option, .. } => Some(format!("systemctl {option} daemon-reload")),
            Self::Differs { .. } => Some(
                "nothing was shown, since the copy might be more or less than the service; \
                 please report this with the output of `podseal show`"
                    .into(),
            ),
            Self::Instance(error) => Some(error.hint()),
            Self::Left { .. } => Some("`podseal verify` of any service tries again".into()),
            Self::Unsealed { .. } | Self::Command(_) | Self::Io { .. } | Self::Interrupted => None,
        }
    }
}

fn failed(what: &'static str) -> impl FnOnce(io::Error) -> VerifyError {
    move |source| VerifyError::Io { what, source }
}

/// Verifies a service. `end_wanted` becomes readable when that is to end early
/// ([`crate::signals::any_end_wanted`]).
///
/// # Errors
/// Nothing was shown, or something is left behind. What concerns one place only
/// is no error, but in the document.
pub fn verify(request: &Request<'_>, end_wanted: &UnixStream) -> Result<Document, VerifyError> {
    let unit = request.service.unit.to_string();
    let subject = Subject::new(request.service).map_err(|source| VerifyError::Subject {
        unit: unit.clone(),
        source,
    })?;
    let seal = subject.seal(request.level);
    let seal = seal.ok_or_else(|| VerifyError::NotSealed { unit: unit.clone() })?;
    if let Runner::Manager(manager) = request.runner {
        same::require_current(manager, &unit)?;
    }
    let podseal = host::own_executable()
        .map_err(failed("find podseal's own file"))?
        .to_string_lossy()
        .into_owned();
    let account = account(request, &subject, &podseal)?;
    let own = User::current();
    let user = account.as_ref().map_or(&own, |account| &account.user);
    traces::remove_old(&own, request.runner)?;
    let instance = traces::take_directory(&own, std::process::id())?;
    let mut traces = Traces::new(std::process::id(), request.runner, &instance);
    let directory = traces
        .make_directory(account.as_ref(), &instance)
        .map_err(failed("make a directory for the copies"))?;
    let verification = Verification {
        subject,
        runner: request.runner,
        user,
        account: account.as_ref(),
        directory,
        traces,
        podseal,
        end_wanted,
    };
    let outcome = verification.probes(&seal);
    let left = verification.traces.remove(verification.subject.podman());
    if !left.is_empty() {
        instance.keep();
        return Err(VerifyError::Left { unit, causes: left });
    }
    let (control, reports) = outcome?;
    let running = running::look(request, user, &reports)?;
    let mut document = Document::new(&unit, &seal, &control, &reports, running);
    document.run_as = account.map(|account| account.user.name);
    Ok(document)
}

/// The other user as whom systemd starts the service, and so its copies.
fn account(
    request: &Request<'_>,
    subject: &Subject<'_>,
    podseal: &str,
) -> Result<Option<Account>, VerifyError> {
    let (Some(name), Runner::Manager(manager)) = (subject.run_as(), request.runner) else {
        return Ok(None);
    };
    let names = ["Group", "SupplementaryGroups"];
    let properties = manager.unit_properties(&request.service.unit, &names)?;
    let group = properties.text("Group");
    let more = properties.words("SupplementaryGroups");
    let account = Account::ready(name)?.in_groups(group.as_deref(), more)?;
    account.require_podseal(podseal)?;
    Ok(Some(account))
}

/// One verification.
struct Verification<'a> {
    subject: Subject<'a>,
    runner: Runner,
    /// The user of the copies.
    user: &'a User,
    /// The same, where it is another one than who verifies.
    account: Option<&'a Account>,
    traces: Traces,
    podseal: String,
    directory: PathBuf,
    end_wanted: &'a UnixStream,
}

type Reports = Vec<Reported>;

impl Verification<'_> {
    fn probes(&self, seal: &Seal) -> Result<(ProbeReport, Reports), VerifyError> {
        let control = self.control()?;
        let mut reports = Vec::new();
        for place in self.subject.places(seal) {
            reports.push((*place, self.probe(*place)?));
        }
        Ok((control, reports))
    }

    fn trial(&self) -> Result<Trial, ProofError> {
        let other = self.account.map(|account| As {
            account,
            podseal: &self.podseal,
            directory: &self.directory,
        });
        Trial::run_as(other.as_ref())
    }

    /// The same probes as a plain process of the user.
    fn control(&self) -> Result<ProbeReport, VerifyError> {
        let run = |before: &[&str], after: &[String]| {
            let trial = self.trial()?;
            let before = before.iter().map(|word| (*word).to_owned()).collect();
            let own = vec![self.podseal.clone()];
            let command = [before, own, trial.arguments(), after.to_vec()].concat();
            trial.run_by(&mut |sockets| {
                let output = command::run_with_sockets(self.account, &command, sockets, LIMIT);
                output.map_err(ProofError::from)
            })
        };
        let name = self.traces.name(Place::Podman);
        let host_network = self.subject.host_network_command(&self.podseal, &name);
        let after = host_network.map(|command| [vec!["--".to_owned()], command].concat());
        let control = run(&[], &after.unwrap_or_default());
        let mut control = control.map_err(|source| VerifyError::Unsealed { source })?;
        let is_refused = |outcome: &Outcome| matches!(outcome, Outcome::Refused { .. });
        let has_refused = control.results.iter().any(|r| is_refused(&r.outcome));
        if has_refused && command::find("unshare").is_some() {
            // A user may do more in a network of their own, as containers can.
            let namespaces = ["unshare", "--user", "--map-root-user", "--net", "--"];
            match run(&namespaces, &[]) {
                Ok(there) => {
                    for result in &mut control.results {
                        let works = there.outcome(&result.id) == Some(&Outcome::Succeeded);
                        if works && is_refused(&result.outcome) {
                            result.outcome = Outcome::Succeeded;
                        }
                    }
                }
                Err(error) => tracing::debug!(%error, "no control in namespaces"),
            }
        }
        Ok(control)
    }

    /// The probes at a place of the copy, or why there are none.
    fn probe(&self, place: Place) -> Result<Result<ProbeReport, NotTried>, VerifyError> {
        let trial = self
            .trial()
            .map_err(|source| VerifyError::Unsealed { source })?;
        let oci_runtime = self.subject.oci_runtime();
        let files = Files::new(&self.directory, place, &oci_runtime, self.account);
        let (name, probe) = (self.traces.name(place), trial.arguments());
        let own = Own {
            podseal: &self.podseal,
            name: &name,
            socket: &files.socket,
            oci_runtime: &files.wrapper,
            directory: &files.ids,
            probe: &probe,
        };
        let text = match self.subject.unit(place, &own) {
            Ok(text) => text,
            Err(why) => return Ok(Err(why.into())),
        };
        let handover = files.listen()?;
        let unit = self
            .traces
            .write(place, &text, &self.subject.dropins_for_all())
            .map_err(failed("write the unit of a copy"))?;
        if let Runner::Manager(manager) = self.runner {
            same::require_same(manager, self.subject.service.unit.as_str(), &unit)?;
        }
        let mut last = None;
        let report = trial.run_by(&mut |sockets| {
            if place == Place::OciRuntime {
                files.prepare(&own, sockets)?;
            }
            let running = Running {
                command: self.traces.start_command(place, &self.podseal),
                waits: matches!(self.runner, Runner::Manager(_)),
                unit: &unit,
                handover: &handover,
                user: self.user,
                sockets,
                end_wanted: self.end_wanted,
            };
            let (mut output, ended) = running.run()?;
            if place == Place::OciRuntime {
                files.take(&mut output);
            }
            last = Some(ended);
            Ok(output)
        });
        match report {
            Ok(report) => Ok(Ok(report)),
            Err(Interruption::Verify(error)) => Err(error),
            Err(Interruption::Proof(error)) => Ok(Err(NotTried {
                reason: match error {
                    ProofError::Command(error) => error.last_words(),
                    error => error.to_string(),
                },
                why: last.and_then(|ended| self.why(&unit, ended)),
            })),
        }
    }

    /// Why a copy failed: by what it said, or else by what who starts it has of
    /// it, or said.
    fn why(&self, copy: &str, ended: Ended) -> Option<Short> {
        let of_log = |log| {
            let mut case = Case::of_log(log);
            case.facts.image = self.subject.image();
            Short::of(&case)
        };
        let why = match (ended.said, self.runner) {
            (Some(log), _) => of_log(log),
            (None, Runner::Manager(manager)) => explain::of_unit(manager, copy, &Host::default()),
            (None, Runner::Supervisor) => ended.why.or_else(|| of_log(ended.starter?)),
        };
        why.map(Short::without_unit)
    }
}

/// Why there is no report of a place.
enum Interruption {
    /// Nothing more is to be tried.
    Verify(VerifyError),
    /// It is this place's concern.
    Proof(ProofError),
}

impl From<ProofError> for Interruption {
    fn from(error: ProofError) -> Self {
        Self::Proof(error)
    }
}

impl From<VerifyError> for Interruption {
    fn from(error: VerifyError) -> Self {
        Self::Verify(error)
    }
}
