//! One connection: what comes in goes out, and nothing more comes in before.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::event::PollFlags;
use rustix::io::{Errno, ioctl_fionread};
use rustix::net::{RecvFlags, SendFlags, recv, send};

/// How much of a stream is read at once, and so how much memory a client that
/// does not read can hold.
const CHUNK: usize = 16 * 1024;

/// What to expect of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// More.
    Open,
    /// More, but the kernel had nothing or no room this time.
    Blocked,
    /// Nothing: the client has sent its last byte and everything was sent back.
    Done,
}

/// An accepted or inherited connection.
#[derive(Debug)]
pub(crate) struct Connection {
    fd: OwnedFd,
    /// Whether what is read at once must be sent at once (SOCK_SEQPACKET).
    seqpacket: bool,
    /// What the kernel had no room for; for a message, all of it. It is never
    /// read on while there is any.
    unsent: Option<Vec<u8>>,
}

impl Connection {
    pub(crate) fn new(fd: OwnedFd, seqpacket: bool) -> Self {
        Self {
            fd,
            seqpacket,
            unsent: None,
        }
    }

    /// Its number, for messages.
    pub(crate) fn number(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// What to wait for.
    pub(crate) fn interest(&self) -> PollFlags {
        if self.unsent.is_some() {
            PollFlags::OUT
        } else {
            PollFlags::IN | PollFlags::RDHUP
        }
    }

    /// Sends what is unsent, or else receives and sends once, after poll()
    /// found the connection `ready`. An error ends the connection.
    pub(crate) fn advance(&mut self, ready: PollFlags, buffer: &mut [u8]) -> Result<State, Errno> {
        let state = match self.unsent.take() {
            Some(unsent) => self.send(&unsent)?,
            None => self.echo(ready, buffer)?,
        };
        // Both directions are closed, or there was an error: nothing will come
        // in or go out any more, and poll() would say so again and again.
        if state == State::Blocked && ready.intersects(PollFlags::HUP | PollFlags::ERR) {
            return Ok(State::Done);
        }
        Ok(state)
    }

    fn echo(&mut self, ready: PollFlags, buffer: &mut [u8]) -> Result<State, Errno> {
        let (room, flags) = if self.seqpacket {
            (buffer, RecvFlags::DONTWAIT | RecvFlags::TRUNC)
        } else {
            (&mut buffer[..CHUNK], RecvFlags::DONTWAIT)
        };
        let (received, length) = match recv(&self.fd, &mut *room, flags) {
            Err(Errno::AGAIN | Errno::INTR) => return Ok(State::Blocked),
            result => result?,
        };
        if length == 0 && !(self.seqpacket && self.goes_on(ready)) {
            return Ok(State::Done);
        }
        if length > received {
            tracing::debug!(connection = self.number(), length, "message too long");
            return Err(Errno::MSGSIZE);
        }
        self.send(&room[..received])
    }

    /// Whether nothing received was an empty message: the end is announced,
    /// and there is nothing behind it.
    fn goes_on(&self, ready: PollFlags) -> bool {
        !ready.contains(PollFlags::RDHUP) || ioctl_fionread(&self.fd).is_ok_and(|left| left > 0)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<State, Errno> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let sent = match send(&self.fd, bytes, flags) {
            Ok(sent) if sent == bytes.len() => return Ok(State::Open),
            Err(Errno::AGAIN | Errno::INTR) => 0,
            result => result?,
        };
        self.unsent = Some(bytes[sent..].to_vec());
        Ok(State::Blocked)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
