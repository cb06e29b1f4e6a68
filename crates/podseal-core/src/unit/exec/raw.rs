//! Commands as they are written, for writing them again with something before
//! them.

use super::{split_prefixes, word_flags};
use crate::unit::words::{WordError, Words};

/// One command of an `Exec…=` line. Specifiers and variables are as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawCommand<'a> {
    /// The special characters before the program, such as `-` or `+`.
    pub prefixes: String,
    /// The program, without quotes and escapes.
    pub program: String,
    /// What follows it up to the end of the command, with quotes and escapes.
    pub arguments: &'a str,
}

/// Splits a line that [`super::parse_exec`] takes into its commands.
///
/// # Errors
/// For quotes without their other half. Whether a program can be one is not
/// looked at.
pub fn raw_commands(value: &str) -> Result<Vec<RawCommand<'_>>, WordError> {
    let mut commands = Vec::new();
    let mut rest = value;
    loop {
        let mut words = Words::new(rest);
        // What is odd about a word is told when the line is parsed.
        let Some(first) = words.next_noting(word_flags(), &mut Vec::new())? else {
            return Ok(commands);
        };
        if first == ";" {
            rest = words.rest();
            continue;
        }
        let (_, _, program) = split_prefixes(&first);
        let prefixes = first[..first.len() - program.len()].to_owned();
        let (arguments, after) = arguments(words.rest())?;
        commands.push(RawCommand {
            prefixes,
            program: program.to_owned(),
            arguments,
        });
        rest = after;
    }
}

/// Divides a text behind the `;` that ends a command.
fn arguments(text: &str) -> Result<(&str, &str), WordError> {
    let mut words = Words::new(text);
    loop {
        let rest = words.rest();
        if let Some(after) = super::after_token(rest, ";") {
            let end = text.len() - rest.len();
            return Ok((text[..end].trim_end(), after));
        }
        if let Some(after) = super::after_token(rest, "\\;") {
            words = Words::new(after);
        } else if words.next_noting(word_flags(), &mut Vec::new())?.is_none() {
            return Ok((text.trim_end(), ""));
        }
    }
}

/// Divides the arguments of a command behind the first `count` of them; none
/// where there are fewer.
#[must_use]
pub fn divide(arguments: &str, count: usize) -> Option<(&str, &str)> {
    let mut words = Words::new(arguments);
    for _ in 0..count {
        if let Some(after) = super::after_token(words.rest(), "\\;") {
            words = Words::new(after);
        } else {
            words.next_noting(word_flags(), &mut Vec::new()).ok()??;
        }
    }
    let rest = words.rest();
    let first = &arguments[..arguments.len() - rest.len()];
    Some((first.trim_end(), rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_divided_between_words() {
        let text = r#"'a  b' \; %t/$X  "c;""#;
        for (count, expected) in [
            (0, Some(("", text))),
            (1, Some(("'a  b'", r#"\; %t/$X  "c;""#))),
            (2, Some((r"'a  b' \;", r#"%t/$X  "c;""#))),
            (4, Some((text, ""))),
            (5, None),
        ] {
            assert_eq!(divide(text, count), expected, "{count}");
        }
    }

    #[test]
    fn commands_as_they_are_written() {
        let line = r#"-@"/opt/my podman" 'a  b' %t/$X \; "c;" ; ; :podman ;/x"#;
        let commands = raw_commands(line).expect("balanced");
        let expected = [
            ("-@", "/opt/my podman", r#"'a  b' %t/$X \; "c;""#),
            (":", "podman", ";/x"),
        ];
        let found = commands
            .iter()
            .map(|c| (c.prefixes.as_str(), c.program.as_str(), c.arguments));
        assert_eq!(found.collect::<Vec<_>>(), expected);
        assert_eq!(raw_commands(""), Ok(Vec::new()));
        assert_eq!(raw_commands("/a 'b"), Err(WordError::Unbalanced));
    }
}
