//! Where a service is in its life, and how it ended.

use std::fmt;

use super::Phase;

/// How a service ended (`Result=` in `systemctl show`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Cleanly.
    Success,
    /// It ended before it said that it was ready.
    Protocol,
    /// It took too long to start or stop.
    Timeout,
    /// A command ended with a status that is not zero, or could not be run.
    ExitCode,
    /// A process was killed by a signal.
    Signal,
    /// It was started too often.
    StartLimitHit,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Success => "success",
            Self::Protocol => "protocol",
            Self::Timeout => "timeout",
            Self::ExitCode => "exit-code",
            Self::Signal => "signal",
            Self::StartLimitHit => "start-limit-hit",
        })
    }
}

/// Where a service is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Never started, or ended.
    Inactive,
    /// Ended in a way that counts as failure.
    Failed,
    /// The command of this phase with this index runs, or for `Start` is
    /// waited for.
    Running(Phase, usize),
    /// Up.
    Active,
    /// Up although nothing runs any more (`RemainAfterExit=yes`).
    Exited,
    /// Processes were asked to end; `StopPost` comes next, or the end.
    Terminating {
        /// Whether ExecStopPost= has run.
        last: bool,
        /// Whether they have been killed, after being asked.
        killed: bool,
    },
    /// Waiting to be started again.
    AutoRestart,
}

impl State {
    /// systemd's words for it: the state of any unit, and that of a service.
    #[must_use]
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Inactive => ("inactive", "dead"),
            Self::Failed => ("failed", "failed"),
            Self::Running(Phase::StartPre, _) => ("activating", "start-pre"),
            Self::Running(Phase::Start, _) => ("activating", "start"),
            Self::Running(Phase::StartPost, _) => ("activating", "start-post"),
            Self::Active => ("active", "running"),
            Self::Exited => ("active", "exited"),
            Self::Running(Phase::Stop, _) => ("deactivating", "stop"),
            Self::Running(Phase::StopPost, _) => ("deactivating", "stop-post"),
            Self::Terminating {
                last: false,
                killed: false,
            } => ("deactivating", "stop-sigterm"),
            Self::Terminating {
                last: false,
                killed: true,
            } => ("deactivating", "stop-sigkill"),
            Self::Terminating {
                last: true,
                killed: false,
            } => ("deactivating", "final-sigterm"),
            Self::Terminating {
                last: true,
                killed: true,
            } => ("deactivating", "final-sigkill"),
            Self::AutoRestart => ("activating", "auto-restart"),
        }
    }
}
