//! The state of a unit that is to be explained.

use std::collections::BTreeSet;
use std::time::Duration;

use super::journal::{Ended, Entry, message_id};

/// A service that has been up for so long since it was started again is taken to
/// work.
pub(super) const LATELY: Duration = Duration::from_mins(1);

/// How often a service that its socket starts may end by itself within
/// [`LATELY`], before it is taken not to work.
pub(super) const OFTEN: u32 = 3;

/// One that has been up for so long has not ended again.
const TO_SETTLE: Duration = Duration::from_secs(15);

/// The state of a unit, as systemd tells it or the journal shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitState {
    /// Its name.
    pub name: String,
    /// `LoadState`: `loaded`, `not-found`, `masked`, `bad-setting` …
    pub load: String,
    /// `ActiveState`: `active`, `inactive`, `failed`, `activating` …
    pub active: String,
    /// `Result`: `success`, `exit-code`, `start-limit-hit` …
    pub result: String,
    /// Its last start, as the journal has it.
    pub invocation: Option<String>,
    /// Its main process of that start.
    pub main: Option<u32>,
    /// How its main process ended last.
    pub ended: Option<Ended>,
    /// Whether its files were changed after systemd had read them.
    pub needs_reload: bool,
    /// Whether a job of it waits or runs.
    pub has_job: bool,
    /// Whether it was started again by `Restart=`.
    pub was_restarted: bool,
    /// For how long it has been active.
    pub active_for: Option<Duration>,
    /// How it has ended lately.
    pub ends: Ends,
}

/// How a service has ended by itself within the last minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ends {
    /// Whether a socket is open that starts it again.
    pub is_triggered: bool,
    /// How often it ended.
    pub all: u32,
    /// How many of these were failures.
    pub failures: u32,
}

impl UnitState {
    /// Whether it failed, or cannot be loaded.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        let is_loaded = self.load.is_empty() || self.load == "loaded";
        self.active == "failed" || !is_loaded || self.is_restarting()
    }

    /// Whether it fails and is started again: what it did last is then not its
    /// last start, but the last one that ended.
    #[must_use]
    pub fn is_restarting(&self) -> bool {
        let failed = !matches!(self.result.as_str(), "" | "success");
        if self.ends.failures >= OFTEN && self.is_tried_again() {
            return true;
        }
        match self.active.as_str() {
            "activating" => failed || self.was_restarted,
            "active" => self.was_restarted && self.active_for.is_some_and(|time| time < LATELY),
            _ => false,
        }
    }

    /// Whether its socket starts it anew where it has ended, and it has not been
    /// up for long.
    pub(super) fn is_tried_again(&self) -> bool {
        let is_settled = self.active_for.is_some_and(|time| time > TO_SETTLE);
        self.ends.is_triggered && !is_settled
    }

    /// How often it ended well within the last minute.
    pub(super) fn good_ends(&self) -> u32 {
        self.ends.all.saturating_sub(self.ends.failures)
    }

    /// Counts how often it has ended by itself, at a time in microseconds since
    /// 1970. A user's manager does not tell of good ends, but of starts.
    pub fn count_ends(&mut self, entries: &[Entry], now: u64) {
        const TOLD: [&str; 4] = [
            message_id::STARTING,
            message_id::STARTED,
            message_id::SUCCEEDED,
            message_id::FAILED,
        ];
        let since = now.saturating_sub(LATELY.as_micros().try_into().unwrap_or(u64::MAX));
        let own = || {
            entries
                .iter()
                .filter(|e| e.unit.as_ref() == Some(&self.name))
        };
        let starts = |ids: &[&str]| {
            let told = own().filter(|e| e.time.is_some_and(|time| time >= since));
            let told = told.filter(|e| ids.iter().any(|id| e.is(id)));
            let starts: BTreeSet<&str> = told.filter_map(|e| e.invocation.as_deref()).collect();
            starts
        };
        let stopped = starts(&[message_id::STOPPING]);
        let is_over = matches!(self.active.as_str(), "inactive" | "failed");
        let last = own().rev().find_map(|e| e.invocation.as_deref());
        let current = self.invocation.as_deref().or(last).filter(|_| !is_over);
        let ends = starts(&TOLD).into_iter();
        let ends = ends.filter(|start| !stopped.contains(start) && Some(*start) != current);
        let failures = starts(&[message_id::FAILED]).into_iter();
        let failures = failures.filter(|start| !stopped.contains(start));
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        self.ends.all = count(ends.count());
        self.ends.failures = count(failures.count());
    }

    /// As the journal shows it.
    pub(super) fn of_journal(name: &str, entries: &[Entry]) -> Self {
        let mut state = Self {
            name: name.to_owned(),
            load: "loaded".to_owned(),
            result: "success".to_owned(),
            ..Self::default()
        };
        let now = entries.iter().filter_map(|e| e.time).max();
        let mut started = None;
        for entry in entries.iter().filter(|e| e.unit.as_deref() == Some(name)) {
            let Some(id) = entry.message_id.as_deref() else {
                // What is refused at once has no result.
                if entry.message.ends_with(", refusing.") {
                    state.active = "inactive".into();
                }
                continue;
            };
            match id {
                message_id::STARTING => state.active = "activating".into(),
                message_id::STARTED => {
                    state.active = "active".into();
                    started = entry.time;
                    state.result = "success".into();
                }
                message_id::SUCCEEDED => state.active = "inactive".into(),
                message_id::FAILED => {
                    state.active = "failed".into();
                    state.result = entry.result.clone().unwrap_or_default();
                }
                message_id::PROCESS_EXIT => state.ended.clone_from(&entry.ended),
                _ => {}
            }
        }
        if let (Some(started), "active") = (started, state.active.as_str()) {
            let time = now.map(|now| now.saturating_sub(started));
            state.active_for = time.map(Duration::from_micros);
        }
        state.count_ends(entries, now.unwrap_or_default());
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::journal::Speaker;

    const MINUTE: u64 = 60_000_000;

    /// systemd says something of a start of the service, at a second.
    fn says(start: &str, id: &str, second: u64) -> Entry {
        Entry {
            message_id: Some(id.to_owned()),
            unit: Some("web.service".to_owned()),
            invocation: Some(start.to_owned()),
            time: Some(second * 1_000_000),
            ..Entry::line(Speaker::Systemd, "")
        }
    }

    fn counted(active: &str, entries: &[Entry]) -> (u32, u32) {
        let mut state = UnitState {
            name: "web.service".to_owned(),
            active: active.to_owned(),
            invocation: Some("3".to_owned()),
            ..UnitState::default()
        };
        state.count_ends(entries, MINUTE + 30_000_000);
        (state.ends.all, state.ends.failures)
    }

    #[test]
    fn ends_of_the_last_minute_are_counted() {
        use message_id::{FAILED, STARTED, STOPPING};
        let started: Vec<Entry> = ["1", "2", "3"].map(|start| says(start, STARTED, 50)).into();
        assert_eq!(counted("inactive", &started), (3, 0));
        // The last one runs.
        assert_eq!(counted("active", &started), (2, 0));
        let failed = [
            &started[..],
            &[says("1", FAILED, 51), says("2", FAILED, 52)],
        ]
        .concat();
        assert_eq!(counted("active", &failed), (2, 2));
        // Somebody has ended them.
        let stopped = [
            &failed[..],
            &[says("1", STOPPING, 51), says("2", STOPPING, 51)],
        ]
        .concat();
        assert_eq!(counted("active", &stopped), (0, 0));
        let long_ago = ["1", "2", "3"].map(|start| says(start, FAILED, 20));
        assert_eq!(counted("active", &long_ago), (0, 0));
    }

    #[test]
    fn what_its_socket_starts_again_and_again_is_restarting() {
        let state = |active: &str, failures, seconds| UnitState {
            active: active.to_owned(),
            ends: Ends {
                is_triggered: true,
                all: failures,
                failures,
            },
            active_for: Some(Duration::from_secs(seconds)),
            ..UnitState::default()
        };
        assert!(state("active", 3, 2).is_restarting());
        assert!(state("activating", 3, 0).is_restarting());
        assert!(!state("active", 2, 2).is_restarting());
        assert!(!state("active", 3, 20).is_restarting(), "it has settled");
        let mut alone = state("inactive", 3, 0);
        alone.ends.is_triggered = false;
        assert!(!alone.is_restarting(), "it was stopped");
    }
}
