//! Specifiers: `%i` and its like, see "Specifiers" in `systemd.unit(5)`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use thiserror::Error;

use super::name::{NameError, UnitName, unescape, unescape_path};

/// What specifiers stand for in one unit.
#[derive(Clone, Debug)]
pub struct Specifiers<'a> {
    /// The unit whose settings are read.
    pub unit: &'a UnitName,
    /// The path of its unit file, for `%y` and `%Y`.
    pub fragment: Option<&'a str>,
    /// What the host and the manager set, by letter: for example `t` (the
    /// runtime directory), `h` (home) or `u` (user name). A letter that systemd
    /// knows and this map does not stays in the text as it is.
    pub host: &'a BTreeMap<char, String>,
}

/// Why a text cannot be expanded; systemd then ignores the setting, or refuses
/// the unit where it is a command.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SpecifierError {
    /// A letter that means nothing.
    #[error("unknown specifier %{letter} in {text:?}; write %% for a percent sign")]
    Unknown {
        /// The whole text.
        text: String,
        /// What follows the percent sign.
        letter: char,
    },
    /// The unit's name does not allow this specifier.
    #[error("specifier %{letter} in {text:?} has no value")]
    NoValue {
        /// The whole text.
        text: String,
        /// What follows the percent sign.
        letter: char,
        /// What is wrong with the name.
        source: NameError,
    },
}

/// Letters whose value is the host's or the manager's to tell. `c`, `r` and `R`
/// (control group paths) left the manual but are still read.
const HOST_LETTERS: &str = "aAbBcCDEgGhHlLmMoqrRsStTuUvVwW";

impl Specifiers<'_> {
    /// Replaces every specifier in `text`. A percent sign before anything but a
    /// letter or digit stays, as does one at the end.
    ///
    /// # Errors
    /// For a letter that is no specifier, and for one that has no value here.
    pub fn expand<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, SpecifierError> {
        if !text.contains('%') {
            return Ok(Cow::Borrowed(text));
        }
        let mut expanded = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                expanded.push(c);
                continue;
            }
            match chars.next() {
                None | Some('%') => expanded.push('%'),
                Some(letter) if letter.is_ascii_alphanumeric() => {
                    let value = self.value(letter, text)?;
                    expanded.push_str(&value);
                }
                Some(other) => {
                    expanded.push('%');
                    expanded.push(other);
                }
            }
        }
        Ok(Cow::Owned(expanded))
    }

    /// As [`Specifiers::expand`], of a text of one's own.
    ///
    /// # Errors
    /// As there.
    pub fn expand_owned(&self, text: String) -> Result<String, SpecifierError> {
        match self.expand(&text)? {
            Cow::Borrowed(_) => Ok(text),
            Cow::Owned(expanded) => Ok(expanded),
        }
    }

    fn value(&self, letter: char, text: &str) -> Result<String, SpecifierError> {
        let name = self.unit;
        let prefix = name.prefix();
        let instance = name.instance().unwrap_or_default();
        let last = prefix.rsplit_once('-').map_or(prefix, |(_, last)| last);
        let own = match letter {
            'n' => Ok(name.as_str().to_owned()),
            'N' => Ok(name.stem().to_owned()),
            'p' => Ok(prefix.to_owned()),
            'P' => unescape(prefix),
            'i' => Ok(instance.to_owned()),
            'I' => unescape(instance),
            'j' => Ok(last.to_owned()),
            'J' => unescape(last),
            'f' => unescape_path(if instance.is_empty() {
                prefix
            } else {
                instance
            }),
            'y' => return Ok(self.fragment.unwrap_or_default().to_owned()),
            'Y' => {
                let path = self.fragment.unwrap_or_default();
                let directory = path.rsplit_once('/').map_or("", |(dir, _)| dir);
                return Ok(directory.to_owned());
            }
            // The unit's credentials live below the runtime directory.
            'd' => match self.host.get(&'t') {
                Some(runtime) => Ok(format!("{runtime}/credentials/{name}")),
                None => Ok("%d".to_owned()),
            },
            letter if HOST_LETTERS.contains(letter) => Ok(self
                .host
                .get(&letter)
                .cloned()
                .unwrap_or_else(|| format!("%{letter}"))),
            _ => {
                return Err(SpecifierError::Unknown {
                    text: text.to_owned(),
                    letter,
                });
            }
        };
        own.map_err(|source| SpecifierError::NoValue {
            text: text.to_owned(),
            letter,
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(unit: &str, text: &str) -> Result<String, SpecifierError> {
        let unit = unit.parse().expect("valid name");
        let host = BTreeMap::from([('t', "/run/user/1000".to_owned())]);
        Specifiers {
            unit: &unit,
            fragment: Some("/etc/x/a.service"),
            host: &host,
        }
        .expand(text)
        .map(Cow::into_owned)
    }

    #[test]
    fn values() {
        let cases = [
            ("a.service", "%n-%%-%t", "a.service-%-/run/user/1000"),
            (
                "a-b@c\\x2dd-e.socket",
                "%p %P %i %I",
                "a-b a/b c\\x2dd-e c-d/e",
            ),
            ("a-b@c.socket", "%j %J %N %f", "b b a-b@c /c"),
            (
                "a.service",
                "%y %Y %d",
                "/etc/x/a.service /etc/x /run/user/1000/credentials/a.service",
            ),
            ("a.service", "%h/x", "%h/x"),
            ("a.service", "%,%", "%,%"),
            ("a.service", "100%\u{e4}", "100%\u{e4}"),
        ];
        for (unit, text, expected) in cases {
            assert_eq!(expand(unit, text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refused() {
        assert!(matches!(
            expand("a.service", "x%Z"),
            Err(SpecifierError::Unknown { letter: 'Z', .. })
        ));
        assert!(matches!(
            expand("a@\\y.service", "%I"),
            Err(SpecifierError::NoValue { letter: 'I', .. })
        ));
    }
}
