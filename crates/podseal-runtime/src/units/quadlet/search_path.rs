//! The directories in which Podman's generator looks.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use podseal_core::unit::effective::Scope;

use super::super::search_path::Environment;

/// For files of the system's administrator; those for users are below `users`.
const ADMIN: &str = "/etc/containers/systemd";

/// The directories with those below them, the strongest first. QUADLET_UNIT_DIRS
/// replaces them all.
pub(in super::super) fn search_path(
    scope: Scope,
    uid: u32,
    environment: &Environment,
) -> Vec<String> {
    let mut walk = Walk::default();
    let users = PathBuf::from(ADMIN).join("users");
    let users = fs::canonicalize(&users).unwrap_or(users);
    if let Some(dirs) = env::var("QUADLET_UNIT_DIRS").ok().filter(|d| !d.is_empty()) {
        // A relative one ends the list.
        for dir in dirs.split(':').take_while(|dir| dir.starts_with('/')) {
            walk.add(Path::new(dir), &|_| true);
        }
        return walk.found;
    }
    let any = |_: &Path| true;
    match scope {
        Scope::User => {
            let bases = [&environment.runtime, &environment.config_home];
            for base in bases.into_iter().flatten() {
                walk.add(&Path::new(base).join("containers/systemd"), &any);
            }
            // Directories named by a number are for the user with that number.
            let is_for_all = |path: &Path| {
                let below = path.strip_prefix(&users);
                let first = below.ok().and_then(|below| below.components().next());
                first.is_none_or(|first| {
                    let name = first.as_os_str().as_encoded_bytes();
                    !name.iter().all(u8::is_ascii_digit)
                })
            };
            walk.add(&users, &is_for_all);
            walk.add(&users.join(uid.to_string()), &any);
        }
        Scope::System => {
            let is_not_for_users = |path: &Path| !path.starts_with(&users);
            walk.add(Path::new("/run/containers/systemd"), &is_not_for_users);
            walk.add(Path::new(ADMIN), &is_not_for_users);
            walk.add(Path::new("/usr/share/containers/systemd"), &any);
        }
    }
    walk.found
}

/// The directory in which the user, or the administrator, has files. It need
/// not exist.
pub(in super::super) fn own_directory(scope: Scope, environment: &Environment) -> Option<String> {
    let chosen = env::var("QUADLET_UNIT_DIRS").ok();
    let chosen = chosen.as_deref().and_then(|dirs| dirs.split(':').next());
    if let Some(dir) = chosen.filter(|dir| dir.starts_with('/')) {
        return Some(dir.to_owned());
    }
    match scope {
        Scope::User => {
            let base = environment.config_home.as_deref()?;
            Some(format!("{base}/containers/systemd"))
        }
        Scope::System => Some(ADMIN.to_owned()),
    }
}

/// Directories in the order in which the generator walks them.
#[derive(Default)]
struct Walk {
    found: Vec<String>,
    visited: BTreeSet<PathBuf>,
}

impl Walk {
    /// Adds a directory and those below it, links followed, but for those of
    /// drop-ins. What is not there, or is no directory, is left out.
    fn add(&mut self, path: &Path, wanted: &dyn Fn(&Path) -> bool) {
        let Ok(path) = fs::canonicalize(path) else {
            return;
        };
        let is_dropins = path.as_os_str().as_encoded_bytes().ends_with(b".d");
        if is_dropins || !wanted(&path) || !path.is_dir() || !self.visited.insert(path.clone()) {
            return;
        }
        // Unit files have no way to say a path that is not UTF-8.
        if let Some(text) = path.to_str() {
            self.found.push(text.to_owned());
        }
        let listing = fs::read_dir(&path).into_iter().flatten();
        let mut below: Vec<PathBuf> = listing
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect();
        below.sort();
        for path in below {
            self.add(&path, wanted);
        }
    }
}
