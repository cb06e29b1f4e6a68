//! Quadlet files as Podman's generator reads them.
//!
//! It has a reader of its own for what looks like unit files. Unlike systemd it
//! joins continued lines without a blank, lets white space at line ends follow a
//! backslash, and gives up a file that has anything but settings, section
//! headers, comments and empty lines in it.

use thiserror::Error;

use super::Generator;
use super::groups::Groups;
use super::values::Section;
use crate::unit::effective::Origin;
use crate::unit::name::UnitName;

/// A Quadlet file, or one with its drop-ins merged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuadletFile {
    /// The path of the file itself.
    pub path: String,
    /// The paths of its drop-ins, in the order in which they count.
    pub dropins: Vec<String>,
    pub(super) groups: Groups,
}

/// Why the generator reads nothing of a file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct QuadletError {
    /// Where.
    pub origin: Origin,
    /// A lowercase fragment.
    pub message: String,
}

impl QuadletFile {
    /// Reads a file.
    ///
    /// # Errors
    /// It has a line that the generator does not accept.
    pub fn parse(path: &str, text: &[u8]) -> Result<Self, QuadletError> {
        let mut file = Self::empty(path);
        Lines::new(path, text)?.read(&mut file.groups)?;
        Ok(file)
    }

    /// A file of which nothing is read.
    #[must_use]
    pub fn empty(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            dropins: Vec::new(),
            groups: Groups::default(),
        }
    }

    /// The names that `Alias=` in `[Install]` gives the service.
    #[must_use]
    pub fn aliases(&self, generator: Generator) -> Vec<UnitName> {
        let install = Section {
            groups: &self.groups,
            name: "Install",
            generator,
        };
        let aliases = install.strings("Alias").into_iter();
        aliases
            .filter_map(|alias| alias.text.parse().ok())
            .collect()
    }

    /// Puts a drop-in's settings behind those that are here.
    pub fn merge(&mut self, dropin: Self) {
        self.groups.merge(dropin.groups);
        self.dropins.push(dropin.path);
    }

    /// The file's name without its directories.
    #[must_use]
    pub fn name(&self) -> &str {
        file_name(&self.path)
    }

    /// The place that stands for a section as a whole: its first header, or the
    /// first line of the file.
    pub(in crate::unit) fn section_origin(&self, section: &str) -> Origin {
        self.groups
            .get(section)
            .map_or_else(|| self.first_line(), |group| group.header.clone())
    }

    fn first_line(&self) -> Origin {
        Origin {
            file: self.path.as_str().into(),
            line: 1,
        }
    }
}

pub(super) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

struct Lines<'a> {
    path: &'a str,
    text: &'a str,
}

impl<'a> Lines<'a> {
    fn new(path: &'a str, text: &'a [u8]) -> Result<Self, QuadletError> {
        // The generator copies such bytes, and systemd refuses what it makes.
        let text = str::from_utf8(text).map_err(|error| {
            let line = text[..error.valid_up_to()].split(|b| *b == b'\n').count();
            Self::error_at(path, line, "not UTF-8".to_owned())
        })?;
        Ok(Self { path, text })
    }

    fn error_at(path: &str, line: usize, message: String) -> QuadletError {
        QuadletError {
            origin: Origin {
                file: path.into(),
                line,
            },
            message,
        }
    }

    fn read(&self, groups: &mut Groups) -> Result<(), QuadletError> {
        let text = self.text.strip_suffix('\n').unwrap_or(self.text);
        let lines: Vec<&str> = text.split('\n').map(str::trim).collect();
        let mut joined = String::new();
        let mut first_line = None;
        for (index, line) in lines.iter().enumerate() {
            if is_comment(line) {
                continue;
            }
            let (line, goes_on) = match line.strip_suffix('\\') {
                Some(line) => (line, index + 1 < lines.len()),
                None => (*line, false),
            };
            let number = *first_line.get_or_insert(index + 1);
            joined.push_str(line);
            // A backslash alone begins nothing.
            if goes_on {
                if joined.is_empty() {
                    first_line = None;
                }
                continue;
            }
            let logical = std::mem::take(&mut joined);
            first_line = None;
            self.line(&logical, number, groups)?;
        }
        // What a comment or empty line at the end leaves unfinished is lost.
        Ok(())
    }

    fn line(&self, line: &str, number: usize, groups: &mut Groups) -> Result<(), QuadletError> {
        if is_comment(line) {
            return Ok(());
        }
        let error = |message: String| Self::error_at(self.path, number, message);
        let origin = Origin {
            file: self.path.into(),
            line: number,
        };
        if let Some(name) = section_name(line) {
            if name.is_empty() || name.contains(|c: char| c == '[' || c.is_control()) {
                return Err(error(format!("invalid section name {name:?}")));
            }
            groups.open(name, &origin);
            return Ok(());
        }
        let Some((key, value)) = line.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(error(format!(
                "{line:?} is neither a setting nor a section nor a comment"
            )));
        };
        let key = key.trim_end();
        if key.is_empty() || key.starts_with(' ') {
            return Err(error(format!("invalid key {key:?}")));
        }
        if groups.add_to_open(key, value.trim_start(), origin) {
            Ok(())
        } else {
            Err(error("setting before the first section".to_owned()))
        }
    }
}

fn is_comment(line: &str) -> bool {
    line.is_empty() || line.starts_with(['#', ';'])
}

/// The name in a line that is a section header; blanks may follow the bracket.
fn section_name(line: &str) -> Option<&str> {
    let (name, rest) = line.strip_prefix('[')?.split_once(']')?;
    rest.trim_start_matches([' ', '\t'])
        .is_empty()
        .then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a unit file with the same settings, and their places.
    fn settings(text: &str) -> Vec<(String, usize)> {
        let file = QuadletFile::parse("f", text.as_bytes()).expect("accepted");
        let unit = file.groups.to_file();
        let lines = unit.text.lines().map(str::to_owned);
        let numbers = unit.origins.into_iter().map(|origin| origin.line);
        lines.zip(numbers).collect()
    }

    #[test]
    fn lines() {
        let cases: &[(&str, &[(&str, usize)])] = &[
            ("[A]\nk = v \n", &[("[A]", 1), ("k=v", 2)]),
            ("[A]  \n k\t=  v w\n", &[("[A]", 1), ("k=v w", 2)]),
            ("[A]\nk=a\\\n  b \\\n# c\n\nd", &[("[A]", 1), ("k=ab d", 2)]),
            ("[A]\nk=a \\  \nb\n", &[("[A]", 1), ("k=a b", 2)]),
            ("[A]\nk=a\\\n", &[("[A]", 1), ("k=a", 2)]),
            ("[A]\nk=a\\\n# c\n", &[("[A]", 1)]),
            ("[A]\n\\\nk=a\n", &[("[A]", 1), ("k=a", 3)]),
            (
                "[A]\nk=\n[B]\nk=1\n[A]\nk=2\n",
                &[("[A]", 1), ("k=", 2), ("k=2", 6), ("[B]", 3), ("k=1", 4)],
            ),
            ("; c\r\n[A]\r\nk=v\r\n", &[("[A]", 2), ("k=v", 3)]),
        ];
        for (text, expected) in cases {
            let expected: Vec<(String, usize)> = expected
                .iter()
                .map(|(text, line)| ((*text).to_owned(), *line))
                .collect();
            assert_eq!(settings(text), expected, "{text:?}");
        }
    }

    #[test]
    fn refused() {
        let cases: &[(&[u8], usize, &str)] = &[
            (b"k=v\n", 1, "before the first section"),
            (b"[A]\nfoo\n", 2, "\"foo\" is neither"),
            (b"[A]\n=v\n", 2, "\"=v\" is neither"),
            (b"[]\n", 1, "invalid section name"),
            (b"[A[]\n", 1, "invalid section name"),
            (b"[A] x\n", 1, "is neither"),
            (b"[A]\n\nk=\xff\n", 3, "not UTF-8"),
        ];
        for (text, line, message) in cases {
            let error = QuadletFile::parse("f", text).expect_err("refused");
            assert_eq!(error.origin.line, *line, "{error:?}");
            assert!(error.message.contains(message), "{error:?}");
        }
    }
}
