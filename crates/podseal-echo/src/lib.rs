//! The demo echo server: says back whatever arrives on the sockets it was
//! handed, in one thread.
//!
//! It serves any number of sockets at once, of these kinds:
//!
//! | family | listening or connected | datagrams |
//! |---|---|---|
//! | IPv4, IPv6 | stream | yes |
//! | Unix | stream, seqpacket | yes |
//! | vsock | stream, seqpacket | |
//!
//! It is made to run under a seal, so it makes no internet socket and never
//! calls bind(), listen() or connect().
//!
//! A connected client that does not read costs at most one chunk of memory
//! (16 KiB, or one message of up to 64 KiB on seqpacket sockets), is not read
//! from until it has taken that back, and holds up nobody else. It keeps its
//! place among [`Options::max_connections`], though: there is no idle timeout.
//! Datagrams are answered or dropped, never stored.
#![forbid(unsafe_code)]

mod connection;
mod datagram;
mod inherited;
mod notify;
mod server;

use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::time::{Duration, Instant};

use podseal_sys::listen_fds::ListenFd;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use inherited::Inherited;
use notify::Notifier;
use server::Server;

/// How to serve.
#[derive(Clone, Debug)]
pub struct Options {
    /// Tell the service manager at `NOTIFY_SOCKET` about readiness and the end,
    /// after sd_notify(3). Without that variable nothing is sent.
    pub notify: bool,
    /// Time to wait before serving, to play a service that is slow to start.
    /// Clients wait in the sockets' own queues meanwhile.
    pub start_sleep: Duration,
    /// How many connections are held at once, over all sockets. Further ones
    /// wait in the sockets' own queues.
    pub max_connections: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            notify: false,
            start_sleep: Duration::ZERO,
            max_connections: 1024,
        }
    }
}

/// What was served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Connections that were accepted, or handed over connected.
    pub connections: u64,
    /// Datagrams that were sent back.
    pub datagrams: u64,
    /// Datagrams that were dropped: the sender has no address, is gone or does
    /// not read, or the datagram is longer than 64 KiB.
    pub dropped: u64,
}

/// Why the server could not start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The list of sockets is empty.
    #[error("there is no socket to serve")]
    NoSocket,
    /// Something that is not a socket, a file or a FIFO for example.
    #[error("inherited file descriptor {fd} ({name}) is not a socket")]
    NotASocket {
        /// The descriptor.
        fd: RawFd,
        /// Its name.
        name: String,
    },
    /// A socket of a family or type that can't be echoed on.
    #[error("inherited socket {fd} ({name}) cannot be echoed on: family {family}, type {kind}")]
    Unsupported {
        /// The descriptor.
        fd: RawFd,
        /// Its name.
        name: String,
        /// Its family, as in socket(2).
        family: String,
        /// Its type, as in socket(2).
        kind: String,
    },
    /// A stream or seqpacket socket on which nothing can arrive.
    #[error("inherited socket {fd} ({name}) is neither listening nor connected")]
    Idle {
        /// The descriptor.
        fd: RawFd,
        /// Its name.
        name: String,
    },
    /// The kernel would not tell about a socket, or would not set it up.
    #[error("cannot set up inherited socket {fd} ({name})")]
    SetUp {
        /// The descriptor.
        fd: RawFd,
        /// Its name.
        name: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A listening socket no longer listens.
    #[error("inherited socket {fd} ({name}) takes no more connections")]
    Accept {
        /// The descriptor.
        fd: RawFd,
        /// Its name.
        name: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Waiting for clients failed.
    #[error("cannot wait for clients")]
    Wait {
        /// The kernel's answer.
        source: io::Error,
    },
    /// `NOTIFY_SOCKET` is neither a path nor an abstract name.
    #[error("NOTIFY_SOCKET={address:?} is neither an absolute path nor an @abstract name")]
    NotifyAddress {
        /// What it holds; bytes that are not UTF-8 are replaced.
        address: String,
    },
    /// The service manager cannot be told.
    #[error("cannot send a message to NOTIFY_SOCKET={address:?}")]
    Notify {
        /// Where it should have gone.
        address: String,
        /// The kernel's answer.
        source: io::Error,
    },
}

/// Echoes on `sockets` until `stop` becomes readable, or until the last
/// connection ends where only connected sockets were handed over.
///
/// Connections that are open at the stop are closed.
///
/// # Errors
///
/// See [`ServeError`]. What a client does is never an error.
pub fn serve(
    sockets: Vec<ListenFd>,
    options: &Options,
    stop: Option<BorrowedFd<'_>>,
) -> Result<Served, ServeError> {
    if sockets.is_empty() {
        return Err(ServeError::NoSocket);
    }
    let count = sockets.len();
    let sockets: Vec<_> = sockets
        .into_iter()
        .map(Inherited::examine)
        .collect::<Result<_, _>>()?;
    let notifier = if options.notify {
        Notifier::from_environment()?
    } else {
        None
    };

    if stopped_during(options.start_sleep, stop)? {
        return Ok(Served::default());
    }
    if let Some(notifier) = &notifier {
        let plural = if count == 1 { "" } else { "s" };
        notifier.send(&format!(
            "READY=1\nSTATUS=Echoing on {count} socket{plural}"
        ))?;
    }
    let served = Server::new(sockets, options.max_connections, stop).run()?;
    tracing::debug!(?served, "stopping");
    if let Some(notifier) = &notifier {
        // All is done, so a manager that has left does not matter.
        if let Err(error) = notifier.send("STOPPING=1") {
            tracing::debug!(%error, "nobody was told");
        }
    }
    Ok(served)
}

/// Sleeps, and says whether `stop` became readable meanwhile.
fn stopped_during(sleep: Duration, stop: Option<BorrowedFd<'_>>) -> Result<bool, ServeError> {
    let start = Instant::now();
    loop {
        let left = sleep.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Ok(false);
        }
        tracing::debug!(?left, "sleeping before the start");
        let mut fds: Vec<_> = stop
            .iter()
            .map(|fd| PollFd::new(fd, PollFlags::IN))
            .collect();
        if wait(&mut fds, Some(left))? {
            return Ok(true);
        }
    }
}

/// poll(2): whether something happened, and not just a signal, before the time
/// was up.
fn wait(fds: &mut [PollFd<'_>], limit: Option<Duration>) -> Result<bool, ServeError> {
    // A time too long for the kernel is as good as none.
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    match poll(fds, limit.as_ref()) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(errno) => Err(ServeError::Wait {
            source: errno.into(),
        }),
    }
}
