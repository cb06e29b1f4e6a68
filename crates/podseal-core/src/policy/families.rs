//! The set of socket families a sealed process may use.

use std::collections::BTreeSet;
use std::fmt;

use crate::family::Family;

/// An allow list of socket families. A seal never has a deny list: what is
/// not named is refused, families that a later kernel adds included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FamilySet(BTreeSet<Family>);

/// Why a list of families was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFamilies {
    /// A word is not the name of a family.
    #[error(
        "\"{word}\" is not a socket family; families are written as in systemd, for example AF_UNIX AF_NETLINK"
    )]
    Unknown {
        /// The word as given.
        word: String,
    },
    /// A deny list.
    #[error("\"{word}\" asks for a deny list; a seal lists the families that stay allowed")]
    DenyList {
        /// The word as given.
        word: String,
    },
    /// `none` beside other words.
    #[error("\"none\" stands alone: it allows no family at all")]
    NoneWithOthers,
    /// No word at all.
    #[error("no socket family given; write \"none\" to allow no family at all")]
    Empty,
}

impl FamilySet {
    /// Reads names and aliases of families, separated by spaces or commas, in
    /// any letter case, or the single word `none`.
    ///
    /// # Errors
    /// See [`InvalidFamilies`].
    pub fn parse(list: &str) -> Result<Self, InvalidFamilies> {
        let words: Vec<&str> = list
            .split([' ', '\t', ','])
            .filter(|word| !word.is_empty())
            .collect();
        if words.is_empty() {
            return Err(InvalidFamilies::Empty);
        }
        if words.iter().any(|word| word.eq_ignore_ascii_case("none")) {
            return if words.len() == 1 {
                Ok(Self::none())
            } else {
                Err(InvalidFamilies::NoneWithOthers)
            };
        }
        words
            .into_iter()
            .map(|word| match Family::from_name(word) {
                Some(family) => Ok(family),
                None if word.starts_with('~') => Err(InvalidFamilies::DenyList {
                    word: word.to_owned(),
                }),
                None => Err(InvalidFamilies::Unknown {
                    word: word.to_owned(),
                }),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// No family at all.
    #[must_use]
    pub const fn none() -> Self {
        Self(BTreeSet::new())
    }

    /// The families in order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = Family> {
        self.0.iter().copied()
    }

    /// Whether `family` is allowed.
    #[must_use]
    pub fn contains(&self, family: Family) -> bool {
        self.0.contains(&family)
    }
}

impl FromIterator<Family> for FamilySet {
    fn from_iter<I: IntoIterator<Item = Family>>(families: I) -> Self {
        Self(families.into_iter().collect())
    }
}

impl Default for FamilySet {
    /// What Podman, conmon and the OCI runtimes need: AF_UNIX to talk with one
    /// another, AF_NETLINK to set up an empty network namespace.
    fn default() -> Self {
        Self(BTreeSet::from([Family::UNIX, Family::NETLINK]))
    }
}

impl fmt::Display for FamilySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (index, family) in self.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{family}")?;
        }
        Ok(())
    }
}

impl std::str::FromStr for FamilySet {
    type Err = InvalidFamilies;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        Self::parse(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_aliases_and_separators() {
        for (list, canonical) in [
            ("AF_UNIX AF_NETLINK", "AF_UNIX AF_NETLINK"),
            ("af_local,AF_ROUTE", "AF_UNIX AF_NETLINK"),
            ("AF_FILE  AF_UNIX", "AF_UNIX"),
            ("none", "none"),
        ] {
            assert_eq!(
                FamilySet::parse(list).map(|set| set.to_string()),
                Ok(canonical.to_owned()),
                "{list:?}"
            );
        }
    }

    #[test]
    fn what_is_not_a_family_is_refused() {
        for list in [
            "",
            " , ",
            "UNIX",
            "1",
            "AF_UNIX AF_FOO",
            "~AF_INET",
            "none AF_UNIX",
            "AF_MAX",
        ] {
            assert!(FamilySet::parse(list).is_err(), "{list:?}");
        }
    }
}
