//! What users give as a value of a unit file.

use crate::unit::quote::{quote, without_specifiers, without_variables};

/// A value that a unit file cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{option} {text:?} cannot be written in a unit file")]
pub struct Unwritable {
    /// The option that it was given with.
    pub option: &'static str,
    /// The value.
    pub text: String,
}

impl Unwritable {
    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        "do without quotes, backslashes, control characters, blanks at either end, and empty words"
    }
}

/// A value that takes a whole line, in which nothing is a specifier.
pub(super) fn line(option: &'static str, text: &str) -> Result<String, Unwritable> {
    let is_special = |c: char| c.is_control() || matches!(c, '"' | '\'' | '\\');
    if text.is_empty() || text.trim() != text || text.contains(is_special) {
        return Err(Unwritable {
            option,
            text: text.to_owned(),
        });
    }
    Ok(without_specifiers(text))
}

/// The same, for what becomes part of a command.
pub(super) fn command_line(option: &'static str, text: &str) -> Result<String, Unwritable> {
    line(option, text).map(|text| without_variables(&text))
}

/// One word of a command, in which nothing is a specifier or a variable.
pub(super) fn word(text: &str) -> String {
    quote(&without_variables(&without_specifiers(text)))
}

/// A word that Quadlet writes into a command: it quotes some of what needs it.
pub(super) fn quadlet_word(option: &'static str, text: &str) -> Result<String, Unwritable> {
    // It would write them as nothing, and as the end of the command.
    if matches!(text, "" | ";") {
        return Err(Unwritable {
            option,
            text: text.to_owned(),
        });
    }
    Ok(word(text))
}
