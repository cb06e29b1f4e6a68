//! Writing drop-ins: all of them or none, each whole or not at all.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use podseal_core::audit::fix::is_ours;

/// A drop-in as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropIn {
    /// Its path.
    pub path: PathBuf,
    /// What is there now.
    pub before: Option<String>,
    /// What is to be there.
    pub after: String,
}

/// Why a drop-in cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum DropInError {
    /// A file of this name is not podseal's.
    #[error("{} was not written by podseal", path.display())]
    NotOurs {
        /// The path.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written; nothing was changed.
    #[error("cannot write {}", path.display())]
    Write {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written, and what was written before it could not be
    /// taken back.
    #[error("cannot write {}, and {} is changed already", path.display(), left.display())]
    Left {
        /// The path.
        path: PathBuf,
        /// What could not be taken back.
        left: PathBuf,
        /// Why it cannot be written.
        source: io::Error,
    },
}

impl DropInError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotOurs { .. } => "move it away, or write the settings into it by hand",
            Self::Read { .. } | Self::Write { .. } => {
                "run podseal as a user who may write there; --dry-run shows what is to be written"
            }
            Self::Left { .. } => "remove that file, or run podseal again",
        }
    }
}

/// Reads what an earlier run of podseal wrote.
///
/// # Errors
/// It cannot be read, or is somebody else's.
pub fn existing(path: &Path) -> Result<Option<String>, DropInError> {
    let not_ours = || DropInError::NotOurs { path: path.into() };
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.is_file() => return Err(not_ours()),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            let path = path.into();
            return Err(DropInError::Read { path, source });
        }
    }
    let bytes = fs::read(path).map_err(|source| DropInError::Read {
        path: path.into(),
        source,
    })?;
    let text = String::from_utf8(bytes).ok().filter(|text| is_ours(text));
    text.map(Some).ok_or_else(not_ours)
}

/// Writes all of them, or takes back what was written.
///
/// # Errors
/// One of them cannot be written.
pub fn write(drop_ins: &[DropIn]) -> Result<(), DropInError> {
    for (at, drop_in) in drop_ins.iter().enumerate() {
        let Err(source) = replace(&drop_in.path, &drop_in.after) else {
            continue;
        };
        let path = drop_in.path.clone();
        for written in drop_ins[..at].iter().rev() {
            if take_back(written).is_err() {
                let left = written.path.clone();
                return Err(DropInError::Left { path, left, source });
            }
        }
        return Err(DropInError::Write { path, source });
    }
    Ok(())
}

fn take_back(drop_in: &DropIn) -> io::Result<()> {
    match &drop_in.before {
        Some(before) => replace(&drop_in.path, before),
        None => fs::remove_file(&drop_in.path),
    }
}

/// Puts a text in the place of a file: whoever reads it sees the old text or
/// the new one, also after a crash.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().ok_or(ErrorKind::InvalidInput)?;
    fs::create_dir_all(directory)?;
    // No unit file has such a name: systemd passes over it.
    let temporary = directory.join(format!(".podseal-{}.tmp", std::process::id()));
    let written = (|| {
        let mut file = File::create_new(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        // It may not even be there.
        let _ = fs::remove_file(&temporary);
        return written;
    }
    File::open(directory)?.sync_all()
}
