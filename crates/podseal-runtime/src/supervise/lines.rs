//! The last lines of a stream.

use std::collections::VecDeque;
use std::time::Instant;

/// How many lines are kept.
const LINES: usize = 200;
/// How many bytes of them, so that they fit into one packet.
const BYTES: usize = 8192;

/// The last lines of a stream, with when each began to come.
#[derive(Debug, Default)]
pub(super) struct Lines {
    whole: VecDeque<(Instant, String)>,
    /// How many bytes these have.
    bytes: usize,
    /// The line that is being written.
    open: Option<(Instant, Vec<u8>)>,
}

impl Lines {
    /// Takes in what was written.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (_, open) = self
                .open
                .get_or_insert_with(|| (Instant::now(), Vec::new()));
            let room = BYTES.saturating_sub(open.len());
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            // The beginning of a long line says more than its end.
            open.extend_from_slice(text.get(..room).unwrap_or(text));
            if part.ends_with(b"\n")
                && let Some((since, open)) = self.open.take()
            {
                self.push(since, printable(&open));
            }
        }
    }

    /// Adds a line of podseal's own.
    pub(super) fn push(&mut self, since: Instant, line: String) {
        self.bytes += line.len();
        self.whole.push_back((since, line));
        while (self.bytes > BYTES && self.whole.len() > 1) || self.whole.len() > LINES {
            let Some((_, line)) = self.whole.pop_front() else {
                break;
            };
            self.bytes -= line.len();
        }
    }

    /// The lines, with the one that is not ended.
    pub(super) fn all(&self) -> impl Iterator<Item = (Instant, String)> {
        let open = self.open.iter();
        let open = open.map(|(since, bytes)| (*since, printable(bytes)));
        self.whole.iter().cloned().chain(open)
    }
}

/// Without the control characters of terminals, but with the escape that begins
/// a sequence of them.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let is_kept = |c: &char| !c.is_control() || matches!(c, '\t' | '\u{1b}');
    text.chars().filter(is_kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &Lines) -> Vec<String> {
        lines.all().map(|(_, line)| line).collect()
    }

    #[test]
    fn lines_may_come_in_parts() {
        let mut lines = Lines::default();
        lines.add(b"on");
        assert_eq!(texts(&lines), ["on"]);
        lines.add(b"e\n\ntwo\r\nthr");
        assert_eq!(texts(&lines), ["one", "", "two", "thr"]);
    }

    #[test]
    fn not_more_is_kept_than_fits() {
        let mut lines = Lines::default();
        for number in 0..1000 {
            lines.add(format!("{number}\n").as_bytes());
        }
        let all = texts(&lines);
        assert_eq!((all.len(), all.last().unwrap().as_str()), (LINES, "999"));
        lines.add(&vec![b'a'; 3 * BYTES]);
        lines.add(b"\n");
        assert_eq!(texts(&lines), ["a".repeat(BYTES)]);
        lines.add(&vec![b'b'; BYTES / 2]);
        lines.add(b"\nc\n");
        assert_eq!(texts(&lines), [&"b".repeat(BYTES / 2), "c"]);
    }
}
