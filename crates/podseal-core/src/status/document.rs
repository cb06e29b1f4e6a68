//! The JSON form of `podseal status` and `podseal list`.

use serde::Serialize;

use super::facts::Socket;
use super::{Live, Report};
use crate::explain::short::Short;
use crate::unit::effective::Scope;

/// Raised by incompatible changes.
const VERSION: u32 = 2;

/// What `podseal status` and `podseal list` print.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Document {
    version: u32,
    /// The runs of `podseal run`, by name.
    pub runs: Vec<Run>,
    /// The managers that were asked.
    pub systemd: Vec<Manager>,
}

/// A `podseal run`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Run {
    /// Its name.
    pub name: String,
    /// By name.
    pub units: Vec<Unit>,
}

/// A manager of systemd's.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Manager {
    /// Whose it is.
    pub scope: Scope,
    /// By name.
    pub units: Vec<Unit>,
}

/// A unit of either kind.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Unit {
    /// A service.
    Service(Box<Report>),
    /// A socket unit.
    Socket(Box<SocketUnit>),
}

/// A socket unit that was asked for itself.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SocketUnit {
    /// How it is.
    #[serde(flatten)]
    pub socket: Socket,
    /// The service that it starts.
    pub service: Option<String>,
    /// Why it or that failed, as for a service.
    pub why: Option<Short>,
}

impl Document {
    /// A document of these.
    #[must_use]
    pub fn new(runs: Vec<Run>, systemd: Vec<Manager>) -> Self {
        Self {
            version: VERSION,
            runs,
            systemd,
        }
    }
}

impl Unit {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Service(report) => &report.state.unit,
            Self::Socket(unit) => &unit.socket.state.unit,
        }
    }

    /// Whether it runs or listens.
    #[must_use]
    pub fn is_up(&self) -> bool {
        match self {
            Self::Service(report) => report.is_up(),
            Self::Socket(unit) => unit.socket.state.is_up(),
        }
    }

    /// Whether less is enforced than its files say, or that cannot be told.
    #[must_use]
    pub fn is_less(&self) -> bool {
        match self {
            Self::Service(report) => report.sealed.is_none() || report.live == Live::Less,
            Self::Socket(_) => false,
        }
    }
}
