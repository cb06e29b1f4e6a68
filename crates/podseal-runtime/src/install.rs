//! Files written and removed as one change: all of it, or nothing.
//!
//! Everything that can fail for lack of space or permission is done before the
//! first file changes: new contents lie beside their files, synchronised, and so
//! do copies of the old ones. Then each file is renamed into place, which
//! rename(2) does as a whole. What fails after that is undone from the copies.
//! A process that is killed leaves each file old or new.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// What is to become of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its path.
    pub path: PathBuf,
    /// Its contents, or none if it is not to be there.
    pub contents: Option<String>,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Something else is in the place of a file.
    #[error("{} is not a regular file", path.display())]
    NotRegular {
        /// Its path.
        path: PathBuf,
    },
    /// A path that leads nowhere, such as `/`.
    #[error("{} is not the path of a file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// A step failed on a file or directory.
    #[error("cannot {step} {}", path.display())]
    Step {
        /// What was to be done.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl InstallError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotRegular { .. } => "move it away",
            Self::NotAFile { .. } => "check the path",
            Self::Step { source, .. } => match source.kind() {
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                    "run podseal as a user who may write there, or change the permissions"
                }
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on the file system",
                ErrorKind::WouldBlock => "another podseal is at work there: try again",
                _ => "check the path",
            },
        }
    }
}

/// Files that have been changed, and can still be changed back.
#[derive(Debug, Default)]
pub struct Installed {
    files: Vec<Prepared>,
    /// Directories that were made, outermost first.
    made: Vec<PathBuf>,
    /// Directories, with what holds the lock of each.
    locks: Vec<(PathBuf, File)>,
}

/// One file, with what is beside it.
#[derive(Debug)]
struct Prepared {
    path: PathBuf,
    directory: PathBuf,
    /// Its new contents.
    new: Option<PathBuf>,
    /// A copy of its old contents.
    old: Option<PathBuf>,
    is_changed: bool,
}

/// Makes every change. Nothing is changed on an error.
///
/// # Errors
/// The first step that failed.
pub fn install(changes: &[Change]) -> Result<Installed, InstallError> {
    let mut installed = Installed::default();
    let done = changes
        .iter()
        .try_for_each(|change| installed.prepare(change))
        .and_then(|()| installed.commit());
    match done {
        Ok(()) => Ok(installed),
        Err(error) => {
            // What failed first is told; each file is whole either way.
            let _ = installed.undo();
            Err(error)
        }
    }
}

fn step<T>(step: &'static str, path: &Path, result: io::Result<T>) -> Result<T, InstallError> {
    result.map_err(|source| InstallError::Step {
        step,
        path: path.to_owned(),
        source,
    })
}

impl Installed {
    fn prepare(&mut self, change: &Change) -> Result<(), InstallError> {
        let path = &change.path;
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(InstallError::NotAFile { path: path.clone() });
        };
        self.make_directory(directory)?;
        if !self.locks.iter().any(|(locked, _)| locked == directory) {
            let lock = step("open", directory, File::open(directory))?;
            let locked = flock(&lock, FlockOperation::NonBlockingLockExclusive);
            step("lock", directory, locked.map_err(Into::into))?;
            self.locks.push((directory.to_owned(), lock));
        }
        let beside = |what: &str| {
            // systemd passes over names that begin with a dot.
            let mut hidden = std::ffi::OsString::from(".");
            hidden.push(name);
            hidden.push(what);
            directory.join(hidden)
        };
        let old = match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_file() => Some(metadata.permissions()),
            Ok(_) => return Err(InstallError::NotRegular { path: path.clone() }),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return step("look at", path, Err(error)),
        };
        self.files.push(Prepared {
            path: path.clone(),
            directory: directory.to_owned(),
            new: change.contents.is_some().then(|| beside(".new")),
            old: old.is_some().then(|| beside(".old")),
            is_changed: false,
        });
        let permissions = old.clone().unwrap_or(Permissions::from_mode(0o644));
        if let Some(contents) = &change.contents {
            let new = beside(".new");
            step(
                "write",
                &new,
                write(&new, contents.as_bytes(), &permissions),
            )?;
        }
        if old.is_some() {
            let contents = step("read", path, fs::read(path))?;
            let copy = beside(".old");
            step("write", &copy, write(&copy, &contents, &permissions))?;
        }
        Ok(())
    }

    /// Makes a directory and those above it that are missing.
    fn make_directory(&mut self, directory: &Path) -> Result<(), InstallError> {
        let missing: Vec<&Path> = directory
            .ancestors()
            .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
            .collect();
        for path in missing.into_iter().rev() {
            match fs::create_dir(path) {
                Ok(()) => self.made.push(path.to_owned()),
                Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
                Err(error) => return step("make the directory", path, Err(error)),
            }
            if let Some(parent) = path.parent() {
                step("synchronise", parent, sync(parent))?;
            }
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), InstallError> {
        for file in &mut self.files {
            match &file.new {
                Some(new) => {
                    step("replace", &file.path, fs::rename(new, &file.path))?;
                }
                None if file.old.is_some() => {
                    step("remove", &file.path, fs::remove_file(&file.path))?;
                }
                None => {}
            }
            file.is_changed = true;
            step("synchronise", &file.directory, sync(&file.directory))?;
        }
        Ok(())
    }

    /// Changes everything back.
    ///
    /// # Errors
    /// The first step that failed; the others were done.
    pub fn undo(mut self) -> Result<(), InstallError> {
        let mut outcome = Ok(());
        for file in self.files.iter_mut().rev().filter(|file| file.is_changed) {
            let back = match &file.old {
                Some(old) => step("restore", &file.path, fs::rename(old, &file.path)),
                None => step("remove", &file.path, fs::remove_file(&file.path)),
            };
            let back =
                back.and_then(|()| step("synchronise", &file.directory, sync(&file.directory)));
            outcome = outcome.and(back);
        }
        self.clean();
        for directory in self.made.iter().rev() {
            // It stays if somebody else has put something into it.
            let _ = fs::remove_dir(directory);
        }
        outcome
    }

    /// Lets the changes stay: removes the copies, and the directories that a
    /// removed file leaves empty.
    pub fn keep(self) {
        self.clean();
        for file in self.files.iter().filter(|file| file.new.is_none()) {
            // It fails where the directory has something else in it.
            let _ = fs::remove_dir(&file.directory);
        }
    }

    fn clean(&self) {
        let beside = self
            .files
            .iter()
            .flat_map(|file| file.new.iter().chain(&file.old));
        for path in beside {
            // Renamed, or never written: then there is nothing to remove. What
            // stays is written over the next time, and systemd does not see it.
            let _ = fs::remove_file(path);
        }
    }
}

fn write(path: &Path, contents: &[u8], permissions: &Permissions) -> io::Result<()> {
    // One of a process that was killed may be there.
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(contents)?;
    file.set_permissions(permissions.clone())?;
    file.sync_all()
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests;
