//! Running commands to their end, with a limit.

use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use podseal_core::lifecycle::Exit;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, waitpid};

use crate::account::Account;

use super::{CommandError, CommandLine, Output, Start, exit_of, start};

/// The most that is read of what another user's process says, in bytes.
const LONGEST: usize = 16 << 20;

/// How long it may take to read what a command said that has ended.
const TO_READ: Duration = Duration::from_millis(100);

/// Runs a command without input and waits for it, no longer than `limit`.
///
/// # Errors
/// It could not be run or took too long. A failing status is no error here,
/// see [`Output::success`].
pub fn run(command: &[String], limit: Duration) -> Result<Output, CommandError> {
    run_as(None, command, limit)
}

/// As [`run`], as another user where there is one: with nothing of this process
/// that the user does not have.
///
/// # Errors
/// As [`run`].
pub fn run_as(
    account: Option<&Account>,
    command: &[String],
    limit: Duration,
) -> Result<Output, CommandError> {
    begin(command, &[], &[], account)?.end(limit, Instant::now() + limit)
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
    begin(command, environment, &[], None)?.end(limit, Instant::now() + limit)
}

/// As [`run_as`], with sockets that are handed to the command, each with its name.
///
/// # Errors
/// As [`run`].
pub fn run_with_sockets(
    account: Option<&Account>,
    command: &[String],
    sockets: &[(&str, BorrowedFd<'_>)],
    limit: Duration,
) -> Result<Output, CommandError> {
    let (names, sockets): (Vec<&str>, Vec<BorrowedFd<'_>>) = sockets.iter().copied().unzip();
    let names = names.join(":");
    let changes = [("LISTEN_FDNAMES", Some(names.as_str()))];
    begin(command, &changes, &sockets, account)?.end(limit, Instant::now() + limit)
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
            begin(&job.command, &changes, &[], None)
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
    longest: usize,
}

fn begin(
    command: &[String],
    changes: &[(&str, Option<&str>)],
    sockets: &[BorrowedFd<'_>],
    account: Option<&Account>,
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
        account,
        mark: None,
        stdout: stdout_write.as_fd(),
        stderr: stderr_write.as_fd(),
        sockets,
    })?;
    Ok(Begun {
        line,
        pid,
        pipes: [stdout, stderr],
        longest: account.map_or(usize::MAX, |_| LONGEST),
    })
}

impl Begun {
    /// Waits until `deadline`, which is what is left of `limit`.
    fn end(self, limit: Duration, deadline: Instant) -> Result<Output, CommandError> {
        let Self {
            line,
            pid,
            pipes,
            longest,
        } = self;
        let lost = |source: io::Error| CommandError::Lost {
            command: line.clone(),
            source,
        };
        let texts = read_both(pipes, deadline, longest);
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

/// Reads both pipes to their ends; none when `deadline` passes before.
fn read_both(
    mut pipes: [PipeReader; 2],
    deadline: Instant,
    longest: usize,
) -> io::Result<Option<[String; 2]>> {
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
                count if count > longest.saturating_sub(texts[index].len()) => {
                    return Err(io::ErrorKind::FileTooLarge.into());
                }
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
    use crate::command::LIMIT;

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
    fn what_another_user_says_has_an_end() {
        let mut begun = begin(&words(&["yes"]), &[], &[], None).unwrap();
        begun.longest = 100_000;
        let error = begun.end(LIMIT, Instant::now() + LIMIT).unwrap_err();
        assert_eq!(error.to_string(), "lost touch with yes");
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
