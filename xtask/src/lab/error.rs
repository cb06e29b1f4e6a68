//! What can go wrong with a machine.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::packages::Release;
use crate::command::{RunError, StartError};
use crate::interrupt::Interrupted;
use crate::requirements::RequirementError;

/// A machine could not be made, reached or removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LabError {
    #[error(
        "a lab machine is made of mounts, devices and namespaces, which takes root; \
         run this as root, or through sudo"
    )]
    NotRoot,
    #[error(
        "no cgroup2 file system is mounted; mount one and try again: \
         mount --mkdir -t cgroup2 cgroup2 /sys/fs/cgroup/unified"
    )]
    NoCgroup2,
    #[error(transparent)]
    Requirement(#[from] RequirementError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(
        "cannot make the disk of Debian {release}: mmdebstrap failed with exit status {status}; \
         it needs the network, or http_proxy in the environment"
    )]
    Disk { release: Release, status: u8 },
    #[error("machine {0} is not running; `cargo xtask lab up --name {0}` starts it")]
    NotRunning(String),
    #[error("machine {name} has Debian {there}; choose another --name, or remove it with `down`")]
    OtherRelease { name: String, there: String },
    #[error("machine {name} did not get to {stage}{}", ending(console))]
    Boot {
        name: String,
        stage: &'static str,
        console: String,
    },
    #[error("processes of {0} cannot be ended")]
    Undying(PathBuf),
    #[error("{0} is still mounted; unmount it and try again")]
    Mounted(String),
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    #[error("cannot {action} {}", path.display())]
    File {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("cannot {action} {target}")]
    Inside {
        action: &'static str,
        target: String,
        source: Errno,
    },
}

impl From<StartError> for LabError {
    fn from(error: StartError) -> Self {
        Self::Run(error.into())
    }
}

impl LabError {
    /// For [`Result::map_err`] where a file is in question.
    pub(super) fn file(action: &'static str, path: &Path) -> impl Fn(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File {
            action,
            path: path.clone(),
            source,
        }
    }

    /// For [`Result::map_err`] of a system call.
    pub(super) fn inside(action: &'static str, target: impl Display) -> impl FnOnce(Errno) -> Self {
        move |source| Self::Inside {
            action,
            target: target.to_string(),
            source,
        }
    }
}

fn ending(console: &str) -> String {
    if console.is_empty() {
        return String::new();
    }
    format!("; the end of its console:\n{console}")
}
