//! Podman on this host, made ready for a sealed container.

use std::io;

use podseal_core::podman::{HardLimits, Version};
use podseal_core::policy::seal::Seal;

use crate::container_profile::{self, ProfileError};
use crate::host::{self, User};
use crate::instance::Instance;
use crate::oci_runtime::{self, Choice, RuntimeError};
use crate::pause::{self, PauseError};
use crate::podman::{Podman, PodmanError};

/// What it takes to run a sealed container.
#[derive(Debug)]
pub struct Engine {
    /// Podman.
    pub podman: Podman,
    /// Its version.
    pub version: Version,
    /// An OCI runtime that works under the seal.
    pub oci_runtime: Choice,
    /// The seccomp profile for containers, where the level has one.
    pub profile: Option<String>,
    /// Limits to give containers, where Podman cannot choose them.
    pub limits: Option<HardLimits>,
}

/// Podman cannot run a sealed container here.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Podman is not usable.
    #[error(transparent)]
    Podman(#[from] PodmanError),
    /// There is no pause process.
    #[error(transparent)]
    Pause(#[from] PauseError),
    /// There is no seccomp profile for the container.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// There is no OCI runtime.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The limits of this process could not be looked up.
    #[error("cannot look up resource limits in /proc")]
    Limits {
        /// Why.
        source: io::Error,
    },
}

impl EngineError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Podman(error) => error.hint(),
            Self::Pause(error) => error.hint(),
            Self::Profile(error) => error.hint(),
            Self::Runtime(error) => error.hint(),
            Self::Limits { .. } => "check that /proc is mounted and readable".into(),
        }
    }
}

impl Engine {
    /// Looks for Podman, has it keep a pause process, and finds an OCI runtime
    /// that works under `seal`, unless `wanted` names one.
    ///
    /// # Errors
    /// See [`EngineError`].
    pub fn prepare(
        user: &User,
        instance: &Instance,
        seal: &Seal,
        wanted: Option<&str>,
    ) -> Result<Self, EngineError> {
        let podman = Podman::installed()?;
        let info = podman.info()?;
        if user.is_rootless() {
            pause::ensure(user)?;
        }
        let profile = container_profile::for_level(&podman, seal)?;
        let (default, trial) = (&info.oci_runtime, profile.as_deref());
        Ok(Self {
            oci_runtime: oci_runtime::choose(wanted, default, seal, trial, user, instance)?,
            profile,
            limits: host::limits_without_sys_resource(user)
                .map_err(|source| EngineError::Limits { source })?,
            podman,
            version: info.version,
        })
    }
}
