//! What `podseal seal --fix` writes for `.container` files, so that the services
//! made of them can be sealed.

use std::path::{Path, PathBuf};

use podseal_core::plan::mend::{DROP_IN, is_ours, quadlet};

use super::{PlanError, Planned, text_of};
use crate::install::{Change, Contents, InstallError, Installed, install};
use crate::systemd::Manager;

/// A drop-in of a `.container` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mend {
    /// Its path.
    pub path: PathBuf,
    /// What is there.
    pub before: Option<String>,
    /// What is to be there.
    pub after: String,
}

/// Drop-ins that are written, and can still be taken back.
#[derive(Debug)]
pub struct Mended(Installed);

/// The drop-ins after which nothing that is known stands against these plans.
/// None where that cannot be had.
///
/// # Errors
/// The place of one is taken.
pub fn mends(plans: &[Planned]) -> Result<Vec<Mend>, PlanError> {
    let mut mends = Vec::new();
    for plan in plans.iter().filter(|plan| !plan.refusals.is_empty()) {
        let Some(source) = &plan.quadlet else {
            return Ok(Vec::new());
        };
        let path = place(source);
        let before = text_of(&path)?;
        let ids: Vec<&str> = plan.refusals.iter().map(|refusal| refusal.id).collect();
        let Some(after) = quadlet(before.as_deref(), &ids) else {
            return Ok(Vec::new());
        };
        if before.as_deref().is_some_and(|text| !is_ours(text)) {
            return Err(PlanError::Foreign { path });
        }
        mends.push(Mend {
            path,
            before,
            after,
        });
    }
    Ok(mends)
}

/// Beside the `.container` file.
fn place(source: &Path) -> PathBuf {
    let mut directory = source.as_os_str().to_owned();
    directory.push(".d");
    Path::new(&directory).join(DROP_IN)
}

/// The drop-in that was written for a `.container` file, and is as it was
/// written.
pub(super) fn existing(source: &Path) -> Result<Option<(PathBuf, String)>, PlanError> {
    let path = place(source);
    match text_of(&path) {
        Ok(text) => Ok(text.filter(|text| is_ours(text)).map(|text| (path, text))),
        // Somebody else's.
        Err(PlanError::Foreign { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Mended {
    /// Writes the drop-ins, all or none.
    ///
    /// # Errors
    /// One could not be written.
    pub fn write(mends: &[Mend]) -> Result<Self, InstallError> {
        let changes = mends.iter().map(|mend| Change {
            path: mend.path.clone(),
            contents: Some(Contents::Text(mend.after.clone())),
        });
        install(&changes.collect::<Vec<_>>()).map(Self)
    }

    /// Lets them stay.
    pub fn keep(self) {
        self.0.keep();
    }

    /// Takes them back, and has the manager forget them.
    ///
    /// # Errors
    /// The first that is still there.
    pub fn undo(self, manager: Option<Manager>) -> Result<(), InstallError> {
        self.0.undo()?;
        if let Some(Err(error)) = manager.map(Manager::reload) {
            tracing::debug!(%error, "not read again after putting back");
        }
        Ok(())
    }
}
