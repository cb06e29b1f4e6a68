//! The JSON form of `podseal status` and `podseal list`.

use serde::Serialize;

use super::{Process, Seal};

/// Rises with an incompatible change.
pub const VERSION: u32 = 2;

/// A service that systemd runs, or could run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// Its name.
    pub unit: String,
    /// What seals it, by its files.
    pub seal: Seal,
    /// What systemd says of it; null where systemd could not be asked.
    pub state: Option<State>,
    /// Its socket units.
    pub sockets: Vec<SocketUnit>,
    /// Its processes, as they are now.
    pub processes: Vec<Process>,
    /// Its containers, as Podman says.
    pub containers: Vec<Container>,
    /// What of the running service is less than its seal promises.
    pub shortfalls: Vec<String>,
    /// What the seal leaves open by itself.
    pub residual_risk: Option<&'static str>,
}

/// What systemd says of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct State {
    /// `active`, `inactive`, `failed`, `activating` or `deactivating`.
    pub active: String,
    /// The same in more detail, such as `running`.
    pub sub: String,
    /// How it ended last, or `success`.
    pub result: String,
    /// When it was started last.
    pub since: Option<String>,
    /// `RestrictAddressFamilies=` as systemd has it.
    pub families: String,
    /// `NoNewPrivileges=` as systemd has it.
    pub no_new_privileges: bool,
}

/// A socket unit of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SocketUnit {
    /// Its name.
    pub unit: String,
    /// Where it listens.
    pub listen: Vec<String>,
    /// As [`State::active`]; null where systemd could not be asked.
    pub active: Option<String>,
    /// The same in more detail, such as `listening`.
    pub sub: Option<String>,
    /// How it ended last, or `success`.
    pub result: Option<String>,
    /// Whether it is started at boot or login: systemd's word, such as
    /// `enabled`.
    pub enabled: Option<String>,
    /// Connections over TCP that nobody has accepted yet; null where nothing
    /// listens.
    pub waiting: Option<u32>,
}

/// A container of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Container {
    /// Its id.
    pub id: String,
    /// The image it was made of.
    pub image: Option<String>,
    /// The digest of that image.
    pub digest: Option<String>,
}

/// A unit of a `podseal run`, in systemd's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunUnit {
    /// Its name.
    pub unit: String,
    /// `active`, `inactive`, `failed`, `activating` or `deactivating`.
    pub active_state: String,
    /// The state of its kind, such as `running` or `listening`.
    pub sub_state: String,
    /// How it ended last, or what has gone wrong so far.
    pub result: String,
    /// What is to become of it: `start`, `stop` or `restart`.
    pub job: Option<String>,
    /// A service's main process.
    pub main_pid: Option<i32>,
    /// Whether a service's processes are sealed; null for a socket unit.
    pub sealed: Option<bool>,
    /// A socket unit's addresses, while it is open.
    pub listen: Vec<String>,
    /// A service's processes, as they are now.
    pub processes: Vec<Process>,
    /// What of a sealed service's processes is less than that.
    pub shortfalls: Vec<String>,
}

/// One `podseal run`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Run {
    /// Its name.
    pub name: String,
    /// Its units, by name.
    pub units: Vec<RunUnit>,
}

/// All that was asked for.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Document {
    /// Of this form. Rises with an incompatible change.
    pub version: u32,
    /// What systemd runs, by name.
    pub services: Vec<Report>,
    /// What `podseal run` runs, by name.
    pub runs: Vec<Run>,
}
