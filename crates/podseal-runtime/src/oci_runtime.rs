//! Finding an OCI runtime that works on this host under the seal, by trying
//! it: versions and distributions tell too little.

use std::error::Error as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use podseal_core::explain::journal::{Log, Speaker};
use podseal_core::explain::short::Short;
use podseal_core::lifecycle::Exit;
use podseal_core::policy::architecture::Architecture;
use podseal_core::policy::container::runtime_spec;
use podseal_core::policy::seal::Seal;
use podseal_core::probe::{ProbeReport, strict};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::account::Account;
use crate::command::{self, CommandError};
use crate::host::{self, User};
use crate::instance::Instance;

/// How long a runtime may take for a container that only says its version.
const LIMIT: Duration = Duration::from_secs(20);

/// Runtimes to try, besides Podman's own choice.
pub(crate) const KNOWN: &[&str] = &["crun", "runc"];

/// One runtime that was tried and did not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Its path.
    pub path: PathBuf,
    /// What it said.
    pub message: String,
}

/// The runtime to use.
#[derive(Debug, Serialize, Deserialize)]
pub struct Choice {
    /// Its path.
    pub path: PathBuf,
    /// Those tried before that did not work.
    pub failures: Vec<Failure>,
}

/// No runtime can be used.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The one asked for is not there.
    #[error("the OCI runtime {name} is not installed, or not in PATH")]
    NotFound {
        /// As given.
        name: String,
    },
    /// None works.
    #[error("no OCI runtime works here under the seal{}", list(failures))]
    NoneWorks {
        /// What each said.
        failures: Vec<Failure>,
    },
    /// No trial could be made as another user.
    #[error("no OCI runtime could be tried as {user}: {said}")]
    As {
        /// The user.
        user: String,
        /// What was said.
        said: String,
    },
    /// The trial could not be made.
    #[error("cannot try an OCI runtime: {}", path.display())]
    Trial {
        /// What was in the way.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn list(failures: &[Failure]) -> String {
    let parts: Vec<String> = failures
        .iter()
        .map(|failure| format!("; {}: {}", failure.path.display(), failure.message))
        .collect();
    parts.concat()
}

impl RuntimeError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NotFound { .. } => "give the path of one, or leave --runtime out".into(),
            Self::NoneWorks { failures } => failures
                .iter()
                .find_map(|failure| Short::of_log(Log::said_by(Speaker::Podman, &failure.message)))
                .map_or_else(
                    || "install runc, for example: apt-get install runc".into(),
                    |why| why.to_string(),
                ),
            Self::As { .. } => "--runtime names one, and does without a trial".into(),
            Self::Trial { .. } => {
                "set XDG_RUNTIME_DIR to a directory that you own and can write".into()
            }
        }
    }
}

/// Chooses a runtime: `wanted` without a trial, else the first that works of
/// Podman's default and the known ones, with `profile` for the container where
/// the level has one.
///
/// # Errors
/// See [`RuntimeError`].
pub fn choose(
    wanted: Option<&str>,
    default: &Path,
    seal: &Seal,
    profile: Option<&str>,
    user: &User,
    instance: &Instance,
) -> Result<Choice, RuntimeError> {
    if let Some(name) = wanted {
        let path = command::find(name).ok_or_else(|| RuntimeError::NotFound {
            name: name.to_owned(),
        })?;
        return Ok(Choice {
            path,
            failures: Vec::new(),
        });
    }
    let mut candidates = vec![default.to_owned()];
    for path in KNOWN.iter().filter_map(|name| command::find(name)) {
        if !candidates.contains(&path) {
            candidates.push(path);
        }
    }
    let bundle = Bundle::make(instance.directory(), "trial", profile)?;
    let mut failures = Vec::new();
    for path in candidates {
        let output = command::run(&bundle.command(&path, seal, user), LIMIT);
        let said = output.and_then(command::Output::success);
        let said = said.map_err(|error| error.last_words());
        match said.and_then(|said| judge(&said, profile)) {
            Ok(()) => return Ok(Choice { path, failures }),
            Err(message) => failures.push(Failure { path, message }),
        }
    }
    Err(RuntimeError::NoneWorks { failures })
}

/// As [`choose`], without a wish, for another user: in a process that is the
/// user and nothing else. It makes the pause process, too.
///
/// # Errors
/// See [`RuntimeError`].
pub fn choose_as(
    account: &Account,
    podseal: &str,
    default: &Path,
    seal: &Seal,
) -> Result<Choice, RuntimeError> {
    let failed = |said: String| RuntimeError::As {
        user: account.user.name.clone(),
        said,
    };
    let default = default.to_string_lossy();
    let mut words = vec![podseal.to_owned(), "choose-runtime".to_owned()];
    words.extend(seal.options());
    words.extend(["--".to_owned(), default.into_owned()]);
    let output = command::run_as(Some(account), &words, LIMIT * 3);
    let output = output.map_err(|error| failed(chain(&error)))?;
    if output.exit != Exit::Code(0) {
        // The first line is the error, and what follows how to mend it.
        let said = output.stderr.trim_start_matches("error: ").trim_end();
        return Err(failed(said.to_owned()));
    }
    serde_json::from_str(&output.stdout).map_err(|error| failed(error.to_string()))
}

fn chain(error: &CommandError) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// What the container of a trial has to do.
fn arguments(profile: Option<&str>) -> &'static [&'static str] {
    match profile {
        // With a profile it is to tell whether that was put on.
        Some(_) => &["/podseal", "probe"],
        None => &["/podseal", "--version"],
    }
}

/// Whether the container of a trial, which said this, was as it should be.
pub(crate) fn judge(said: &str, profile: Option<&str>) -> Result<(), String> {
    if profile.is_none() {
        return Ok(());
    }
    match serde_json::from_str::<ProbeReport>(said) {
        Ok(report) if strict::shows_profile(&report) => Ok(()),
        Ok(_) => Err("it starts the container without its seccomp profile".to_owned()),
        Err(error) => Err(format!("the container did not answer: {error}")),
    }
}

/// A bundle whose container says something and ends, in an empty network
/// namespace, as a sealed container has. It is removed when dropped.
#[derive(Debug)]
pub(crate) struct Bundle {
    directory: PathBuf,
    own: String,
}

impl Bundle {
    /// Makes it in `parent`; with a profile, its container has what level
    /// strict's options make Podman write.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn make(
        parent: &Path,
        name: &str,
        profile: Option<&str>,
    ) -> Result<Self, RuntimeError> {
        let directory = parent.join(name);
        let trial = |source| RuntimeError::Trial {
            path: directory.clone(),
            source,
        };
        let own = host::own_executable().map_err(trial)?;
        let own = own.to_string_lossy().into_owned();
        // crun 1.8.1 and 1.28 do not make /dev themselves.
        fs::create_dir_all(directory.join("rootfs/dev")).map_err(trial)?;
        let namespaces: Vec<_> = ["pid", "mount", "ipc", "uts", "network"]
            .map(|kind| json!({ "type": kind }))
            .into();
        let mut config = json!({
            "ociVersion": "1.0.0",
            "process": {
                "user": { "uid": 0, "gid": 0 },
                "args": arguments(profile),
                "cwd": "/",
            },
            "root": { "path": "rootfs" },
            "mounts": [
                { "destination": "/proc", "type": "proc", "source": "proc" },
                {
                    "destination": "/podseal",
                    "type": "bind",
                    "source": own,
                    "options": ["bind", "ro"],
                },
            ],
            "linux": { "namespaces": namespaces },
        });
        if let Some(profile) = profile {
            let filter = linux_seccomp(profile).map_err(trial)?;
            config["process"]["capabilities"] = json!({});
            config["process"]["noNewPrivileges"] = true.into();
            config["root"]["readonly"] = true.into();
            config["linux"]["seccomp"] = filter;
        }
        fs::write(directory.join("config.json"), config.to_string()).map_err(trial)?;
        Ok(Self { directory, own })
    }

    /// The command that has `runtime` run it under `seal`.
    pub(crate) fn command(&self, runtime: &Path, seal: &Seal, user: &User) -> Vec<String> {
        let join = if user.is_rootless() {
            "always"
        } else {
            "never"
        };
        let join = format!("--join={join}");
        let directory = self.directory.to_string_lossy();
        let root = format!("--root={directory}/state");
        let bundle = format!("--bundle={directory}");
        let name = self.directory.file_name().unwrap_or_default();
        let id = format!("podseal-{}-{}", name.display(), std::process::id());
        let runtime = runtime.to_string_lossy();
        let mut words = vec![self.own.clone(), "enter".to_owned()];
        words.extend(seal.options());
        let rest = [&join, "--", &*runtime, &root, "run", &bundle, &id];
        words.extend(rest.map(str::to_owned));
        words
    }
}

fn linux_seccomp(profile: &str) -> io::Result<Value> {
    let architecture = Architecture::native().map_err(io::Error::other)?;
    runtime_spec::linux_seccomp(profile, architecture).map_err(io::Error::other)
}

impl Drop for Bundle {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            tracing::warn!(path = %self.directory.display(), %error, "cannot remove trial bundle");
        }
    }
}
