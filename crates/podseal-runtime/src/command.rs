//! The one place that starts processes.

use std::ffi::{CString, NulError};
use std::fmt;
use std::fs::File;
use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use podseal_core::lifecycle::Exit;
use podseal_sys::spawn::{Spawn, SpawnError, spawn};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process_group, waitpid};

/// How long a helper command may take before it is killed.
pub const LIMIT: Duration = Duration::from_mins(1);

/// How long it may take to read what a command said that has ended.
const TO_READ: Duration = Duration::from_millis(100);

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
    text.trim_end().lines().last().map(str::to_owned)
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
    let environment =
        environment(request.environment, (count != "0").then_some(&count)).map_err(zero_byte)?;
    let directory = request.directory.map(CString::new).transpose();
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
    })
    .map_err(failed)?;
    Pid::from_raw(pid).ok_or_else(|| io_failed(io::ErrorKind::InvalidData.into()))
}

/// The environment of a child: ours, less what told us of sockets and a
/// supervisor of our own, plus `changes`.
fn environment(
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
    let kept = std::env::vars_os().filter(|(name, _)| {
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

/// Runs a command without input and waits for it, no longer than `limit`.
///
/// # Errors
/// It could not be run or took too long. A failing status is no error here,
/// see [`Output::success`].
pub fn run(command: &[String], limit: Duration) -> Result<Output, CommandError> {
    run_with(command, &[], &[], limit)
}

/// As [`run`], with variables to set or, with none, to remove.
///
/// # Errors
/// As [`run`].
pub fn run_with_environment(
    command: &[String],
    environment: &[(&str, Option<&str>)],
    limit: Duration,
) -> Result<Output, CommandError> {
    run_with(command, environment, &[], limit)
}

/// As [`run`], with sockets that are handed to the command, each with its name.
///
/// # Errors
/// As [`run`].
pub fn run_with_sockets(
    command: &[String],
    sockets: &[(&str, BorrowedFd<'_>)],
    limit: Duration,
) -> Result<Output, CommandError> {
    let (names, sockets): (Vec<&str>, Vec<BorrowedFd<'_>>) = sockets.iter().copied().unzip();
    let names = names.join(":");
    run_with(
        command,
        &[("LISTEN_FDNAMES", Some(&names))],
        &sockets,
        limit,
    )
}

fn run_with(
    command: &[String],
    changes: &[(&str, Option<&str>)],
    sockets: &[BorrowedFd<'_>],
    limit: Duration,
) -> Result<Output, CommandError> {
    begin(command, changes, sockets)?.end(limit, Instant::now() + limit)
}

/// A command for [`run_all`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Variables to set.
    pub environment: Vec<(&'static str, String)>,
}

/// Runs commands side by side, as [`run`] does one, all within `limit`.
#[must_use]
pub fn run_all(jobs: &[Job], limit: Duration) -> Vec<Result<Output, CommandError>> {
    let deadline = Instant::now() + limit;
    let begun: Vec<_> = jobs
        .iter()
        .map(|job| {
            let variables = job.environment.iter();
            let changes: Vec<_> = variables
                .map(|(name, value)| (*name, Some(value.as_str())))
                .collect();
            begin(&job.command, &changes, &[])
        })
        .collect();
    begun
        .into_iter()
        // One that ended while others were waited for is still to be read.
        .map(|begun| begun?.end(limit, deadline.max(Instant::now() + TO_READ)))
        .collect()
}

/// A command that runs, and is to be waited for.
struct Begun {
    line: CommandLine,
    pid: Pid,
    pipes: [PipeReader; 2],
}

fn begin(
    command: &[String],
    changes: &[(&str, Option<&str>)],
    sockets: &[BorrowedFd<'_>],
) -> Result<Begun, CommandError> {
    let locale = [("LC_ALL", Some("C"))];
    let environment = [changes, &locale[..]].concat();
    let line = CommandLine::new(command);
    let lost = |source: io::Error| CommandError::Lost {
        command: line.clone(),
        source,
    };
    let (stdout, stdout_write) = io::pipe().map_err(lost)?;
    let (stderr, stderr_write) = io::pipe().map_err(lost)?;
    let pid = start(&Start {
        program: command.first().map_or("", String::as_str),
        arguments: command,
        environment: &environment,
        directory: None,
        mark: None,
        stdout: stdout_write.as_fd(),
        stderr: stderr_write.as_fd(),
        sockets,
    })?;
    Ok(Begun {
        line,
        pid,
        pipes: [stdout, stderr],
    })
}

impl Begun {
    /// Waits until `deadline`, which is what is left of `limit`.
    fn end(self, limit: Duration, deadline: Instant) -> Result<Output, CommandError> {
        let Self { line, pid, pipes } = self;
        let lost = |source: io::Error| CommandError::Lost {
            command: line.clone(),
            source,
        };
        let texts = read_both(pipes, deadline);
        if !matches!(texts, Ok(Some(_))) {
            // It leads a session, so this reaches what it started, too. It may
            // have ended by itself meanwhile.
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let status =
            waitpid(Some(pid), WaitOptions::empty()).map_err(|errno| lost(errno.into()))?;
        let Some([stdout, stderr]) = texts.map_err(lost)? else {
            return Err(CommandError::TimedOut {
                command: line,
                limit,
            });
        };
        let output = Output {
            exit: status.map_or(Exit::Code(0), |(_, status)| exit_of(status)),
            stdout,
            stderr,
            command: line,
        };
        tracing::debug!(command = %output.command, exit = %output.exit, stderr = output.stderr, "ended");
        Ok(output)
    }
}

/// How a process ended, from its wait status.
#[must_use]
pub fn exit_of(status: WaitStatus) -> Exit {
    status.terminating_signal().map_or_else(
        || Exit::Code(status.exit_status().unwrap_or_default()),
        Exit::Signal,
    )
}

/// Reads both pipes to their ends; none when `deadline` passes before.
fn read_both(mut pipes: [PipeReader; 2], deadline: Instant) -> io::Result<Option<[String; 2]>> {
    let mut texts = [Vec::new(), Vec::new()];
    let mut open = [true, true];
    while open.contains(&true) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        let indexes: Vec<usize> = (0..2).filter(|index| open[*index]).collect();
        let mut fds: Vec<PollFd<'_>> = indexes
            .iter()
            .map(|index| PollFd::new(&pipes[*index], PollFlags::IN))
            .collect();
        match poll(&mut fds, Some(&timeout)) {
            Err(rustix::io::Errno::INTR) => continue,
            result => result?,
        };
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        for (index, _) in indexes.into_iter().zip(ready).filter(|(_, ready)| *ready) {
            let mut buffer = [0; 16384];
            match pipes[index].read(&mut buffer)? {
                0 => open[index] = false,
                count => texts[index].extend_from_slice(&buffer[..count]),
            }
        }
    }
    Ok(Some(
        texts.map(|text| String::from_utf8_lossy(&text).into_owned()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn output_and_status_are_kept_apart() {
        let output = run(
            &words(&["sh", "-c", "echo out; echo err >&2; exit 3"]),
            LIMIT,
        )
        .unwrap();
        assert_eq!(
            (output.stdout.as_str(), output.stderr.as_str(), output.exit),
            ("out\n", "err\n", Exit::Code(3))
        );
        assert_eq!(
            output.success().unwrap_err().to_string(),
            "sh -c 'echo out; echo err >&2; exit 3' exited with status 3: err"
        );
    }

    #[test]
    fn much_output_on_both_does_not_block() {
        let script =
            "head -c 300000 /dev/zero | tr '\\0' a; head -c 300000 /dev/zero | tr '\\0' b >&2";
        let output = run(&words(&["sh", "-c", script]), LIMIT).unwrap();
        assert_eq!(
            (output.stdout.len(), output.stderr.len()),
            (300_000, 300_000)
        );
    }

    #[test]
    fn a_command_that_hangs_is_killed_with_its_children() {
        let begun = Instant::now();
        let error = run(
            &words(&["sh", "-c", "sleep 600 & sleep 600"]),
            Duration::from_millis(200),
        )
        .unwrap_err();
        assert!(matches!(error, CommandError::TimedOut { .. }), "{error}");
        assert!(begun.elapsed() < Duration::from_mins(1));
    }

    #[test]
    fn a_command_that_hangs_does_not_cost_the_others_their_answers() {
        let jobs = [&["sleep", "600"][..], &["printenv", "PLACE"]].map(|command| Job {
            command: words(command),
            environment: vec![("PLACE", "hello".into())],
        });
        let results = run_all(&jobs, Duration::from_millis(200));
        let [Err(hung), Ok(answered)] = results.as_slice() else {
            panic!("{results:?}");
        };
        assert!(matches!(hung, CommandError::TimedOut { .. }), "{hung}");
        assert_eq!(answered.stdout, "hello\n");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = run(&words(&["no-such-program-here"]), LIMIT).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no-such-program-here is not installed, or not in PATH"
        );
    }
}
