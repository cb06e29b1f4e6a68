//! The only module that starts processes.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::mem;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command as Process, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::requirements;

/// A program with its arguments, run in the workspace's root directory.
///
/// Displayed as it would be typed into a shell; no argument used here needs
/// quoting.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Command {
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
    identity: Option<Identity>,
}

/// Whom a command runs as, and in a clean environment: what it sees is what
/// [`Command::environment`] set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Identity {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// A program could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start `{command}`")]
pub(crate) struct StartError {
    command: String,
    source: io::Error,
}

/// A command did not do what it was for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("`{command}` failed with exit status {status}: {stderr}")]
    Failed {
        command: String,
        status: u8,
        stderr: String,
    },
    #[error("`{command}` did not end within {} s", .limit.as_secs())]
    TimedOut { command: String, limit: Duration },
}

/// A process that is ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
}

impl Running {
    /// How long it has to end by itself before it is killed.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Lets it live on, beyond this process.
    pub(crate) fn leave(self) {
        mem::forget(self);
    }

    /// Waits until it ends.
    pub(crate) fn finish(&mut self) -> io::Result<u8> {
        self.child.wait().map(shell_status)
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until it ends; none when `limit` passes before.
    pub(crate) fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_alive() {
            return;
        }
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        if self.wait(Self::PATIENCE).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Command {
    pub(crate) fn new<A: AsRef<OsStr>>(
        program: impl Into<OsString>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            identity: None,
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
    pub(crate) fn environment(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// Sets whom it runs as, which clears the environment.
    pub(crate) fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
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

    /// How long the command takes from fork(2) to its end, which must be a
    /// success; what it prints is dropped.
    pub(crate) fn time(&self) -> Result<Duration, RunError> {
        let mut process = self.process();
        process
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let begun = Instant::now();
        let status = process.status();
        let took = begun.elapsed();
        let status = status.map_err(|source| self.error(source))?;
        self.success(status, "").map(|()| took)
    }

    /// Returns what the command, which must succeed, writes to stdout.
    pub(crate) fn results(&self) -> Result<String, RunError> {
        let output = self.process().stdin(Stdio::null()).output();
        let output = output.map_err(|source| self.error(source))?;
        self.success(output.status, &String::from_utf8_lossy(&output.stderr))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs the command, which must succeed within `limit`.
    ///
    /// Its stderr goes to the file `log`, not to a pipe, which a process that
    /// it leaves behind would keep open.
    pub(crate) fn complete(&self, log: &Path, limit: Duration) -> Result<(), RunError> {
        let mut running = self.start(log)?;
        let Some(status) = running.wait(limit) else {
            return Err(RunError::TimedOut {
                command: self.to_string(),
                limit,
            });
        };
        self.success(status, &fs::read_to_string(log).unwrap_or_default())
    }

    /// Starts the command; its stderr goes to the file `log`.
    pub(crate) fn start(&self, log: &Path) -> Result<Running, StartError> {
        let stderr = File::create(log).map_err(|source| self.error(source))?;
        let child = self
            .process()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .map_err(|source| self.error(source))?;
        Ok(Running { child })
    }

    /// Starts the command with a terminal as stdin, stdout and stderr.
    pub(crate) fn start_on(&self, terminal: &OwnedFd) -> Result<Running, StartError> {
        let end = || terminal.try_clone().map_err(|source| self.error(source));
        let child = self
            .process()
            .stdin(end()?)
            .stdout(end()?)
            .stderr(end()?)
            .spawn()
            .map_err(|source| self.error(source))?;
        Ok(Running { child })
    }

    fn success(&self, status: ExitStatus, stderr: &str) -> Result<(), RunError> {
        if status.success() {
            return Ok(());
        }
        Err(RunError::Failed {
            command: self.to_string(),
            status: shell_status(status),
            stderr: stderr.trim().to_owned(),
        })
    }

    /// Becomes the command, so that signals and its exit status need nobody in
    /// between; returns only when that fails.
    pub(crate) fn replace_this_process(&self) -> StartError {
        self.error(self.process().exec())
    }

    fn process(&self) -> Process {
        let mut process = Process::new(&self.program);
        process.args(&self.arguments).current_dir(workspace());
        if let Some(Identity { uid, gid }) = self.identity {
            process.env_clear().current_dir("/");
            if requirements::is_root() {
                process.uid(uid).gid(gid);
            }
        }
        process.envs(self.environment.iter().map(|(name, value)| (name, value)));
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
            write!(formatter, "{name}={} ", value.display())?;
        }
        write!(formatter, "{}", self.program.display())?;
        for argument in &self.arguments {
            write!(formatter, " {}", argument.display())?;
        }
        Ok(())
    }
}

/// The directory of the workspace's Cargo.toml: the one above xtask's.
pub(crate) fn workspace() -> &'static Path {
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
