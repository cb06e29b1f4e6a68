//! Asking a running `podseal run` for something: one packet with a request,
//! one with the answer, as JSON, over a UNIX socket in the directory of the
//! run, which only its user can enter.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    send, socket_with,
};
use serde::{Deserialize, Serialize};

use crate::host::{self, User};

/// The version of requests and answers, raised by incompatible changes.
pub const VERSION: u32 = 1;
/// The name of the socket in the directory of a run.
pub(crate) const SOCKET: &str = "control";
/// The longest request.
pub(crate) const REQUEST_MAX: usize = 64 << 10;
/// The longest answer.
const RESPONSE_MAX: usize = 1 << 20;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// How the units are.
    Status,
    /// Starts units.
    Start,
    /// Stops units.
    Stop,
    /// Stops and starts units.
    Restart,
    /// Forgets failures and how often units were started.
    ResetFailed,
    /// What units said.
    Log,
}

/// A request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// See [`VERSION`].
    pub version: u32,
    /// What is asked for.
    pub verb: Verb,
    /// The units; none for all.
    pub units: Vec<String>,
}

/// An answer.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Response {
    /// See [`VERSION`].
    pub version: u32,
    /// How the units are, by name.
    pub units: Vec<UnitStatus>,
    /// Where their files are. None where nothing was asked of them, or a run is
    /// of an older podseal.
    #[serde(default)]
    pub directory: Option<PathBuf>,
    /// What came of the jobs that were asked for.
    pub jobs: Vec<JobStatus>,
    /// What the units said, by name.
    #[serde(default)]
    pub logs: Vec<UnitLog>,
    /// Why nothing was done.
    pub error: Option<String>,
}

/// How a unit is, in systemd's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitStatus {
    /// Its name.
    pub unit: String,
    /// `active`, `inactive`, `failed`, `activating` or `deactivating`.
    pub active_state: String,
    /// The state of its kind, such as `running` or `listening`.
    pub sub_state: String,
    /// How it ended last, or what has gone wrong so far.
    pub result: String,
    /// What is to become of it: `start`, `stop` or `restart`.
    pub job: Option<String>,
    /// A service's main process.
    pub main_pid: Option<i32>,
    /// Whether a service's processes are sealed; none for a socket unit.
    pub sealed: Option<bool>,
    /// A socket unit's addresses, while it is open.
    pub listen: Vec<String>,
    /// What a socket unit starts.
    #[serde(default)]
    pub service: Option<String>,
    /// A service's command that runs beside the main process.
    #[serde(default)]
    pub control_pid: Option<i32>,
    /// The parts of the seal that a service's processes were started with, by
    /// the names of their mechanisms.
    #[serde(default)]
    pub mechanisms: Vec<String>,
    /// Those parts of its level that were given up on purpose.
    #[serde(default)]
    pub given_up: Vec<String>,
    /// A service's processes.
    #[serde(default)]
    pub processes: Vec<i32>,
}

/// What a unit said, and what else there is to know of its failure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitLog {
    /// Its name.
    pub unit: String,
    /// Where a socket unit listens, or is to.
    pub listen: Vec<String>,
    /// The image of a service's container.
    pub image: Option<String>,
    /// Whether a service says itself when it is ready.
    pub is_notify: bool,
    /// For how many seconds a service has been up.
    pub active_for: Option<u64>,
    /// How often a service ended by itself within the last minute.
    pub ends: u32,
    /// How many of these were failures.
    pub failures: u32,
    /// Since it was started last.
    pub now: StartLog,
    /// Of its last start that has ended.
    pub ended: Option<StartLog>,
}

/// What was said in one start of a unit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartLog {
    /// The last lines.
    pub lines: Vec<LogLine>,
    /// The status with which a command ended that failed.
    pub code: Option<i32>,
    /// Or else the signal.
    pub signal: Option<i32>,
    /// Whether it took too long to start.
    pub timed_out: bool,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Whether podseal said it, and not the service's processes.
    pub is_own: bool,
    /// What was said.
    pub text: String,
}

/// What came of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStatus {
    /// Its unit.
    pub unit: String,
    /// `done`, `failed`, `dependency` or `canceled`.
    pub result: String,
}

impl Response {
    /// Whether one of its units is a service of this name.
    #[must_use]
    pub fn has_service(&self, name: &str) -> bool {
        let mut services = self.units.iter().filter(|unit| unit.sealed.is_some());
        services.any(|unit| unit.unit == name)
    }
}

/// A run that can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its name.
    pub name: String,
    path: PathBuf,
}

/// A run could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The directory of the runs cannot be listed.
    #[error("cannot list {}", path.display())]
    List {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nobody listens on its socket any more.
    #[error("the run {name} has ended without removing its socket {}", path.display())]
    Stale {
        /// Its name.
        name: String,
        /// The socket.
        path: PathBuf,
    },
    /// It cannot be talked to.
    #[error("cannot talk to the run {name}")]
    Talk {
        /// Its name.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// It ended while it was asked.
    #[error("the run {name} ended before it answered")]
    Ended {
        /// Its name.
        name: String,
    },
    /// It answered something else than an answer.
    #[error("the run {name} gave an answer that is not understood")]
    Answer {
        /// Its name.
        name: String,
        /// Why.
        source: serde_json::Error,
    },
}

impl ControlError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::List { .. } => {
                Some("set XDG_RUNTIME_DIR to what it was for `podseal run`".into())
            }
            Self::Stale { name, .. } => Some(format!(
                "it was killed: start it again, which takes the name {name} over"
            )),
            Self::Answer { .. } => {
                Some("the run may be of another version of podseal: restart it".into())
            }
            Self::Talk { .. } | Self::Ended { .. } => None,
        }
    }
}

/// The runs of `user`, by name.
///
/// # Errors
/// Their directory is there and cannot be listed.
pub fn runs(user: &User) -> Result<Vec<Run>, ControlError> {
    let path = host::runtime_directory(user);
    let error = |source| ControlError::List {
        path: path.clone(),
        source,
    };
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(error(source)),
    };
    let mut runs = Vec::new();
    for entry in entries {
        let entry = entry.map_err(error)?;
        let socket = entry.path().join(SOCKET);
        if socket.exists() {
            runs.push(Run {
                name: entry.file_name().to_string_lossy().into_owned(),
                path: socket,
            });
        }
    }
    runs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(runs)
}

/// The runs of `user` that have a service of this name, and what they answer.
/// Those that cannot be asked are left out.
///
/// # Errors
/// Runs cannot be listed.
pub fn with_service(user: &User, name: &str) -> Result<Vec<(Run, Response)>, ControlError> {
    let runs = runs(user)?.into_iter();
    let asked = runs.filter_map(|run| match run.ask(Verb::Status, &[]) {
        Ok(response) => Some((run, response)),
        Err(error) => {
            tracing::warn!(%error, "a run was not asked");
            None
        }
    });
    Ok(asked
        .filter(|(_, answer)| answer.has_service(name))
        .collect())
}

impl Run {
    /// Asks, and waits for the answer: until the jobs that were asked for have
    /// ended.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn ask(&self, verb: Verb, units: &[String]) -> Result<Response, ControlError> {
        let talk = |source: io::Error| ControlError::Talk {
            name: self.name.clone(),
            source,
        };
        let answer = |source| ControlError::Answer {
            name: self.name.clone(),
            source,
        };
        let request = Request {
            version: VERSION,
            verb,
            units: units.to_vec(),
        };
        let request = serde_json::to_vec(&request).map_err(answer)?;
        let socket = connect_to(&self.path).map_err(|errno| match errno {
            rustix::io::Errno::CONNREFUSED => ControlError::Stale {
                name: self.name.clone(),
                path: self.path.clone(),
            },
            _ => talk(errno.into()),
        })?;
        send(&socket, &request, SendFlags::NOSIGNAL).map_err(|errno| talk(errno.into()))?;
        let mut buffer = vec![0; RESPONSE_MAX];
        let (count, _) = loop {
            match recv(&socket, &mut buffer[..], RecvFlags::empty()) {
                Err(rustix::io::Errno::INTR) => {}
                result => break result.map_err(|errno| talk(errno.into()))?,
            }
        };
        if count == 0 {
            return Err(ControlError::Ended {
                name: self.name.clone(),
            });
        }
        serde_json::from_slice(&buffer[..count]).map_err(answer)
    }
}

fn connect_to(path: &Path) -> rustix::io::Result<rustix::fd::OwnedFd> {
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}
