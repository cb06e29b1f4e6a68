//! The only module that starts processes.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command as Process, ExitStatus, Stdio};

/// A program with its arguments, run in the workspace's root directory.
///
/// Displayed as it would be typed into a shell; no argument used here needs
/// quoting.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Command {
    program: &'static str,
    arguments: Vec<OsString>,
    environment: Vec<(&'static str, &'static str)>,
}

/// A program could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start `{command}`")]
pub(crate) struct StartError {
    command: String,
    source: io::Error,
}

impl Command {
    pub(crate) fn new<A: AsRef<OsStr>>(
        program: &'static str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            program,
            arguments: Vec::new(),
            environment: Vec::new(),
        }
        .with(arguments)
    }

    /// Adds arguments.
    pub(crate) fn with<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(
            arguments
                .into_iter()
                .map(|argument| argument.as_ref().to_owned()),
        );
        self
    }

    /// Sets an environment variable.
    pub(crate) fn environment(mut self, name: &'static str, value: &'static str) -> Self {
        self.environment.push((name, value));
        self
    }

    /// Runs the command to its end and returns its exit status as a shell
    /// would: 128 + n for a command ended by signal n.
    pub(crate) fn run(&self) -> Result<u8, StartError> {
        let status = self.process().status();
        status
            .map(shell_status)
            .map_err(|source| self.error(source))
    }

    /// Whether the command starts, succeeds and so shows that it works; what it
    /// prints is dropped.
    pub(crate) fn works(&self) -> bool {
        self.process()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Returns what the command writes to stdout, whatever its exit status;
    /// stderr is dropped.
    pub(crate) fn stdout(&self) -> Result<String, StartError> {
        let output = self.process().stdin(Stdio::null()).output();
        output
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
            .map_err(|source| self.error(source))
    }

    /// Becomes the command, so that signals and its exit status need nobody in
    /// between; returns only when that fails.
    pub(crate) fn replace_this_process(&self) -> StartError {
        self.error(self.process().exec())
    }

    fn process(&self) -> Process {
        let mut process = Process::new(self.program);
        process
            .args(&self.arguments)
            .envs(self.environment.iter().copied())
            .current_dir(workspace());
        process
    }

    fn error(&self, source: io::Error) -> StartError {
        StartError {
            command: self.to_string(),
            source,
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.environment {
            write!(formatter, "{name}={value} ")?;
        }
        formatter.write_str(self.program)?;
        for argument in &self.arguments {
            write!(formatter, " {}", argument.display())?;
        }
        Ok(())
    }
}

/// The directory of the workspace's Cargo.toml: the one above xtask's.
fn workspace() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

fn shell_status(status: ExitStatus) -> u8 {
    let number = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    number
        .and_then(|number| u8::try_from(number).ok())
        .unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displayed_as_typed() {
        let command = Command::new("cargo", ["test"])
            .with(["--workspace"])
            .environment("PODSEAL_TEST_REQUIRE", "all");
        assert_eq!(
            command.to_string(),
            "PODSEAL_TEST_REQUIRE=all cargo test --workspace"
        );
    }

    #[test]
    fn statuses_are_those_of_a_shell() {
        for (script, status) in [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 137)] {
            let command = Command::new("sh", ["-c", script]);
            assert_eq!(command.run().ok(), Some(status), "{script}");
            assert_eq!(command.works(), status == 0, "{script}");
        }
    }

    #[test]
    fn a_missing_program_is_named() {
        let command = Command::new("podseal-no-such-program", ["--flag"]);
        let error = command.run().expect_err("the program cannot exist");
        assert_eq!(
            error.to_string(),
            "cannot start `podseal-no-such-program --flag`"
        );
        assert!(!command.works());
    }
}
