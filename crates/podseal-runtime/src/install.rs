//! Files written and removed as one change: all of it, or nothing.
//!
//! Everything that can fail for lack of space or permission is done before the
//! first file changes: new contents lie beside their files, synchronised, and so
//! do copies of the old ones. Then each file is renamed into place, which
//! rename(2) does as a whole. What fails after that is undone from the copies.
//! A process that is killed leaves each file old or new.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// What is to become of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its path.
    pub path: PathBuf,
    /// What it is to be, or none if it is not to be there.
    pub contents: Option<Contents>,
}

impl Change {
    /// The text that it is to have, if it is to be a regular file.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.contents.as_ref().and_then(Contents::text)
    }
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contents {
    /// A regular file with this text.
    Text(String),
    /// A symbolic link to this path.
    Link(PathBuf),
}

impl Contents {
    /// The text of a regular file.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Link(_) => None,
        }
    }
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

/// How long to wait for another podseal that changes files of the same directory,
/// and how often to look.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);

/// Files that are ready to be changed or have been, and can still be changed
/// back.
#[derive(Debug, Default)]
pub struct Installed {
    files: Vec<Prepared>,
    /// Directories that were made, outermost first.
    made: Vec<PathBuf>,
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
    /// Holds the lock of the directory, for all files in it.
    lock: Rc<File>,
}

/// Makes every change. Nothing is changed on an error.
///
/// # Errors
/// The first step that failed.
pub fn install(changes: &[Change]) -> Result<Installed, InstallError> {
    let mut installed = prepare(changes)?;
    match installed.commit() {
        Ok(()) => Ok(installed),
        Err(error) => {
            // What failed first is told; each file is whole either way.
            let _ = installed.undo();
            Err(error)
        }
    }
}

/// Does what can fail for lack of space or permission, and changes nothing yet:
/// that is what [`Installed::commit`] does.
///
/// # Errors
/// The first step that failed.
pub fn prepare(changes: &[Change]) -> Result<Installed, InstallError> {
    let mut installed = Installed::default();
    let mut changes = changes.iter();
    match changes.try_for_each(|change| installed.prepare(change)) {
        Ok(()) => Ok(installed),
        Err(error) => {
            let _ = installed.undo();
            Err(error)
        }
    }
}

/// Whether a process that was killed has left something beside a file.
#[must_use]
pub fn is_unfinished(path: &Path) -> bool {
    let left = |what| fs::symlink_metadata(beside(path, what)).is_ok();
    left(NEW) || left(OLD)
}

/// Removes what a process that was killed has left beside these files.
pub fn clear<'a>(paths: impl IntoIterator<Item = &'a Path>) {
    for path in paths {
        for what in [NEW, OLD] {
            // Mostly there is nothing. What stays is written over the next time,
            // and systemd does not see it.
            let _ = fs::remove_file(beside(path, what));
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
        let (Some(directory), Some(_)) = (path.parent(), path.file_name()) else {
            return Err(InstallError::NotAFile { path: path.clone() });
        };
        let lock = self.directory(directory)?;
        let old = existing(path, change)?;
        self.files.push(Prepared {
            path: path.clone(),
            directory: directory.to_owned(),
            new: change.contents.is_some().then(|| beside(path, NEW)),
            old: old.is_some().then(|| beside(path, OLD)),
            is_changed: false,
            lock,
        });
        let permissions = match &old {
            Some(Old::Regular(permissions)) => permissions.clone(),
            Some(Old::Link(_)) | None => Permissions::from_mode(0o644),
        };
        if let Some(contents) = &change.contents {
            let new = beside(path, NEW);
            step("write", &new, write(&new, contents, &permissions))?;
        }
        if let Some(old) = old {
            let contents = match old {
                Old::Regular(_) => Contents::Text(step("read", path, fs::read_to_string(path))?),
                Old::Link(target) => Contents::Link(target),
            };
            let copy = beside(path, OLD);
            step("write", &copy, write(&copy, &contents, &permissions))?;
        }
        Ok(())
    }

    /// Makes a directory where there is none, and locks it.
    fn directory(&mut self, directory: &Path) -> Result<Rc<File>, InstallError> {
        let mut files = self.files.iter();
        if let Some(file) = files.find(|file| file.directory == directory) {
            return Ok(Rc::clone(&file.lock));
        }
        loop {
            self.make_directory(directory)?;
            let lock = lock(directory)?;
            let id = |metadata: io::Result<Metadata>| metadata.map(|m| (m.dev(), m.ino())).ok();
            // Another podseal, which had the lock, may have taken it away.
            if id(lock.metadata()) == id(fs::metadata(directory)) {
                return Ok(Rc::new(lock));
            }
        }
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

    /// Makes the changes that were prepared. After an error some of them are made.
    ///
    /// # Errors
    /// The first step that failed.
    pub fn commit(&mut self) -> Result<(), InstallError> {
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
        clear(self.files.iter().map(|file| file.path.as_path()));
    }
}

/// The lock of a directory. Only one podseal changes files in it.
fn lock(directory: &Path) -> Result<File, InstallError> {
    let lock = step("open", directory, File::open(directory))?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            // Not for longer: each may have what the other waits for.
            Err(Errno::WOULDBLOCK) if Instant::now() < deadline => thread::sleep(PAUSE),
            locked => {
                step("lock", directory, locked.map_err(Into::into))?;
                return Ok(lock);
            }
        }
    }
}

/// What the names of new contents and of copies of the old end in.
const NEW: &str = ".new";
const OLD: &str = ".old";

/// A path beside a file. systemd passes over names that begin with a dot.
fn beside(path: &Path, what: &str) -> PathBuf {
    let mut hidden = std::ffi::OsString::from(".");
    hidden.extend(path.file_name());
    hidden.push(what);
    path.with_file_name(hidden)
}

/// What is in the place of a file.
enum Old {
    Regular(Permissions),
    Link(PathBuf),
}

/// What is there now. A link is only replaced by a link, or removed.
fn existing(path: &Path, change: &Change) -> Result<Option<Old>, InstallError> {
    let may_be_link = !matches!(change.contents, Some(Contents::Text(_)));
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some(Old::Regular(metadata.permissions()))),
        Ok(metadata) if metadata.is_symlink() && may_be_link => {
            let target = step("read", path, fs::read_link(path))?;
            Ok(Some(Old::Link(target)))
        }
        Ok(_) => Err(InstallError::NotRegular {
            path: path.to_owned(),
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => step("look at", path, Err(error)),
    }
}

fn write(path: &Path, contents: &Contents, permissions: &Permissions) -> io::Result<()> {
    // One of a process that was killed may be there.
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let text = match contents {
        Contents::Link(target) => return symlink(target, path),
        Contents::Text(text) => text,
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(permissions.clone())?;
    file.sync_all()
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests;
