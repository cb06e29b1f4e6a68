//! The demo's service while it runs.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use podseal_core::lifecycle::Exit;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use super::{Demo, DemoError, failed};
use crate::command::{self, LIMIT};

/// What the service said.
#[derive(Debug)]
pub struct Answer {
    /// What came back.
    pub text: String,
    /// From the first byte of the connection to the answer, start included.
    pub after: Duration,
}

/// The service of a demo; ended when dropped.
#[derive(Debug)]
pub struct Running<'a> {
    pub(super) demo: &'a Demo,
    /// None once it has ended and was waited for.
    pub(super) pid: Option<Pid>,
}

impl Running<'_> {
    /// Connects to the service, says `text` and returns the answer.
    ///
    /// # Errors
    /// It did not answer.
    pub fn say(&mut self, port: u16, text: &str) -> Result<Answer, DemoError> {
        let mut connection = self.connect(port)?;
        let begun = Instant::now();
        connection
            .set_read_timeout(Some(LIMIT))
            .and_then(|()| connection.write_all(text.as_bytes()))
            .map_err(failed("talk to the service"))?;
        let mut answer = vec![0; text.len()];
        connection
            .read_exact(&mut answer)
            .map_err(failed("hear from the service"))?;
        Ok(Answer {
            text: String::from_utf8_lossy(&answer).into_owned(),
            after: begun.elapsed(),
        })
    }

    pub(super) fn connect(&mut self, port: u16) -> Result<TcpStream, DemoError> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let deadline = Instant::now() + LIMIT;
        while Instant::now() < deadline {
            match TcpStream::connect(address) {
                Ok(connection) => return Ok(connection),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => return Err(failed("connect to the service")(error)),
            }
            if let Some(exit) = self.ended()? {
                return Err(DemoError::ServiceEnded { exit });
            }
            self.demo.pause(Duration::from_millis(20))?;
        }
        Err(DemoError::Slow { what: "listen" })
    }

    /// Asks the service to end and waits for that.
    ///
    /// # Errors
    /// It did not end.
    pub fn stop(mut self) -> Result<Exit, DemoError> {
        self.terminate();
        self.wait("end")
    }

    fn terminate(&self) {
        if let Some(pid) = self.pid {
            // It is our child and not waited for, so it is no other process.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    pub(super) fn wait(&mut self, what: &'static str) -> Result<Exit, DemoError> {
        let deadline = Instant::now() + LIMIT;
        while Instant::now() < deadline {
            if let Some(exit) = self.ended()? {
                return Ok(exit);
            }
            self.demo.pause(Duration::from_millis(20))?;
        }
        Err(DemoError::Slow { what })
    }

    fn ended(&mut self) -> Result<Option<Exit>, DemoError> {
        let status = waitpid(self.pid, WaitOptions::NOHANG)
            .map_err(|errno| failed("wait for the service")(errno.into()))?;
        Ok(status.map(|(_, status)| {
            self.pid = None;
            command::exit_of(status)
        }))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.terminate();
        if let Some(pid) = self.pid.take() {
            // The supervisor bounds its own end.
            let _ = waitpid(Some(pid), WaitOptions::empty());
        }
    }
}
