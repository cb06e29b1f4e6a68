//! The JSON form of views.

use serde::Serialize;

use super::VERSION;
use super::view::View;
use crate::unit::name::UnitName;

/// What `podseal show` prints.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Document {
    /// Raised by incompatible changes.
    version: u32,
    /// In the order of the arguments.
    pub units: Vec<Shown>,
}

/// One unit of a [`Document`].
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Shown {
    /// As on the command line.
    pub argument: String,
    /// The unit's other names.
    pub aliases: Vec<UnitName>,
    /// Whether it is masked.
    masked: bool,
    /// What its files add up to.
    #[serde(flatten)]
    pub view: View,
}

impl Document {
    /// A document of these units.
    #[must_use]
    pub fn new(units: Vec<Shown>) -> Self {
        Self {
            version: VERSION,
            units,
        }
    }
}

impl Shown {
    /// A unit that was asked for by `argument`.
    #[must_use]
    pub fn new(argument: &str, aliases: Vec<UnitName>, view: View) -> Self {
        Self {
            argument: argument.to_owned(),
            aliases,
            masked: matches!(view, View::Masked(_)),
            view,
        }
    }
}
