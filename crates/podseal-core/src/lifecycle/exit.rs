//! How a process ended.

use std::fmt;

use super::Outcome;

/// How a process ended, see wait(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It ended by itself with this status.
    Code(i32),
    /// It was killed by this signal.
    Signal(i32),
}

const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGPIPE: i32 = 13;
const SIGTERM: i32 = 15;

impl Exit {
    /// systemd's `EXIT_EXEC`: the program could not be run.
    pub const NO_PROGRAM: Self = Self::Code(203);

    /// What this end means for a command that should run and succeed.
    #[must_use]
    pub const fn command_outcome(self) -> Outcome {
        match self {
            Self::Code(0) => Outcome::Success,
            Self::Code(_) => Outcome::ExitCode,
            Self::Signal(_) => Outcome::Signal,
        }
    }

    /// What this end means for a main process: being asked to end by one of
    /// the usual signals is a clean end (`SuccessExitStatus=`,
    /// systemd.service(5)).
    #[must_use]
    pub const fn daemon_outcome(self) -> Outcome {
        match self {
            Self::Signal(SIGHUP | SIGINT | SIGTERM | SIGPIPE) => Outcome::Success,
            _ => self.command_outcome(),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with status {code}"),
            Self::Signal(signal) => write!(f, "was killed by signal {signal}"),
        }
    }
}
