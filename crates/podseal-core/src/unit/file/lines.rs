//! Physical lines, and the logical ones that backslashes join them to.

use std::borrow::Cow;
use std::ops::Range;

use super::{LONG_LINE_MAX, Refusal, RefusalReason, Text, trim_end, trim_start};

/// A line after continuation lines were joined.
pub(super) struct Logical<'a> {
    /// Backslashes at line ends are blanks here, comments are gone.
    pub(super) content: Cow<'a, [u8]>,
    /// From the start of its first physical line to the start of the next.
    pub(super) span: Range<usize>,
    /// The number of its first physical line.
    pub(super) line: usize,
    /// The file ended after a backslash.
    pub(super) open: bool,
    /// The content of the first physical line.
    first: Range<usize>,
    /// Where the content of the last physical line ends.
    content_end: usize,
    text: &'a [u8],
}

impl Logical<'_> {
    /// A part of the content.
    pub(super) fn text(&self, part: &str) -> Text {
        match &self.content {
            Cow::Borrowed(content) => {
                let offset = part.as_ptr().addr() - content.as_ptr().addr();
                let start = self.first.start + offset;
                Text::At(start..start + part.len())
            }
            Cow::Owned(_) => Text::Joined(part.to_owned()),
        }
    }

    /// The bytes of the value, blanks around it left out; `None` where the
    /// first physical line has no `=`.
    pub(super) fn value_span(&self) -> Option<Range<usize>> {
        let first = &self.text[self.first.clone()];
        let after_equals = first.iter().position(|b| *b == b'=')? + 1 + self.first.start;
        let raw = &self.text[after_equals..self.content_end];
        let value = trim_start(raw);
        if value.is_empty() {
            return Some(after_equals..after_equals);
        }
        let start = after_equals + raw.len() - value.len();
        Some(start..start + trim_end(value).len())
    }
}

/// Iterates over the logical lines of a text, comment lines left out.
pub(super) struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
    bom_seen: bool,
}

struct Physical {
    content: Range<usize>,
    end: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            at: 0,
            line: 0,
            bom_seen: false,
        }
    }

    /// The contents of all physical lines.
    pub(super) fn physical_lines(mut self) -> impl Iterator<Item = Range<usize>> {
        std::iter::from_fn(move || self.physical().map(|physical| physical.content))
    }

    /// The next physical line. A line ends with a line feed, a carriage return,
    /// a zero byte, or several different ones of these, of which a zero byte is
    /// the last.
    fn physical(&mut self) -> Option<Physical> {
        let rest = &self.text[self.at..];
        if rest.is_empty() {
            return None;
        }
        let is_end = |b: &u8| matches!(b, b'\n' | b'\r' | 0);
        let length = rest.iter().position(is_end).unwrap_or(rest.len());
        let mut seen = [false; 3];
        let mut end = length;
        while let Some(index) = rest.get(end).and_then(|byte| match byte {
            b'\n' => Some(0),
            b'\r' => Some(1),
            0 => Some(2),
            _ => None,
        }) {
            if seen[index] || seen[2] {
                break;
            }
            seen[index] = true;
            end += 1;
        }
        let start = self.at;
        self.at += end;
        self.line += 1;
        Some(Physical {
            content: start..start + length,
            end: start + end,
        })
    }

    fn too_long(&self) -> Refusal {
        Refusal {
            line: self.line,
            reason: RefusalReason::LineTooLong,
        }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<Logical<'a>, Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut pending: Option<Logical<'a>> = None;
        while let Some(mut physical) = self.physical() {
            if physical.content.len() >= LONG_LINE_MAX {
                return Some(Err(self.too_long()));
            }
            let is_comment = trim_start(&self.text[physical.content.clone()])
                .first()
                .is_some_and(|b| matches!(b, b'#' | b';'));
            if is_comment {
                if let Some(logical) = &mut pending {
                    logical.span.end = physical.end;
                }
                continue;
            }
            let span_start = physical.content.start;
            if !self.bom_seen
                && self.text[physical.content.clone()].starts_with("\u{feff}".as_bytes())
            {
                self.bom_seen = true;
                physical.content.start += '\u{feff}'.len_utf8();
            }
            let content = &self.text[physical.content.clone()];
            let backslashes = content.iter().rev().take_while(|b| **b == b'\\').count();
            let open = backslashes % 2 == 1;
            let logical = match pending.take() {
                None => Logical {
                    content: Cow::Borrowed(content),
                    span: span_start..physical.end,
                    line: self.line,
                    open,
                    content_end: physical.content.end,
                    first: physical.content,
                    text: self.text,
                },
                Some(mut logical) => {
                    if logical.content.len() + content.len() > LONG_LINE_MAX {
                        return Some(Err(self.too_long()));
                    }
                    logical.content.to_mut().extend_from_slice(content);
                    logical.span.end = physical.end;
                    logical.open = open;
                    logical.content_end = physical.content.end;
                    logical
                }
            };
            if !open {
                return Some(Ok(logical));
            }
            let mut logical = logical;
            if let Some(last) = logical.content.to_mut().last_mut() {
                *last = b' ';
            }
            pending = Some(logical);
        }
        pending.map(Ok)
    }
}
