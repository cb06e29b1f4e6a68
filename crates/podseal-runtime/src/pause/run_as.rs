//! The pause process of another user.

use std::io;
use std::os::fd::AsFd as _;

use podseal_core::lifecycle::Exit;
use rustix::process::{WaitOptions, waitpid};

use crate::account::{Account, AccountError};
use crate::command::{self, CommandError, CommandLine, Start, exit_of};
use crate::host;

/// Why another user's pause process was not looked for.
#[derive(Debug, thiserror::Error)]
pub enum EnsureAsError {
    /// Podman cannot run as this user.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// podseal's own file was removed.
    #[error("cannot start podseal once more")]
    Own {
        /// Why.
        source: io::Error,
    },
    /// Nothing could be started as this user.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl EnsureAsError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Account(error) => Some(error.hint()),
            Self::Own { .. } => None,
            Self::Command(_) => {
                Some("install podseal where the user may execute it, such as /usr/local/bin".into())
            }
        }
    }
}

/// As root, does what [`super::ensure`] does, in a process that is the user and
/// nothing else. What it says goes where this process's words go. Returns how it
/// ended.
///
/// # Errors
/// There is no such user, or no such process.
pub fn ensure_as(name: &str, quiet: bool) -> Result<Exit, EnsureAsError> {
    let account = Account::ready(name)?;
    let own = host::own_executable().map_err(|source| EnsureAsError::Own { source })?;
    let own = own.to_string_lossy().into_owned();
    let words = [own.as_str(), "pause", "ensure"];
    let quiet = quiet.then_some("--quiet");
    let words: Vec<String> = words.into_iter().chain(quiet).map(str::to_owned).collect();
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let pid = command::start(&Start {
        program: &own,
        arguments: &words,
        environment: &[],
        directory: None,
        account: Some(&account),
        mark: None,
        stdout: stdout.as_fd(),
        stderr: stderr.as_fd(),
        sockets: &[],
    })?;
    let status = waitpid(Some(pid), WaitOptions::empty());
    let lost = |errno: rustix::io::Errno| CommandError::Lost {
        command: CommandLine::new(&words),
        source: errno.into(),
    };
    let status = status.map_err(lost)?;
    Ok(status.map_or(Exit::Code(0), |(_, status)| exit_of(status)))
}
