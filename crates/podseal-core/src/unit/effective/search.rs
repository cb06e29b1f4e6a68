//! Which files make up a unit: search path, aliases, templates, masks, drop-ins.
//!
//! Follows "Unit File Load Path" in `systemd.unit(5)` and systemd's
//! `unit_file_build_name_map()`, `unit_file_find_fragment()` and
//! `unit_file_find_dropin_paths()`, checked against `systemd-analyze verify` 252.

use std::collections::{BTreeMap, BTreeSet};

use crate::unit::name::{NameKind, UnitName};

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
    /// A regular file with contents.
    File,
    /// An empty file. It masks units and drop-ins just as a link to `/dev/null`.
    Empty,
    /// A symbolic link and its target as `readlink(2)` gives it.
    Link(String),
    /// A directory: of drop-ins, where its name ends in `.d`.
    Directory(BTreeMap<String, DropIn>),
}

/// Something in a directory of drop-ins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropIn {
    /// A file with contents, or a link to one.
    File,
    /// An empty file, a link to `/dev/null`, or anything else that yields no
    /// contents: it still hides files of its name in weaker directories.
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
    /// Paths of its drop-ins, in the order in which they are read.
    pub dropins: Vec<String>,
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

/// Finds a unit's files.
#[must_use]
pub fn locate(unit: &UnitName, dirs: &[SearchDir]) -> Located {
    let found = resolve(unit.as_str(), dirs).or_else(|| {
        // A template's file serves every instance.
        let template = unit.template().ok()?;
        resolve(template.as_str(), dirs)
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
    let mut aliases: BTreeSet<UnitName> = links(dirs)
        .filter(|name| resolve(name.as_str(), dirs).is_some_and(|(of, _)| of == base))
        .filter_map(|name| fill(&name))
        // A link for one instance of a template names no other.
        .filter(|name| name.instance() == id.instance())
        .collect();
    aliases.insert(unit.clone());
    aliases.remove(&id);
    let aliases: Vec<UnitName> = aliases.into_iter().collect();
    let dropins = dropins(&id, &aliases, dirs);
    Located {
        id,
        aliases,
        fragment,
        dropins,
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
                Entry::File | Entry::Empty => Entered::Fragment(entry == &Entry::File),
                Entry::Link(target) => follow(&name, dir, target, dirs)?,
                Entry::Directory(_) => return None,
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
    let target = absolute(&dir.path, target);
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

/// The path of a link's target, without `.` and `..`.
fn absolute(dir: &str, target: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let base = if target.starts_with('/') { "" } else { dir };
    for part in base.split('/').chain(target.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Drop-ins in the order of their file names. Where two directories have a file
/// of the same name, the first counts: directories of the unit's own name
/// before those of its aliases before those of its type; then by search
/// directory; then by how much of the name they have.
fn dropins(id: &UnitName, aliases: &[UnitName], dirs: &[SearchDir]) -> Vec<String> {
    let mut directories: Vec<(&SearchDir, String)> = Vec::new();
    for name in std::iter::once(id).chain(aliases) {
        let names = dropin_names(name);
        for dir in dirs {
            directories.extend(names.iter().map(|name| (dir, format!("{name}.d"))));
        }
    }
    let of_type = dropin_directory_of_type(id);
    directories.extend(dirs.iter().map(|dir| (dir, of_type.clone())));

    let mut found: BTreeMap<&str, Option<String>> = BTreeMap::new();
    for (dir, name) in &directories {
        let Some(Entry::Directory(entries)) = dir.entries.get(name) else {
            continue;
        };
        for (file, kind) in entries {
            if file.strip_suffix(".conf").is_some() && !file.starts_with('.') {
                found.entry(file).or_insert_with(|| match kind {
                    DropIn::File => Some(format!("{}/{name}/{file}", dir.path)),
                    DropIn::Masked => None,
                });
            }
        }
    }
    found.into_values().flatten().collect()
}

fn dropin_directory_of_type(unit: &UnitName) -> String {
    format!("{}.d", unit.unit_type().name())
}

/// The names of the directories in which a unit's drop-ins may be, so that the
/// caller of [`locate`] need not look into others: call it once without what is
/// in them, and again with it.
#[must_use]
pub fn dropin_directories(located: &Located) -> BTreeSet<String> {
    std::iter::once(&located.id)
        .chain(&located.aliases)
        .flat_map(dropin_names)
        .map(|name| format!("{name}.d"))
        .chain(std::iter::once(dropin_directory_of_type(&located.id)))
        .collect()
}

/// The names whose `.d` directories hold drop-ins for a unit: `a-b@c.service`,
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
