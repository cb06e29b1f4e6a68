//! Having the user's service manager make the pause process.

use std::env;
use std::path::Path;

use crate::command::{self, CommandError, LIMIT, Output};
use crate::host::{self, User};

use super::{Ensured, PauseError, PauseProcess, cause, find, pid_files};

/// What decides where Podman keeps its pause process, and which Podman it is.
const VARIABLES: &[&str] = &[
    "PATH",
    "HOME",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "CONTAINERS_CONF",
    "CONTAINERS_CONF_OVERRIDE",
    "CONTAINERS_STORAGE_CONF",
    "PODMAN_NO_PAUSE_PROCESS",
];

/// Does what [`super::ensure`] does. Where no-new-privileges keeps this process
/// from making one, the user's service manager is asked, which starts `podseal
/// pause ensure` outside of whatever this process is in.
///
/// # Errors
/// As [`super::ensure`].
pub fn ensure_from_within(user: &User) -> Result<PauseProcess, PauseError> {
    match super::ensure(user) {
        Err(PauseError::NoNewPrivileges) => {}
        ensured => return ensured.map(Ensured::into_process),
    }
    let own = host::own_executable().map_err(|source| PauseError::Own { source })?;
    if let Err(error) = ask_manager(&own) {
        let said = error.last_words();
        return Err(cause(user).unwrap_or(PauseError::Manager { said }));
    }
    find(user)?.ok_or_else(|| PauseError::NotKept {
        files: pid_files(user),
    })
}

/// systemd-run(1) needs no D-Bus for this: it waits for the job, and not for the
/// unit, so that the manager's own socket is enough.
fn ask_manager(podseal: &Path) -> Result<(), CommandError> {
    let words = [
        "systemd-run",
        "--user",
        "--quiet",
        "--collect",
        "--service-type=oneshot",
        // Where Podman cannot put it elsewhere, it stays in this unit.
        "--property=KillMode=process",
        "--description=Podman's pause process, for a sealed service",
    ];
    let set = |name: &&str| Some(format!("--setenv={name}={}", env::var(name).ok()?));
    let variables = VARIABLES.iter().filter_map(set);
    let podseal = podseal.to_string_lossy();
    let ensure = ["--", &podseal, "pause", "ensure", "--quiet"];
    let words = words.into_iter().map(str::to_owned).chain(variables);
    let words: Vec<String> = words.chain(ensure.map(str::to_owned)).collect();
    command::run(&words, LIMIT)
        .and_then(Output::success)
        .map(drop)
}
