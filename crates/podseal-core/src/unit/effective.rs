//! The effective view of a unit: what its file and drop-ins add up to.
//!
//! Everything here works on values that the caller gathered:
//!
//! 1. [`search::Listing::locate`] decides from directory listings which files make up a
//!    unit, and in which order;
//! 2. [`merge::Merged`] puts the settings of those files into one sequence;
//! 3. where the unit is Quadlet's, [`quadlet`] does both with the file that the
//!    service is generated from;
//! 4. [`service::Service`] and [`socket::Socket`] give them types, defaults and
//!    systemd's own checks; [`view::View`] is whichever of them the unit is.
//!
//! A view serializes as versioned JSON. Values stand where their names say;
//! `origins` tells the file and line of each.

pub mod dependencies;
pub mod document;
pub(crate) mod keys;
pub mod merge;
pub mod quadlet;
pub mod search;
pub mod service;
pub mod socket;
pub mod view;

mod reader;
mod values;

use std::sync::Arc;

use serde::Serialize;

use super::{Effect, Problem};

pub use reader::Origins;
pub use values::Signal;

/// The version of the JSON form of the views, raised by incompatible changes.
pub const VERSION: u32 = 1;

/// Which manager reads a unit; some defaults depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// `systemd --user`.
    User,
    /// The system manager.
    System,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Origin {
    /// The path as the caller named it.
    pub file: Arc<str>,
    /// Counted from 1.
    pub line: usize,
}

/// A value and the place it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Located<T> {
    /// The value.
    #[serde(flatten)]
    pub value: T,
    /// Where it stands.
    pub origin: Origin,
}

/// Something that systemd would ignore or refuse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Diagnostic {
    /// Where; `None` where it is about the unit as a whole.
    pub origin: Option<Origin>,
    /// What systemd does.
    pub effect: Effect,
    /// A lowercase fragment.
    pub message: String,
}

impl Diagnostic {
    fn at(origin: &Origin, problem: Problem) -> Self {
        Self {
            origin: Some(origin.clone()),
            effect: problem.effect,
            message: problem.message,
        }
    }

    fn of_unit(message: impl Into<String>) -> Self {
        Self {
            origin: None,
            effect: Effect::Refused,
            message: message.into(),
        }
    }
}

/// Whether nothing keeps systemd from loading the unit.
fn loads(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().all(|d| d.effect != Effect::Refused)
}
