//! A command line with the launcher before its command.

use crate::unit::exec::{RawCommand, divide};
use crate::unit::quote::{quote, without_specifiers, without_variables};

/// Puts `launcher`, words that are meant literally, before a command. Its
/// prefixes come first; specifiers, variables and quotes of its arguments stay
/// as they are. `options`, literal as well, come before the word of this index,
/// the program being the zeroth.
pub(super) fn behind(
    launcher: &[String],
    command: &RawCommand<'_>,
    options: Option<(usize, &[String])>,
) -> String {
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
    let (first, options, rest) = match options {
        // Where it cannot be divided, the options are missed in what it adds up to.
        Some((at, options)) => divide(command.arguments, at.saturating_sub(1))
            .map_or((command.arguments, &[][..], ""), |(first, rest)| {
                (first, options, rest)
            }),
        None => (command.arguments, &[][..], ""),
    };
    let options = options
        .iter()
        .map(|option| quote(&literal(&without_specifiers(option))));
    words.push(first.to_owned());
    words.extend(options);
    words.push(rest.to_owned());
    words.retain(|word| !word.is_empty());
    words.join(" ")
}
