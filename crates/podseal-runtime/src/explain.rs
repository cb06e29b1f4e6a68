//! Gathering what [`podseal_core::explain`] judges: the state of units, the
//! journal since the last start, and facts about units and host.

use std::cell::OnceCell;
use std::fs;
use std::io::{self, Read as _};
use std::time::SystemTime;

use podseal_core::doctor;
use podseal_core::explain::case::{Case, Facts, last_start};
use podseal_core::explain::journal::Entry;
use podseal_core::explain::state::UnitState;
use podseal_core::unit::effective::Scope;

use crate::command::CommandError;
use crate::control::ControlError;
use crate::systemd::Manager;

mod answer;
mod facts;
mod manager;
mod queue;
mod run;

pub use answer::{of_command, of_unit, of_unit_in_run};
pub use run::look_in_runs;
pub(crate) use run::of_run;

/// What `podseal doctor` finds wrong with this host: looked for once, and only
/// where something is wrong, since it takes a moment.
#[derive(Debug, Default)]
pub struct Host(OnceCell<Vec<doctor::Finding>>);

impl Host {
    fn problems(&self) -> &[doctor::Finding] {
        self.0
            .get_or_init(|| doctor::examine(&crate::doctor::look()))
    }
}

/// A case cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// There is no manager to ask.
    #[error("there is no {} manager that answers", name_of(*scope))]
    NoManager {
        /// Whose.
        scope: Scope,
    },
    /// The name is not that of a service or socket.
    #[error("{name:?} names no service or socket")]
    Name {
        /// As it was given.
        name: String,
    },
    /// There is no such unit, nor anything else of that name.
    #[error(
        "there is no unit {name}, no .container file of that name, and nothing about it in the journal"
    )]
    NotFound {
        /// Its name.
        name: String,
    },
    /// systemctl or journalctl failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A `podseal run` could not be asked.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// It has ended.
    #[error("the run {name} has ended")]
    RunEnded {
        /// Its name.
        name: String,
    },
    /// It did not start a unit.
    #[error("{unit} was not started: {result}")]
    NotStarted {
        /// The unit.
        unit: String,
        /// What came of the job.
        result: String,
    },
    /// The journal may not be read.
    #[error("the journal shows nothing of {unit} to this user")]
    JournalClosed {
        /// The service.
        unit: String,
    },
    /// A saved journal cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Its path, or the words for standard input.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A line of it is not what journalctl writes.
    #[error("{path}:{line}: not a line of `journalctl --output=json`")]
    Line {
        /// The file.
        path: String,
        /// The number of the line.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// It has nothing about the service.
    #[error("{path} has nothing about {unit}")]
    NotInJournal {
        /// The file.
        path: String,
        /// The service.
        unit: String,
    },
    /// It has several services, or none.
    #[error("{path} has {}", several(names))]
    WhichUnit {
        /// The file.
        path: String,
        /// The services in it.
        names: Vec<String>,
    },
}

fn name_of(scope: Scope) -> &'static str {
    match scope {
        Scope::User => "user",
        Scope::System => "system",
    }
}

fn several(names: &[String]) -> String {
    match names {
        [] => "no service in it".to_owned(),
        names => format!("several services in it: {}", names.join(", ")),
    }
}

impl ExplainError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoManager { scope: Scope::User } => {
                "log in as the user whose service it is; a saved journal can be looked at with --journal".into()
            }
            Self::NoManager { .. } => "a saved journal can be looked at with --journal".into(),
            Self::Name { .. } => "give the name of a service, such as web or web.service".into(),
            Self::NotFound { .. } => {
                "systemctl --user list-unit-files shows the names; --system looks at the system's".into()
            }
            Self::JournalClosed { unit } => format!(
                "as root: journalctl --output=json USER_UNIT={unit} + _SYSTEMD_USER_UNIT={unit} > FILE; then: podseal explain --journal FILE {unit}"
            ),
            Self::Line { .. } => "save it with journalctl --output=json".into(),
            Self::NotInJournal { .. } | Self::WhichUnit { .. } => {
                "name the service whose lines it has: podseal explain --journal FILE NAME".into()
            }
            Self::Control(error) => return error.hint(),
            Self::RunEnded { .. } => "start it again with `podseal run`".into(),
            Self::NotStarted { unit, .. } => format!("podseal explain {unit}"),
            Self::Command(_) | Self::Read { .. } => return None,
        })
    }
}

/// The name of a service or socket without its type.
fn stem(name: &str) -> Result<&str, ExplainError> {
    let known = [".service", ".socket", ".container"];
    let stem = known.iter().find_map(|suffix| name.strip_suffix(suffix));
    let stem = stem.unwrap_or(name);
    let is_name = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    if stem.is_empty() || stem.starts_with('-') || !stem.chars().all(is_name) {
        return Err(ExplainError::Name {
            name: name.to_owned(),
        });
    }
    Ok(stem)
}

/// Looks at a service of a manager that runs, and where something is wrong at
/// its `host`.
///
/// # Errors
/// See [`ExplainError`].
pub fn look(scope: Scope, name: &str, host: &Host) -> Result<Case, ExplainError> {
    let manager = Manager::reach(scope).ok_or(ExplainError::NoManager { scope })?;
    of_manager(manager, name, host)
}

fn of_manager(manager: Manager, name: &str, host: &Host) -> Result<Case, ExplainError> {
    let scope = manager.scope();
    let (service, sockets) = if let Some(socket) = name.strip_suffix(".socket") {
        manager::of_socket(manager, stem(socket)?)?
    } else {
        manager::of_service(manager, stem(name)?)?
    };
    let entries = manager::journal(manager, &service, &sockets)?;
    let mut service = service;
    service.ends.is_triggered = sockets.iter().any(|socket| socket.active == "active");
    service.count_ends(&entries, now());
    let case = assemble(scope, service, sockets, &entries);
    let facts = facts::gather(manager, &case)?;
    let mut case = Case { facts, ..case };
    let is_there = case.service.load != "not-found" || !case.sockets.is_empty();
    if !is_there && case.facts.quadlet_error.is_none() && case.log.entries.is_empty() {
        return Err(ExplainError::NotFound {
            name: case.service.name,
        });
    }
    if case.is_troubled() && entries.is_empty() && case.service.load == "loaded" {
        return Err(ExplainError::JournalClosed {
            unit: case.service.name,
        });
    }
    if case.is_troubled() {
        case.facts = case.facts.with_problems(host.problems());
    }
    Ok(case)
}

/// Microseconds since 1970.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| now.as_micros().try_into().unwrap_or(u64::MAX))
}

fn assemble(scope: Scope, service: UnitState, sockets: Vec<UnitState>, log: &[Entry]) -> Case {
    let socket = sockets.first().map_or("", |socket| socket.name.as_str());
    Case {
        scope,
        run: None,
        log: last_start(&service, socket, log),
        service,
        sockets,
        facts: Facts::default(),
    }
}

/// Looks at what `journalctl --output=json` wrote, in a file or (`-`) on
/// standard input. Without a name, at the one service in it.
///
/// # Errors
/// See [`ExplainError`].
pub fn look_at_saved(scope: Scope, path: &str, name: Option<&str>) -> Result<Case, ExplainError> {
    let stem = name.map(stem).transpose()?;
    let (path, text) = if path == "-" {
        let mut bytes = Vec::new();
        let read = io::stdin().lock().read_to_end(&mut bytes);
        ("standard input", read.map(|_| bytes))
    } else {
        (path, fs::read(path))
    };
    let text = text.map_err(|source| ExplainError::Read {
        path: path.to_owned(),
        source,
    })?;
    let mut entries = Vec::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let entry: Entry = serde_json::from_slice(line).map_err(|source| ExplainError::Line {
            path: path.to_owned(),
            line: index + 1,
            source,
        })?;
        entries.push(entry);
    }
    let stem = match stem {
        Some(stem) => stem.to_owned(),
        None => only_service(path, &entries)?,
    };
    Case::of_journal(&stem, scope, &entries).ok_or_else(|| ExplainError::NotInJournal {
        path: path.to_owned(),
        unit: format!("{stem}.service"),
    })
}

fn only_service(path: &str, entries: &[Entry]) -> Result<String, ExplainError> {
    let units = entries.iter().filter_map(|entry| entry.unit.as_deref());
    let mut names: Vec<String> = units
        .filter_map(|unit| {
            unit.strip_suffix(".service")
                .or(unit.strip_suffix(".socket"))
        })
        // The manager of a user is what all of the user's units are in.
        .filter(|stem| !stem.starts_with("user@"))
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    match names.as_slice() {
        [name] => Ok(name.clone()),
        _ => Err(ExplainError::WhichUnit {
            path: path.to_owned(),
            names,
        }),
    }
}

/// Resets the service and its sockets, and starts the sockets, or the service
/// where there is none. Gives the names of what was started.
///
/// # Errors
/// It was refused, or what was started failed.
pub fn recover(case: &Case) -> Result<Vec<String>, ExplainError> {
    let mut wanted: Vec<String> = case.sockets.iter().map(|s| s.name.clone()).collect();
    if wanted.is_empty() {
        wanted.push(case.service.name.clone());
    }
    if let Some(name) = &case.run {
        run::recover(name, case, &wanted)?;
        return Ok(wanted);
    }
    let scope = case.scope;
    let manager = Manager::reach(scope).ok_or(ExplainError::NoManager { scope })?;
    manager::reset_failed(manager, case.units())?;
    manager::start(manager, &wanted)?;
    Ok(wanted)
}
