//! Where the files of the host are that probes are about.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use podseal_core::probe::{Attempt, Base, Location, PROBES};

use super::{As, ProofError};
use crate::command::{self, LIMIT};
use crate::probe::HostFile;

/// Those that are there, as this process's environment says.
#[must_use]
pub fn known() -> Vec<HostFile> {
    known_by(&|name| std::env::var_os(name))
}

/// Those of another user, as a process says that is this user.
pub(super) fn known_to(other: &As<'_>) -> Result<Vec<HostFile>, ProofError> {
    let command = [other.podseal, "probe", "--list-files"].map(str::to_owned);
    let listed = command::run_as(Some(other.account), &command, LIMIT)?.success()?;
    Ok(listed
        .lines()
        .filter_map(|line| line.parse().ok())
        .collect())
}

fn known_by(variable: &dyn Fn(&str) -> Option<OsString>) -> Vec<HostFile> {
    let found = PROBES.iter().filter_map(|probe| {
        let path = resolve(probe.attempt.location()?, variable)?;
        match probe.attempt {
            // What is not there yet is made in a directory that is.
            Attempt::Write(_) => path
                .ancestors()
                .find_map(|nearest| HostFile::look(probe.id, nearest)),
            _ => HostFile::look(probe.id, &path),
        }
    });
    found.collect()
}

fn resolve(location: Location, variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let of = |name| {
        variable(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let base = match location.base {
        Base::Root => PathBuf::from("/"),
        Base::RuntimeDirectory => of("XDG_RUNTIME_DIR").unwrap_or_else(|| {
            // Where pam_systemd(8) makes it.
            format!("/run/user/{}", rustix::process::getuid().as_raw()).into()
        }),
        Base::Home => of("HOME")?,
        Base::Configuration => {
            of("XDG_CONFIG_HOME").or_else(|| of("HOME").map(|home| home.join(".config")))?
        }
        Base::Variable(name) => of(name)?,
    };
    let path = Path::new(location.path);
    // Joining nothing would end in a slash.
    Some(if location.path.is_empty() {
        base
    } else {
        base.join(path)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_not_there_is_made_in_the_nearest_directory() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        let look = || {
            let variable = |name: &str| match name {
                "HOME" => Some(home.path().into()),
                "SSH_AUTH_SOCK" => Some(path("agent").into()),
                "XDG_RUNTIME_DIR" => Some(path("run").into()),
                _ => None,
            };
            known_by(&variable)
        };
        let of = |id: &str| {
            let known = look().into_iter().find(|known| known.id == id);
            known.map(|known| known.to_string())
        };
        let at = |id: &str, path: &Path| HostFile::look(id, path).map(|known| known.to_string());
        for id in ["autostart-units", "autostart-shell", "autostart-ssh"] {
            assert_eq!(of(id), at(id, home.path()), "{id}");
        }
        fs::write(path(".bashrc"), "").unwrap();
        fs::create_dir_all(path(".config/systemd")).unwrap();
        fs::write(path("agent"), "").unwrap();
        for (id, name) in [
            ("autostart-units", ".config/systemd"),
            ("autostart-shell", ".bashrc"),
            ("ssh-agent", "agent"),
        ] {
            assert_eq!(of(id), at(id, &path(name)), "{id}");
            assert!(of(id).is_some(), "{id}");
        }
        assert_eq!(of("user-bus"), None);
    }
}
