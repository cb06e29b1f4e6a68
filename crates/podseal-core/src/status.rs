//! How a service is: what its files say of its seal, and whether its living
//! processes show it.
//!
//! Somebody else gathers the [`facts`]; [`examine`] judges them. Of a seal, only
//! no_new_privs and how many system-call filters there are can be seen from
//! outside. So what is seen can speak against a seal and never proves one: a
//! Landlock domain, and what a filter does, cannot be read from /proc.

pub mod document;
pub mod facts;
pub mod promise;
mod rules;

use serde::Serialize;

use crate::explain::short::Short;
use crate::policy::level::Level;
use facts::{Container, DropIn, Loaded, Process, Service, Socket, State};
pub use rules::{NOT_SEEN, of_socket};

/// What is to be known of a service.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// What it is doing.
    #[serde(flatten)]
    pub state: State,
    /// Whether it is sealed as its files say, as far as that can be seen. None
    /// where it runs and its processes could not be looked at.
    pub sealed: Option<bool>,
    /// Its level. None where it has none, and where it runs and its processes
    /// do not show it.
    pub level: Option<Level>,
    /// The level of its files; with a `podseal run`, of what it was started with.
    pub promised_level: Option<Level>,
    /// The parts of seals that the files have.
    pub mechanisms: Vec<&'static str>,
    /// The parts that are missing for level `families`, where there are some.
    pub lacking: Vec<&'static str>,
    /// The drop-in that `podseal seal` writes.
    pub drop_in: Option<DropIn>,
    /// What the living processes show.
    pub live: Live,
    /// The processes; what is known of those that were looked at.
    pub processes: Vec<Process>,
    /// What systemd goes by.
    pub systemd: Option<Loaded>,
    /// Its sockets.
    pub sockets: Vec<Socket>,
    /// Its container.
    pub container: Option<Container>,
    /// Why it, or one of its sockets, failed: the first answer of `podseal
    /// explain`. Null where nothing failed.
    pub why: Option<Short>,
    /// What is wrong, or worth knowing.
    pub problems: Vec<Problem>,
    /// What the level leaves open.
    pub residual_risks: &'static [&'static str],
}

/// What the living processes show of a seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Live {
    /// There are none.
    NoProcesses,
    /// Nothing is said of a seal, so nothing was looked for.
    NothingPromised,
    /// All that can be seen from outside is as it should be.
    AsPromised,
    /// Less than what the files say.
    Less,
    /// They could not be looked at.
    Unknown,
}

/// Something that is wrong with a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// Stable kebab-case name.
    pub id: &'static str,
    /// Whether less is enforced because of it than the files say.
    pub is_less: bool,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

/// Judges what was seen of a service.
#[must_use]
pub fn examine(service: Service) -> Report {
    let problems = rules::problems(&service);
    let promise = &service.promise;
    let level = promise.level();
    let is_less = problems.iter().any(|problem| problem.is_less);
    let live = match &service.processes {
        _ if is_less => Live::Less,
        Err(_) => Live::Unknown,
        Ok(processes) if processes.is_empty() => Live::NoProcesses,
        Ok(_) if promise.mechanisms.is_empty() && service.copies.is_none() => Live::NothingPromised,
        Ok(_) => Live::AsPromised,
    };
    let sealed = match live {
        Live::Unknown if level.is_some() => None,
        Live::Less => Some(false),
        _ => Some(level.is_some()),
    };
    let seen = level.filter(|_| sealed == Some(true));
    let is_in_part = promise.restricts_families() || !promise.given_up.is_empty();
    let lacking = if level.is_none() && is_in_part {
        promise.lacking(Level::Families)
    } else {
        Vec::new()
    };
    Report {
        sealed,
        level: seen,
        promised_level: level,
        mechanisms: service.promise.mechanisms,
        lacking,
        drop_in: service.promise.drop_in,
        live,
        processes: service.processes.unwrap_or_default(),
        systemd: service.loaded,
        sockets: service.sockets,
        container: service.container,
        why: service.why,
        problems,
        residual_risks: level.map_or(&[], Level::residual_risks),
        state: service.state,
    }
}

impl Report {
    /// Whether it runs, or waits for traffic.
    #[must_use]
    pub fn is_up(&self) -> bool {
        let sockets = self.sockets.iter().map(|socket| &socket.state);
        self.state.is_up() || (!self.state.has_failed() && sockets.into_iter().any(State::is_up))
    }
}

impl State {
    /// Whether it is active, as systemctl(1) understands it.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(
            self.active_state.as_str(),
            "active" | "reloading" | "refreshing"
        )
    }

    /// Whether it has failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.active_state == "failed"
    }
}

#[cfg(test)]
mod tests;
