//! What supervision tells of itself.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use podseal_core::lifecycle::{Exit, Outcome, Phase};
use rustix::process::Pid;

use crate::command::CommandError;
use crate::sockets::ServiceSocket;

/// What happened to the service, for people.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// It can be reached.
    Listening(&'a [ServiceSocket]),
    /// Traffic came, and it is started.
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
        error: CommandError,
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
    Explained {
        /// The line that shows it.
        evidence: String,
        /// What happened.
        cause: &'static str,
        /// What to do.
        fix: &'static str,
    },
    /// It will be started again after this time.
    RestartIn(Duration),
    /// It was started too often by traffic and is given up.
    TriggerLimitHit,
    /// A signal asks to end.
    Signal {
        /// Its number.
        number: i32,
        /// Whether it came before, so that the service is killed.
        again: bool,
    },
}

/// How supervision ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// A signal asked for it, and everything is gone.
    Stopped,
    /// The service was given up.
    GivenUp(Outcome),
    /// Traffic started it too often.
    TriggerLimitHit,
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
    /// Waiting failed.
    #[error("cannot wait for events")]
    Wait {
        /// Why.
        source: io::Error,
    },
}
