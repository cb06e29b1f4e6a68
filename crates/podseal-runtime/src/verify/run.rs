//! Running one copy to its end.

use std::io::{self, PipeReader, PipeWriter, Read as _};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use podseal_core::explain::journal::Log;
use podseal_core::explain::short::Short;
use podseal_core::lifecycle::Exit;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use super::{VerifyError, failed};
use crate::command::{self, Output, Start};
use crate::control;
use crate::explain::{self, Host};
use crate::host::User;
use crate::proof::Named;
use crate::receive::{Client, Handover};

/// How long a copy may take to start and make its probes.
const LIMIT: Duration = Duration::from_mins(1);

/// The most that is read of what a copy says, in bytes: many times what the
/// probes have to say.
pub(super) const LONGEST: u64 = 1 << 20;

/// How often a pipe is read before the next one: more than it holds (pipe(7)).
const READS: usize = 64;

/// A copy to run.
pub(super) struct Running<'a> {
    /// What starts it.
    pub(super) command: Vec<String>,
    /// Whether that waits until the copy has ended, and ends then; `podseal run`
    /// goes on.
    pub(super) waits: bool,
    /// The copy's unit.
    pub(super) unit: &'a str,
    /// Where it is handed the sockets.
    pub(super) handover: &'a Handover,
    pub(super) user: &'a User,
    pub(super) sockets: &'a [Named<'a>],
    pub(super) end_wanted: &'a UnixStream,
}

/// What is heard of a copy.
struct Copy {
    /// Its standard output.
    report: Stream,
    /// Its standard error.
    said: Stream,
    /// What who starts it says.
    starter: Stream,
    /// Once it was handed its sockets.
    client: Option<Client>,
    /// Why it failed, where it did before that.
    why: Option<Short>,
}

/// A copy that its supervisor says has failed.
struct Failure {
    /// Why, where that could be asked.
    why: Option<Short>,
}

/// What there is to tell of a copy that reported nothing.
pub(super) struct Ended {
    /// All that it said, if it was started.
    pub(super) said: Option<Log>,
    /// If it was not: what who starts it said.
    pub(super) starter: Option<Log>,
    /// If it was not: why, where who starts it can be asked.
    pub(super) why: Option<Short>,
}

/// One pipe, and what came out of it.
struct Stream {
    pipe: PipeReader,
    text: Vec<u8>,
    is_open: bool,
}

impl Stream {
    fn new(pipe: PipeReader) -> Self {
        Self {
            pipe,
            text: Vec::new(),
            is_open: true,
        }
    }

    fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16384];
        match self.pipe.read(&mut buffer)? {
            0 => self.is_open = false,
            count if (self.text.len() as u64) < LONGEST => {
                self.text.extend_from_slice(&buffer[..count]);
            }
            // More is no report, and nobody is to wait for being read.
            _ => {}
        }
        Ok(())
    }

    /// The last line that says what went wrong.
    fn error(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.text).into_owned();
        let mut lines = text.lines().map(str::trim);
        let is_error = |line: &&str| {
            let line = line.to_ascii_lowercase();
            ["error", "fail"].iter().any(|word| line.contains(word))
        };
        lines.rfind(is_error).map(str::to_owned)
    }
}

impl Running<'_> {
    /// Runs it to its end; of its output standard error has what went wrong.
    pub(super) fn run(&self) -> Result<(Output, Ended), VerifyError> {
        let pipe = || io::pipe().map_err(failed("make a pipe"));
        let (report, report_end) = pipe()?;
        let (said, said_end) = pipe()?;
        let (starter, starter_end) = pipe()?;
        let mut copy = Copy {
            report: Stream::new(report),
            said: Stream::new(said),
            starter: Stream::new(starter),
            client: None,
            why: None,
        };
        let child = Starter::start(&self.command, &starter_end)?;
        drop(starter_end);
        copy.listen(self, [report_end, said_end])?;
        let exit = copy.client.as_ref().and_then(Client::exit);
        drop(child);
        let what = match exit {
            Some(Exit::Code(0)) => None,
            Some(exit) => Some(format!("the probe program {exit}")),
            None => Some("the probe program was not started, or did not end".to_owned()),
        };
        let log =
            |stream: &Stream, exit| Log::of_output(&String::from_utf8_lossy(&stream.text), exit);
        let starter = exit.is_none().then(|| log(&copy.starter, Exit::Code(1)));
        let log = exit.map(|exit| log(&copy.said, exit));
        let said = copy.said.error().or_else(|| copy.starter.error()).or(what);
        let output = Output::new(
            &self.command,
            exit.unwrap_or(Exit::Code(1)),
            String::from_utf8_lossy(&copy.report.text).into_owned(),
            said.unwrap_or_default(),
        );
        let ended = Ended {
            said: log,
            starter,
            why: copy.why,
        };
        Ok((output, ended))
    }

    /// Whether its supervisor says that it has failed, and why.
    fn failure(&self) -> Option<Failure> {
        let runs = control::with_service(self.user, self.unit).ok()?;
        let (run, response) = runs.into_iter().next()?;
        let units = &response.units;
        let unit = units.iter().find(|unit| unit.unit == self.unit)?;
        (unit.active_state == "failed").then(|| {
            let host = Host::default();
            let why = explain::of_unit_in_run(&run, self.unit, units, &host);
            Failure { why }
        })
    }
}

/// What starts a copy; ended when dropped.
struct Starter(Pid);

impl Starter {
    fn start(command: &[String], output: &PipeWriter) -> Result<Self, VerifyError> {
        let pid = command::start(&Start {
            program: command.first().map_or("", String::as_str),
            arguments: command,
            environment: &[("LC_ALL", Some("C"))],
            directory: None,
            account: None,
            mark: None,
            stdout: output.as_fd(),
            stderr: output.as_fd(),
            sockets: &[],
        })?;
        Ok(Self(pid))
    }
}

impl Drop for Starter {
    fn drop(&mut self) {
        // It is our child and not waited for, so it is no other process.
        let _ = kill_process(self.0, Signal::TERM);
        let _ = waitpid(Some(self.0), WaitOptions::empty());
    }
}

impl Copy {
    /// Hands the sockets over and reads what comes, until the copy or who
    /// started it has ended.
    fn listen(&mut self, running: &Running<'_>, ends: [PipeWriter; 2]) -> Result<(), VerifyError> {
        let deadline = Instant::now() + LIMIT;
        let mut ends = Some(ends);
        while self.starter.is_open && (self.report.is_open || running.waits) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let mut fds = vec![PollFd::new(running.end_wanted, PollFlags::IN)];
            let streams = [&self.report, &self.said, &self.starter];
            let open = streams.iter().filter(|stream| stream.is_open);
            fds.extend(open.map(|stream| PollFd::new(&stream.pipe, PollFlags::IN)));
            if ends.is_some() {
                fds.push(PollFd::new(running.handover, PollFlags::IN));
            }
            let timeout = Timespec::try_from(left).unwrap_or_default();
            match poll(&mut fds, Some(&timeout)) {
                Err(rustix::io::Errno::INTR) => continue,
                result => result.map_err(|errno| failed("wait for a copy")(errno.into()))?,
            };
            if !fds[0].revents().is_empty() {
                return Err(VerifyError::Interrupted);
            }
            if ends.is_some()
                && is_ready(running.handover)
                && let Some([output, messages]) = ends.take()
            {
                let output = [output.as_fd(), messages.as_fd()];
                let client = running
                    .handover
                    .hand(running.user, output, running.sockets)
                    .map_err(|error| failed("hand a copy its sockets")(io::Error::other(error)))?;
                self.client = Some(client);
            }
            let was_said = self.starter.text.len();
            self.read().map_err(failed("hear from a copy"))?;
            // A supervisor says so when a unit fails, and then waits for more.
            if !running.waits
                && self.client.is_none()
                && self.starter.text.len() > was_said
                && let Some(failure) = running.failure()
            {
                self.why = failure.why;
                break;
            }
        }
        // What was said before the end may still be there.
        self.read().map_err(failed("hear from a copy"))
    }

    fn read(&mut self) -> io::Result<()> {
        for stream in [&mut self.report, &mut self.said, &mut self.starter] {
            // One that goes on talking does not keep the others, and us, waiting.
            for _ in 0..READS {
                if !stream.is_open || !is_ready(&stream.pipe) {
                    break;
                }
                stream.read()?;
            }
        }
        Ok(())
    }
}

fn is_ready(fd: &impl AsFd) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    matches!(poll(&mut fds, Some(&Timespec::default())), Ok(1..))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::OwnedFd;

    use super::*;

    #[test]
    fn a_copy_that_goes_on_talking_has_an_end() {
        let endless = || {
            let file = File::open("/dev/zero").unwrap();
            Stream::new(PipeReader::from(OwnedFd::from(file)))
        };
        let mut copy = Copy {
            report: endless(),
            said: endless(),
            starter: endless(),
            client: None,
            why: None,
        };
        for _ in 0..3 {
            copy.read().unwrap();
            assert!(copy.starter.is_open);
            assert_eq!(copy.starter.text.len() as u64, LONGEST);
        }
    }
}
