//! The launcher: puts this process under a seal and becomes the command.
//!
//! The process must have one thread (setns(2) of a user namespace), and what
//! was done is not undone on failure: end the process then.

use std::convert::Infallible;
use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use podseal_core::family::Family;
use podseal_core::policy::architecture::{Architecture, UnsupportedArchitecture};
use podseal_core::policy::filter;
use podseal_core::policy::inherited::{self, SocketIdentity, Unsealable};
use podseal_core::policy::mechanism::Mechanism;
use podseal_core::policy::seal::Seal;
use rustix::thread::ThreadNameSpaceType;

use crate::host::User;
use crate::pause::{self, PauseError};

mod landlock;
mod podman;

pub use landlock::{LandlockError, missing as missing_landlock};

/// Whether to join the namespaces of rootless Podman.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Join {
    /// When the command is podman and the caller is not root.
    #[default]
    Auto,
    /// When the caller is not root.
    Always,
    /// Not at all.
    Never,
}

impl Join {
    /// Whether `program`, started by a user who is not root, is to join.
    #[must_use]
    pub fn applies(self, program: &Path) -> bool {
        match self {
            Self::Auto => program.file_name().is_some_and(|name| name == "podman"),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// What to launch, and under which seal.
#[derive(Debug)]
pub struct Launch {
    /// The seal.
    pub seal: Seal,
    /// Whether to join Podman's namespaces first.
    pub join: Join,
    /// Whether to have Podman make its pause process where it is not running, by
    /// way of the user's service manager where this process cannot.
    pub make_pause: bool,
    /// The zeroth argument, where it is not the program.
    pub argv0: Option<OsString>,
    /// Program and arguments.
    pub command: Vec<OsString>,
}

/// The status of a launch that ended because of a socket (EXIT_FDS).
pub const UNSEALABLE: u8 = 202;

/// The step at which a launch ended.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Podman's namespaces could not be joined.
    #[error("cannot join Podman's namespaces")]
    Pause {
        /// Why.
        source: PauseError,
    },
    /// setns(2) failed.
    #[error("cannot join Podman's user and mount namespaces")]
    Join {
        /// Why.
        source: io::Error,
    },
    /// The working directory could not be kept.
    #[error("cannot keep the working directory {} in Podman's mount namespace", path.display())]
    WorkingDirectory {
        /// It.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What this process was handed could not be looked at.
    #[error("cannot look at the sockets handed over")]
    Inherited {
        /// Why.
        source: io::Error,
    },
    /// A socket would be a way out.
    #[error("file descriptor {fd}")]
    Unsealable {
        /// The file descriptor.
        fd: i32,
        /// Why.
        source: Unsealable,
    },
    /// The container would not be what level strict makes of it.
    #[error("level strict cannot be had: {why}")]
    NotStrict {
        /// What the command has, or lacks.
        why: String,
    },
    /// The container would be checked from outside the seal.
    #[error("--{option} has systemd start a health check in the container, outside the seal")]
    HealthCheck {
        /// The option.
        option: &'static str,
    },
    /// The container's seccomp profile cannot be read.
    #[error("cannot read the container's seccomp profile {}", path.display())]
    Profile {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// prctl(2) failed.
    #[error("cannot set no-new-privileges")]
    NoNewPrivileges {
        /// Why.
        source: io::Error,
    },
    /// Landlock is not there or lacks something.
    #[error(transparent)]
    Landlock(#[from] LandlockError),
    /// There is no filter for this machine.
    #[error("cannot restrict socket families")]
    Architecture {
        /// Why.
        source: UnsupportedArchitecture,
    },
    /// seccomp(2) failed.
    #[error("cannot install the system-call filter")]
    Filter {
        /// Why.
        source: io::Error,
    },
    /// execve(2) failed.
    #[error("cannot execute {}", program.display())]
    Execute {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl LaunchError {
    /// systemd's own exit status for a failure of that step
    /// ("Process Exit Codes" in systemd.exec(5)).
    #[must_use]
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::WorkingDirectory { .. } => 200, // EXIT_CHDIR
            Self::Inherited { .. } | Self::Unsealable { .. } => UNSEALABLE,
            Self::Execute { .. } => 203,                   // EXIT_EXEC
            Self::Pause { .. } | Self::Join { .. } => 226, // EXIT_NAMESPACE
            Self::NoNewPrivileges { .. } => 227,           // EXIT_NO_NEW_PRIVILEGES
            // systemd has none for Landlock.
            Self::Filter { .. }
            | Self::Landlock(_)
            | Self::NotStrict { .. }
            | Self::HealthCheck { .. }
            | Self::Profile { .. } => 228, // EXIT_SECCOMP
            Self::Architecture { .. } => 232, // EXIT_ADDRESS_FAMILIES
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Pause { source } => Some(source.hint()),
            Self::Join { .. } => Some(
                "joining needs Linux 5.8 or later and must not be forbidden by an outer seccomp filter"
                    .into(),
            ),
            Self::WorkingDirectory { .. } => {
                Some("start from a directory that is there for root, too".into())
            }
            Self::Inherited { .. } => Some("check that /proc is mounted and readable".into()),
            Self::Unsealable { source, .. } => Some(source.hint().into()),
            Self::HealthCheck { .. } => Some(
                "remove it, and look after the service from outside through its socket; or take --level=families".into(),
            ),
            Self::NotStrict { .. } | Self::Profile { .. } => Some(
                "`podseal seal` and `podseal run` write the options that it needs; or take --level=standard"
                    .into(),
            ),
            Self::Landlock(error) => Some(error.hint()),
            Self::NoNewPrivileges { .. } | Self::Filter { .. } => {
                Some("the kernel needs CONFIG_SECCOMP_FILTER".into())
            }
            Self::Architecture { .. } => None,
            Self::Execute { source, .. } => (source.kind() == io::ErrorKind::NotFound)
                .then(|| "check the command's name and PATH".into()),
        }
    }
}

/// Seals this process and becomes the command. The process id stays, and with
/// it LISTEN_PID and everything a supervisor knows of the process.
///
/// `warn` is told of what the seal does without, because this kernel does not
/// have it and [`Seal::best_effort`] was asked for.
///
/// # Errors
/// See [`LaunchError`]; the process may be half sealed and should end.
pub fn enter(
    launch: &Launch,
    warn: &mut dyn FnMut(&'static Mechanism),
) -> Result<Infallible, LaunchError> {
    let mut words = launch.command.clone();
    let podman = podman::of(&words);
    if let Some(podman) = &podman {
        podman::check(&launch.seal, podman)?;
        podman::without_health_check(&launch.seal, podman, &mut words)?;
    }
    let Some((program, arguments)) = words.split_first() else {
        return Err(LaunchError::Execute {
            program: PathBuf::new(),
            source: io::ErrorKind::NotFound.into(),
        });
    };
    let mut command = Command::new(program);
    command.args(arguments);
    if let Some(argv0) = &launch.argv0 {
        command.arg0(argv0);
    }

    let user = User::current();
    if user.is_rootless() && launch.join.applies(Path::new(program)) {
        join_podman(&user, launch.make_pause)?;
        // As Podman itself does in a process it has re-executed in there
        // (pkg/rootless/rootless_linux.go).
        command
            .env("_CONTAINERS_USERNS_CONFIGURED", "done")
            .env("_CONTAINERS_ROOTLESS_UID", user.uid.as_raw().to_string())
            .env("_CONTAINERS_ROOTLESS_GID", user.gid.as_raw().to_string());
    }
    if podman.is_some() && env::var_os(podman::COLLECTOR).is_none() {
        command.env(podman::COLLECTOR, podman::COLLECT_LATE);
    }
    check_sockets(&launch.seal)?;
    restrict(&launch.seal, &launch.seal.mechanisms(), warn)?;

    Err(LaunchError::Execute {
        program: program.into(),
        source: command.exec(),
    })
}

/// Puts the calling thread, and all that it starts, under `mechanisms` of
/// `seal`. [`enter`] takes all that the level has; tests leave some out, to see
/// what each is for.
///
/// # Errors
/// See [`LaunchError`]; some of it may be in force already.
pub fn restrict(
    seal: &Seal,
    mechanisms: &[&'static Mechanism],
    warn: &mut dyn FnMut(&'static Mechanism),
) -> Result<(), LaunchError> {
    let architecture =
        Architecture::native().map_err(|source| LaunchError::Architecture { source })?;
    rustix::thread::set_no_new_privs(true).map_err(|errno| LaunchError::NoNewPrivileges {
        source: errno.into(),
    })?;
    landlock::restrict(seal, mechanisms, warn)?;
    let filter: Vec<_> = filter::compile(architecture, seal, mechanisms)
        .instructions()
        .iter()
        .map(|i| (i.code, i.jump_true, i.jump_false, i.operand))
        .collect();
    podseal_sys::seccomp::install(&filter).map_err(|source| LaunchError::Filter { source })
}

/// Looks at every socket that the command will get, not only at those that
/// LISTEN_FDS counts: one more would be as good a way out.
fn check_sockets(seal: &Seal) -> Result<(), LaunchError> {
    let sockets = podseal_sys::inherited::sockets();
    for socket in sockets.map_err(|source| LaunchError::Inherited { source })? {
        // What does not fit is nothing that can be sealed.
        let identity = SocketIdentity {
            family: Family(u16::try_from(socket.domain).unwrap_or(u16::MAX)),
            kind: u32::try_from(socket.kind).unwrap_or(u32::MAX),
            protocol: u32::try_from(socket.protocol).unwrap_or(u32::MAX),
        };
        inherited::check(identity, seal).map_err(|source| LaunchError::Unsealable {
            fd: socket.fd,
            source,
        })?;
    }
    Ok(())
}

fn join_podman(user: &User, make_pause: bool) -> Result<(), LaunchError> {
    let pause = if make_pause {
        pause::ensure_from_within(user)
    } else {
        pause::find(user).and_then(|process| process.ok_or(PauseError::NotRunning))
    }
    .map_err(|source| LaunchError::Pause { source })?;
    // A new mount namespace puts the process into its root directory.
    let directory = env::current_dir().ok();
    rustix::thread::move_into_thread_name_spaces(
        rustix::fd::AsFd::as_fd(&pause.pidfd),
        ThreadNameSpaceType::USER | ThreadNameSpaceType::MOUNT,
    )
    .map_err(|errno| LaunchError::Join {
        source: errno.into(),
    })?;
    match directory {
        Some(path) => env::set_current_dir(&path)
            .map_err(|source| LaunchError::WorkingDirectory { path, source }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_podman_is_joined_by_itself() {
        for (join, program, expected) in [
            (Join::Auto, "podman", true),
            (Join::Auto, "/usr/bin/podman", true),
            (Join::Auto, "/usr/bin/podman-remote", false),
            (Join::Auto, "./server", false),
            (Join::Always, "server", true),
            (Join::Never, "podman", false),
        ] {
            assert_eq!(
                join.applies(Path::new(program)),
                expected,
                "{join:?} {program}"
            );
        }
    }
}
