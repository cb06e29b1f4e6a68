//! From a file and line to the characters that a finding is about.

use std::ops::Range;

use serde::Serialize;

use crate::unit::effective::Origin;
use crate::unit::file::UnitFile;

/// A setting, or a part of its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line on which the setting begins.
    pub origin: Origin,
    /// Texts to look for from there on, best first. Where none is found, as
    /// after an escape was resolved, it is the whole value.
    pub words: Vec<String>,
}

impl Place {
    /// A setting's whole value.
    #[must_use]
    pub fn whole(origin: &Origin) -> Self {
        Self {
            origin: origin.clone(),
            words: Vec::new(),
        }
    }

    /// A word of a setting's value.
    #[must_use]
    pub fn word(origin: &Origin, word: &str) -> Self {
        Self {
            origin: origin.clone(),
            words: vec![word.to_owned()],
        }
    }
}

/// Characters of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Span {
    /// The file and the line that has them.
    #[serde(flatten)]
    pub origin: Origin,
    /// The first of them, counted from 1.
    pub column: usize,
    /// The one behind the last.
    pub end_column: usize,
    /// The whole line; what is not UTF-8 is replaced.
    #[serde(skip)]
    pub text: String,
}

/// Where the lines of a file are.
pub(super) struct LineIndex<'a> {
    file: &'a UnitFile,
    lines: Vec<Range<usize>>,
}

impl<'a> LineIndex<'a> {
    pub(super) fn new(file: &'a UnitFile) -> Self {
        Self {
            file,
            lines: file.physical_lines().collect(),
        }
    }

    fn text(&self, line: usize) -> Option<String> {
        let range = self.lines.get(line.checked_sub(1)?)?;
        let bytes = self.file.as_bytes().get(range.clone())?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    }

    pub(super) fn span(&self, place: &Place) -> Span {
        let first = place.origin.line;
        let span = |line: usize, text: String, bytes: Range<usize>| Span {
            origin: Origin {
                file: place.origin.file.clone(),
                line,
            },
            column: text[..bytes.start].chars().count() + 1,
            end_column: text[..bytes.end].chars().count() + 1,
            text,
        };
        for word in &place.words {
            let mut line = first;
            while let Some(text) = self.text(line) {
                let after = if line == first { value_start(&text) } else { 0 };
                if let Some(at) = find_word(&text, after, word) {
                    return span(line, text, at..at + word.len());
                }
                let goes_on = text.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1;
                let is_comment = line > first && text.trim_start().starts_with(['#', ';']);
                if !goes_on && !is_comment {
                    break;
                }
                line += 1;
            }
        }
        let text = self.text(first).unwrap_or_default();
        let end = text.trim_end().len();
        let start = value_start(&text).min(end);
        // An empty value: the setting itself.
        let start = if start == end {
            indent(&text).min(end)
        } else {
            start
        };
        span(first, text, start..end)
    }
}

fn indent(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

/// Where the value of a setting begins; the text itself where it is none.
fn value_start(text: &str) -> usize {
    match text.find('=') {
        Some(at) if !text.trim_start().starts_with(['[', '#', ';']) => {
            at + 1 + indent(&text[at + 1..])
        }
        _ => indent(text),
    }
}

/// The first occurrence that is no part of a longer word, else the first.
fn find_word(text: &str, from: usize, word: &str) -> Option<usize> {
    if word.is_empty() {
        return None;
    }
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut found = text[from..].match_indices(word).map(|(at, _)| from + at);
    let first = found.next()?;
    std::iter::once(first)
        .chain(found)
        .find(|at| {
            let before = text[..*at].chars().next_back();
            let after = text[at + word.len()..].chars().next();
            !is_part(before) && !is_part(after)
        })
        .or(Some(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        let text = "[Service]\n\
             RestrictAddressFamilies=AF_INET6 AF_INET\n\
             \u{20} ExecStart = /usr/bin/podman run \\\n\
             # a comment, --pull=always\n\
             \u{20}  --pull=always img\n\
             NoNewPrivileges=\n\
             #podseal: ignore\n";
        let file = UnitFile::parse(text);
        let index = LineIndex::new(&file);
        let cases: [(usize, &[&str], [usize; 3]); 10] = [
            (2, &["AF_INET"], [2, 34, 41]),
            (2, &["AF_X25", "AF_INET6"], [2, 25, 33]),
            (2, &[], [2, 25, 41]),
            (3, &["podman"], [3, 24, 30]),
            (3, &["img"], [5, 18, 21]),
            (3, &["nowhere"], [3, 15, 36]),
            (6, &[], [6, 1, 17]),
            (1, &[], [1, 1, 10]),
            (7, &[], [7, 1, 17]),
            (99, &["x"], [99, 1, 1]),
        ];
        for (line, words, expected) in cases {
            let place = Place {
                origin: Origin {
                    file: "f".into(),
                    line,
                },
                words: words.iter().map(|w| (*w).to_owned()).collect(),
            };
            let span = index.span(&place);
            let found = [span.origin.line, span.column, span.end_column];
            assert_eq!(found, expected, "{line} {words:?}");
        }
    }

    #[test]
    fn columns_are_characters() {
        let file = UnitFile::parse("[A]\nDescription=\u{e4}\u{e4} b\n");
        let place = Place::word(
            &Origin {
                file: "f".into(),
                line: 2,
            },
            "b",
        );
        assert_eq!(LineIndex::new(&file).span(&place).column, 16);
    }
}
