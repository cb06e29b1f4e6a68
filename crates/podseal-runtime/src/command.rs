//! The one place that starts processes.

use std::ffi::{CString, NulError, OsString};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use podseal_core::lifecycle::Exit;
use podseal_sys::spawn::{Spawn, SpawnError, spawn};
use rustix::process::{Pid, WaitStatus};

use crate::account::Account;

/// How long a helper command may take before it is killed.
pub const LIMIT: Duration = Duration::from_mins(1);

mod run;

pub use run::{Job, run, run_all, run_as, run_with_environment, run_with_sockets};

/// A command line for messages: words with blanks or quotes are quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine(Vec<String>);

impl CommandLine {
    /// The command line made of `words`.
    #[must_use]
    pub fn new(words: &[String]) -> Self {
        Self(words.to_vec())
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            let plain = !word.is_empty()
                && !word.contains(|c: char| c.is_whitespace() || "'\"\\$`;&|<>*?()".contains(c));
            if plain {
                f.write_str(word)?;
            } else {
                write!(f, "'{}'", word.replace('\'', r"'\''"))?;
            }
        }
        Ok(())
    }
}

/// Why a command gave no result.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no such program.
    #[error("{program} is not installed, or not in PATH")]
    NotFound {
        /// Its name.
        program: String,
    },
    /// A word has a zero byte.
    #[error("{command} has a zero byte in it")]
    ZeroByte {
        /// The command.
        command: CommandLine,
        /// Where.
        source: NulError,
    },
    /// It could not be run.
    #[error("cannot run {command}")]
    Start {
        /// The command.
        command: CommandLine,
        /// Why.
        source: SpawnError,
    },
    /// It could not be read from or waited for.
    #[error("lost touch with {command}")]
    Lost {
        /// The command.
        command: CommandLine,
        /// Why.
        source: io::Error,
    },
    /// It took too long and was killed.
    #[error("{command} did not end within {} seconds and was killed", limit.as_secs())]
    TimedOut {
        /// The command.
        command: CommandLine,
        /// The time it had.
        limit: Duration,
    },
    /// It ended with a failure.
    #[error("{command} {exit}: {}", last_line(stderr))]
    Failed {
        /// The command.
        command: CommandLine,
        /// How it ended.
        exit: Exit,
        /// Its standard error.
        stderr: String,
    },
}

impl CommandError {
    /// What the command said on standard error.
    #[must_use]
    pub fn stderr(&self) -> &str {
        match self {
            Self::Failed { stderr, .. } => stderr,
            _ => "",
        }
    }

    /// The last line of what the command said, or else what became of it.
    #[must_use]
    pub fn last_words(&self) -> String {
        last_words(self.stderr()).unwrap_or_else(|| self.to_string())
    }
}

fn last_words(text: &str) -> Option<String> {
    text.trim_end()
        .lines()
        .last()
        .map(|line| line.trim().to_owned())
}

fn last_line(text: &str) -> String {
    last_words(text).unwrap_or_else(|| "no message".to_owned())
}

/// What a command left behind.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub exit: Exit,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    command: CommandLine,
}

impl Output {
    /// What a command left behind that was not run by [`run`].
    #[must_use]
    pub fn new(command: &[String], exit: Exit, stdout: String, stderr: String) -> Self {
        Self {
            exit,
            stdout,
            stderr,
            command: CommandLine::new(command),
        }
    }

    /// The last line that the command said on standard error, or else how it
    /// ended.
    #[must_use]
    pub fn last_words(&self) -> String {
        last_words(&self.stderr).unwrap_or_else(|| self.exit.to_string())
    }

    /// Standard output, if the command succeeded.
    ///
    /// # Errors
    /// [`CommandError::Failed`] otherwise.
    pub fn success(self) -> Result<String, CommandError> {
        if self.exit == Exit::Code(0) {
            return Ok(self.stdout);
        }
        Err(CommandError::Failed {
            command: self.command,
            exit: self.exit,
            stderr: self.stderr,
        })
    }
}

/// The program called `name`: itself if it has a slash, else from PATH.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    let executable = |path: &Path| {
        path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
    };
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| executable(path));
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|path| executable(path))
}

/// A process to start. It gets this process's environment with `LC_ALL=C`
/// left to the caller, a session of its own, and no other descriptors than
/// those named.
#[derive(Debug)]
pub struct Start<'a> {
    /// The program, looked up in PATH.
    pub program: &'a str,
    /// Its arguments, the zeroth included.
    pub arguments: &'a [String],
    /// Variables to set (or, with none, to remove).
    pub environment: &'a [(&'a str, Option<&'a str>)],
    /// The working directory; none keeps this process's.
    pub directory: Option<&'a str>,
    /// The user that root starts it as, in a new environment and in `/`; none
    /// is this process's.
    pub account: Option<&'a Account>,
    /// What the process and all that it starts are known by, see
    /// [`podseal_sys::spawn::Spawn::mark`].
    pub mark: Option<u64>,
    /// Standard output.
    pub stdout: BorrowedFd<'a>,
    /// Standard error.
    pub stderr: BorrowedFd<'a>,
    /// What becomes descriptor 3, 4, … with LISTEN_FDS and LISTEN_PID set.
    pub sockets: &'a [BorrowedFd<'a>],
}

/// Starts a process and returns once its program runs. Its standard input is
/// empty.
///
/// # Errors
/// Nothing was started.
pub fn start(request: &Start<'_>) -> Result<Pid, CommandError> {
    let command = || CommandLine::new(request.arguments);
    let program = find(request.program).ok_or_else(|| CommandError::NotFound {
        program: request.program.to_owned(),
    })?;
    tracing::debug!(command = %command(), "starting");

    let zero_byte = |source| CommandError::ZeroByte {
        command: command(),
        source,
    };
    let failed = |source| CommandError::Start {
        command: command(),
        source,
    };
    let io_failed = |source| {
        failed(SpawnError {
            step: podseal_sys::spawn::Step::Descriptors,
            source,
        })
    };
    let program = CString::new(program.into_os_string().into_vec()).map_err(zero_byte)?;
    let arguments = request
        .arguments
        .iter()
        .map(|word| CString::new(word.as_str()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(zero_byte)?;
    let count = request.sockets.len().to_string();
    let own = match request.account {
        Some(account) => account.environment(),
        None => std::env::vars_os().collect(),
    };
    let sockets = (count != "0").then_some(&count);
    let environment = environment(own, request.environment, sockets).map_err(zero_byte)?;
    let directory = request.account.map(|_| "/").or(request.directory);
    let directory = directory.map(CString::new).transpose();
    let directory = directory.map_err(zero_byte)?;
    let null = File::open("/dev/null").map_err(io_failed)?;
    let pid = spawn(&Spawn {
        program: &program,
        arguments: &arguments,
        environment: &environment,
        stdio: [null.as_fd(), request.stdout, request.stderr],
        inherited: request.sockets,
        directory: directory.as_deref(),
        mark: request.mark,
        credentials: request.account.map(Account::credentials),
    })
    .map_err(failed)?;
    Pid::from_raw(pid).ok_or_else(|| io_failed(io::ErrorKind::InvalidData.into()))
}

/// The environment of a child: its `own`, less what told us of sockets and a
/// supervisor of our own, plus `changes`.
fn environment(
    own: Vec<(OsString, OsString)>,
    changes: &[(&str, Option<&str>)],
    listen_fds: Option<&String>,
) -> Result<Vec<CString>, NulError> {
    const OURS: &[&str] = &[
        "LISTEN_PID",
        "LISTEN_FDS",
        "LISTEN_FDNAMES",
        "LISTEN_PIDFDID",
        "NOTIFY_SOCKET",
        "WATCHDOG_PID",
        "WATCHDOG_USEC",
    ];
    let kept = own.into_iter().filter(|(name, _)| {
        !OURS.iter().any(|own| name == own) && !changes.iter().any(|(changed, _)| name == changed)
    });
    kept.map(|(name, value)| {
        let mut assignment = name.into_vec();
        assignment.push(b'=');
        assignment.extend(value.into_vec());
        CString::new(assignment)
    })
    .chain(
        changes
            .iter()
            .filter_map(|(name, value)| Some(CString::new(format!("{name}={}", (*value)?)))),
    )
    .chain(listen_fds.map(|count| CString::new(format!("LISTEN_FDS={count}"))))
    .collect()
}

/// How a process ended, from its wait status.
#[must_use]
pub fn exit_of(status: WaitStatus) -> Exit {
    status.terminating_signal().map_or_else(
        || Exit::Code(status.exit_status().unwrap_or_default()),
        Exit::Signal,
    )
}
