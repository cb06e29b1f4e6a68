//! `RestrictAddressFamilies=`: what its lines add up to.
//!
//! Follows `systemd.exec(5)` and systemd's `config_parse_address_families()`.
//! Version 261 changed one thing: an unknown word ends the line, where older
//! versions pass over the word alone. podseal computes both readings, since a
//! unit whose meaning depends on the version is a finding.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};

use super::Problem;
use super::words::{Flags, each_word};
use crate::family::Family;

/// How a set of families is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum FilterMode {
    /// No filter: the set is empty and means nothing.
    Unrestricted,
    /// Only the families of the set; with an empty set, none at all.
    Allow,
    /// Every family but those of the set.
    Deny,
}

/// The families that a unit's processes may make sockets of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FamilyFilter {
    /// What the set stands for.
    pub mode: FilterMode,
    /// The families; serialized as names in alphabetical order.
    #[serde(serialize_with = "by_name")]
    pub set: BTreeSet<Family>,
}

fn by_name<S: Serializer>(set: &BTreeSet<Family>, serializer: S) -> Result<S::Ok, S::Error> {
    let names: BTreeSet<String> = set.iter().map(Family::to_string).collect();
    serializer.collect_seq(names)
}

impl FamilyFilter {
    /// Whether `socket(2)` with this family passes.
    #[must_use]
    pub fn permits(&self, family: Family) -> bool {
        match self.mode {
            FilterMode::Unrestricted => true,
            FilterMode::Allow => self.set.contains(&family),
            FilterMode::Deny => !self.set.contains(&family),
        }
    }
}

/// The same lines as different systemd versions read them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AddressFamilies {
    /// By systemd up to version 260.
    pub le_v260: FamilyFilter,
    /// By systemd from version 261 on.
    pub ge_v261: FamilyFilter,
    /// Whether the two differ.
    pub divergent: bool,
}

/// Reads one line after another.
#[derive(Clone, Debug, Default)]
pub struct AddressFamiliesReader {
    le_v260: State,
    ge_v261: State,
}

#[derive(Clone, Debug, Default)]
struct State {
    /// `None` until a line other than an empty one or `none` was read: such a
    /// line fixes whether the set allows or denies.
    set: Option<BTreeSet<Family>>,
    allow: bool,
}

impl State {
    fn reset(&mut self, allow: bool) {
        *self = Self { set: None, allow };
    }

    fn start_line(&mut self, invert: bool) {
        if self.set.is_none() {
            self.set = Some(BTreeSet::new());
            self.allow = !invert;
        }
    }

    fn add(&mut self, family: Family, invert: bool) {
        let set = self.set.get_or_insert_default();
        if self.allow == invert {
            set.remove(&family);
        } else {
            set.insert(family);
        }
    }

    fn filter(self) -> FamilyFilter {
        let set = self.set.unwrap_or_default();
        let mode = match (self.allow, set.is_empty()) {
            (true, _) => FilterMode::Allow,
            (false, true) => FilterMode::Unrestricted,
            (false, false) => FilterMode::Deny,
        };
        FamilyFilter { mode, set }
    }
}

impl AddressFamiliesReader {
    /// Reads the value of one line and says what is odd about it.
    pub fn line(&mut self, value: &str) -> Vec<Problem> {
        // Everything denied is an allow list with nothing in it.
        if value.is_empty() || value == "none" {
            self.le_v260.reset(value == "none");
            self.ge_v261.reset(value == "none");
            return Vec::new();
        }
        let (invert, names) = match value.strip_prefix('~') {
            Some(names) => (true, names),
            None => (false, value),
        };
        self.le_v260.start_line(invert);
        self.ge_v261.start_line(invert);
        let mut stopped = false;
        each_word(value, names, Flags::UNQUOTE, |word| {
            let Some(family) = Family::from_name(word) else {
                stopped = true;
                return Err(format!(
                    "unknown address family {word:?} is ignored, \
                     by systemd from version 261 on with the rest of its line"
                ));
            };
            self.le_v260.add(family, invert);
            if !stopped {
                self.ge_v261.add(family, invert);
            }
            Ok(())
        })
    }

    /// What the lines so far add up to.
    #[must_use]
    pub fn finish(self) -> AddressFamilies {
        let le_v260 = self.le_v260.filter();
        let ge_v261 = self.ge_v261.filter();
        AddressFamilies {
            divergent: le_v260 != ge_v261,
            le_v260,
            ge_v261,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serializes_by_name() {
        let mut reader = AddressFamiliesReader::default();
        assert!(reader.line("AF_UNIX AF_NETLINK").is_empty());
        let families = reader.finish();
        assert!(families.le_v260.permits(Family::UNIX));
        assert!(!families.le_v260.permits(Family::INET));
        let json = serde_json::to_string(&families).expect("serializes");
        let filter = r#"{"mode":"allow","set":["AF_NETLINK","AF_UNIX"]}"#;
        assert_eq!(
            json,
            format!(r#"{{"le_v260":{filter},"ge_v261":{filter},"divergent":false}}"#)
        );
    }

    #[test]
    fn none_denies_everything() {
        let mut reader = AddressFamiliesReader::default();
        assert!(reader.line("none").is_empty());
        let filter = reader.finish().le_v260;
        assert_eq!(filter.mode, FilterMode::Allow);
        assert!(!filter.permits(Family::UNIX));
    }
}
