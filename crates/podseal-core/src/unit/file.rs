//! Unit files as bytes: read as systemd does, written back as they were.
//!
//! Follows `systemd.syntax(7)` and systemd's `config_parse()` and
//! `read_line_full()`, checked against `systemd-analyze verify` 252. Nothing is
//! lost: the text is kept, and what was read from it points into it.

mod edit;
mod lines;

use std::ops::Range;

use thiserror::Error;

use super::Problem;
use lines::Lines;

pub use edit::EditError;

/// The most bytes of a line: a physical line has to stay below it, the joined
/// lines of a continuation must not exceed it (systemd's `LONG_LINE_MAX`).
pub const LONG_LINE_MAX: usize = 1024 * 1024;

/// A unit file, a drop-in or a Quadlet file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitFile {
    text: Vec<u8>,
    items: Vec<Item>,
    problems: Vec<(usize, Problem)>,
    refusal: Option<Refusal>,
}

/// A setting as it stands in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting<'a> {
    /// The name between the brackets, as written: `Service` is not `service`.
    pub section: &'a str,
    /// What stands before the first `=`, without blanks around it.
    pub key: &'a str,
    /// What stands after it, lines joined and without blanks around it.
    /// Quotes, escapes and specifiers are as written.
    pub value: &'a str,
    /// The line it begins on, counted from 1.
    pub line: usize,
}

/// Where and why systemd stops reading a file. A unit with such a unit file is
/// not loaded; of such a drop-in, what stands before counts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {reason}")]
pub struct Refusal {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: RefusalReason,
}

/// What makes systemd stop reading a file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RefusalReason {
    /// A line, or lines joined by backslashes, of more than a mebibyte.
    #[error("longer than 1 MiB")]
    LineTooLong,
    /// A line that is not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// A line that starts with `[` and does not end with `]`, or has quotes,
    /// backslashes or control characters between.
    #[error("bad section header {header:?}")]
    BadSectionHeader {
        /// The line.
        header: String,
    },
}

/// A section header or a setting; all other lines lie between the spans.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    /// Its bytes, end of line included.
    span: Range<usize>,
    line: usize,
    /// Whether a backslash before the end of the file leaves it unfinished.
    open: bool,
    kind: ItemKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ItemKind {
    Section(Text),
    Setting {
        key: Text,
        value: Text,
        /// The bytes of the value where key and `=` stand on one line.
        value_span: Option<Range<usize>>,
    },
}

/// What was read of a file, always UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Text {
    /// It stands in the file at these bytes.
    At(Range<usize>),
    /// It was put together from several lines.
    Joined(String),
}

/// The blanks that systemd strips.
const BLANKS: &[u8] = b" \t\n\r";

fn trim_start(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|b| !BLANKS.contains(b));
    &bytes[start.unwrap_or(bytes.len())..]
}

fn trim_end(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|b| !BLANKS.contains(b));
    &bytes[..end.map_or(0, |last| last + 1)]
}

impl UnitFile {
    /// Reads a file of any bytes. Takes time linear in their number.
    #[must_use]
    pub fn parse(text: impl Into<Vec<u8>>) -> Self {
        let mut file = Self {
            text: text.into(),
            items: Vec::new(),
            problems: Vec::new(),
            refusal: None,
        };
        file.read();
        file
    }

    /// The file's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    /// The bytes of every physical line, comments included, without its end:
    /// line 1 first.
    pub fn physical_lines(&self) -> impl Iterator<Item = Range<usize>> {
        Lines::new(&self.text).physical_lines()
    }

    /// The settings in the order of the file, those in sections that nobody
    /// knows included, up to where systemd stops reading.
    pub fn settings(&self) -> impl Iterator<Item = Setting<'_>> {
        self.placed().map(|(_, setting)| setting)
    }

    /// The settings with this section and key.
    pub fn values(&self, section: &str, key: &str) -> impl Iterator<Item = Setting<'_>> {
        self.settings()
            .filter(move |s| s.section == section && s.key == key)
    }

    /// The section headers and their lines, in the order of the file.
    pub fn sections(&self) -> impl Iterator<Item = (usize, &str)> {
        self.items.iter().filter_map(|item| match &item.kind {
            ItemKind::Section(name) => Some((item.line, self.str(name))),
            ItemKind::Setting { .. } => None,
        })
    }

    /// Lines that systemd passes over with a warning, by line number.
    #[must_use]
    pub fn problems(&self) -> &[(usize, Problem)] {
        &self.problems
    }

    /// Where systemd stops reading, if it does.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }

    fn str<'a>(&'a self, text: &'a Text) -> &'a str {
        match text {
            // That it is UTF-8 was seen when it was read.
            Text::At(range) => str::from_utf8(&self.text[range.clone()]).unwrap_or_default(),
            Text::Joined(text) => text,
        }
    }

    /// The settings together with the index of their item.
    fn placed(&self) -> impl Iterator<Item = (usize, Setting<'_>)> {
        let mut current = "";
        self.items
            .iter()
            .enumerate()
            .filter_map(move |(index, item)| match &item.kind {
                ItemKind::Section(name) => {
                    current = self.str(name);
                    None
                }
                ItemKind::Setting { key, value, .. } => {
                    let setting = Setting {
                        section: current,
                        key: self.str(key),
                        value: self.str(value),
                        line: item.line,
                    };
                    Some((index, setting))
                }
            })
    }

    fn read(&mut self) {
        // Taken out so that what is found can be stored while it is borrowed.
        let text = std::mem::take(&mut self.text);
        let mut lines = Lines::new(&text);
        let outcome = lines.try_for_each(|logical| {
            let logical = logical?;
            self.logical_line(&logical).map_err(|reason| Refusal {
                line: logical.line,
                reason,
            })
        });
        self.items.shrink_to_fit();
        self.refusal = outcome.err();
        self.text = text;
    }

    fn logical_line(&mut self, logical: &lines::Logical<'_>) -> Result<(), RefusalReason> {
        let content = trim_end(trim_start(&logical.content));
        if content.is_empty() {
            return Ok(());
        }
        let content = str::from_utf8(content).map_err(|_| RefusalReason::NotUtf8)?;
        let kind = if let Some(header) = content.strip_prefix('[') {
            let name = header
                .strip_suffix(']')
                .filter(|name| {
                    !name.contains(|c: char| c.is_ascii_control() || "\"'\\".contains(c))
                })
                .ok_or_else(|| RefusalReason::BadSectionHeader {
                    header: content.to_owned(),
                })?;
            ItemKind::Section(logical.text(name))
        } else {
            match self.setting(content, logical) {
                Ok(kind) => kind,
                Err(message) => {
                    let problem = Problem::ignored(message.to_owned());
                    self.problems.push((logical.line, problem));
                    return Ok(());
                }
            }
        };
        self.items.push(Item {
            span: logical.span.clone(),
            line: logical.line,
            open: logical.open,
            kind,
        });
        Ok(())
    }

    fn setting(
        &self,
        content: &str,
        logical: &lines::Logical<'_>,
    ) -> Result<ItemKind, &'static str> {
        // What comes first is a section header: settings before it are not kept.
        if self.items.is_empty() {
            return Err("setting before the first section");
        }
        let (key, value) = content.split_once('=').ok_or("line without =")?;
        if key.is_empty() {
            return Err("no key before =");
        }
        Ok(ItemKind::Setting {
            key: logical.text(key.trim_end_matches(super::WHITESPACE)),
            value: logical.text(value.trim_start_matches(super::WHITESPACE)),
            value_span: logical.value_span(),
        })
    }
}

#[cfg(test)]
mod tests;
