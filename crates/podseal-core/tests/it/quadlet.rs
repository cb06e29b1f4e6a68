//! What podseal makes of `.container` files, compared setting by setting with
//! what Podman's generators made of them. See `quadlet/README.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use podseal_core::unit::effective::Scope;
use podseal_core::unit::quadlet::container::{ContainerService, Surroundings, translate};
use podseal_core::unit::quadlet::resource::{
    Resource, Resources, is_quadlet, optional_devices, references,
};
use podseal_core::unit::quadlet::search::{dropin_directories, dropins};
use podseal_core::unit::quadlet::{Generator, QuadletError, QuadletFile};
use podseal_core::unit::words::{Flags, Words};

/// The directory that the paths in the recordings begin with.
const RECORDED: &str = "/quadlet";

fn units() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/quadlet/units")
}

fn names(directory: &Path) -> BTreeSet<String> {
    let listing = fs::read_dir(directory).into_iter().flatten();
    let names = listing.map(|entry| entry.expect("listed").file_name().into_string());
    names.map(|name| name.expect("UTF-8")).collect()
}

/// A file by its name in `units`, as if it were where the recordings were made.
fn parse(name: &str) -> QuadletFile {
    let bytes = fs::read(units().join(name)).expect(name);
    QuadletFile::parse(&format!("{RECORDED}/{name}"), &bytes).expect(name)
}

fn read(name: &str) -> QuadletFile {
    let mut file = parse(name);
    let directories = dropin_directories(name).into_iter();
    let directories: Vec<_> = directories
        .map(|directory| {
            let files = names(&units().join(&directory));
            (directory, files)
        })
        .collect();
    for dropin in dropins(&directories) {
        file.merge(parse(&dropin));
    }
    file
}

fn translated(
    name: &str,
    scope: Scope,
    generator: Generator,
) -> Result<ContainerService, QuadletError> {
    let file = read(name);
    let known = names(&units());
    let resources: Resources = references(&file)
        .into_iter()
        .filter(|name| known.contains(name))
        .filter_map(|name| {
            let resource = Resource::of(&read(&name), generator)?;
            Some((name, resource))
        })
        .collect();
    let missing_devices = optional_devices(&file, generator)
        .into_iter()
        .filter(|device| !Path::new(device).exists())
        .collect();
    let surroundings = Surroundings {
        scope,
        generator,
        resources: &resources,
        missing_devices: &missing_devices,
    };
    translate(&file, &surroundings)
}

/// What a recording has: the lines of each unit, and the messages about each
/// file.
struct Recording {
    units: BTreeMap<String, Vec<String>>,
    errors: BTreeMap<String, String>,
}

impl Recording {
    fn read(text: &str) -> Self {
        let mut units: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut errors = BTreeMap::new();
        let mut current = String::new();
        for line in text.lines() {
            let message = line.strip_prefix("! ").unwrap_or(line);
            if let Some(name) = line.strip_prefix("---").and_then(|l| l.strip_suffix("---")) {
                name.clone_into(&mut current);
                units.entry(current.clone()).or_default();
            } else if let Some(error) = message.strip_prefix("converting \"") {
                let (file, error) = error.split_once("\": ").expect("a message");
                errors.insert(file.to_owned(), error.to_owned());
            } else if !line.starts_with(['!', '#']) && !line.is_empty() {
                units
                    .entry(current.clone())
                    .or_default()
                    .push(line.to_owned());
            }
        }
        Self { units, errors }
    }
}

/// Splits off the main command, whose options have no fixed order.
fn without_command(lines: &[String]) -> (Vec<&str>, Vec<String>) {
    let (commands, others): (Vec<&String>, Vec<&String>) = lines
        .iter()
        .partition(|line| line.starts_with("ExecStart="));
    let command = commands.last().expect("ExecStart=");
    let mut words = Words::new(&command["ExecStart=".len()..]);
    let flags = Flags::UNQUOTE | Flags::CUNESCAPE;
    let argv = std::iter::from_fn(|| words.next_word(flags).expect("words"));
    let argv = argv.collect();
    (others.into_iter().map(String::as_str).collect(), argv)
}

fn compare(recording: &str, scope: Scope, generator: Generator) {
    let recording = Recording::read(recording);
    let containers = names(&units()).into_iter();
    let containers: Vec<String> = containers
        .filter(|name| name.ends_with(".container") && is_quadlet(name))
        .collect();
    assert!(containers.len() >= 40, "{containers:?}");
    let differences: Vec<String> = containers
        .iter()
        .filter_map(|name| {
            let difference = difference(name, &recording, scope, generator)?;
            Some(format!("{name} {scope:?} {generator:?}: {difference}"))
        })
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// How podseal's own translation of a file differs from what was recorded.
fn difference(
    name: &str,
    recording: &Recording,
    scope: Scope,
    generator: Generator,
) -> Option<String> {
    let made = match translated(name, scope, generator) {
        Ok(made) => made,
        Err(error) => {
            assert!(error.origin.file.starts_with(RECORDED), "{error:?}");
            let expected = recording.errors.get(name);
            let differs = expected != Some(&error.message);
            return differs.then(|| format!("{error:?}, not {expected:?}"));
        }
    };
    let service = Resource::of(&read(name), generator).expect("a container");
    let Some(expected) = recording.units.get(&service.service) else {
        return Some("was not made".to_owned());
    };
    let (expected, argv) = without_command(expected);
    let lines: Vec<String> = made.unit.text.lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), made.unit.origins.len(), "{name}");
    let (found, own_argv) = without_command(&lines);
    let podman: Vec<&str> = made.podman.argv().collect();
    assert_eq!(own_argv, podman, "{name}");
    if found != expected {
        return Some(format!("{found:#?}\nnot {expected:#?}"));
    }
    let differs = !made.podman.has_words(&argv);
    differs.then(|| format!("{podman:?}\nnot {argv:?}"))
}

#[test]
fn as_podman_5_4_2_makes_them() {
    let user = include_str!("../quadlet/5.4.2.user.txt");
    compare(user, Scope::User, Generator::V5_4);
    let system = include_str!("../quadlet/5.4.2.system.txt");
    compare(system, Scope::System, Generator::V5_4);
}

#[test]
fn as_podman_5_8_6_makes_them() {
    let user = include_str!("../quadlet/5.8.6.user.txt");
    compare(user, Scope::User, Generator::V5_8);
    let system = include_str!("../quadlet/5.8.6.system.txt");
    compare(system, Scope::System, Generator::V5_8);
}
