//! Looking up a key of a section: last value, all values, words.

use std::collections::BTreeMap;

use super::Generator;
use super::command::hexadecimal;
use super::groups::{Groups, Line};
use crate::unit::effective::Origin;
use crate::unit::words::{Flags, WordError, Words};

/// A value, unquoted or split off, and the place of its setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// The values of one section, as one version of the generator reads them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section<'a> {
    pub(super) groups: &'a Groups,
    pub(super) name: &'a str,
    pub(super) generator: Generator,
}

const ARGUMENTS: &[Flags] = &[Flags::RELAX, Flags::UNQUOTE, Flags::CUNESCAPE];
const STRINGS: &[Flags] = &[Flags::UNQUOTE, Flags::RETAIN_ESCAPE];

impl Section<'_> {
    /// The last value, without quotes around it.
    pub(super) fn last(&self, key: &str) -> Option<Value> {
        let line = self.groups.last(self.name, key)?;
        Some(Value {
            text: unquoted(line.value.trim_end(), self.generator).to_owned(),
            origin: line.origin.clone(),
        })
    }

    /// The last value, if there is anything in it.
    pub(super) fn text(&self, key: &str) -> Option<Value> {
        self.last(key).filter(|value| !value.text.is_empty())
    }

    /// Whether the last value is one of the words for yes; every other is no.
    pub(super) fn boolean(&self, key: &str) -> Option<(bool, Origin)> {
        let value = self.last(key)?;
        let yes = ["1", "yes", "true", "on"];
        let on = yes
            .iter()
            .any(|word| word.eq_ignore_ascii_case(&value.text));
        Some((on, value.origin))
    }

    pub(super) fn is_on(&self, key: &str, default: bool) -> bool {
        self.boolean(key).map_or(default, |(on, _)| on)
    }

    /// The settings after the last empty one, as they are written.
    fn lines(&self, key: &str) -> Vec<&Line> {
        let mut lines: Vec<&Line> = self
            .groups
            .all(self.name, key)
            .rev()
            .take_while(|line| !line.value.is_empty())
            .collect();
        lines.reverse();
        lines
    }

    /// Every value as it is written.
    pub(super) fn all(&self, key: &str) -> Vec<Value> {
        let lines = self.lines(key).into_iter();
        lines
            .map(|line| Value {
                text: line.value.clone(),
                origin: line.origin.clone(),
            })
            .collect()
    }

    /// Every word; escapes stay as they are.
    pub(super) fn strings(&self, key: &str) -> Vec<Value> {
        self.words(key, STRINGS)
    }

    /// Every word, escapes decoded. A setting with an escape that does not
    /// exist has none.
    pub(super) fn arguments(&self, key: &str) -> Vec<Value> {
        self.words(key, ARGUMENTS)
    }

    fn words(&self, key: &str, flags: &[Flags]) -> Vec<Value> {
        let lines = self.lines(key).into_iter();
        lines.flat_map(|line| words(line, flags)).collect()
    }

    /// The words of the last value, escapes decoded.
    pub(super) fn last_arguments(&self, key: &str) -> Vec<Value> {
        let line = self.groups.last(self.name, key);
        line.into_iter()
            .flat_map(|line| words(line, ARGUMENTS))
            .collect()
    }

    /// Words `NAME=VALUE` by name, the last of each name. A word without `=`
    /// has no value.
    pub(super) fn pairs(&self, key: &str) -> BTreeMap<String, (Option<String>, Origin)> {
        let mut pairs = BTreeMap::new();
        for Value { text, origin } in self.arguments(key) {
            match text.split_once('=') {
                Some((name, value)) => {
                    pairs.insert(name.to_owned(), (Some(value.to_owned()), origin));
                }
                // The older generator passes over such a word.
                None if self.generator > Generator::V5_4 => {
                    pairs.insert(text, (None, origin));
                }
                None => {}
            }
        }
        pairs
    }

    /// The last value as a number, in C's notation.
    pub(super) fn number(&self, key: &str) -> Option<u32> {
        let value = self.last(key)?.text;
        let digits = value.strip_prefix('+').unwrap_or(&value);
        let hex = digits.strip_prefix("0x").or(digits.strip_prefix("0X"));
        match hex {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None if digits.starts_with('0') => u32::from_str_radix(digits, 8).ok(),
            None => digits.parse().ok(),
        }
    }
}

fn unquoted(value: &str, generator: Generator) -> &str {
    if generator > Generator::V5_4 {
        let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
        inner.unwrap_or(value)
    } else {
        value.trim_matches('"')
    }
}

/// The words of a setting; none where it has an escape that does not exist.
fn words(line: &Line, flags: &[Flags]) -> Vec<Value> {
    let words = split(&line.value, flags).unwrap_or_default();
    let origin = &line.origin;
    let value = |text| Value {
        text,
        origin: origin.clone(),
    };
    words.into_iter().map(value).collect()
}

/// Splits at blanks. An empty word, which only quotes can make, ends it.
fn split(value: &str, flags: &[Flags]) -> Result<Vec<String>, WordError> {
    let flags = flags.iter().fold(Flags::NONE, |all, flag| all | *flag);
    let value = with_characters(value);
    let mut words = Words::new(&value);
    let mut found = Vec::new();
    while let Some(word) = words.next_word(flags)?.filter(|word| !word.is_empty()) {
        found.push(word);
    }
    Ok(found)
}

/// Rewrites `\\xE4` and `\\344` as `\\u00e4`: the generator takes such an escape
/// for a character, where systemd takes it for a byte.
fn with_characters(value: &str) -> String {
    let mut rewritten = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('\\') {
        rewritten.push_str(before);
        let number = |from: usize, to: usize, radix: u32| {
            let digits = after.get(from..to)?;
            let is_number = digits.chars().all(|c| c.is_digit(radix));
            let number = u8::from_str_radix(digits, radix).ok()?;
            (is_number && !number.is_ascii()).then_some((number, to))
        };
        let hex = after.starts_with('x').then(|| number(1, 3, 16)).flatten();
        if let Some((number, used)) = hex.or_else(|| number(0, 3, 8)) {
            // Two digits of the four.
            rewritten.push_str("\\u00");
            rewritten.extend(hexadecimal(char::from(number)));
            rest = &after[used..];
        } else {
            let used = after.chars().next().map_or(0, char::len_utf8);
            rewritten.push('\\');
            rewritten.push_str(&after[..used]);
            rest = &after[used..];
        }
    }
    rewritten.push_str(rest);
    rewritten
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let cases: &[(&str, Option<&[&str]>)] = &[
            ("a  'b c' \"d\"", Some(&["a", "b c", "d"])),
            // Everything after an empty word is lost.
            ("a \"\" b", Some(&["a"])),
            (
                "\\xe4 \\344 \\x41 \\\\xe4",
                Some(&["\u{e4}", "\u{e4}", "A", "\\xe4"]),
            ),
            ("a \"b", Some(&["a", "b"])),
            ("a \\q", None),
        ];
        for (value, expected) in cases {
            let found = split(value, ARGUMENTS).ok();
            let found: Option<Vec<&str>> = found
                .as_ref()
                .map(|words| words.iter().map(String::as_str).collect());
            assert_eq!(found.as_deref(), *expected, "{value}");
        }
    }
}
