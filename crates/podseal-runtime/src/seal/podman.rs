//! What a launch makes of a Podman command.

use std::ffi::OsString;
use std::fs;

use podseal_core::audit::command::podman_in;
use podseal_core::podman::health::{self, HealthCheck};
use podseal_core::podman::invocation::{CommandOption, Invocation, Verb};
use podseal_core::podman::strict;
use podseal_core::policy::container;
use podseal_core::policy::level::Level;
use podseal_core::policy::seal::Seal;

use super::LaunchError;

/// How much garbage a Go program collects only after, in percent of what it
/// needs, see the documentation of Go's package runtime. Podman is done before
/// it has as much as this, and a tenth of its time was spent collecting.
pub(super) const COLLECTOR: &str = "GOGC";
pub(super) const COLLECT_LATE: &str = "800";

/// The Podman command, if it is one.
pub(super) fn of(command: &[OsString]) -> Option<Invocation<usize>> {
    let words = command.iter().map(|word| word.to_string_lossy());
    podman_in(&words.collect::<Vec<_>>())
}

/// At level strict the container has to have its side of the seal, which
/// Podman is asked for.
pub(super) fn check(seal: &Seal, podman: &Invocation<usize>) -> Result<(), LaunchError> {
    if seal.level < Level::Strict || podman.verb != Verb::Run {
        return Ok(());
    }
    let mechanisms = seal.mechanisms();
    if let Some(why) = strict::lacks(podman, &mechanisms) {
        return Err(LaunchError::NotStrict { why });
    }
    let Some(path) = strict::profile(podman) else {
        return Ok(());
    };
    let text = fs::read_to_string(path).map_err(|source| LaunchError::Profile {
        path: path.into(),
        source,
    })?;
    if container::is_made(&text, &mechanisms) {
        Ok(())
    } else {
        let why = format!("{path} is not the seccomp profile that podseal makes for it");
        Err(LaunchError::NotStrict { why })
    }
}

/// Has Podman start no health check, which the image may bring: what it runs in
/// the container is no descendant of this process. Level families promises
/// nothing about what the container does with its sockets.
pub(super) fn without_health_check(
    seal: &Seal,
    podman: &Invocation<usize>,
    command: &mut Vec<OsString>,
) -> Result<(), LaunchError> {
    let Some(at) = podman
        .behind_run()
        .filter(|_| seal.level >= Level::Standard)
    else {
        return Ok(());
    };
    match health::check(podman) {
        HealthCheck::Off => {}
        HealthCheck::OfImage => command.insert(at, health::OFF.into()),
        HealthCheck::Own(CommandOption { name, .. }) => {
            return Err(LaunchError::HealthCheck { option: name });
        }
    }
    Ok(())
}
