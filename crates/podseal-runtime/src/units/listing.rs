//! Directories of units and Quadlet files, listed.

use podseal_core::unit::effective::search::{self, SearchDir};

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
    /// would put them, whether or not it has run.
    pub(super) fn new(
        path: Vec<String>,
        generated: &str,
        quadlet: QuadletFiles,
    ) -> Result<Self, UnitError> {
        let mut services = Some(quadlet.generated(generated));
        let mut dirs: Vec<SearchDir> = Vec::new();
        for path in path {
            let is_generated = path == generated;
            let listed = files::list(path)?;
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
