//! What is remembered of a service's last starts, for those who ask why it
//! failed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use podseal_core::lifecycle::{Exit, Outcome};

use super::lines::Lines;
use crate::control::{LogLine, StartLog};

/// For how long it is remembered that a service ended.
const LATELY: Duration = Duration::from_mins(1);
/// How many ends are remembered.
const ENDS: usize = 100;

/// The last starts of a service.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Whether a command was to run since it ended last: no start is one that
    /// comes too often.
    pub(super) has_begun: bool,
    /// What podseal said itself since it was started last.
    own: Lines,
    /// How the command ended that failed last, since then.
    pub(super) failed: Option<Exit>,
    /// Since when it has been up.
    pub(super) up: Option<Instant>,
    ended: Option<StartLog>,
    ends: VecDeque<(Instant, Outcome)>,
}

impl History {
    /// Something could not be done.
    pub(super) fn say(&mut self, line: String) {
        self.own.push(Instant::now(), line);
    }

    /// It is to be forgotten how often it ended.
    pub(super) fn reset(&mut self) {
        self.ends.clear();
    }

    /// It has ended; `said` is what it said.
    pub(super) fn end(&mut self, outcome: Outcome, by_itself: bool, said: &[Lines]) {
        if !std::mem::take(&mut self.has_begun) {
            return;
        }
        let mut start = self.now(said);
        start.timed_out = outcome == Outcome::Timeout && self.up.is_none();
        self.own = Lines::default();
        self.failed = None;
        self.up = None;
        self.ended = Some(start);
        if by_itself {
            self.ends.push_back((Instant::now(), outcome));
            let excess = self.ends.len().saturating_sub(ENDS);
            self.ends.drain(..excess);
        }
    }

    /// What was said since it was started last.
    pub(super) fn now<'a>(&self, said: impl IntoIterator<Item = &'a Lines>) -> StartLog {
        let said = said.into_iter().flat_map(Lines::all);
        let said = said.map(|(since, text)| (since, false, text));
        let own = self.own.all().map(|(since, text)| (since, true, text));
        let mut lines: Vec<(Instant, bool, String)> = said.chain(own).collect();
        lines.sort_by_key(|(since, ..)| *since);
        let lines = lines.into_iter();
        let (code, signal) = match self.failed {
            None => (None, None),
            Some(Exit::Code(code)) => (Some(code), None),
            Some(Exit::Signal(signal)) => (None, Some(signal)),
        };
        StartLog {
            lines: lines
                .map(|(_, is_own, text)| LogLine { is_own, text })
                .collect(),
            code,
            signal,
            timed_out: false,
        }
    }

    /// What was said in the last start that has ended.
    pub(super) fn ended(&self) -> Option<&StartLog> {
        self.ended.as_ref()
    }

    /// How often it ended by itself lately, and how many of these were failures.
    pub(super) fn ends(&self) -> (u32, u32) {
        let lately = || {
            self.ends
                .iter()
                .filter(|(at, _)| at.elapsed() < LATELY)
                .map(|(_, outcome)| *outcome)
        };
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let failures = lately().filter(|outcome| *outcome != Outcome::Success);
        (count(lately().count()), count(failures.count()))
    }
}
