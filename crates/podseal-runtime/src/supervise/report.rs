//! What supervision tells of itself.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use podseal_core::explain::short::Short;
use podseal_core::lifecycle::{Exit, Outcome, Phase, socket};
use rustix::process::Pid;

use crate::command::CommandError;
use crate::sockets::{ServiceSocket, SocketError};
use crate::unit_set::{SetError, UnitSet};

/// What happened to a unit, or to all of them, for people.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// It can be reached.
    Listening(&'a [ServiceSocket]),
    /// A socket cannot be opened.
    CannotListen(SocketError),
    /// It is not opened while its service runs without it.
    Busy,
    /// Traffic came, and its service is started.
    Traffic(&'a ServiceSocket),
    /// It is up.
    Up {
        /// Its main process.
        main: Option<Pid>,
        /// The container's id, where it is known.
        container: Option<String>,
    },
    /// The file with the container's id could not be read or removed.
    CidFile {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It says this of itself.
    Status(String),
    /// It says that it is ending.
    Stopping,
    /// It gave this errno as the reason of its failure.
    Errno(i32),
    /// A command could not be run.
    CannotRun {
        /// When it should have run.
        phase: Phase,
        /// Why.
        error: RunError,
    },
    /// A command ended with a failure.
    CommandFailed {
        /// When it ran.
        phase: Phase,
        /// How it ended.
        exit: Exit,
    },
    /// It has ended.
    Down(Outcome),
    /// Why it failed, as far as its messages tell.
    Explained(Short),
    /// It will be started again after this time.
    RestartIn(Duration),
    /// It is not started, because a unit that it needs was not.
    Dependency,
    /// Nothing listens any more.
    GivenUp(socket::Outcome),
    /// Unit files have changed and count from the next start on.
    Reloaded(&'a UnitSet),
    /// Unit files have changed and cannot be used; what was read before counts.
    CannotReload(SetError),
    /// A signal asks to end.
    Signal {
        /// Its number.
        number: i32,
        /// Whether it came before, so that the service is killed.
        again: bool,
    },
}

/// How supervision ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// A signal asked for it, and everything is gone.
    Stopped {
        /// The units that had failed by then.
        failed: Vec<String>,
    },
    /// A socket unit was given up.
    GivenUp(socket::Outcome),
}

/// A command could not be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The command itself.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A file of variables for it.
    #[error("cannot read EnvironmentFile={path}")]
    EnvironmentFile {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
}

/// Supervision itself failed.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// Something to watch the service with could not be made.
    #[error("cannot set up supervision ({what})")]
    SetUp {
        /// What.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A socket could not be opened at the beginning.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// Waiting failed.
    #[error("cannot wait for events")]
    Wait {
        /// Why.
        source: io::Error,
    },
}

impl SuperviseError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Socket(error) => error.hint(),
            Self::SetUp { .. } | Self::Wait { .. } => None,
        }
    }
}
