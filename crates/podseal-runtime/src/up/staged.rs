//! The files as they will be, in a directory to read them from.

use std::fs;
use std::path::Path;

use podseal_core::unit::name::UnitName;
use podseal_core::up::Files;

use super::UpError;
use crate::install::InstallError;

/// A directory with the files that are to be, removed when this is dropped.
pub(super) struct Staged {
    pub(super) directory: String,
}

impl Staged {
    /// Writes them, and masks for units that will be gone.
    pub(super) fn write<'a>(
        parent: &Path,
        files: &Files,
        removed: impl Iterator<Item = &'a UnitName>,
    ) -> Result<Self, UpError> {
        let directory = parent.join("units");
        let failed = |source| {
            UpError::Install(InstallError::Step {
                step: "write below",
                path: directory.clone(),
                source,
            })
        };
        let Some(text) = directory.to_str() else {
            return Err(UpError::NoDirectory);
        };
        fs::create_dir_all(&directory).map_err(failed)?;
        let staged = Self {
            directory: text.to_owned(),
        };
        let files = std::iter::once(&files.service).chain(&files.sockets);
        for file in files {
            fs::write(directory.join(&file.name), &file.text).map_err(failed)?;
        }
        for unit in removed {
            fs::write(directory.join(unit.as_str()), "").map_err(failed)?;
        }
        Ok(staged)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            tracing::warn!(path = self.directory, %error, "cannot remove");
        }
    }
}
