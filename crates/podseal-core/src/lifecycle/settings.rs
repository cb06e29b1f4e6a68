//! What a service is made of.

use std::fmt;
use std::time::Duration;

use super::Outcome;
use crate::rate_limit::Limit;

/// `Type=` of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Up even if the main process could not be run.
    Simple,
    /// Up as soon as the main process runs.
    Exec,
    /// Up when it says `READY=1`.
    Notify,
    /// Up when the commands have ended well.
    Oneshot,
}

/// `Restart=` of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Never.
    No,
    /// After a clean end.
    OnSuccess,
    /// After anything but a clean end.
    OnFailure,
    /// After a signal or a timeout, not after an exit status.
    OnAbnormal,
    /// After a signal.
    OnAbort,
    /// After the watchdog's timeout. There is no watchdog here, so never.
    OnWatchdog,
    /// After any end.
    Always,
}

impl Restart {
    pub(super) fn applies(self, outcome: Outcome) -> bool {
        match self {
            Self::No | Self::OnWatchdog => false,
            Self::OnSuccess => outcome == Outcome::Success,
            Self::OnFailure => outcome != Outcome::Success,
            Self::OnAbnormal => !matches!(outcome, Outcome::Success | Outcome::ExitCode),
            Self::OnAbort => outcome == Outcome::Signal,
            Self::Always => true,
        }
    }
}

/// When a command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// `ExecStartPre=`
    StartPre,
    /// `ExecStart=`, the main process.
    Start,
    /// `ExecStartPost=`
    StartPost,
    /// `ExecStop=`
    Stop,
    /// `ExecStopPost=`
    StopPost,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StartPre => "ExecStartPre",
            Self::Start => "ExecStart",
            Self::StartPost => "ExecStartPost",
            Self::Stop => "ExecStop",
            Self::StopPost => "ExecStopPost",
        })
    }
}

/// A command of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program: a path, or a name to look for in PATH.
    pub program: String,
    /// Its arguments, the zeroth included.
    pub arguments: Vec<String>,
    /// Whether a failure counts as success (`-` before the command in a unit).
    pub ignore_failure: bool,
    /// Whether `$VARIABLE` is replaced in the arguments.
    pub expand: bool,
    /// Whether the service's restrictions are left out (`+`).
    pub unrestricted: bool,
}

impl Command {
    /// A command whose failure counts.
    pub fn new<S: Into<String>>(arguments: impl IntoIterator<Item = S>) -> Self {
        let arguments: Vec<String> = arguments.into_iter().map(Into::into).collect();
        Self {
            program: arguments.first().cloned().unwrap_or_default(),
            arguments,
            ignore_failure: false,
            expand: false,
            unrestricted: false,
        }
    }

    /// The same command, with failures passed over.
    #[must_use]
    pub fn ignoring_failure(self) -> Self {
        Self {
            ignore_failure: true,
            ..self
        }
    }

    /// The same command, outside the service's restrictions.
    #[must_use]
    pub fn unrestricted(self) -> Self {
        Self {
            unrestricted: true,
            ..self
        }
    }
}

/// What a service is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `Type=`
    pub kind: Kind,
    /// `ExecStartPre=`
    pub start_pre: Vec<Command>,
    /// `ExecStart=`: one, or any number for a oneshot.
    pub start: Vec<Command>,
    /// `ExecStartPost=`
    pub start_post: Vec<Command>,
    /// `ExecStop=`
    pub stop: Vec<Command>,
    /// `ExecStopPost=`
    pub stop_post: Vec<Command>,
    /// `RemainAfterExit=`
    pub remain_after_exit: bool,
    /// `Restart=`
    pub restart: Restart,
    /// `RestartSec=`
    pub restart_delay: Duration,
    /// `StartLimitIntervalSec=` and `StartLimitBurst=`
    pub start_limit: Limit,
    /// `TimeoutStartSec=`, for each command; none waits forever.
    pub timeout_start: Option<Duration>,
    /// `TimeoutStopSec=`, for each step; none waits forever.
    pub timeout_stop: Option<Duration>,
    /// `SendSIGKILL=`: whether what does not end when asked is killed.
    pub send_sigkill: bool,
}

impl Settings {
    /// systemd's `DefaultRestartSec=`.
    pub const RESTART_DELAY: Duration = Duration::from_millis(100);
    /// systemd's `DefaultTimeoutStartSec=` and `DefaultTimeoutStopSec=`.
    pub const TIMEOUT: Duration = Duration::from_secs(90);

    /// A service of this kind without commands, with systemd's defaults.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            start_pre: Vec::new(),
            start: Vec::new(),
            start_post: Vec::new(),
            stop: Vec::new(),
            stop_post: Vec::new(),
            remain_after_exit: false,
            restart: Restart::No,
            restart_delay: Self::RESTART_DELAY,
            start_limit: Limit::START,
            timeout_start: (kind != Kind::Oneshot).then_some(Self::TIMEOUT),
            timeout_stop: Some(Self::TIMEOUT),
            send_sigkill: true,
        }
    }

    /// The commands of `phase` in order.
    #[must_use]
    pub fn commands(&self, phase: Phase) -> &[Command] {
        match phase {
            Phase::StartPre => &self.start_pre,
            Phase::Start => &self.start,
            Phase::StartPost => &self.start_post,
            Phase::Stop => &self.stop,
            Phase::StopPost => &self.stop_post,
        }
    }
}
