//! The seccomp profile for containers at level strict, made on this host from
//! the one that Podman has.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use podseal_core::policy::container;
use podseal_core::policy::level::Level;
use podseal_core::policy::seal::Seal;

use crate::command::CommandError;
use crate::podman::{Podman, PodmanError};

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// There is no Podman.
    #[error(transparent)]
    Podman(#[from] PodmanError),
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
            Self::Podman(error) => error.hint(),
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

/// The profile for containers under `seal`, where its level has one.
///
/// # Errors
/// See [`ProfileError`].
pub fn for_level(seal: &Seal) -> Result<Option<String>, ProfileError> {
    if seal.level < Level::Strict {
        return Ok(None);
    }
    make(&Podman::installed()?, seal).map(Some)
}

/// The profile for containers under `seal`.
///
/// # Errors
/// See [`ProfileError`].
pub fn make(podman: &Podman, seal: &Seal) -> Result<String, ProfileError> {
    const FORMAT: &str = "--format={{.Host.Security.SECCOMPProfilePath}}";
    let answer = podman.output(&["info", FORMAT])?;
    make_from(Path::new(answer.trim()), seal)
}

/// The same, made from the profile at `path`.
///
/// # Errors
/// See [`ProfileError`].
pub fn make_from(path: &Path, seal: &Seal) -> Result<String, ProfileError> {
    if path.as_os_str().is_empty() {
        return Err(ProfileError::None);
    }
    let read = |source| ProfileError::Read {
        path: path.to_owned(),
        source,
    };
    let base = fs::read_to_string(path).map_err(read)?;
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
