//! The keys that systemd knows.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

/// The keys of `systemd.unit(5)`, `systemd.service(5)`, `systemd.socket(5)` and
/// the manuals they refer to, up to version 262, and the old ones that it still
/// takes without calling them unknown. Below each line of sections, in
/// brackets, are the keys that these have.
///
/// `systemd --dump-configuration-items` prints those of one version.
const KEYS: &str = include_str!("keys.txt");

static BY_SECTION: LazyLock<BTreeMap<&str, HashSet<&str>>> = LazyLock::new(|| {
    let mut by_section: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
    let mut sections = Vec::new();
    for line in KEYS.lines() {
        let header = line.strip_prefix('[').and_then(|l| l.strip_suffix(']'));
        if let Some(header) = header {
            sections = header.split(' ').collect();
            continue;
        }
        for section in &sections {
            let keys = by_section.entry(section).or_default();
            keys.extend(line.split(' '));
        }
    }
    by_section
});

/// The key, if some version of systemd has it.
pub(super) fn known(section: &str, key: &str) -> Option<&'static str> {
    BY_SECTION.get(section)?.get(key).copied()
}

/// Every section and key.
#[cfg(test)]
pub(crate) fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    let sections = BY_SECTION.iter();
    sections.flat_map(|(section, keys)| keys.iter().map(|key| (*section, *key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_sections() {
        let cases = [
            ("Unit", "After", true),
            // Old spellings.
            ("Unit", "BindTo", true),
            ("Service", "StartLimitInterval", true),
            ("Service", "CPUShares", true),
            // Those of systemd.exec(5) and systemd.resource-control(5).
            ("Service", "RestrictAddressFamilies", true),
            ("Socket", "MemoryMax", true),
            ("Socket", "BindIPv6Only", true),
            ("Service", "PrivateBPF", true),
            ("Install", "UpheldBy", true),
            ("Service", "After", false),
            ("Unit", "ExecStart", false),
            ("Service", "ListenStream", false),
            ("Service", "execstart", false),
            ("Service", "", false),
            ("Timer", "OnCalendar", false),
        ];
        for (section, key, is_known) in cases {
            assert_eq!(known(section, key).is_some(), is_known, "[{section}] {key}");
        }
    }

    #[test]
    fn all_that_is_read_as_another_key() {
        for (section, key, section_now, key_now) in super::super::merge::OLD_SPELLINGS {
            assert!(known(section, key).is_some(), "[{section}] {key}");
            assert!(
                known(section_now, key_now).is_some(),
                "[{section_now}] {key_now}"
            );
        }
    }
}
