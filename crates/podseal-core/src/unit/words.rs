//! Splitting a value into words: separators, quotes and C escapes.
//!
//! Follows systemd's `extract_first_word()` and `cunescape_one()`, see
//! "Quoting" in `systemd.syntax(7)`.

use std::ops::BitOr;

use thiserror::Error;

use super::{Problem, WHITESPACE};

/// How to split and unescape: a set of the constants, joined with `|`.
///
/// With none of `CUNESCAPE`, `UNESCAPE_RELAX`, `UNESCAPE_SEPARATORS` and
/// `RETAIN_ESCAPE`, a backslash is dropped and the next character kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u16);

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// Allow an unbalanced quote, drop a trailing backslash.
    pub const RELAX: Self = Self(1);
    /// Decode C escapes; an unknown one is an error.
    pub const CUNESCAPE: Self = Self(1 << 1);
    /// Keep unknown escapes and a trailing backslash as they are.
    pub const UNESCAPE_RELAX: Self = Self(1 << 2);
    /// Decode escaped separators and backslashes.
    pub const UNESCAPE_SEPARATORS: Self = Self(1 << 3);
    /// Quotes protect separators and stay in the word.
    pub const KEEP_QUOTE: Self = Self(1 << 4);
    /// Quotes protect separators and are removed.
    pub const UNQUOTE: Self = Self(1 << 5);
    /// Two separators have an empty word between them.
    pub const DONT_COALESCE_SEPARATORS: Self = Self(1 << 6);
    /// A backslash is a character like any other.
    pub const RETAIN_ESCAPE: Self = Self(1 << 7);
    /// Leave the separator after the word in the rest.
    pub const RETAIN_SEPARATORS: Self = Self(1 << 8);

    /// Whether one of `others` is set.
    const fn any(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Why a value cannot be split further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WordError {
    /// A quote without its other half, or a backslash at the end.
    #[error("unbalanced quoting")]
    Unbalanced,
    /// A backslash followed by what is no escape.
    #[error("unknown escape sequence")]
    UnknownEscape,
    /// `\xFF` and the like that add up to no UTF-8 text. systemd passes such
    /// bytes on; podseal refuses them.
    #[error("escape sequences that are not UTF-8")]
    NotUtf8,
}

/// Goes through the words of a line that systemd reads until it cannot be split
/// further; what `word` says against one is noted, and the next one read.
pub(super) fn each_word(
    value: &str,
    text: &str,
    flags: Flags,
    mut word: impl FnMut(&str) -> Result<(), String>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut words = Words::new(text);
    loop {
        match words.next_word(flags) {
            Ok(Some(next)) => problems.extend(word(&next).err().map(Problem::ignored)),
            Ok(None) => return problems,
            Err(error) => {
                problems.push(Problem::ignored(format!(
                    "{error} in {value:?}, the rest of the line is ignored"
                )));
                return problems;
            }
        }
    }
}

/// A value that is taken apart from its start.
#[derive(Clone, Debug)]
pub struct Words<'a> {
    /// `None` once the value is used up.
    rest: Option<&'a str>,
}

impl<'a> Words<'a> {
    /// Starts at the beginning of `value`.
    #[must_use]
    pub fn new(value: &'a str) -> Self {
        Self { rest: Some(value) }
    }

    /// What has not been taken yet, separators before the next word included
    /// only with [`Flags::RETAIN_SEPARATORS`] or before the first word.
    #[must_use]
    pub fn rest(&self) -> &'a str {
        self.rest.unwrap_or_default()
    }

    /// Takes the next word, separated by blanks. `None` at the end.
    ///
    /// # Errors
    /// Where quotes or escapes are wrong; the next call then goes on at the
    /// character that was.
    pub fn next_word(&mut self, flags: Flags) -> Result<Option<String>, WordError> {
        self.next_separated(WHITESPACE, flags)
    }

    /// Takes the next word, separated by one of `separators`, which are ASCII.
    /// `None` at the end.
    ///
    /// # Errors
    /// As [`Words::next_word`].
    pub fn next_separated(
        &mut self,
        separators: &[char],
        flags: Flags,
    ) -> Result<Option<String>, WordError> {
        let Some(text) = self.rest else {
            return Ok(None);
        };
        let mut scan = Scan {
            text,
            at: 0,
            word: Vec::new(),
            separators,
            flags,
        };
        let outcome = scan.run();
        self.rest = match outcome {
            Ok(Outcome::End | Outcome::LastWord) => None,
            Ok(Outcome::Word) | Err(_) => Some(&text[scan.at..]),
        };
        match outcome? {
            Outcome::End => Ok(None),
            Outcome::Word | Outcome::LastWord => String::from_utf8(scan.word)
                .map(Some)
                .map_err(|_| WordError::NotUtf8),
        }
    }

    /// Takes the next word as unit file settings do: an unknown escape is kept
    /// as it is and noted in `problems` (`extract_first_word_and_warn()`).
    ///
    /// # Errors
    /// Where quotes are unbalanced.
    pub fn next_noting(
        &mut self,
        flags: Flags,
        problems: &mut Vec<Problem>,
    ) -> Result<Option<String>, WordError> {
        let saved = self.clone();
        match self.next_word(flags) {
            Err(WordError::Unbalanced | WordError::UnknownEscape) => {
                *self = saved;
                let word = self.next_word(flags | Flags::UNESCAPE_RELAX)?;
                problems.push(Problem::used(format!(
                    "unknown escape sequences kept as they are in {:?}",
                    word.as_deref().unwrap_or_default()
                )));
                Ok(word)
            }
            other => other,
        }
    }
}

/// How a scan ended.
enum Outcome {
    /// Nothing but separators.
    End,
    /// A word with more text after it.
    Word,
    /// A word, and the text is used up.
    LastWord,
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    word: Vec<u8>,
    separators: &'a [char],
    flags: Flags,
}

impl Scan<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    /// Keeps the next character `c` and what follows before one that is special.
    /// All that are special are ASCII.
    fn keep_run(&mut self, c: char, is_special: impl Fn(char) -> bool) {
        let rest = &self.text.as_bytes()[self.at..];
        let after = &rest[c.len_utf8()..];
        let end = after
            .iter()
            .position(|byte| byte.is_ascii() && is_special(char::from(*byte)));
        let length = c.len_utf8() + end.unwrap_or(after.len());
        self.word.extend_from_slice(&rest[..length]);
        self.at += length;
    }

    fn keep(&mut self, c: char) {
        self.word
            .extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        self.at += c.len_utf8();
    }

    fn is_separator(&self, c: char) -> bool {
        self.separators.contains(&c)
    }

    /// At a separator that ends a word.
    fn end_word(&mut self) -> Outcome {
        let coalesce = !self.flags.any(Flags::DONT_COALESCE_SEPARATORS);
        if self.flags.any(Flags::RETAIN_SEPARATORS) {
            return Outcome::Word;
        }
        while let Some(c) = self.peek().filter(|c| self.is_separator(*c)) {
            self.at += c.len_utf8();
            if !coalesce {
                return Outcome::Word;
            }
        }
        if self.peek().is_some() {
            Outcome::Word
        } else {
            Outcome::LastWord
        }
    }

    fn run(&mut self) -> Result<Outcome, WordError> {
        let coalesce = !self.flags.any(Flags::DONT_COALESCE_SEPARATORS);
        loop {
            match self.peek() {
                None if coalesce => return Ok(Outcome::End),
                None => return Ok(Outcome::LastWord),
                Some(c) if !self.is_separator(c) => break,
                Some(_) if !coalesce => return Ok(self.end_word()),
                Some(c) => self.at += c.len_utf8(),
            }
        }
        let mut quote = None;
        loop {
            let Some(c) = self.peek() else {
                return if quote.is_none() || self.flags.any(Flags::RELAX) {
                    Ok(Outcome::LastWord)
                } else {
                    Err(WordError::Unbalanced)
                };
            };
            if c == '\\' && !self.flags.any(Flags::RETAIN_ESCAPE) {
                self.at += 1;
                if !self.escape(quote.is_some())? {
                    return Ok(Outcome::LastWord);
                }
            } else if quote == Some(c) {
                quote = None;
                self.quote_mark(c);
            } else if let Some(quote) = quote {
                self.keep_run(c, |c| c == '\\' || c == quote);
            } else if matches!(c, '\'' | '"') && self.flags.any(Flags::KEEP_QUOTE | Flags::UNQUOTE)
            {
                quote = Some(c);
                self.quote_mark(c);
            } else if self.is_separator(c) {
                return Ok(self.end_word());
            } else {
                let separators = self.separators;
                self.keep_run(c, |c| {
                    matches!(c, '\\' | '\'' | '"') || separators.contains(&c)
                });
            }
        }
    }

    fn quote_mark(&mut self, c: char) {
        if self.flags.any(Flags::UNQUOTE) {
            self.at += 1;
        } else {
            self.keep(c);
        }
    }

    /// After a backslash. `false` where it was the last character.
    fn escape(&mut self, quoted: bool) -> Result<bool, WordError> {
        let flags = self.flags;
        let Some(c) = self.peek() else {
            if flags.any(Flags::UNESCAPE_RELAX) && (!quoted || flags.any(Flags::RELAX)) {
                self.word.push(b'\\');
                return Ok(false);
            }
            return if flags.any(Flags::RELAX) {
                Ok(false)
            } else {
                Err(WordError::Unbalanced)
            };
        };
        if flags.any(Flags::CUNESCAPE)
            && let Some((decoded, used)) = decode(&self.text.as_bytes()[self.at..])
        {
            self.at += used;
            match decoded {
                Decoded::Byte(byte) => self.word.push(byte),
                Decoded::Char(c) => self
                    .word
                    .extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        } else if flags.any(Flags::UNESCAPE_SEPARATORS) && (self.is_separator(c) || c == '\\') {
            self.keep(c);
        } else if flags.any(Flags::UNESCAPE_RELAX) {
            self.word.push(b'\\');
            self.keep(c);
        } else if flags.any(Flags::CUNESCAPE | Flags::UNESCAPE_SEPARATORS) {
            return Err(WordError::UnknownEscape);
        } else {
            self.keep(c);
        }
        Ok(true)
    }
}

enum Decoded {
    Byte(u8),
    Char(char),
}

/// Decodes the escape after a backslash: what it means and its length.
/// No escape means a zero byte.
fn decode(text: &[u8]) -> Option<(Decoded, usize)> {
    let digits = |from: usize, count: usize, radix: u32| {
        let digits = text.get(from..from + count)?;
        digits.iter().try_fold(0, |value: u32, digit| {
            Some(value * radix + char::from(*digit).to_digit(radix)?)
        })
    };
    let simple = |byte| Some((Decoded::Byte(byte), 1));
    match *text.first()? {
        b'a' => simple(7),
        b'b' => simple(8),
        b'f' => simple(12),
        b'n' => simple(b'\n'),
        b'r' => simple(b'\r'),
        b't' => simple(b'\t'),
        b'v' => simple(11),
        // systemd's own: a space that does not separate.
        b's' => simple(b' '),
        c @ (b'\\' | b'"' | b'\'') => simple(c),
        b'x' => {
            let byte = u8::try_from(digits(1, 2, 16)?).ok()?;
            (byte != 0).then_some((Decoded::Byte(byte), 3))
        }
        b'0'..=b'7' => {
            let byte = u8::try_from(digits(0, 3, 8)?).ok()?;
            (byte != 0).then_some((Decoded::Byte(byte), 3))
        }
        b'u' => unicode(digits(1, 4, 16)?, 5),
        b'U' => unicode(digits(1, 8, 16)?, 9),
        _ => None,
    }
}

fn unicode(number: u32, used: usize) -> Option<(Decoded, usize)> {
    let c = char::from_u32(number).filter(|c| *c != '\0')?;
    Some((Decoded::Char(c), used))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_on_after_an_error() {
        let mut words = Words::new("a\\:b");
        assert_eq!(
            words.next_separated(&[':'], Flags::CUNESCAPE),
            Err(WordError::UnknownEscape)
        );
        assert_eq!(
            words.next_separated(&[':'], Flags::CUNESCAPE),
            Ok(Some("b".to_owned()))
        );
    }

    #[test]
    fn escapes() {
        let cases = [
            ("\\a\\b\\f\\n\\r\\t\\v\\s", Ok("\x07\x08\x0c\n\r\t\x0b ")),
            ("\\\\\\\"\\'", Ok("\\\"'")),
            ("\\x41\\101\\u00e4\\U0001F4A9", Ok("AA\u{e4}\u{1f4a9}")),
            ("\\xc3\\xa4", Ok("\u{e4}")),
            ("\\xff", Err(WordError::NotUtf8)),
            ("\\x00", Err(WordError::UnknownEscape)),
            ("\\000", Err(WordError::UnknownEscape)),
            ("\\777", Err(WordError::UnknownEscape)),
            ("\\x4", Err(WordError::UnknownEscape)),
            ("\\ud800", Err(WordError::UnknownEscape)),
            ("\\U00110000", Err(WordError::UnknownEscape)),
            ("\\q", Err(WordError::UnknownEscape)),
            ("\\", Err(WordError::Unbalanced)),
        ];
        for (text, expected) in cases {
            let found = Words::new(text).next_word(Flags::CUNESCAPE);
            assert_eq!(found, expected.map(|w| Some(w.to_owned())), "{text}");
        }
    }

    #[test]
    fn unknown_escapes_are_kept_and_noted() {
        let mut problems = Vec::new();
        let mut words = Words::new("a\\qb 'c");
        let flags = Flags::UNQUOTE | Flags::CUNESCAPE;
        let word = words.next_noting(flags, &mut problems);
        assert_eq!(word, Ok(Some("a\\qb".to_owned())));
        assert_eq!(problems.len(), 1);
        let word = words.next_noting(flags, &mut problems);
        assert_eq!(word, Err(WordError::Unbalanced));
    }
}
