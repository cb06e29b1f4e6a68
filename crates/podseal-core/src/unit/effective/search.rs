//! Which files make up a unit: search path, aliases, templates, masks, drop-ins.
//!
//! Follows "Unit File Load Path" in `systemd.unit(5)` and systemd's
//! `unit_file_build_name_map()`, `unit_file_find_fragment()` and
//! `unit_file_find_dropin_paths()`, checked against `systemd-analyze verify` 252.

use std::collections::{BTreeMap, BTreeSet};

use crate::unit::name::{NameKind, UnitName};
use crate::unit::path;

/// One directory of the search path, as the caller found it. Directories are
/// given in the order of the path, the first being the strongest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchDir {
    /// Absolute, without a slash at its end.
    pub path: String,
    /// What is in it, in any order.
    pub entries: BTreeMap<String, Entry>,
}

/// Something in a search directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A regular file. Whether it is empty, and so masks the unit, is seen when
    /// it is read.
    File,
    /// A symbolic link and its target as `readlink(2)` gives it.
    Link(String),
    /// A directory; [`has_parts`] says whether of drop-ins or dependencies.
    Directory,
}

/// Something in a directory of drop-ins, or of links that are dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropIn {
    /// A file with contents, or a link to one; among dependencies a link, even
    /// one that leads nowhere.
    File,
    /// An empty file, a link to `/dev/null`, or anything else that does not
    /// count: it still hides files of its name in weaker directories.
    Masked,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The unit's own name: that of its file, with the instance filled in.
    pub id: UnitName,
    /// Its other names, the one looked for included, in alphabetical order.
    /// (systemd has no order for them.)
    pub aliases: Vec<UnitName>,
    /// Its file.
    pub fragment: Fragment,
    /// Paths of the directories of its drop-ins, the strongest first. What is
    /// in them is put in order by [`dropins`].
    pub dropin_directories: Vec<String>,
    /// As those, of directories with links that are dependencies, with the key
    /// that they stand for. [`dependency_links`] puts their contents in order.
    pub dependency_directories: Vec<(&'static str, Vec<String>)>,
}

/// Dependencies that links in a directory of this suffix stand for, see
/// "Description" in `systemd.unit(5)`.
const DEPENDENCY_SUFFIXES: &[(&str, &str)] = &[
    ("Requires", ".requires"),
    ("Upholds", ".upholds"),
    ("Wants", ".wants"),
];

/// Whether a directory of this name in the search path has drop-ins of a unit,
/// or links to units that one depends on.
#[must_use]
pub fn has_parts(name: &str) -> bool {
    let mut suffixes = DEPENDENCY_SUFFIXES.iter().map(|(_, suffix)| *suffix);
    name.strip_suffix(".d").is_some() || suffixes.any(|suffix| name.ends_with(suffix))
}

/// The main file of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fragment {
    /// The path to read.
    File(String),
    /// The unit is masked by what is at this path.
    Masked(String),
    /// There is none.
    Missing,
}

/// More links than this in a row lead nowhere (systemd's `FOLLOW_MAX`).
const LINKS_MAX: usize = 8;

/// The search path with what is in it, to be searched for any number of units.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    dirs: Vec<SearchDir>,
    /// The names that are links, by the name of the unit that they lead to.
    aliases: BTreeMap<UnitName, BTreeSet<UnitName>>,
    /// The suffixes that directories in them have.
    suffixes: BTreeSet<String>,
}

impl Listing {
    /// A search path of these directories, the strongest first.
    #[must_use]
    pub fn new(dirs: Vec<SearchDir>) -> Self {
        let mut aliases: BTreeMap<UnitName, BTreeSet<UnitName>> = BTreeMap::new();
        for name in links(&dirs) {
            if let Some((base, _)) = resolve(name.as_str(), &dirs) {
                aliases.entry(base).or_default().insert(name);
            }
        }
        let entries = dirs.iter().flat_map(|dir| &dir.entries);
        let suffixes = entries
            .filter(|(_, entry)| **entry == Entry::Directory)
            .filter_map(|(name, _)| Some(name[name.rfind('.')?..].to_owned()))
            .collect();
        Self {
            dirs,
            aliases,
            suffixes,
        }
    }

    /// The directories.
    #[must_use]
    pub fn dirs(&self) -> &[SearchDir] {
        &self.dirs
    }

    /// The names under which the directories have a file or a link.
    #[must_use]
    pub fn names(&self) -> BTreeSet<UnitName> {
        let entries = self.dirs.iter().flat_map(|dir| &dir.entries);
        entries
            .filter(|(_, entry)| **entry != Entry::Directory)
            .filter_map(|(name, _)| name.parse().ok())
            .collect()
    }

    /// Finds a unit's files.
    #[must_use]
    pub fn locate(&self, unit: &UnitName) -> Located {
        let found = resolve(unit.as_str(), &self.dirs).or_else(|| {
            // A template's file serves every instance.
            let template = unit.template().ok()?;
            resolve(template.as_str(), &self.dirs)
        });
        let (base, fragment) = match found {
            Some((base, fragment)) => (base, fragment),
            None => (unit.clone(), Fragment::Missing),
        };
        let fill = |name: &UnitName| match (name.kind(), unit.instance()) {
            (NameKind::Template, Some(instance)) if !instance.is_empty() => {
                name.with_instance(instance).ok()
            }
            _ => Some(name.clone()),
        };
        let id = fill(&base).unwrap_or_else(|| unit.clone());
        let links = self.aliases.get(&base).into_iter().flatten();
        let mut aliases: BTreeSet<UnitName> = links
            .filter_map(fill)
            // A link for one instance of a template names no other.
            .filter(|name| name.instance() == id.instance())
            .collect();
        aliases.insert(unit.clone());
        aliases.remove(&id);
        let aliases: Vec<UnitName> = aliases.into_iter().collect();
        let directories = |suffix| {
            if self.suffixes.contains(suffix) {
                part_directories(&id, &aliases, &self.dirs, suffix)
            } else {
                Vec::new()
            }
        };
        let dependencies = DEPENDENCY_SUFFIXES.iter();
        Located {
            dropin_directories: directories(".d"),
            dependency_directories: dependencies
                .map(|(key, suffix)| (*key, directories(suffix)))
                .collect(),
            id,
            aliases,
            fragment,
        }
    }
}

/// Names of unit files that are links.
fn links(dirs: &[SearchDir]) -> impl Iterator<Item = UnitName> {
    dirs.iter()
        .flat_map(|dir| &dir.entries)
        .filter(|(_, entry)| matches!(entry, Entry::Link(_)))
        .filter_map(|(name, _)| name.parse().ok())
}

/// Follows aliases from a name to the name and path of a file.
fn resolve(name: &str, dirs: &[SearchDir]) -> Option<(UnitName, Fragment)> {
    let mut name: UnitName = name.parse().ok()?;
    for _ in 0..LINKS_MAX {
        let (path, entry) = dirs.iter().find_map(|dir| {
            let entry = dir.entries.get(name.as_str())?;
            let usable = match entry {
                Entry::File => Entered::Fragment(true),
                Entry::Link(target) => follow(&name, dir, target, dirs)?,
                Entry::Directory => return None,
            };
            Some((format!("{}/{name}", dir.path), usable))
        })?;
        match entry {
            Entered::Fragment(true) => return Some((name, Fragment::File(path))),
            Entered::Fragment(false) => return Some((name, Fragment::Masked(path))),
            Entered::Alias(target) => name = target,
        }
    }
    None
}

enum Entered {
    /// A unit file; `false` where it masks the unit.
    Fragment(bool),
    /// Another name to look for.
    Alias(UnitName),
}

/// What a link stands for; `None` where systemd rejects it.
fn follow(name: &UnitName, dir: &SearchDir, target: &str, dirs: &[SearchDir]) -> Option<Entered> {
    let target = path::absolute(&dir.path, target);
    if target == "/dev/null" {
        return Some(Entered::Fragment(false));
    }
    let inside = dirs.iter().any(|dir| {
        target
            .strip_prefix(&dir.path)
            .is_some_and(|rest| rest.starts_with('/'))
    });
    if !inside {
        // A file from elsewhere, linked into the search path.
        return Some(Entered::Fragment(true));
    }
    let alias: UnitName = target.rsplit('/').next()?.parse().ok()?;
    let compatible = alias.unit_type() == name.unit_type()
        && (alias.kind() == name.kind()
            || (name.kind() == NameKind::Instance && alias.kind() == NameKind::Template));
    compatible.then_some(Entered::Alias(alias))
}

/// The directories of a unit's drop-ins or dependencies, by suffix: those of its
/// own name before those of its aliases before that of its type; then by search
/// directory; then by how much of the name they have.
fn part_directories(
    id: &UnitName,
    aliases: &[UnitName],
    dirs: &[SearchDir],
    suffix: &str,
) -> Vec<String> {
    let mut directories = Vec::new();
    let mut of_names = |names: &[String]| {
        let names: Vec<String> = names.iter().map(|name| format!("{name}{suffix}")).collect();
        for dir in dirs {
            let is_there = |name: &&String| dir.entries.get(*name) == Some(&Entry::Directory);
            let names = names.iter().filter(is_there);
            directories.extend(names.map(|name| format!("{}/{name}", dir.path)));
        }
    };
    for name in std::iter::once(id).chain(aliases) {
        of_names(&dropin_names(name));
    }
    of_names(&[id.unit_type().name().to_owned()]);
    directories
}

/// Drop-ins in the order of their file names, from what is in the directories
/// of [`Located::dropin_directories`]. Where two of them have a file of the same
/// name, the first counts.
#[must_use]
pub fn dropins(directories: &[(String, BTreeMap<String, DropIn>)]) -> Vec<String> {
    let is_dropin = |file: &str| file.strip_suffix(".conf").is_some() && !file.starts_with('.');
    let found = strongest(directories).into_iter();
    found
        .filter(|(file, _)| is_dropin(file))
        .map(|(_, path)| path)
        .collect()
}

/// The units that links lead to, and the paths of these, from what is in the
/// directories of one key of [`Located::dependency_directories`]. It is the
/// link's own name that counts.
#[must_use]
pub fn dependency_links(
    directories: &[(String, BTreeMap<String, DropIn>)],
) -> Vec<(UnitName, String)> {
    let found = strongest(directories).into_iter();
    found
        .filter_map(|(file, path)| Some((file.parse().ok()?, path)))
        .collect()
}

/// What counts in directories, by file name: the first of each, unless it is
/// masked.
fn strongest(directories: &[(String, BTreeMap<String, DropIn>)]) -> Vec<(&str, String)> {
    let mut found: BTreeMap<&str, Option<String>> = BTreeMap::new();
    for (directory, entries) in directories {
        for (file, kind) in entries {
            found.entry(file).or_insert_with(|| match kind {
                DropIn::File => Some(format!("{directory}/{file}")),
                DropIn::Masked => None,
            });
        }
    }
    let found = found.into_iter();
    found
        .filter_map(|(file, path)| Some((file, path?)))
        .collect()
}

/// The names whose directories hold drop-ins or dependencies of a unit: `a-b@c.service`,
/// its template `a-b@.service`, then `a-@c.service` and `a-@.service`.
fn dropin_names(name: &UnitName) -> Vec<String> {
    let mut names = Vec::new();
    let mut prefix = name.prefix();
    loop {
        let instances = match name.instance() {
            None => vec![None],
            Some("") => vec![Some("")],
            Some(instance) => vec![Some(instance), Some("")],
        };
        names.extend(
            instances
                .iter()
                .filter_map(|instance| UnitName::build(prefix, *instance, name.unit_type()).ok())
                .map(|name| name.to_string()),
        );
        // "a-b" and "a-b-" are both followed by "a-".
        let shortened = prefix.strip_suffix('-').unwrap_or(prefix);
        match shortened.rfind('-') {
            Some(dash) => prefix = &prefix[..=dash],
            None => return names,
        }
    }
}

#[cfg(test)]
mod tests;
