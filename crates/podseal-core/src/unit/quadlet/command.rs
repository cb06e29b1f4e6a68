//! A Podman command as the generator puts it together.

use serde::Serialize;

use super::Generator;
use crate::unit::effective::Origin;

/// An option or another part of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Argument {
    /// Its words, specifiers as written.
    pub words: Vec<String>,
    /// The setting it is made of; `None` where the generator adds it.
    pub origin: Option<Origin>,
}

/// A Podman command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct PodmanCommand {
    /// Its parts in their order.
    pub arguments: Vec<Argument>,
}

impl PodmanCommand {
    /// A command of these words, whose places are not known.
    #[must_use]
    pub fn of_words(argv: Vec<String>) -> Self {
        let arguments = argv.into_iter().map(|word| Argument {
            words: vec![word],
            origin: None,
        });
        Self {
            arguments: arguments.collect(),
        }
    }

    /// The words of the command.
    pub fn argv(&self) -> impl Iterator<Item = &str> {
        self.arguments
            .iter()
            .flat_map(|argument| argument.words.iter().map(String::as_str))
    }

    pub(super) fn add<const N: usize>(&mut self, words: [&str; N], origin: Option<&Origin>) {
        self.arguments.push(Argument {
            words: words.map(str::to_owned).to_vec(),
            origin: origin.cloned(),
        });
    }

    /// A switch, or its opposite.
    pub(super) fn add_switch(&mut self, option: &str, on: bool, origin: &Origin) {
        if on {
            self.add([option], Some(origin));
        } else {
            self.add([&format!("{option}=false")], Some(origin));
        }
    }

    /// Whether these are the words of this command, with options in any order:
    /// the generator has none for some of them. Options of one name keep theirs.
    #[must_use]
    pub fn has_words(&self, argv: &[String]) -> bool {
        let mut left: Vec<&Argument> = self.arguments.iter().collect();
        let mut rest = argv;
        while !rest.is_empty() {
            let next = left
                .iter()
                .position(|argument| rest.starts_with(&argument.words));
            let Some(next) = next else {
                return false;
            };
            rest = &rest[left.remove(next).words.len()..];
        }
        left.is_empty()
    }

    /// The value of an `Exec…=` setting with this command.
    #[must_use]
    pub fn to_value(&self, generator: Generator) -> String {
        let words: Vec<String> = self.argv().map(|word| quoted(word, generator)).collect();
        words.join(" ")
    }
}

/// A word as the generator writes it.
fn quoted(word: &str, generator: Generator) -> String {
    let is_special =
        |c: char| c.is_ascii_whitespace() || c.is_ascii_control() || "\"'\\".contains(c);
    if !word.contains(is_special) {
        return word.to_owned();
    }
    let mut quoted = String::from('"');
    for c in word.chars() {
        match c {
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            ' ' if generator > Generator::V5_4 => quoted.push_str("\\x20"),
            c if c.is_ascii_control() => {
                quoted.push_str("\\x");
                quoted.extend(hexadecimal(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// The two digits of a character of one byte.
pub(super) fn hexadecimal(c: char) -> impl Iterator<Item = char> {
    let number = u32::from(c);
    [number >> 4, number & 15]
        .into_iter()
        .filter_map(|digit| char::from_digit(digit, 16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let cases = [
            ("a=b", "a=b", "a=b"),
            ("a b", "\"a b\"", "\"a\\x20b\""),
            ("it's", "\"it's\"", "\"it's\""),
            (
                "a\"\\\n\u{1}",
                "\"a\\\"\\\\\\n\\x01\"",
                "\"a\\\"\\\\\\n\\x01\"",
            ),
            ("$x;%n", "$x;%n", "$x;%n"),
        ];
        for (word, older, newer) in cases {
            assert_eq!(quoted(word, Generator::V5_4), older, "{word}");
            assert_eq!(quoted(word, Generator::V5_8), newer, "{word}");
        }
    }

    #[test]
    fn options_in_any_order() {
        let mut command = PodmanCommand::default();
        command.add(["podman"], None);
        command.add(["-v", "a"], None);
        command.add(["--rm"], None);
        command.add(["-v", "b"], None);
        command.add(["image"], None);
        let is = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            command.has_words(&words)
        };
        assert!(is("podman -v a --rm -v b image"));
        assert!(is("podman --rm -v a -v b image"));
        assert!(!is("podman --rm -v a -v b"));
        assert!(!is("podman --rm -v a -v b image x"));
        assert!(!is("podman --rm -v a -v a image"));
    }
}
