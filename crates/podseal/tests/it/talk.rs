//! Talking to a service through its socket, whatever the kind.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    send, socket_with,
};

use crate::fixture::BOUND;

/// A name that no other test uses.
pub(crate) fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}-{}-{number}", std::process::id())
}

/// A port that nothing listens on.
pub(crate) fn free_port() -> u16 {
    // Every address, so that it is free on each.
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0))
        .or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)));
    listener.unwrap().local_addr().unwrap().port()
}

/// A connection, of a kind that has one, on which nothing takes longer than
/// the bound.
pub(crate) struct Client {
    socket: OwnedFd,
    /// Its own socket file, if it has one.
    own: Option<PathBuf>,
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(own) = &self.own {
            fs::remove_file(own).unwrap();
        }
    }
}

impl Client {
    /// Connects to what `--listen` was given.
    pub(crate) fn connect(listen: &str) -> io::Result<Self> {
        let mut own = None;
        let socket: OwnedFd = if let Some(address) = listen.strip_prefix("udp:") {
            let address: SocketAddr = address.parse().unwrap();
            let local: SocketAddr = match address {
                SocketAddr::V4(_) => (Ipv4Addr::LOCALHOST, 0).into(),
                SocketAddr::V6(_) => (Ipv6Addr::LOCALHOST, 0).into(),
            };
            let socket = UdpSocket::bind(local)?;
            socket.connect(address)?;
            socket.into()
        } else if let Some(address) = listen.strip_prefix("unix-dgram:") {
            // With a name of its own, to be answered. It is a path, since a
            // sealed server reaches no abstract sockets outside.
            let path = std::env::temp_dir().join(unique("podseal-it-client"));
            let socket = UnixDatagram::bind(&path)?;
            own = Some(path);
            socket.connect_addr(&unix(address)?)?;
            socket.into()
        } else if let Some(path) = listen.strip_prefix("unix-seqpacket:") {
            let kind = SocketType::SEQPACKET;
            let socket = socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
            connect(&socket, &SocketAddrUnix::new(path)?)?;
            socket
        } else if listen.starts_with(['/', '@']) || listen.starts_with("unix:") {
            let address = listen.trim_start_matches("unix:");
            UnixStream::connect_addr(&unix(address)?)?.into()
        } else {
            let address: SocketAddr = listen.parse().unwrap();
            TcpStream::connect_timeout(&address, BOUND)?.into()
        };
        for timeout in [Timeout::Recv, Timeout::Send] {
            set_socket_timeout(&socket, timeout, Some(BOUND))?;
        }
        Ok(Self { socket, own })
    }

    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let sent = send(&self.socket, bytes, SendFlags::NOSIGNAL)?;
        assert_eq!(sent, bytes.len());
        Ok(())
    }

    /// Receives as much as `bytes` is long, which must be `bytes`.
    pub(crate) fn expect(&self, bytes: &[u8]) -> io::Result<()> {
        let mut back = vec![0; bytes.len()];
        let mut length = 0;
        while length < back.len() {
            match recv(&self.socket, &mut back[length..], RecvFlags::empty())?.0 {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => length += count,
            }
        }
        assert_eq!(back, bytes, "something else came back");
        Ok(())
    }
}

fn unix(address: &str) -> io::Result<UnixAddr> {
    match address.strip_prefix('@') {
        Some(name) => UnixAddr::from_abstract_name(name),
        None => UnixAddr::from_pathname(address),
    }
}

/// Says "hello" and waits for the echo.
pub(crate) fn hello(listen: &str) -> io::Result<()> {
    let client = Client::connect(listen)?;
    client.send(b"hello")?;
    client.expect(b"hello")
}

#[test]
#[should_panic(expected = "something else came back")]
fn a_wrong_answer_is_noticed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let liar = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 5]).unwrap();
        stream.write_all(b"hallo").unwrap();
    });
    let _ = hello(&address);
    liar.join().unwrap();
}
