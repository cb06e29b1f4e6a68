//! Changing one setting of a file and no other byte.

use std::ops::Range;

use thiserror::Error;

use super::{Item, ItemKind, Setting, UnitFile};

/// Why a file was not changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EditError {
    /// systemd does not read this file to its end.
    #[error("cannot edit a file that systemd refuses")]
    Refused {
        /// Where and why.
        source: super::Refusal,
    },
    /// A section, key or value that would be read back as another one: it has
    /// line ends, blanks at its ends, or a backslash at its end.
    #[error("[{section}] {key}={value:?} cannot be written in a unit file")]
    NotRepresentable {
        /// The section.
        section: String,
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
}

/// A setting that the edited file has to have.
type Owned = (String, String, String);

fn owned(setting: Setting<'_>) -> Owned {
    let Setting {
        section,
        key,
        value,
        ..
    } = setting;
    (section.to_owned(), key.to_owned(), value.to_owned())
}

impl UnitFile {
    /// Makes `value` the only value of a key: the last line that has the key
    /// is changed and all others are removed, or a line is appended.
    ///
    /// # Errors
    /// Where the file is refused or the setting cannot be written. The file is
    /// then as it was.
    pub fn set(&mut self, section: &str, key: &str, value: &str) -> Result<(), EditError> {
        let mut found = self.indices(section, key);
        let Some(last) = found.pop() else {
            return self.append(section, key, value);
        };
        let item = &self.items[last];
        let mut edits: Vec<(Range<usize>, Vec<u8>)> = found
            .iter()
            .map(|index| (self.items[*index].span.clone(), Vec::new()))
            .collect();
        edits.push(match &item.kind {
            ItemKind::Setting {
                value_span: Some(span),
                ..
            } if !item.open => (span.clone(), value.into()),
            _ => (
                item.span.clone(),
                self.line(key, value, self.ends_a_line(item)),
            ),
        });
        self.apply(&edits, section, key, &[value])
    }

    /// Adds a line after the last setting of a section's last part, and the
    /// section at the end of the file where there is none.
    ///
    /// # Errors
    /// As [`UnitFile::set`].
    pub fn append(&mut self, section: &str, key: &str, value: &str) -> Result<(), EditError> {
        let header = self.items.iter().rposition(
            |item| matches!(&item.kind, ItemKind::Section(name) if self.str(name) == section),
        );
        let after = match header {
            Some(header) => {
                let settings = self.items[header + 1..]
                    .iter()
                    .take_while(|item| matches!(item.kind, ItemKind::Setting { .. }))
                    .count();
                Some(&self.items[header + settings])
            }
            None => self.items.last(),
        };
        let at = match (header, after) {
            (Some(_), Some(item)) => item.span.end,
            _ => self.text.len(),
        };
        let end_of_line = self.end_of_line();
        let mut line = Vec::new();
        if at > 0 && !matches!(self.text[at - 1], b'\n' | b'\r' | 0) {
            line.extend_from_slice(end_of_line);
        }
        // An empty line ends what a backslash left unfinished.
        if after.is_some_and(|item| item.open) {
            line.extend_from_slice(end_of_line);
        }
        if header.is_none() {
            if at > 0 {
                line.extend_from_slice(end_of_line);
            }
            line.extend_from_slice(format!("[{section}]").as_bytes());
            line.extend_from_slice(end_of_line);
        }
        line.extend(self.line(key, value, true));
        let mut values: Vec<String> = self
            .values(section, key)
            .map(|setting| setting.value.to_owned())
            .collect();
        values.push(value.to_owned());
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        self.apply(&[(at..at, line)], section, key, &values)
    }

    /// Removes every line that has a key. `false` where there is none.
    ///
    /// # Errors
    /// Where the file is refused, or the rest would be read differently (byte
    /// order marks in the midst of a file). The file is then as it was.
    pub fn remove(&mut self, section: &str, key: &str) -> Result<bool, EditError> {
        let edits: Vec<(Range<usize>, Vec<u8>)> = self
            .indices(section, key)
            .iter()
            .map(|index| (self.items[*index].span.clone(), Vec::new()))
            .collect();
        self.apply(&edits, section, key, &[])?;
        Ok(!edits.is_empty())
    }

    fn indices(&self, section: &str, key: &str) -> Vec<usize> {
        self.placed()
            .filter(|(_, s)| s.section == section && s.key == key)
            .map(|(index, _)| index)
            .collect()
    }

    fn ends_a_line(&self, item: &Item) -> bool {
        matches!(self.text[..item.span.end].last(), Some(b'\n' | b'\r' | 0))
    }

    fn line(&self, key: &str, value: &str, ended: bool) -> Vec<u8> {
        let mut line = format!("{key}={value}").into_bytes();
        if ended {
            line.extend_from_slice(self.end_of_line());
        }
        line
    }

    /// What the file's first line ends with.
    fn end_of_line(&self) -> &'static [u8] {
        match self.text.iter().position(|b| *b == b'\n') {
            Some(at) if at > 0 && self.text[at - 1] == b'\r' => b"\r\n",
            _ => b"\n",
        }
    }

    /// Replaces ascending ranges of the text, and takes the result only if it
    /// reads as it should.
    fn apply(
        &mut self,
        edits: &[(Range<usize>, Vec<u8>)],
        section: &str,
        key: &str,
        values: &[&str],
    ) -> Result<(), EditError> {
        if let Some(source) = self.refusal.clone() {
            return Err(EditError::Refused { source });
        }
        let mut text = Vec::with_capacity(self.text.len() + 64);
        let mut copied = 0;
        for (range, replacement) in edits {
            text.extend_from_slice(&self.text[copied..range.start]);
            text.extend_from_slice(replacement);
            copied = range.end;
        }
        text.extend_from_slice(&self.text[copied..]);
        let edited = Self::parse(text);

        let is_other = |s: &Setting<'_>| s.section != section || s.key != key;
        let others_stay = edited
            .settings()
            .filter(is_other)
            .map(owned)
            .eq(self.settings().filter(is_other).map(owned));
        let reads_back = edited
            .values(section, key)
            .map(|setting| setting.value)
            .eq(values.iter().copied());
        if edited.refusal.is_some() || !others_stay || !reads_back {
            return Err(EditError::NotRepresentable {
                section: section.to_owned(),
                key: key.to_owned(),
                value: values.last().copied().unwrap_or_default().to_owned(),
            });
        }
        *self = edited;
        Ok(())
    }
}
