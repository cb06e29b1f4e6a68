//! Looking at Podman's pause process without making one.

use std::fs;
use std::path::PathBuf;

use podseal_core::doctor::facts::Pause;
use rustix::process::{PidfdFlags, pidfd_open};

use super::{
    PauseError, PauseProcess, PidFile, find, find_in, in_directories, is_one_id, pid_files,
};
use crate::host::{self, User};

/// What there is of a pause process of `user`, without making one.
///
/// # Errors
/// /proc could not be read.
pub fn look(user: &User) -> Result<Pause, PauseError> {
    if let Some(process) = find(user)? {
        return alive(&process);
    }
    let files = pid_files(user);
    let Some(PidFile { file, text, pid }) = files.iter().find_map(PidFile::read) else {
        let others = in_directories(host::podman_fallback_directories(user));
        return Ok(Pause::None {
            looked_for: files,
            lives_elsewhere: others
                .into_iter()
                .find(|file| matches!(find_in(std::slice::from_ref(file), user), Ok(Some(_)))),
        });
    };
    let living = pid.and_then(|pid| {
        pidfd_open(pid, PidfdFlags::empty()).ok()?;
        Some(pid.as_raw_nonzero().get())
    });
    Ok(match living {
        Some(pid) => Pause::Foreign {
            file,
            pid,
            name: fs::read_to_string(format!("/proc/{pid}/comm"))
                .map_or_else(|_| "hidden".to_owned(), |name| name.trim().to_owned()),
        },
        None => Pause::Stale { file, text },
    })
}

fn alive(process: &PauseProcess) -> Result<Pause, PauseError> {
    let pid = process.pid.as_raw_nonzero().get();
    let read = |name: &str| {
        let path = PathBuf::from(format!("/proc/{pid}/{name}"));
        fs::read_to_string(&path).map_err(|source| PauseError::Look { path, source })
    };
    let status = read("status")?;
    let is_on = |field| host::status_field(&status, field).is_some_and(|value| value != "0");
    Ok(Pause::Alive {
        pid,
        no_new_privileges: is_on("NoNewPrivs"),
        seccomp: is_on("Seccomp"),
        has_one_id: is_one_id(&read("uid_map")?),
    })
}
