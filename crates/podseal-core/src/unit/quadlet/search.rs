//! Where a Quadlet file's drop-ins are.
//!
//! As in systemd, but for three things: the name comes before the search
//! directory only within one directory, the instance is kept out of shortened
//! names, and there are no aliases.

use std::collections::{BTreeMap, BTreeSet};

/// The names of the directories in which a file's drop-ins may be, the
/// strongest first: `a-b@c.container.d`, `a-b@.container.d`, `a-@.container.d`,
/// `a-.container.d`, `container.d`.
#[must_use]
pub fn dropin_directories(name: &str) -> Vec<String> {
    let (stem, suffix) = name.rsplit_once('.').unwrap_or((name, ""));
    let (prefix, instance) = match stem.split_once('@') {
        Some((prefix, instance)) => (prefix, Some(instance)),
        None => (stem, None),
    };
    let mut names = vec![format!("{name}.d")];
    if instance.is_some_and(|instance| !instance.is_empty()) {
        names.push(format!("{prefix}@.{suffix}.d"));
    }
    let dashes = prefix.match_indices('-').map(|(at, _)| &prefix[..=at]);
    let mut shortened: Vec<&str> = dashes.collect();
    shortened.reverse();
    for prefix in shortened {
        if instance.is_some() {
            names.push(format!("{prefix}@.{suffix}.d"));
        }
        names.push(format!("{prefix}.{suffix}.d"));
    }
    names.push(format!("{suffix}.d"));
    names
}

/// Drop-ins in the order of their file names, from the directories that have
/// any, the strongest first. Of files of the same name the first counts.
#[must_use]
pub fn dropins(directories: &[(String, BTreeSet<String>)]) -> Vec<String> {
    let mut found: BTreeMap<&str, String> = BTreeMap::new();
    for (directory, files) in directories {
        for file in files {
            if file.strip_suffix(".conf").is_some() {
                found
                    .entry(file)
                    .or_insert_with(|| format!("{directory}/{file}"));
            }
        }
    }
    found.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories() {
        let cases: &[(&str, &[&str])] = &[
            ("a.container", &["a.container.d", "container.d"]),
            (
                "a-b-c.container",
                &[
                    "a-b-c.container.d",
                    "a-b-.container.d",
                    "a-.container.d",
                    "container.d",
                ],
            ),
            (
                "a-b@c-d.container",
                &[
                    "a-b@c-d.container.d",
                    "a-b@.container.d",
                    "a-@.container.d",
                    "a-.container.d",
                    "container.d",
                ],
            ),
            ("a@.container", &["a@.container.d", "container.d"]),
        ];
        for (name, expected) in cases {
            assert_eq!(dropin_directories(name), *expected, "{name}");
        }
    }

    #[test]
    fn the_first_of_a_name_counts() {
        let files = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let directories = [
            ("/b".to_owned(), files(&["2.conf", "1.conf"])),
            ("/a".to_owned(), files(&["2.conf", "0.conf", "x"])),
        ];
        assert_eq!(
            dropins(&directories),
            ["/a/0.conf", "/b/1.conf", "/b/2.conf"]
        );
    }
}
