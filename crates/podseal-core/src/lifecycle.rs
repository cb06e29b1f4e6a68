//! The life of a service as systemd leads it: which command runs when, what
//! an exit means, when to restart and when to give up.
//!
//! A state machine without effects: the supervisor feeds it [`Event`]s and
//! carries out its [`Action`]s. Source: systemd.service(5), systemd.kill(5)
//! and the states of `src/core/service.c`.

use std::fmt;
use std::time::Duration;

use crate::rate_limit::{Limit, RateLimit};

mod exit;

pub use exit::Exit;

/// `Type=` of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Up as soon as the main process runs. The supervisor always waits for
    /// execve(2), so `Type=simple` and `Type=exec` are the same here.
    Exec,
    /// Up when it says `READY=1`.
    Notify,
    /// Up when the command has ended well.
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
    /// After any end.
    Always,
}

impl Restart {
    fn applies(self, outcome: Outcome) -> bool {
        match self {
            Self::No => false,
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
    /// Program and arguments.
    pub arguments: Vec<String>,
    /// Whether a failure counts (`-` before the command in a unit).
    pub ignore_failure: bool,
}

impl Command {
    /// A command whose failure counts.
    pub fn new<S: Into<String>>(arguments: impl IntoIterator<Item = S>) -> Self {
        Self {
            arguments: arguments.into_iter().map(Into::into).collect(),
            ignore_failure: false,
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
}

/// What a service is made of.
#[derive(Debug, Clone)]
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
    /// `TimeoutStartSec=`; none waits forever.
    pub timeout_start: Option<Duration>,
    /// `TimeoutStopSec=`; none waits forever.
    pub timeout_stop: Option<Duration>,
}

impl Settings {
    /// systemd's `DefaultRestartSec=`.
    pub const RESTART_DELAY: Duration = Duration::from_millis(100);
    /// systemd's `DefaultTimeoutStartSec=` and `DefaultTimeoutStopSec=`.
    pub const TIMEOUT: Duration = Duration::from_secs(90);

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

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Somebody, or traffic, wants the service up.
    Start,
    /// Somebody wants it down, and it must not come back by itself.
    Stop,
    /// As `Stop`, without waiting for anything that can be killed.
    Kill,
    /// The command last asked for runs.
    Spawned,
    /// The command last asked for cannot be run.
    SpawnFailed,
    /// The main process said `READY=1`.
    Ready,
    /// The service asked for this much time from now on.
    ExtendTimeout(Duration),
    /// The main process ended.
    MainExited(Exit),
    /// The command of a phase other than `Start` ended.
    ControlExited(Exit),
    /// Some other process of the service ended.
    OtherExited,
    /// Time has passed.
    Tick,
}

/// What the supervisor is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Run this command, then report `Spawned` or `SpawnFailed`.
    Spawn(Phase, usize),
    /// Ask every process of the service to end (SIGTERM, then SIGCONT).
    Terminate,
    /// Kill every process of the service (SIGKILL).
    Kill,
    /// The service is up.
    Up,
    /// The service has ended.
    Down(Outcome),
    /// It will be started again after this time.
    RestartIn(Duration),
}

/// What the machine has to know of the world at an event.
#[derive(Clone, Copy)]
pub struct Now<'a> {
    /// A monotonic clock.
    pub time: Duration,
    /// Whether any process of the service is left; asked only where it matters.
    pub processes: &'a dyn Fn() -> bool,
}

/// The life of one service.
#[derive(Debug)]
pub struct Service {
    settings: Settings,
    state: State,
    outcome: Outcome,
    main_ended: Option<Exit>,
    stop_wanted: bool,
    deadline: Option<Duration>,
    start_limit: RateLimit,
}

impl Service {
    /// A service that was never started.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            start_limit: RateLimit::new(settings.start_limit),
            settings,
            state: State::Inactive,
            outcome: Outcome::Success,
            main_ended: None,
            stop_wanted: false,
            deadline: None,
        }
    }

    /// Where it is.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// How it ended last, or what has gone wrong so far.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// What it is made of.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// When it wants a [`Event::Tick`] at the latest.
    #[must_use]
    pub const fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Whether nothing of it runs and nothing will by itself.
    #[must_use]
    pub const fn is_down(&self) -> bool {
        matches!(self.state, State::Inactive | State::Failed)
    }

    /// Takes `event` in and says what to do, in order.
    pub fn handle(&mut self, event: Event, now: Now<'_>) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Start if self.is_down() => {
                self.stop_wanted = false;
                self.begin(now, &mut actions);
            }
            Event::Stop | Event::Kill => self.stop(event == Event::Kill, now, &mut actions),
            Event::Spawned => self.spawned(now, &mut actions),
            Event::SpawnFailed => self.spawn_failed(now, &mut actions),
            Event::Ready => {
                if self.settings.kind == Kind::Notify
                    && matches!(self.state, State::Running(Phase::Start, _))
                {
                    self.run(Phase::StartPost, 0, now, &mut actions);
                }
            }
            Event::ExtendTimeout(by) => {
                if let Some(deadline) = &mut self.deadline
                    && self.state != State::AutoRestart
                {
                    *deadline = (*deadline).max(now.time + by);
                }
            }
            Event::MainExited(exit) => self.main_exited(exit, now, &mut actions),
            Event::ControlExited(exit) => self.control_exited(exit, now, &mut actions),
            Event::Tick if self.deadline.is_some_and(|at| now.time >= at) => {
                self.deadline = None;
                self.timed_out(now, &mut actions);
            }
            Event::Start | Event::OtherExited | Event::Tick => {}
        }
        while let State::Terminating { last, .. } = self.state
            && !(now.processes)()
        {
            if last {
                self.end(now, &mut actions);
            } else {
                self.run(Phase::StopPost, 0, now, &mut actions);
            }
        }
        actions
    }

    fn begin(&mut self, now: Now<'_>, actions: &mut Vec<Action>) {
        self.main_ended = None;
        self.outcome = Outcome::Success;
        if self.start_limit.permits(now.time) {
            self.run(Phase::StartPre, 0, now, actions);
        } else {
            self.outcome = Outcome::StartLimitHit;
            self.stop_wanted = true;
            self.end(now, actions);
        }
    }

    /// Runs the command of `phase` with `index`, or goes on behind the last.
    fn run(&mut self, phase: Phase, index: usize, now: Now<'_>, actions: &mut Vec<Action>) {
        if index < self.settings.commands(phase).len() {
            self.state = State::Running(phase, index);
            let timeout = match phase {
                Phase::Start if self.settings.kind == Kind::Oneshot => None,
                Phase::StartPre | Phase::Start | Phase::StartPost => self.settings.timeout_start,
                Phase::Stop | Phase::StopPost => self.settings.timeout_stop,
            };
            self.deadline = timeout.map(|timeout| now.time + timeout);
            actions.push(Action::Spawn(phase, index));
            return;
        }
        match phase {
            Phase::StartPre => self.run(Phase::Start, 0, now, actions),
            Phase::Start => self.run(Phase::StartPost, 0, now, actions),
            Phase::StartPost => self.up(now, actions),
            Phase::Stop => self.terminate(false, false, now, actions),
            Phase::StopPost => self.terminate(true, false, now, actions),
        }
    }

    fn spawned(&mut self, now: Now<'_>, actions: &mut Vec<Action>) {
        if self.state == State::Running(Phase::Start, 0) && self.settings.kind == Kind::Exec {
            self.run(Phase::StartPost, 0, now, actions);
        }
    }

    fn up(&mut self, now: Now<'_>, actions: &mut Vec<Action>) {
        self.deadline = None;
        self.state = State::Active;
        actions.push(Action::Up);
        let oneshot = self.settings.kind == Kind::Oneshot;
        if oneshot || self.main_ended.is_some() {
            self.active_ended(now, actions);
        }
    }

    /// The main process is gone while the service was up.
    fn active_ended(&mut self, now: Now<'_>, actions: &mut Vec<Action>) {
        if let Some(exit) = self.main_ended {
            self.note(exit.daemon_outcome());
        }
        if self.settings.remain_after_exit && self.outcome == Outcome::Success {
            self.state = State::Exited;
        } else {
            self.run(Phase::Stop, 0, now, actions);
        }
    }

    fn main_exited(&mut self, exit: Exit, now: Now<'_>, actions: &mut Vec<Action>) {
        match self.state {
            State::Running(Phase::Start, index) if self.settings.kind == Kind::Oneshot => {
                let outcome = exit.command_outcome();
                if outcome == Outcome::Success || self.ignores(Phase::Start, index) {
                    self.run(Phase::Start, index + 1, now, actions);
                } else {
                    self.note(outcome);
                    self.terminate(false, false, now, actions);
                }
            }
            State::Running(Phase::Start, _) => {
                self.main_ended = Some(exit);
                self.note(match exit.daemon_outcome() {
                    Outcome::Success => Outcome::Protocol,
                    outcome => outcome,
                });
                self.terminate(false, false, now, actions);
            }
            State::Active => {
                self.main_ended = Some(exit);
                self.active_ended(now, actions);
            }
            _ => self.main_ended = Some(exit),
        }
    }

    fn control_exited(&mut self, exit: Exit, now: Now<'_>, actions: &mut Vec<Action>) {
        let State::Running(phase, index) = self.state else {
            return;
        };
        let outcome = exit.command_outcome();
        if outcome != Outcome::Success && !self.ignores(phase, index) {
            self.note(outcome);
            self.command_failed(phase, now, actions);
        } else {
            self.run(phase, index + 1, now, actions);
        }
    }

    fn spawn_failed(&mut self, now: Now<'_>, actions: &mut Vec<Action>) {
        let State::Running(phase, index) = self.state else {
            return;
        };
        if self.ignores(phase, index) {
            self.run(phase, index + 1, now, actions);
        } else {
            self.note(Outcome::ExitCode);
            self.command_failed(phase, now, actions);
        }
    }

    fn command_failed(&mut self, phase: Phase, now: Now<'_>, actions: &mut Vec<Action>) {
        match phase {
            Phase::StartPre | Phase::Start | Phase::Stop => {
                self.terminate(false, false, now, actions);
            }
            Phase::StartPost => self.run(Phase::Stop, 0, now, actions),
            Phase::StopPost => self.terminate(true, false, now, actions),
        }
    }

    fn timed_out(&mut self, now: Now<'_>, actions: &mut Vec<Action>) {
        match self.state {
            State::AutoRestart => self.begin(now, actions),
            State::Running(Phase::StartPost, _) => {
                self.note(Outcome::Timeout);
                self.run(Phase::Stop, 0, now, actions);
            }
            State::Running(phase, _) => {
                self.note(Outcome::Timeout);
                self.terminate(phase == Phase::StopPost, false, now, actions);
            }
            State::Terminating {
                last,
                killed: false,
            } => {
                self.note(Outcome::Timeout);
                self.terminate(last, true, now, actions);
            }
            // Killed and still there: nothing more can be done about it.
            State::Terminating { last: false, .. } => {
                self.run(Phase::StopPost, 0, now, actions);
            }
            State::Terminating { last: true, .. } => self.end(now, actions),
            State::Inactive | State::Failed | State::Active | State::Exited => {}
        }
    }

    fn stop(&mut self, kill: bool, now: Now<'_>, actions: &mut Vec<Action>) {
        self.stop_wanted = true;
        match self.state {
            State::Inactive | State::Failed => {}
            State::AutoRestart => self.end(now, actions),
            State::Running(Phase::StopPost, _) => {
                if kill {
                    self.terminate(true, true, now, actions);
                }
            }
            State::Terminating { last, killed } => {
                if kill && !killed {
                    self.terminate(last, true, now, actions);
                }
            }
            _ if kill => self.terminate(false, true, now, actions),
            State::Running(Phase::StartPre | Phase::Start, _) => {
                self.terminate(false, false, now, actions);
            }
            State::Running(Phase::Stop, _) => {}
            State::Running(Phase::StartPost, _) | State::Active | State::Exited => {
                self.run(Phase::Stop, 0, now, actions);
            }
        }
    }

    fn terminate(&mut self, last: bool, killed: bool, now: Now<'_>, actions: &mut Vec<Action>) {
        self.state = State::Terminating { last, killed };
        self.deadline = self.settings.timeout_stop.map(|timeout| now.time + timeout);
        if (now.processes)() {
            actions.push(if killed {
                Action::Kill
            } else {
                Action::Terminate
            });
        }
    }

    fn end(&mut self, now: Now<'_>, actions: &mut Vec<Action>) {
        self.deadline = None;
        actions.push(Action::Down(self.outcome));
        if !self.stop_wanted && self.settings.restart.applies(self.outcome) {
            self.state = State::AutoRestart;
            self.deadline = Some(now.time + self.settings.restart_delay);
            actions.push(Action::RestartIn(self.settings.restart_delay));
        } else if self.outcome == Outcome::Success {
            self.state = State::Inactive;
        } else {
            self.state = State::Failed;
        }
    }

    /// Keeps the first thing that went wrong.
    fn note(&mut self, outcome: Outcome) {
        if self.outcome == Outcome::Success {
            self.outcome = outcome;
        }
    }

    fn ignores(&self, phase: Phase, index: usize) -> bool {
        self.settings
            .commands(phase)
            .get(index)
            .is_some_and(|command| command.ignore_failure)
    }
}

#[cfg(test)]
mod tests;
