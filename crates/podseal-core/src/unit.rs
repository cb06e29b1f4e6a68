//! Unit files as systemd reads them: `.service`, `.socket`, Quadlet's
//! `.container`, and their drop-ins.
//!
//! The modules follow systemd's own division of labour, so that behaviour can
//! be compared with it function by function.

pub mod boolean;
pub mod effective;
pub mod environment;
pub mod exec;
pub mod families;
pub mod file;
pub mod name;
mod path;
pub mod quadlet;
pub mod quote;
pub mod specifier;
pub mod syscalls;
pub mod time_span;
pub mod words;

use serde::Serialize;

/// What systemd does with a setting it does not like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// The value is used, in spite of a warning.
    Used,
    /// The value or a part of it is passed over.
    Ignored,
    /// The unit is not loaded (`LoadState=bad-setting` or `error`).
    Refused,
}

/// Something about a setting that its author should know: data, not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What becomes of the value.
    pub effect: Effect,
    /// A lowercase fragment that says what is wrong, on what.
    pub message: String,
}

impl Problem {
    fn used(message: String) -> Self {
        Self {
            effect: Effect::Used,
            message,
        }
    }

    fn ignored(message: String) -> Self {
        Self {
            effect: Effect::Ignored,
            message,
        }
    }

    fn refused(message: String) -> Self {
        Self {
            effect: Effect::Refused,
            message,
        }
    }
}

/// The characters systemd calls `WHITESPACE`: what it strips and splits at.
const WHITESPACE: &[char] = &[' ', '\t', '\n', '\r'];
