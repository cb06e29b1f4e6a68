//! The run-time directory of one running service, held by a lock so that two
//! runs do not use one name.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::host::{self, User};

/// A name in use by this process. Its directory goes away with it.
#[derive(Debug)]
pub struct Instance {
    directory: PathBuf,
    is_kept: bool,
    _lock: File,
}

/// A name cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// Another process uses it.
    #[error("a service named {name} is already running{}", process.map_or(String::new(), |pid| format!(" (process {pid})")))]
    InUse {
        /// The name.
        name: String,
        /// The process that holds it.
        process: Option<i32>,
    },
    /// Somebody else could write where the state of this user belongs.
    #[error("{} belongs to another user or is open to others", path.display())]
    NotPrivate {
        /// The directory.
        path: PathBuf,
    },
    /// The directory or its lock could not be made.
    #[error("cannot make {}", path.display())]
    Make {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl InstanceError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::InUse { .. } => "stop it, or choose another --name".into(),
            Self::NotPrivate { path } => {
                format!(
                    "look at {} and remove it, or set XDG_RUNTIME_DIR",
                    path.display()
                )
            }
            Self::Make { .. } => {
                "set XDG_RUNTIME_DIR to a directory that you own and can write".into()
            }
        }
    }
}

impl Instance {
    /// Takes `name` for this process.
    ///
    /// # Errors
    /// It is taken, or its directory cannot be made.
    pub fn acquire(user: &User, name: &str) -> Result<Self, InstanceError> {
        Self::acquire_in(&host::runtime_directory(user), user, name)
    }

    fn acquire_in(parent: &Path, user: &User, name: &str) -> Result<Self, InstanceError> {
        let directory = parent.join(name);
        loop {
            make_private(parent, user)?;
            match make_private(&directory, user) {
                // The last run ended in this moment and took the parent away.
                Err(InstanceError::Make { source, .. })
                    if source.kind() == io::ErrorKind::NotFound =>
                {
                    continue;
                }
                made => made?,
            }
            let path = directory.join("lock");
            let make = |source| InstanceError::Make {
                path: path.clone(),
                source,
            };
            let mut lock = match OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
            {
                // A run that ended in this moment took the directory away.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(make)?,
            };
            match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    let mut text = String::new();
                    let process = lock
                        .read_to_string(&mut text)
                        .ok()
                        .and_then(|_| text.trim().parse().ok());
                    return Err(InstanceError::InUse {
                        name: name.to_owned(),
                        process,
                    });
                }
                Err(errno) => return Err(make(errno.into())),
            }
            if !is_same_file(&lock, &path) {
                continue;
            }
            lock.set_len(0).map_err(make)?;
            writeln!(lock, "{}", std::process::id()).map_err(make)?;
            return Ok(Self {
                directory,
                is_kept: false,
                _lock: lock,
            });
        }
    }

    /// Leaves the directory behind, for whoever takes the name next.
    pub fn keep(mut self) {
        self.is_kept = true;
    }

    /// The directory, private to the user.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            tracing::warn!(path = %self.directory.display(), %error, "cannot remove run-time directory");
        }
        if let Some(parent) = self.directory.parent() {
            // Other services may still use it.
            let _ = fs::remove_dir(parent);
        }
    }
}

/// Whether `path` still names the file that was opened and locked: the run
/// that held it before may have removed it in between.
fn is_same_file(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(opened), Ok(named)) => (opened.dev(), opened.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// Makes `path` a directory that only `user` can enter.
fn make_private(path: &Path, user: &User) -> Result<(), InstanceError> {
    let make = |source| InstanceError::Make {
        path: path.to_owned(),
        source,
    };
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(make(error)),
        _ => {}
    }
    let metadata = match fs::symlink_metadata(path) {
        // Removed by a run that ended in this moment; the caller tries again.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(make)?,
    };
    let private = metadata.is_dir()
        && metadata.uid() == user.uid.as_raw()
        && metadata.mode() & 0o777 == 0o700;
    if private {
        Ok(())
    } else {
        Err(InstanceError::NotPrivate {
            path: path.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_can_be_taken() {
        let place = tempfile::tempdir().unwrap();
        let parent = place.path().join("podseal");
        let acquire = || Instance::acquire_in(&parent, &User::current(), "one").unwrap();
        let first = acquire();
        let path = first.directory().join("file");
        fs::write(&path, "").unwrap();
        first.keep();
        assert!(path.exists());
        drop(acquire());
        assert!(!path.exists());
    }

    #[test]
    fn others_that_end_meanwhile_are_no_obstacle() {
        let place = tempfile::tempdir().unwrap();
        let parent = place.path().join("podseal");
        let user = User::current();
        std::thread::scope(|scope| {
            for name in ["one", "two", "three"] {
                let (parent, user) = (&parent, &user);
                scope.spawn(move || {
                    for _ in 0..500 {
                        drop(Instance::acquire_in(parent, user, name).unwrap());
                    }
                });
            }
        });
        assert!(!parent.exists());
    }
}
