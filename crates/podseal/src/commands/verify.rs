//! `podseal verify`

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use podseal_core::unit::effective::view::View;
use podseal_core::unit::name::UnitName;
use podseal_core::verify::Verdict;
use podseal_core::verify::document::Document;
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
                "log in as the user, or set XDG_RUNTIME_DIR; without systemd, use --units DIR"
                    .into(),
            ),
            Self::NoService { .. } => {
                Some("see what `podseal show` and `podseal check` say of it".into())
            }
            Self::Verify(error) => error.hint(),
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
    let (units, runner) = if let Some(directory) = &arguments.units {
        (Units::in_directory(directory)?, Runner::Supervisor)
    } else {
        let scope = super::scope(arguments.system);
        let manager = Manager::reach(scope).ok_or(Error::NoManager {
            is_system: arguments.system,
        })?;
        (Units::of(scope), Runner::Manager(manager))
    };
    let target = Target::parse(&arguments.unit)?;
    if !matches!(target, Target::Name(_)) {
        return Err(Error::NoName {
            argument: arguments.unit.clone(),
        });
    }
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
    };
    Ok(verify(&request, &end_wanted)?)
}
