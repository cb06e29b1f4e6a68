//! The seccomp profile for containers at level strict, made on this host from
//! the one that Podman has.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use podseal_core::policy::container;
use podseal_core::policy::level::Level;
use podseal_core::policy::seal::Seal;

use crate::command::CommandError;
use crate::podman::Podman;

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Podman could not be asked.
    #[error("cannot ask Podman for its seccomp profile")]
    Ask(#[from] CommandError),
    /// Podman names none.
    #[error(
        "Podman has no seccomp profile of its own, which level strict makes the container's from"
    )]
    None,
    /// It cannot be read.
    #[error("cannot read {}, which level strict makes the container's seccomp profile from", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing can be made of it.
    #[error("no seccomp profile for level strict can be made of {}", path.display())]
    Base {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: container::ProfileError,
    },
    /// It cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl ProfileError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Ask(_) => "run `podman info` by hand to see what it says".into(),
            Self::None | Self::Read { .. } => {
                "install the package that has /usr/share/containers/seccomp.json: \
                 golang-github-containers-common (in Fedora: containers-common); see \
                 seccomp_profile in containers.conf(5)"
                    .into()
            }
            Self::Base { .. } => {
                "give Podman a profile that lists what is allowed, such as the distribution's: \
                 see seccomp_profile in containers.conf(5)"
                    .into()
            }
            Self::Write { .. } => {
                "set XDG_RUNTIME_DIR to a directory that you own and can write".into()
            }
        }
    }
}

/// The profile for containers of `podman` under `seal`, where its level has one.
///
/// # Errors
/// See [`ProfileError`].
pub fn for_level(podman: &Podman, seal: &Seal) -> Result<Option<String>, ProfileError> {
    const FORMAT: &str = "--format={{.Host.Security.SECCOMPProfilePath}}";
    if seal.level < Level::Strict {
        return Ok(None);
    }
    let answer = podman.output(&["info", FORMAT])?;
    let path = Path::new(answer.trim());
    make(path, seal, |path| podman.read(path)).map(Some)
}

/// The same, made from the profile at `path`.
///
/// # Errors
/// See [`ProfileError`].
pub fn make_from(path: &Path, seal: &Seal) -> Result<String, ProfileError> {
    make(path, seal, |path| fs::read_to_string(path))
}

fn make(
    path: &Path,
    seal: &Seal,
    read: impl FnOnce(&Path) -> io::Result<String>,
) -> Result<String, ProfileError> {
    if path.as_os_str().is_empty() {
        return Err(ProfileError::None);
    }
    let base = read(path).map_err(|source| ProfileError::Read {
        path: path.to_owned(),
        source,
    })?;
    container::profile(&base, &seal.mechanisms()).map_err(|source| ProfileError::Base {
        path: path.to_owned(),
        source,
    })
}

/// Writes a profile into `directory`; returns its path.
///
/// # Errors
/// It cannot be written.
pub fn write(profile: &str, directory: &Path) -> Result<PathBuf, ProfileError> {
    let path = directory.join("seccomp.json");
    match fs::write(&path, profile) {
        Ok(()) => Ok(path),
        Err(source) => Err(ProfileError::Write { path, source }),
    }
}
