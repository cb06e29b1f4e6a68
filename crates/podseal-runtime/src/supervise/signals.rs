//! Signals as descriptors to poll.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};

/// A caught signal.
#[derive(Debug)]
pub(super) struct Caught {
    /// Its number.
    pub(super) number: i32,
    stream: UnixStream,
    registration: signal_hook::SigId,
}

impl Caught {
    fn new(number: i32) -> io::Result<Self> {
        let (stream, write) = UnixStream::pair()?;
        stream.set_nonblocking(true)?;
        let registration = signal_hook::low_level::pipe::register(number, write)?;
        Ok(Self {
            number,
            stream,
            registration,
        })
    }

    /// How often it came since last asked.
    pub(super) fn take(&mut self) -> usize {
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
        signal_hook::low_level::unregister(self.registration);
    }
}

/// The end of a child, and those that ask this process to end.
pub(super) fn catch() -> io::Result<(Caught, [Caught; 3])> {
    Ok((
        Caught::new(SIGCHLD)?,
        [
            Caught::new(SIGINT)?,
            Caught::new(SIGTERM)?,
            Caught::new(SIGHUP)?,
        ],
    ))
}
