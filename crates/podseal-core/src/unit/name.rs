//! Unit names, and the escaping that puts paths into them.
//!
//! Follows "Unit file" and "String escaping" in `systemd.unit(5)` and systemd's
//! `unit-name.c`.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use thiserror::Error;

/// The kinds of unit: the part of a name after the last dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[expect(
    missing_docs,
    reason = "each is a man page: systemd.service(5) and so on"
)]
pub enum UnitType {
    Service,
    Socket,
    Target,
    Device,
    Mount,
    Automount,
    Swap,
    Timer,
    Path,
    Slice,
    Scope,
}

impl UnitType {
    const ALL: &'static [(Self, &'static str)] = &[
        (Self::Service, "service"),
        (Self::Socket, "socket"),
        (Self::Target, "target"),
        (Self::Device, "device"),
        (Self::Mount, "mount"),
        (Self::Automount, "automount"),
        (Self::Swap, "swap"),
        (Self::Timer, "timer"),
        (Self::Path, "path"),
        (Self::Slice, "slice"),
        (Self::Scope, "scope"),
    ];

    /// The word after the dot.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(of, _)| *of == self)
            .map_or("", |(_, name)| name)
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, of)| *of == name)
            .map(|(unit_type, _)| *unit_type)
    }
}

/// Whether a name has an `@`, and something behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// `NAME.TYPE`.
    Plain,
    /// `NAME@.TYPE`.
    Template,
    /// `NAME@INSTANCE.TYPE`.
    Instance,
}

/// A valid unit name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitName(String);

/// Why something cannot be done with a name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// The name breaks a rule of unit names.
    #[error("{name:?} is not a valid unit name")]
    Invalid {
        /// The text.
        name: String,
    },
    /// A name without `@` where one is needed.
    #[error("{name} is neither a template nor an instance")]
    NotTemplate {
        /// The unit.
        name: String,
    },
    /// A text that is no escaped one.
    #[error("{text:?} is not escaped as unit names are")]
    NotEscaped {
        /// The text.
        text: String,
    },
    /// A path with `..` or doubled slashes.
    #[error("{path:?} is not a normalized path")]
    NotNormalized {
        /// The path.
        path: String,
    },
}

/// `UNIT_NAME_MAX`: the length that a name must stay below.
const NAME_LIMIT: usize = 256;

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'_' | b'.' | b'\\')
}

impl FromStr for UnitName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        let valid = name.len() < NAME_LIMIT
            && name.rsplit_once('.').is_some_and(|(stem, suffix)| {
                !stem.is_empty()
                    && !stem.starts_with('@')
                    && UnitType::from_name(suffix).is_some()
                    && stem.bytes().all(|b| b == b'@' || is_name_byte(b))
            });
        if valid {
            Ok(Self(name.to_owned()))
        } else {
            Err(NameError::Invalid {
                name: name.to_owned(),
            })
        }
    }
}

impl UnitName {
    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without its type.
    #[must_use]
    pub fn stem(&self) -> &str {
        self.split().0
    }

    fn split(&self) -> (&str, &str) {
        self.0.rsplit_once('.').unwrap_or((&self.0, ""))
    }

    /// The part before the first `@`, or before the type where there is none.
    #[must_use]
    pub fn prefix(&self) -> &str {
        let stem = self.stem();
        stem.split_once('@').map_or(stem, |(prefix, _)| prefix)
    }

    /// The part after the first `@`; `None` for plain names, empty for templates.
    #[must_use]
    pub fn instance(&self) -> Option<&str> {
        self.stem().split_once('@').map(|(_, instance)| instance)
    }

    /// Plain, template or instance.
    #[must_use]
    pub fn kind(&self) -> NameKind {
        match self.instance() {
            None => NameKind::Plain,
            Some("") => NameKind::Template,
            Some(_) => NameKind::Instance,
        }
    }

    /// The type of unit this names.
    #[must_use]
    pub fn unit_type(&self) -> UnitType {
        // A valid name ends in a type.
        UnitType::from_name(self.split().1).unwrap_or(UnitType::Service)
    }

    /// This template or instance with another instance.
    ///
    /// # Errors
    /// Where this is a plain name, or the new name is no valid one.
    pub fn with_instance(&self, instance: &str) -> Result<Self, NameError> {
        if instance.is_empty() {
            return Err(NameError::Invalid {
                name: String::new(),
            });
        }
        self.replace_instance(instance)
    }

    /// The template of this instance.
    ///
    /// # Errors
    /// Where this is a plain name.
    pub fn template(&self) -> Result<Self, NameError> {
        self.replace_instance("")
    }

    fn replace_instance(&self, instance: &str) -> Result<Self, NameError> {
        if self.kind() == NameKind::Plain {
            return Err(NameError::NotTemplate {
                name: self.0.clone(),
            });
        }
        Self::build(self.prefix(), Some(instance), self.unit_type())
    }

    /// Joins the parts of a name; an empty instance makes a template.
    ///
    /// # Errors
    /// Where they make no valid name.
    pub fn build(
        prefix: &str,
        instance: Option<&str>,
        unit_type: UnitType,
    ) -> Result<Self, NameError> {
        let suffix = unit_type.name();
        match instance {
            Some(instance) => format!("{prefix}@{instance}.{suffix}"),
            None => format!("{prefix}.{suffix}"),
        }
        .parse()
    }

    /// The unit that stands for a path, such as a mount point.
    ///
    /// # Errors
    /// Where the path is not normalized or too long.
    pub fn from_path(path: &str, unit_type: UnitType) -> Result<Self, NameError> {
        Self::build(&escape_path(path)?, None, unit_type)
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for UnitName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Escapes any text for use in a unit name, as `systemd-escape` does:
/// `/` becomes `-`, what a name cannot have becomes `\xHH`.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'/' => escaped.push('-'),
            // A name must not look like a hidden file.
            b'.' if index > 0 => escaped.push('.'),
            byte if is_name_byte(byte) && !matches!(byte, b'-' | b'\\' | b'.') => {
                escaped.push(char::from(byte));
            }
            byte => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                escaped.push_str("\\x");
                escaped.push(char::from(HEX[usize::from(byte >> 4)]));
                escaped.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
    escaped
}

/// Reverses [`escape`].
///
/// # Errors
/// Where a backslash does not start `\xHH`, or the result is not UTF-8.
pub fn unescape(text: &str) -> Result<String, NameError> {
    let error = || NameError::NotEscaped {
        text: text.to_owned(),
    };
    let bytes = text.as_bytes();
    let mut unescaped = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'-' => unescaped.push(b'/'),
            b'\\' => {
                let [b'x', high, low] = bytes.get(at..at + 3).ok_or_else(error)? else {
                    return Err(error());
                };
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let value = digit(*high)
                    .zip(digit(*low))
                    .and_then(|(high, low)| u8::try_from(high * 16 + low).ok())
                    .filter(|value| *value != 0)
                    .ok_or_else(error)?;
                unescaped.push(value);
                at += 3;
            }
            byte => unescaped.push(*byte),
        }
    }
    String::from_utf8(unescaped).map_err(|_| error())
}

/// Whether a path has no empty, `.` or `..` component.
fn is_normalized(path: &str) -> bool {
    path == "/"
        || path
            .strip_prefix('/')
            .unwrap_or(path)
            .split('/')
            .all(|part| !matches!(part, "" | "." | ".."))
}

/// Escapes a path, as `systemd-escape --path` does: slashes at both ends are
/// dropped, repeated ones and `.` components too; the root is `-`.
///
/// # Errors
/// Where the path contains `..`.
pub fn escape_path(path: &str) -> Result<String, NameError> {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !matches!(*part, "" | "."))
        .collect();
    if parts.contains(&"..") {
        return Err(NameError::NotNormalized {
            path: path.to_owned(),
        });
    }
    if parts.is_empty() {
        return Ok("-".to_owned());
    }
    Ok(escape(&parts.join("/")))
}

/// Reverses [`escape_path`].
///
/// # Errors
/// Where the text stands for no normalized absolute path.
pub fn unescape_path(text: &str) -> Result<String, NameError> {
    if text == "-" {
        return Ok("/".to_owned());
    }
    let relative = unescape(text)?;
    if relative.starts_with('/') || !is_normalized(&relative) {
        return Err(NameError::NotNormalized { path: relative });
    }
    Ok(format!("/{relative}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_name() {
        let name: UnitName = "a-b@c@d.e.service".parse().expect("valid");
        assert_eq!(name.prefix(), "a-b");
        assert_eq!(name.instance(), Some("c@d.e"));
        assert_eq!(name.stem(), "a-b@c@d.e");
        assert_eq!(name.unit_type(), UnitType::Service);
        assert_eq!(name.template().expect("template").as_str(), "a-b@.service");
        assert_eq!(
            name.with_instance("x").expect("name").as_str(),
            "a-b@x.service"
        );
        assert!(name.with_instance("").is_err());
        assert!(name.with_instance("x y").is_err());
    }

    #[test]
    fn length_limit() {
        let name = |length: usize| format!("{}.service", "a".repeat(length - 8));
        assert!(name(255).parse::<UnitName>().is_ok());
        assert!(name(256).parse::<UnitName>().is_err());
    }

    #[test]
    fn escaping_as_systemd_escape_does() {
        let cases = [
            ("/a/./b", "-a-.-b"),
            ("a-b\\c", "a\\x2db\\x5cc"),
            (".a", "\\x2ea"),
            ("a.", "a."),
            ("\u{e4} b", "\\xc3\\xa4\\x20b"),
            ("", ""),
        ];
        for (text, escaped) in cases {
            assert_eq!(escape(text), escaped);
            assert_eq!(unescape(escaped).as_deref(), Ok(text));
        }
        let paths = [
            ("/a/./b", "a-b"),
            ("//a//b/", "a-b"),
            ("/", "-"),
            ("", "-"),
            ("/.a", "\\x2ea"),
        ];
        for (path, escaped) in paths {
            assert_eq!(escape_path(path).as_deref(), Ok(escaped));
        }
    }

    #[test]
    fn malformed_escapes() {
        for text in ["\\", "\\x", "\\x2", "a\\y00", "\\xzz", "\\x00", "\\xff"] {
            assert!(unescape(text).is_err(), "{text}");
        }
        for text in ["", "-a", "a-", "a--b", "..", "a-..", "\\x2e"] {
            assert!(unescape_path(text).is_err(), "{text}");
        }
    }
}
