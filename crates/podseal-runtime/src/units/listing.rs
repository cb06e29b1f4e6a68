//! Directories of units and Quadlet files, listed.

use std::collections::BTreeMap;

use podseal_core::unit::effective::search::{self, Entry, SearchDir};

use super::UnitError;
use super::files;
use super::quadlet::QuadletFiles;

/// What a manager finds in its search path, and Podman's generator in its own.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) units: search::Listing,
    pub(super) quadlet: QuadletFiles,
    /// Where the generator puts services.
    generated: String,
}

impl Listing {
    /// Lists the directories. The generator's services are taken to be where it
    /// would put them, whether or not it has run. The directories of `supposed`
    /// drop-ins are taken to be there.
    pub(super) fn new(
        path: Vec<String>,
        generated: &str,
        quadlet: QuadletFiles,
        supposed: &BTreeMap<String, Option<String>>,
    ) -> Result<Self, UnitError> {
        let mut services = Some(quadlet.generated(generated));
        let mut dirs: Vec<SearchDir> = Vec::new();
        for path in path {
            let is_generated = path == generated;
            let listed = with_supposed(&path, files::list(path.clone())?, supposed);
            match services.take_if(|_| is_generated) {
                None => dirs.extend(listed),
                Some(mut services) => {
                    let listed = listed.map(|dir| dir.entries).unwrap_or_default();
                    for (name, entry) in listed {
                        services.entries.entry(name).or_insert(entry);
                    }
                    dirs.push(services);
                }
            }
        }
        // Elsewhere they are the weakest.
        dirs.extend(services);
        Ok(Self {
            units: search::Listing::new(dirs),
            quadlet,
            generated: generated.to_owned(),
        })
    }

    /// The name of the `.container` file that the unit file at `path` is
    /// generated from.
    pub(super) fn source_of(&self, path: &str) -> Option<&str> {
        let (directory, name) = path.rsplit_once('/')?;
        let unit = name.parse().ok()?;
        (directory == self.generated)
            .then(|| self.quadlet.source_of(&unit))
            .flatten()
    }
}

/// A directory of the search path with the directories of drop-ins that are
/// supposed in it.
fn with_supposed(
    path: &str,
    mut listed: Option<SearchDir>,
    supposed: &BTreeMap<String, Option<String>>,
) -> Option<SearchDir> {
    for dropin in supposed.keys() {
        let below = dropin.strip_prefix(path).and_then(|d| d.strip_prefix('/'));
        if let Some((directory, _)) = below.and_then(|below| below.split_once('/')) {
            let dir = listed.get_or_insert_with(|| SearchDir {
                path: path.to_owned(),
                entries: BTreeMap::new(),
            });
            let entry = dir.entries.entry(directory.to_owned());
            entry.or_insert(Entry::Directory);
        }
    }
    listed
}
