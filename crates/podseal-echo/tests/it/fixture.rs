//! A server in a thread, and clients that give up after a while.

use std::fmt::Debug;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use podseal_echo::{Options, ServeError, Served, serve};
use podseal_sys::listen_fds::ListenFd;
use rustix::net::sockopt::{Timeout, set_socket_timeout};

/// How long anything may take before a test fails.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

/// A running server; it stops when this is dropped.
pub(crate) struct Echo {
    stop: OwnedFd,
    thread: JoinHandle<Result<Served, ServeError>>,
}

impl Echo {
    pub(crate) fn start<S: Into<OwnedFd>>(sockets: impl IntoIterator<Item = S>) -> Self {
        Self::with(&Options::default(), sockets)
    }

    pub(crate) fn with<S: Into<OwnedFd>>(
        options: &Options,
        sockets: impl IntoIterator<Item = S>,
    ) -> Self {
        let sockets = named(sockets);
        let options = options.clone();
        let (stopped, stop) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let thread = thread::spawn(move || serve(sockets, &options, Some(stopped.as_fd())));
        Self { stop, thread }
    }

    /// Stops the server and says what it served.
    pub(crate) fn finish(self) -> Served {
        drop(self.stop);
        self.thread.join().unwrap().unwrap()
    }
}

/// Gives sockets the names `test-0`, `test-1` …
pub(crate) fn named<S: Into<OwnedFd>>(sockets: impl IntoIterator<Item = S>) -> Vec<ListenFd> {
    let sockets = sockets.into_iter().enumerate();
    sockets
        .map(|(index, fd)| ListenFd {
            fd: fd.into(),
            name: format!("test-{index}"),
        })
        .collect()
}

/// Makes reads and writes fail after [`BOUND`] instead of hanging.
pub(crate) fn bounded<S: AsFd>(socket: S) -> S {
    for timeout in [Timeout::Recv, Timeout::Send] {
        set_socket_timeout(&socket, timeout, Some(BOUND)).unwrap();
    }
    socket
}

pub(crate) fn tcp_listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

pub(crate) fn tcp_client(listener: &TcpListener) -> TcpStream {
    bounded(TcpStream::connect(listener.local_addr().unwrap()).unwrap())
}

pub(crate) fn unix_client(path: &std::path::Path) -> UnixStream {
    bounded(UnixStream::connect(path).unwrap())
}

/// Sends `bytes`, which must fit the sockets' queues, and waits for them to
/// come back.
pub(crate) fn expect_echo(mut client: impl Read + Write + Debug, bytes: &[u8]) {
    client.write_all(bytes).unwrap();
    expect_bytes(&mut client, bytes);
}

/// Waits for `bytes` and not more.
pub(crate) fn expect_bytes(client: &mut (impl Read + Debug), bytes: &[u8]) {
    let mut back = vec![0; bytes.len()];
    client.read_exact(&mut back).unwrap();
    assert!(back == bytes, "{client:?} got back something else");
}

/// `length` bytes that do not repeat soon.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0u32..)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes())
        .take(length)
        .collect()
}

#[test]
#[should_panic(expected = "got back something else")]
fn a_wrong_answer_is_noticed() {
    let (client, mut liar) = UnixStream::pair().unwrap();
    liar.write_all(b"hallo").unwrap();
    expect_echo(bounded(client), b"hello");
}
