//! What is known about a service that is to be explained.

use std::time::Duration;

use super::journal::{Ended, Entry, Log, Speaker, message_id};
use crate::doctor;
use crate::unit::effective::Scope;

/// A service that has been up for so long since it was started again is taken to
/// work.
const LATELY: Duration = Duration::from_mins(1);

/// How long a server may take to accept connections.
const TO_ACCEPT: Duration = Duration::from_secs(5);

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
        match self.active.as_str() {
            "activating" => failed || self.was_restarted,
            "active" => self.was_restarted && self.active_for.is_some_and(|time| time < LATELY),
            _ => false,
        }
    }

    /// As the journal shows it.
    fn of_journal(name: &str, entries: &[Entry]) -> Self {
        let mut state = Self {
            name: name.to_owned(),
            load: "loaded".to_owned(),
            result: "success".to_owned(),
            ..Self::default()
        };
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
        state
    }
}

/// A finding of `podseal check` or `podseal doctor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule or the check.
    pub id: &'static str,
    /// What was found.
    pub message: String,
}

/// Facts about units and host. What was not looked at is None.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The user other than root as whom the system's manager starts the service.
    pub run_as: Option<String>,
    /// The image that the service runs.
    pub image: Option<String>,
    /// Whether it is in the storage.
    pub image_exists: Option<bool>,
    /// Whether the service is of `Type=notify` or `notify-reload`.
    pub is_notify: Option<bool>,
    /// Findings of `podseal check` about the service and its sockets.
    pub findings: Option<Vec<Finding>>,
    /// Problems that `podseal doctor` found.
    pub problems: Option<Vec<Finding>>,
    /// Why Quadlet makes no service of the `.container` file.
    pub quadlet_error: Option<String>,
    /// Programs that the service is to run and that are not there.
    pub missing_programs: Option<Vec<String>>,
    /// Addresses of the sockets on which connections wait to be accepted, with
    /// their number.
    pub waiting: Option<Vec<(String, u32)>>,
    /// Addresses that something else listens on.
    pub taken: Option<Vec<String>>,
    /// Units that are being started and that the service has to wait for.
    pub waits_for: Vec<String>,
}

impl Facts {
    /// Takes what doctor found wrong, and that there is no pause process, which
    /// only a service that is under a seal already cannot do without.
    #[must_use]
    pub fn with_problems(mut self, findings: &[doctor::Finding]) -> Self {
        let problems = findings.iter().filter(|finding| match finding.status {
            doctor::Status::Problem => true,
            doctor::Status::Note => finding.id == "pause-process",
            doctor::Status::Ok | doctor::Status::Unknown => false,
        });
        self.problems = Some(
            problems
                .map(|finding| Finding {
                    id: finding.id,
                    message: format!("{}: {}", finding.title, finding.found.join("; ")),
                })
                .collect(),
        );
        self
    }
}

/// All that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Whose units they are.
    pub scope: Scope,
    /// The service.
    pub service: UnitState,
    /// Its sockets.
    pub sockets: Vec<UnitState>,
    /// The last start.
    pub log: Log,
    /// Facts.
    pub facts: Facts,
}

impl Case {
    /// The case of a command that has failed, of which only the log is known.
    #[must_use]
    pub fn of_log(log: Log) -> Self {
        Self {
            scope: Scope::User,
            service: UnitState {
                active: "failed".to_owned(),
                result: "exit-code".to_owned(),
                ended: log.ended().cloned(),
                ..UnitState::default()
            },
            sockets: Vec::new(),
            log,
            facts: Facts::default(),
        }
    }

    /// The case that a journal shows of the service called `stem`, without its
    /// type. None where the journal has nothing about it.
    #[must_use]
    pub fn of_journal(stem: &str, scope: Scope, entries: &[Entry]) -> Option<Self> {
        let names = [format!("{stem}.service"), format!("{stem}.socket")];
        let has = |name: &String| entries.iter().any(|e| e.unit.as_ref() == Some(name));
        let quadlet = format!("\"{stem}.container\"");
        let is_refused = entries.iter().any(|e| e.message.contains(&quadlet));
        if !names.iter().any(has) && !is_refused {
            return None;
        }
        let [service, socket] = names;
        let sockets = if has(&socket) {
            vec![UnitState::of_journal(&socket, entries)]
        } else {
            Vec::new()
        };
        let is_there = has(&service) || !is_refused;
        let mut service = UnitState::of_journal(&service, entries);
        if !is_there {
            service.load = "not-found".into();
        }
        Some(Self {
            scope,
            log: last_start(&service, &socket, entries),
            service,
            sockets,
            facts: Facts::default(),
        })
    }

    /// The service and its sockets.
    pub fn units(&self) -> impl Iterator<Item = &UnitState> {
        std::iter::once(&self.service).chain(&self.sockets)
    }

    /// The service's name without its type.
    #[must_use]
    pub fn stem(&self) -> &str {
        let name = self.service.name.as_str();
        name.strip_suffix(".service").unwrap_or(name)
    }

    /// Whether something is wrong, as far as states tell.
    #[must_use]
    pub fn is_troubled(&self) -> bool {
        self.units().any(UnitState::is_failed)
            || !self.not_accepted().is_empty()
            || self.facts.quadlet_error.is_some()
            || self.sockets.iter().any(|socket| self.was_refused(socket))
    }

    /// Addresses on which connections wait, and with their number, for which the
    /// service has had time enough.
    #[must_use]
    pub fn not_accepted(&self) -> &[(String, u32)] {
        let is_up = self.service.active_for.is_some_and(|time| time > TO_ACCEPT);
        match &self.facts.waiting {
            Some(waiting) if is_up => waiting,
            _ => &[],
        }
    }

    /// Whether systemd refused to start a socket when it was last asked to,
    /// which leaves the socket as it was.
    fn was_refused(&self, socket: &UnitState) -> bool {
        let entries = self.log.entries.iter().rev();
        let mut about = entries.filter(|entry| entry.unit.as_ref() == Some(&socket.name));
        // "Failed to listen on …" comes after it.
        socket.active == "inactive"
            && about.by_ref().take(2).any(|entry| {
                entry.speaker == Speaker::Systemd && entry.message.ends_with(", refusing.")
            })
    }

    /// Whether the service itself failed, and not only what starts it.
    #[must_use]
    pub fn has_own_failure(&self) -> bool {
        !matches!(
            self.service.result.as_str(),
            "" | "success" | "start-limit-hit"
        )
    }
}

/// Entries of the main process of a service's last start that journald could
/// tell of no unit, because the process had ended before it looked.
pub fn adopt(service: &UnitState, entries: &mut [Entry]) {
    for entry in entries {
        let is_main = entry.pid.is_some() && entry.pid == service.main;
        if is_main && entry.unit.is_none() {
            entry.unit = Some(service.name.clone());
            entry.invocation.clone_from(&service.invocation);
        }
    }
}

/// The entries of the last start of a service, with what was said about its
/// socket since that was started last, and since both by those who speak about
/// no unit.
#[must_use]
pub fn last_start(service: &UnitState, socket: &str, entries: &[Entry]) -> Log {
    let is_ended = |entry: &Entry| !service.is_restarting() || entry.ended.is_some();
    let own = Start::last(&service.name, entries, is_ended);
    let sockets = Start::last(socket, entries, |_| true);
    let begin = own.as_ref().and_then(|start| entries[start.first].time);
    let belongs = |(at, entry): &(usize, &Entry)| match entry.unit.as_deref() {
        Some(unit) if unit == service.name => own.as_ref().is_none_or(|s| s.has(*at, entry)),
        Some(unit) if unit == socket => sockets.as_ref().is_none_or(|s| s.has(*at, entry)),
        _ => begin.is_none_or(|begin| entry.time.is_none_or(|time| time >= begin)),
    };
    let entries = entries.iter().enumerate().filter(belongs);
    Log::new(entries.map(|(_, entry)| entry.clone()).collect())
}

/// Which entries belong to a start of a unit.
struct Start<'a> {
    invocation: &'a str,
    first: usize,
    last: usize,
}

impl<'a> Start<'a> {
    fn last(unit: &str, entries: &'a [Entry], counts: impl Fn(&Entry) -> bool) -> Option<Self> {
        let own = || {
            let entries = entries.iter().enumerate();
            entries.filter(|(_, entry)| entry.unit.as_deref() == Some(unit))
        };
        let mut ends = own().rev().filter(|(_, entry)| counts(entry));
        let (last, invocation) = ends.find_map(|(at, e)| Some((at, e.invocation.as_deref()?)))?;
        let mut starts = own().filter(|(_, e)| e.invocation.as_deref() == Some(invocation));
        Some(Self {
            invocation,
            first: starts.next()?.0,
            last,
        })
    }

    /// What is refused belongs to no start, and counts where it came last.
    fn has(&self, at: usize, entry: &Entry) -> bool {
        match &entry.invocation {
            Some(invocation) => invocation == self.invocation,
            None => at > self.last,
        }
    }
}
