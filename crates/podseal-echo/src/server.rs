//! The loop that waits for all sockets at once.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};

use crate::connection::{Connection, State};
use crate::inherited::{Inherited, Role};
use crate::{ServeError, Served, datagram, wait};

/// The longest datagram or message that is echoed.
const LONGEST_MESSAGE: usize = 64 * 1024;

/// How many connections are accepted from one socket before others have their
/// turn.
const BATCH: usize = 64;

/// How long no connection is accepted after the kernel had no room for one,
/// unless one of ours ends before.
const PAUSE: Duration = Duration::from_secs(1);

/// Everything that is waited for.
pub(crate) struct Server<'stop> {
    stop: Option<BorrowedFd<'stop>>,
    datagrams: Vec<Inherited>,
    listeners: Vec<Inherited>,
    connections: Vec<Connection>,
    max_connections: usize,
    /// When to accept again, where accepting is paused.
    paused_until: Option<Instant>,
    /// Where every read goes; nothing stays in it.
    buffer: Box<[u8]>,
    served: Served,
}

impl<'stop> Server<'stop> {
    pub(crate) fn new(
        sockets: Vec<Inherited>,
        max_connections: usize,
        stop: Option<BorrowedFd<'stop>>,
    ) -> Self {
        let mut server = Self {
            stop,
            datagrams: Vec::new(),
            listeners: Vec::new(),
            connections: Vec::new(),
            max_connections,
            paused_until: None,
            buffer: vec![0; LONGEST_MESSAGE].into(),
            served: Served::default(),
        };
        for socket in sockets {
            match socket.role {
                Role::Datagram => server.datagrams.push(socket),
                Role::Listener => server.listeners.push(socket),
                Role::Connection => {
                    let connection = Connection::new(socket.fd, socket.seqpacket);
                    server.connections.push(connection);
                    server.served.connections += 1;
                }
            }
        }
        server
    }

    /// Serves until the stop, or until there is nothing left to wait for.
    pub(crate) fn run(mut self) -> Result<Served, ServeError> {
        while !(self.datagrams.is_empty()
            && self.listeners.is_empty()
            && self.connections.is_empty())
        {
            let mut ready = self.wait()?.into_iter();
            if self.stop.is_some() && ready.next().is_some_and(|ready| !ready.is_empty()) {
                break;
            }
            for (socket, ready) in self.datagrams.iter().zip(ready.by_ref()) {
                if !ready.is_empty() {
                    datagram::echo(socket, &mut self.buffer, &mut self.served);
                }
            }
            let connections = self.connections.len();
            self.connections.retain_mut(|connection| {
                let ready = ready.next().unwrap_or(PollFlags::empty());
                ready.is_empty() || advance(connection, ready, &mut self.buffer)
            });
            if self.connections.len() < connections {
                self.paused_until = None;
            }
            // Last, because accepting adds connections that nobody waited for.
            for (index, ready) in ready.enumerate() {
                if !ready.is_empty() {
                    self.accept(index)?;
                }
            }
        }
        Ok(self.served)
    }

    /// Waits, and gives what is ready: the stop if there is one, the datagram
    /// sockets, the connections, and the listeners unless accepting is paused.
    fn wait(&mut self) -> Result<Vec<PollFlags>, ServeError> {
        let pause = self
            .paused_until
            .map(|end| end.saturating_duration_since(Instant::now()))
            .filter(|pause| !pause.is_zero());
        if pause.is_none() {
            self.paused_until = None;
        }
        let accepting = pause.is_none() && self.connections.len() < self.max_connections;
        let listeners = if accepting { &self.listeners[..] } else { &[] };

        let mut fds =
            Vec::with_capacity(1 + self.datagrams.len() + self.connections.len() + listeners.len());
        let readable = |socket| PollFd::new(socket, PollFlags::IN);
        fds.extend(self.stop.iter().map(|fd| PollFd::new(fd, PollFlags::IN)));
        fds.extend(self.datagrams.iter().map(readable));
        for connection in &self.connections {
            fds.push(PollFd::new(connection, connection.interest()));
        }
        fds.extend(listeners.iter().map(readable));
        wait(&mut fds, pause)?;
        Ok(fds.iter().map(PollFd::revents).collect())
    }

    /// Accepts what waits on a listener, as far as there is room.
    fn accept(&mut self, listener: usize) -> Result<(), ServeError> {
        let socket = &self.listeners[listener];
        let room = self.max_connections.saturating_sub(self.connections.len());
        for _ in 0..room.min(BATCH) {
            match accept_with(socket, SocketFlags::CLOEXEC) {
                Ok(fd) => {
                    let connection = Connection::new(fd, socket.seqpacket);
                    let number = connection.number();
                    tracing::debug!(socket = socket.name, connection = number, "accepted");
                    self.connections.push(connection);
                    self.served.connections += 1;
                }
                Err(Errno::AGAIN) => break,
                // A client that has left, or a call cut short.
                Err(Errno::CONNABORTED | Errno::INTR) => {}
                // Shut down by somebody who shares the socket.
                Err(errno @ Errno::INVAL) => {
                    return Err(ServeError::Accept {
                        fd: socket.number(),
                        name: socket.name.clone(),
                        source: errno.into(),
                    });
                }
                // No descriptor or memory left, or a fault of the network that
                // accept(2) passes on; the client may still be in the queue, so
                // going on at once would spin.
                Err(errno) => {
                    tracing::warn!(socket = socket.name, %errno, "accepting is paused");
                    self.paused_until = Some(Instant::now() + PAUSE);
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Whether the connection is to be kept.
fn advance(connection: &mut Connection, ready: PollFlags, buffer: &mut [u8]) -> bool {
    match connection.advance(ready, buffer) {
        Ok(State::Open | State::Blocked) => return true,
        Ok(State::Done) => tracing::debug!(connection = connection.number(), "closed"),
        Err(errno) => tracing::debug!(connection = connection.number(), %errno, "broke off"),
    }
    false
}
