//! A command line with the launcher before its command.

use crate::unit::exec::RawCommand;
use crate::unit::quote::{quote, without_specifiers, without_variables};

/// Puts `launcher`, words that are meant literally, before a command. Its
/// prefixes come first; specifiers, variables and quotes of its arguments stay
/// as they are.
pub(super) fn behind(launcher: &[String], command: &RawCommand<'_>) -> String {
    let expands = !command.prefixes.contains(':');
    let literal = |text: &str| {
        if expands {
            without_variables(text)
        } else {
            text.to_owned()
        }
    };
    let mut words = Vec::new();
    for (at, word) in launcher.iter().enumerate() {
        let word = without_specifiers(word);
        // systemd looks for variables in arguments only.
        words.push(match at {
            0 => quote(&format!("{}{word}", command.prefixes)),
            _ => quote(&literal(&word)),
        });
    }
    // Now an argument: what was no variable before is to be none.
    words.push(quote(&literal(&command.program)));
    if !command.arguments.is_empty() {
        words.push(command.arguments.to_owned());
    }
    words.join(" ")
}
