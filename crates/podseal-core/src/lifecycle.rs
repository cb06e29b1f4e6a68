//! The life of a service as systemd leads it: which command runs when, what
//! an exit means, when to restart and when to give up.
//!
//! A state machine without effects: the supervisor feeds it [`Event`]s and
//! carries out its [`Action`]s. Source: systemd.service(5), systemd.kill(5)
//! and the states of `src/core/service.c`.

use std::time::Duration;

use crate::rate_limit::RateLimit;

mod exit;
mod settings;
pub mod socket;
mod state;

pub use exit::Exit;
pub use settings::{Command, Kind, Phase, Restart, Settings};
pub use state::{Outcome, State};

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
    /// That time has passed: report [`Event::Start`], or [`Event::Stop`] if
    /// it cannot be started.
    StartAgain,
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
    start_limit_hit: bool,
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
            start_limit_hit: false,
        }
    }

    /// Goes on with other settings, as after `systemctl daemon-reload`.
    pub fn set_settings(&mut self, settings: Settings) {
        if settings.start_limit != self.settings.start_limit {
            self.start_limit = RateLimit::new(settings.start_limit);
        }
        self.settings = settings;
    }

    /// Forgets a failure and how often it was started (`systemctl reset-failed`).
    pub fn reset_failed(&mut self) {
        self.start_limit = RateLimit::new(self.settings.start_limit);
        self.start_limit_hit = false;
        if self.state == State::Failed {
            self.state = State::Inactive;
            self.outcome = Outcome::Success;
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

    /// How its main process ended, once it has.
    #[must_use]
    pub const fn main_exit(&self) -> Option<Exit> {
        self.main_ended
    }

    /// Whether its last start was one too many.
    #[must_use]
    pub const fn start_limit_hit(&self) -> bool {
        self.start_limit_hit
    }

    /// Whether it is up.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        matches!(self.state, State::Active | State::Exited)
    }

    /// Whether [`Event::Start`] would start it now.
    #[must_use]
    pub const fn can_start(&self) -> bool {
        self.is_down() || (matches!(self.state, State::AutoRestart) && self.deadline.is_none())
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
            Event::Start if self.can_start() => {
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
        self.start_limit_hit = !self.start_limit.permits(now.time);
        if self.start_limit_hit {
            // How it ended the last time is still the reason.
            self.note(Outcome::StartLimitHit);
            self.stop_wanted = true;
            self.end(now, actions);
        } else {
            self.main_ended = None;
            self.outcome = Outcome::Success;
            self.run(Phase::StartPre, 0, now, actions);
        }
    }

    /// Runs the command of `phase` with `index`, or goes on behind the last.
    fn run(&mut self, phase: Phase, index: usize, now: Now<'_>, actions: &mut Vec<Action>) {
        if index < self.settings.commands(phase).len() {
            self.state = State::Running(phase, index);
            let timeout = match phase {
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
        if self.state == State::Running(Phase::Start, 0)
            && matches!(self.settings.kind, Kind::Exec | Kind::Simple)
        {
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
        if let Some(exit) = self.main_ended
            && self.settings.kind != Kind::Oneshot
            && !self.ignores(Phase::Start, 0)
        {
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
                self.main_ended = Some(exit);
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
        if phase == Phase::Start && self.settings.kind == Kind::Simple {
            self.spawned(now, actions);
            self.main_exited(Exit::NO_PROGRAM, now, actions);
        } else if self.ignores(phase, index) {
            self.run(phase, index + 1, now, actions);
        } else {
            if phase == Phase::Start {
                self.main_ended = Some(Exit::NO_PROGRAM);
            }
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
            State::AutoRestart => actions.push(Action::StartAgain),
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
            } if self.settings.send_sigkill => {
                self.note(Outcome::Timeout);
                self.terminate(last, true, now, actions);
            }
            // Still there: nothing more can, or may, be done about it.
            State::Terminating { last: false, .. } => {
                self.note(Outcome::Timeout);
                self.run(Phase::StopPost, 0, now, actions);
            }
            State::Terminating { last: true, .. } => {
                self.note(Outcome::Timeout);
                self.end(now, actions);
            }
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
