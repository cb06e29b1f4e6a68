//! The life of a socket unit: when traffic starts its service, and when it is
//! given up.
//!
//! Follows systemd.socket(5) and the states of `src/core/socket.c`, for sockets
//! without `Accept=yes`.

use std::fmt;
use std::time::Duration;

use crate::rate_limit::{Limit, RateLimit};

/// What limits a socket unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// `TriggerLimitIntervalSec=` and `TriggerLimitBurst=`: too much traffic
    /// fails the socket.
    pub trigger_limit: Limit,
    /// `PollLimitIntervalSec=` and `PollLimitBurst=`: too much traffic is not
    /// looked at for a while.
    pub poll_limit: Limit,
    /// `StartLimitIntervalSec=` and `StartLimitBurst=`
    pub start_limit: Limit,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            trigger_limit: Limit::TRIGGER,
            poll_limit: Limit::POLL,
            start_limit: Limit::START,
        }
    }
}

/// Where a socket unit is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing is open.
    Dead,
    /// It waits for traffic.
    Listening,
    /// Its service has the sockets.
    Running,
    /// It was given up.
    Failed,
}

impl State {
    /// systemd's words for it: the state of any unit, and that of a socket.
    #[must_use]
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Dead => ("inactive", "dead"),
            Self::Listening => ("active", "listening"),
            Self::Running => ("active", "running"),
            Self::Failed => ("failed", "failed"),
        }
    }
}

/// How a socket unit ended (`Result=` in `systemctl show`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was stopped.
    Success,
    /// A socket could not be opened.
    Resources,
    /// It was started too often.
    StartLimitHit,
    /// Traffic came too often.
    TriggerLimitHit,
    /// Its service was started too often.
    ServiceStartLimitHit,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Success => "success",
            Self::Resources => "resources",
            Self::StartLimitHit => "start-limit-hit",
            Self::TriggerLimitHit => "trigger-limit-hit",
            Self::ServiceStartLimitHit => "service-start-limit-hit",
        })
    }
}

/// The life of one socket unit.
#[derive(Debug)]
pub struct Socket {
    settings: Settings,
    state: State,
    outcome: Outcome,
    trigger_limit: RateLimit,
    poll_limit: RateLimit,
    start_limit: RateLimit,
}

impl Socket {
    /// A socket unit that was never started.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self {
            settings,
            state: State::Dead,
            outcome: Outcome::Success,
            trigger_limit: RateLimit::new(settings.trigger_limit),
            poll_limit: RateLimit::new(settings.poll_limit),
            start_limit: RateLimit::new(settings.start_limit),
        }
    }

    /// Goes on with other limits.
    pub fn set_settings(&mut self, settings: Settings) {
        if settings != self.settings {
            let Self { state, outcome, .. } = *self;
            *self = Self {
                state,
                outcome,
                ..Self::new(settings)
            };
        }
    }

    /// Where it is.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// How it ended last.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// What limits it.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether its sockets are open.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.state, State::Listening | State::Running)
    }

    /// Whether to look for traffic now.
    #[must_use]
    pub fn listens(&self, now: Duration) -> bool {
        self.state == State::Listening && self.poll_limit.is_open(now)
    }

    /// When it will look for traffic again, if it does not because of the poll
    /// limit.
    #[must_use]
    pub fn deadline(&self, now: Duration) -> Option<Duration> {
        let waits = self.state == State::Listening && !self.poll_limit.is_open(now);
        waits.then(|| self.poll_limit.reopens()).flatten()
    }

    /// Whether it may be opened now; counts as a start.
    pub fn start(&mut self, now: Duration) -> bool {
        let permitted = self.start_limit.permits(now);
        if !permitted {
            self.fail(Outcome::StartLimitHit);
        }
        permitted
    }

    /// Its sockets are open.
    pub fn opened(&mut self) {
        self.state = State::Listening;
        self.outcome = Outcome::Success;
    }

    /// Takes note of traffic; false when it came too often, and the socket is
    /// given up.
    pub fn traffic(&mut self, now: Duration) -> bool {
        // What is counted here is looked at in `listens`.
        self.poll_limit.permits(now);
        let permitted = self.trigger_limit.permits(now);
        if permitted {
            self.state = State::Running;
        } else {
            self.fail(Outcome::TriggerLimitHit);
        }
        permitted
    }

    /// Its service has the sockets, or has left them.
    pub fn service(&mut self, runs: bool) {
        if self.is_open() {
            self.state = if runs {
                State::Running
            } else {
                State::Listening
            };
        }
    }

    /// It is given up.
    pub fn fail(&mut self, outcome: Outcome) {
        self.state = State::Failed;
        self.outcome = outcome;
    }

    /// It is stopped.
    pub fn stop(&mut self) {
        if self.is_open() {
            self.state = State::Dead;
        }
    }

    /// Forgets a failure and how often it was started.
    pub fn reset_failed(&mut self) {
        self.start_limit = RateLimit::new(self.settings.start_limit);
        if self.state == State::Failed {
            self.state = State::Dead;
            self.outcome = Outcome::Success;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn listening(settings: Settings) -> Socket {
        let mut socket = Socket::new(settings);
        assert!(socket.start(SECOND));
        socket.opened();
        socket
    }

    #[test]
    fn too_much_traffic_is_first_not_looked_at_and_then_fails_it() {
        let mut socket = listening(Settings::default());
        for _ in 0..15 {
            assert!(socket.listens(SECOND));
            assert!(socket.traffic(SECOND));
            socket.service(false);
        }
        assert!(!socket.listens(SECOND), "15 times in 2 s");
        assert_eq!(socket.deadline(SECOND), Some(SECOND * 3));
        assert!(socket.listens(SECOND * 4));
        assert_eq!(socket.deadline(SECOND * 4), None);
        let mut unlimited = listening(Settings {
            poll_limit: Limit::NONE,
            ..Settings::default()
        });
        for _ in 0..20 {
            assert!(unlimited.traffic(SECOND));
            unlimited.service(false);
            assert!(unlimited.listens(SECOND));
        }
        assert!(!unlimited.traffic(SECOND));
        assert_eq!(unlimited.state(), State::Failed);
        assert_eq!(unlimited.outcome(), Outcome::TriggerLimitHit);
        unlimited.service(false);
        assert_eq!(unlimited.state(), State::Failed, "for good");
        unlimited.reset_failed();
        assert_eq!(unlimited.state(), State::Dead);
    }
}
