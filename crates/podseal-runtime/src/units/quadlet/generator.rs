//! Podman's own generator, where it is installed.

use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::time::Duration;

use podseal_core::podman::Version;
use podseal_core::unit::effective::Scope;
use podseal_core::unit::effective::quadlet::Answer;
use podseal_core::unit::quadlet::Generator;

use crate::command::{self, CommandError};
use crate::side_by_side::both;

/// Where distributions install it.
const PATHS: &[&str] = &[
    "/usr/libexec/podman/quadlet",
    "/usr/lib/podman/quadlet",
    "/usr/lib/systemd/user-generators/podman-user-generator",
    "/usr/lib/systemd/system-generators/podman-system-generator",
];

/// Another one to ask instead; with no value, none is asked.
const VARIABLE: &str = "PODSEAL_QUADLET";

/// systemd gives all generators together 90 seconds.
const LIMIT: Duration = Duration::from_secs(30);

/// What the generator makes of all files in its directories.
#[derive(Debug)]
pub(super) struct Answers {
    path: String,
    pub(super) generator: Generator,
    /// The unit files, by the name of the unit.
    units: BTreeMap<String, String>,
    /// What is wrong, by the name of the file.
    errors: BTreeMap<String, String>,
}

impl Answers {
    /// Asks the generator that is installed, about these directories, separated
    /// by colons, or about those in which it looks by itself. `None` where there is none.
    pub(super) fn of(scope: Scope, directory: Option<&str>) -> Option<Result<Self, CommandError>> {
        Some(Self::ask(&installed()?, scope, directory))
    }

    fn ask(path: &str, scope: Scope, directory: Option<&str>) -> Result<Self, CommandError> {
        let run = |arguments: &[&str]| {
            let words = std::iter::once(path).chain(arguments.iter().copied());
            let words: Vec<String> = words.map(str::to_owned).collect();
            let directories = directory.map(|directory| ("QUADLET_UNIT_DIRS", Some(directory)));
            command::run_with_environment(&words, directories.as_slice(), LIMIT)
        };
        let dry_run: &[&str] = match scope {
            Scope::User => &["-dryrun", "-user"],
            Scope::System => &["-dryrun"],
        };
        let (version, output) = both(|| run(&["-version"]), || run(dry_run));
        let version: Option<Version> = version?.success()?.trim().parse().ok();
        // It ends with status 1 where one of many files is wrong.
        let output = output?;
        Ok(Self {
            path: path.to_owned(),
            generator: version.map_or(Generator::NEWEST, Generator::of),
            units: units(&output.stdout),
            errors: errors(&output.stderr),
        })
    }

    /// What it makes of a file whose service should have this name.
    pub(super) fn about(&self, file: &str, service: &str) -> Answer {
        Answer {
            generator: self.path.clone(),
            unit: self.units.get(service).cloned(),
            error: self.errors.get(file).cloned(),
        }
    }
}

/// The path of the generator, if there is one.
pub(in super::super) fn installed() -> Option<String> {
    match env::var(VARIABLE).ok() {
        Some(path) if path.is_empty() => None,
        Some(path) => Some(path),
        None => {
            let mut paths = PATHS.iter();
            let found = paths.find(|path| Path::new(path).exists());
            found.map(|path| (*path).to_owned())
        }
    }
}

/// Takes apart `---NAME---`, the text of that unit, and so on.
fn units(output: &str) -> BTreeMap<String, String> {
    let mut units: BTreeMap<String, String> = BTreeMap::new();
    let mut current: Option<String> = None;
    for line in output.lines() {
        let header = line.strip_prefix("---").and_then(|l| l.strip_suffix("---"));
        if let Some(name) = header.filter(|name| name.ends_with(".service")) {
            current = Some(name.to_owned());
            units.entry(name.to_owned()).or_default();
        } else if let Some(text) = current.as_ref().and_then(|name| units.get_mut(name)) {
            text.push_str(line);
            text.push('\n');
        }
    }
    units
}

/// Takes apart `converting "FILE": MESSAGE`, with or without a name before it.
fn errors(output: &str) -> BTreeMap<String, String> {
    let lines = output.lines();
    lines
        .filter_map(|line| {
            let (_, error) = line.split_once("converting \"")?;
            let (file, message) = error.split_once("\": ")?;
            Some((file.to_owned(), message.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output() {
        let output = "---a.service---\n[Unit]\nA=1\n\n---b.service---\n[Unit]\n---\n";
        let found = units(output);
        assert_eq!(found["a.service"], "[Unit]\nA=1\n\n");
        assert_eq!(found["b.service"], "[Unit]\n---\n");
        let output = "quadlet-generator[1]: Loading x\nquadlet-generator[1]: converting \"a.container\": what\nconverting \"b.container\": a \": b\n";
        let found = errors(output);
        assert_eq!(found.len(), 2);
        assert_eq!(found["a.container"], "what");
        assert_eq!(found["b.container"], "a \": b");
    }
}
