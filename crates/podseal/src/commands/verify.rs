//! `podseal verify`

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use podseal_core::unit::effective::view::View;
use podseal_core::unit::name::UnitName;
use podseal_core::verify::Verdict;
use podseal_core::verify::document::Document;
use podseal_runtime::control::{self, ControlError, Run};
use podseal_runtime::host::User;
use podseal_runtime::signals;
use podseal_runtime::systemd::Manager;
use podseal_runtime::units::{Target, UnitError, Units};
use podseal_runtime::verify::{Request, Runner, VerifyError, verify};

use crate::cli::{Verify, VerifyFormat};
use crate::{exit, output};

mod html;
mod human;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Unit(#[from] UnitError),
    #[error("{unit} is no service that could be started")]
    NoService { unit: UnitName },
    #[error("{argument:?} is no name of a service")]
    NoName { argument: String },
    #[error("the {} manager of systemd cannot be reached", if *is_system { "system's" } else { "user's" })]
    NoManager { is_system: bool },
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error("cannot catch signals")]
    Signals(#[source] io::Error),
    #[error(transparent)]
    Verify(#[from] VerifyError),
    #[error("cannot write {}", path.display())]
    Html { path: PathBuf, source: io::Error },
}

impl Error {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unit(error) => Some(error.hint()),
            Self::NoName { .. } => Some(
                "it is a service that its manager has that is verified: give its name; \
                 of one that is not installed, the directory with --units"
                    .into(),
            ),
            Self::NoManager { is_system: true } => {
                Some("run it as root, where systemd runs".into())
            }
            Self::NoManager { is_system: false } => Some(
                "no `podseal run` has it either: start one, or use --units DIR; for one of \
                 systemd log in as the user, or set XDG_RUNTIME_DIR"
                    .into(),
            ),
            Self::NoService { .. } => {
                Some("see what `podseal show` and `podseal check` say of it".into())
            }
            Self::Verify(error) => error.hint(),
            Self::Control(error) => error.hint(),
            Self::Signals(_) | Self::Html { .. } => None,
        }
    }
}

pub(super) fn run(arguments: &Verify) -> u8 {
    let document = match report(arguments) {
        Ok(document) => document,
        Err(error) => {
            output::error(&error, error.hint().as_deref());
            return exit::FAILURE;
        }
    };
    let mut written = match arguments.format {
        VerifyFormat::Human => output::text(&human::text(&document)),
        VerifyFormat::Json => output::json_pretty(&document),
    };
    if let Some(path) = &arguments.html
        && let Err(error) = write(path, &html::page(&document))
    {
        output::error(&error, None);
        written = exit::FAILURE;
    }
    if written != exit::SUCCESS {
        return written;
    }
    match document.verdict {
        Verdict::Closed | Verdict::Accepted => exit::SUCCESS,
        Verdict::Open => exit::FAILURE,
        Verdict::Inconclusive => exit::INCONCLUSIVE,
    }
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|source| Error::Html {
        path: path.to_owned(),
        source,
    })
}

fn report(arguments: &Verify) -> Result<Document, Error> {
    let target = Target::parse(&arguments.unit)?;
    let Target::Name(name) = &target else {
        return Err(Error::NoName {
            argument: arguments.unit.clone(),
        });
    };
    let Found { units, runner, run } = find(arguments, name)?;
    let view = units.read(&target)?.view;
    let View::Service(service) = &view else {
        return Err(Error::NoService {
            unit: view.unit().clone(),
        });
    };
    let end_wanted = signals::any_end_wanted().map_err(Error::Signals)?;
    let request = Request {
        service,
        level: arguments.level.map(Into::into),
        runner,
        run: run.as_ref(),
    };
    Ok(verify(&request, &end_wanted)?)
}

/// Where a service's files are, and who runs it.
struct Found {
    units: Units,
    runner: Runner,
    run: Option<Run>,
}

/// Looks for a service: where it was said to be, or else among those of every
/// run and then of systemd, as `podseal status` does.
fn find(arguments: &Verify, name: &UnitName) -> Result<Found, Error> {
    if arguments.user || arguments.system {
        return of_systemd(arguments);
    }
    let runs = control::with_service(&User::current(), name.as_str())?;
    let mut runs = runs
        .into_iter()
        .map(|(run, answer)| (run, answer.directory));
    if let Some(directory) = &arguments.units {
        let units = Units::in_directory(directory)?;
        let path = fs::canonicalize(directory).ok();
        let run = runs.find(|(_, of_run)| *of_run == path).map(|(run, _)| run);
        return Ok(Found {
            units,
            runner: Runner::Supervisor,
            run,
        });
    }
    let Some((run, Some(directory))) = runs.find(|(_, directory)| directory.is_some()) else {
        return of_systemd(arguments);
    };
    output::note(format_args!("looking at {name} of the run {}", run.name));
    Ok(Found {
        units: Units::in_directory(&directory)?,
        runner: Runner::Supervisor,
        run: Some(run),
    })
}

fn of_systemd(arguments: &Verify) -> Result<Found, Error> {
    let scope = super::scope(arguments.system);
    let manager = Manager::reach(scope).ok_or(Error::NoManager {
        is_system: arguments.system,
    })?;
    Ok(Found {
        units: Units::of(scope),
        runner: Runner::Manager(manager),
        run: None,
    })
}
