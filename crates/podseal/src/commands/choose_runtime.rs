//! `podseal choose-runtime`

use podseal_core::policy::seal::Seal;
use podseal_runtime::container_profile;
use podseal_runtime::engine::EngineError;
use podseal_runtime::host::User;
use podseal_runtime::instance::{Instance, InstanceError};
use podseal_runtime::podman::Podman;
use podseal_runtime::{oci_runtime, pause};

use crate::cli::ChooseRuntime;
use crate::{exit, output};

#[derive(Debug, thiserror::Error)]
enum ChooseError {
    #[error(transparent)]
    Instance(#[from] InstanceError),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl ChooseError {
    fn hint(&self) -> String {
        match self {
            Self::Instance(error) => error.hint(),
            Self::Engine(error) => error.hint(),
        }
    }
}

pub(super) fn run(arguments: ChooseRuntime) -> u8 {
    match choose(arguments) {
        Ok(choice) => output::json(&choice),
        Err(error) => {
            output::error(&error, Some(&error.hint()));
            exit::FAILURE
        }
    }
}

fn choose(arguments: ChooseRuntime) -> Result<oci_runtime::Choice, ChooseError> {
    let user = User::current();
    let seal: Seal = arguments.seal.into();
    let instance = Instance::acquire(&user, &format!("choose-{}", std::process::id()))?;
    if user.is_rootless() {
        pause::ensure(&user).map_err(EngineError::from)?;
    }
    let podman = Podman::installed().map_err(EngineError::from)?;
    let profile = container_profile::for_level(&podman, &seal).map_err(EngineError::from)?;
    let (default, profile) = (&arguments.default, profile.as_deref());
    let choice = oci_runtime::choose(None, default, &seal, profile, &user, &instance);
    Ok(choice.map_err(EngineError::from)?)
}
