//! What Quadlet files name: a service, and something of Podman's.

use std::collections::{BTreeMap, BTreeSet};

use super::file::file_name;
use super::values::Section;
use super::{Generator, QuadletFile};

/// The kinds of Quadlet files: the part of a name after the last dot, the
/// section, and what is put behind the name to make that of the service.
const KINDS: &[(&str, &str, &str)] = &[
    ("artifact", "Artifact", "-artifact"),
    ("build", "Build", "-build"),
    ("container", "Container", ""),
    ("image", "Image", "-image"),
    ("kube", "Kube", ""),
    ("network", "Network", "-network"),
    ("pod", "Pod", "-pod"),
    ("volume", "Volume", "-volume"),
];

/// Whether a file of this name is one that Podman's generator reads.
#[must_use]
pub fn is_quadlet(name: &str) -> bool {
    kind(name).is_some()
}

/// Whether this is what follows the last dot of a name.
#[must_use]
pub fn has_type(name: &str, suffix: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, of)| of == suffix)
}

fn kind(name: &str) -> Option<&'static (&'static str, &'static str, &'static str)> {
    let (_, suffix) = name.rsplit_once('.')?;
    KINDS.iter().find(|(kind, _, _)| *kind == suffix)
}

/// What other files refer to by the name of a Quadlet file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The service that the generator makes, `.service` included.
    pub service: String,
    /// The container, volume, network … that the service makes; empty where the
    /// generator does not know it.
    pub name: String,
}

/// The resources that a file may refer to, by the name of their file.
pub type Resources = BTreeMap<String, Resource>;

impl Resource {
    /// What a file stands for; `None` if it is no Quadlet file by its name.
    #[must_use]
    pub fn of(file: &QuadletFile, generator: Generator) -> Option<Self> {
        let (kind, section, suffix) = kind(file.name())?;
        let values = Section {
            groups: &file.groups,
            name: section,
            generator,
        };
        let text = |key: &str| values.text(key).map(|value| value.text);
        let stem = stem(file.name());
        let service = text("ServiceName").unwrap_or_else(|| format!("{stem}{suffix}"));
        let default = || format!("systemd-{stem}");
        let name = match *kind {
            "container" => container_name(file, generator).replace("%N", &service),
            "image" => text("ImageTag")
                .or_else(|| text("Image"))
                .unwrap_or_default(),
            "build" => values
                .all("ImageTag")
                .into_iter()
                .next()
                .map_or_else(String::new, |value| value.text),
            "network" => text("NetworkName").unwrap_or_else(default),
            "pod" => text("PodName").unwrap_or_else(default),
            "volume" => text("VolumeName").unwrap_or_else(default),
            _ => String::new(),
        };
        let is_unresolved = *kind == "container" && name.contains('%');
        Some(Self {
            service: format!("{service}.service"),
            name: if is_unresolved { String::new() } else { name },
        })
    }
}

/// A file name without its type.
fn stem(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}

/// The name of the container, with specifiers.
pub(super) fn container_name(file: &QuadletFile, generator: Generator) -> String {
    let values = Section {
        groups: &file.groups,
        name: "Container",
        generator,
    };
    let default = if file.name().contains('@') {
        "systemd-%p_%i"
    } else {
        "systemd-%N"
    };
    values
        .text("ContainerName")
        .map_or_else(|| default.to_owned(), |value| value.text)
}

/// The names of the Quadlet files that a `.container` file may refer to: every
/// word that is the name of one.
#[must_use]
pub fn references(file: &QuadletFile) -> BTreeSet<String> {
    let sections = ["Container", "Unit"];
    let lines = sections.iter().filter_map(|name| file.groups.get(name));
    lines
        .flat_map(|group| &group.lines)
        .flat_map(|line| line.value.split([' ', '\t', ':', ',', '=', '"', '\'']))
        .filter(|word| is_quadlet(word) && file_name(word) == *word)
        .map(str::to_owned)
        .collect()
}

/// The paths of devices that `AddDevice=` passes over where they are missing.
#[must_use]
pub fn optional_devices(file: &QuadletFile, generator: Generator) -> BTreeSet<String> {
    let values = Section {
        groups: &file.groups,
        name: "Container",
        generator,
    };
    let devices = values.strings("AddDevice").into_iter();
    devices
        .filter_map(|device| Some(device_path(device.text.strip_prefix('-')?).to_owned()))
        .collect()
}

pub(super) fn device_path(device: &str) -> &str {
    device.split(':').next().unwrap_or(device)
}
