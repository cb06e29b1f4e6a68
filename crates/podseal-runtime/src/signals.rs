//! Signals as descriptors to poll.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use signal_hook::SigId;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::{pipe, unregister};

/// A signal that is caught as long as this lives.
#[derive(Debug)]
pub struct Caught {
    /// Its number.
    pub number: i32,
    stream: UnixStream,
    registration: SigId,
}

impl Caught {
    fn new(number: i32) -> io::Result<Self> {
        let (stream, write) = UnixStream::pair()?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            number,
            stream,
            registration: pipe::register(number, write)?,
        })
    }

    /// How often it came since last asked.
    pub fn take(&mut self) -> usize {
        let mut bytes = [0; 64];
        self.stream.read(&mut bytes).unwrap_or(0)
    }
}

impl AsFd for Caught {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Drop for Caught {
    fn drop(&mut self) {
        unregister(self.registration);
    }
}

/// Catches the end of a child.
///
/// # Errors
/// No descriptor or handler could be made.
pub fn child_ended() -> io::Result<Caught> {
    Caught::new(SIGCHLD)
}

/// Catches what asks a process to end, each by itself.
///
/// # Errors
/// As [`child_ended`].
pub fn end_wanted() -> io::Result<[Caught; 3]> {
    Ok([
        Caught::new(SIGINT)?,
        Caught::new(SIGTERM)?,
        Caught::new(SIGHUP)?,
    ])
}

/// A descriptor that becomes readable when any of SIGINT, SIGTERM and SIGHUP
/// asks this process to end; caught from now on.
///
/// # Errors
/// As [`child_ended`].
pub fn any_end_wanted() -> io::Result<UnixStream> {
    let (stream, write) = UnixStream::pair()?;
    for number in [SIGINT, SIGTERM, SIGHUP] {
        pipe::register(number, write.try_clone()?)?;
    }
    Ok(stream)
}
