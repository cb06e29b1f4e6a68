//! UNIX sockets that listen, and the connections that wait on them: sock_diag(7).
//!
//! Anybody may ask about those of their network namespace.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use podseal_core::socket_address::SocketAddress;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

/// `SOCK_DIAG_BY_FAMILY` of linux/sock_diag.h
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP` of linux/netlink.h
const DUMP: u16 = 0x301;
/// `NLMSG_ERROR` and `NLMSG_DONE`
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `AF_UNIX`
const UNIX: u8 = 1;
/// `TCP_ESTABLISHED` and `TCP_LISTEN` of the kernel, which UNIX sockets share.
const ESTABLISHED: u8 = 1;
const LISTEN: u8 = 10;
/// `UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_RQLEN` of linux/unix_diag.h
const SHOW: u32 = 1 | 2 | 0x10;
/// `UNIX_DIAG_NAME`, `UNIX_DIAG_VFS` and `UNIX_DIAG_RQLEN`
const NAME: u16 = 0;
const VFS: u16 = 1;
const QUEUE: u16 = 4;
/// The length of `struct nlmsghdr`, and of `struct unix_diag_msg`.
const HEADER: usize = 16;
const MESSAGE: usize = 16;

/// A UNIX socket that has a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Socket {
    /// Its path, or the name after a zero byte.
    name: Vec<u8>,
    /// The inode of the file, where it has one.
    file: Option<u32>,
    /// Whether it takes connections, or is one that was accepted.
    listens: bool,
    /// Of a listening socket, the connections that wait.
    queue: u32,
}

/// All that listen here, and what they accepted. A connection that waits belongs
/// to no process yet, and is not listed.
pub(super) fn sockets() -> io::Result<Vec<Socket>> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )?;
    send(&socket, &request(), SendFlags::empty())?;
    let mut sockets = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let (count, _) = recv(&socket, &mut buffer[..], RecvFlags::empty())?;
        let mut rest = buffer.get(..count).unwrap_or_default();
        while let Some((kind, body, after)) = message(rest) {
            match kind {
                DONE => return Ok(sockets),
                // Such as a kernel without unix_diag.
                ERROR => return Err(io::ErrorKind::Unsupported.into()),
                _ => sockets.extend(Socket::parse(body)),
            }
            rest = after;
        }
    }
}

/// `struct nlmsghdr` and `struct unix_diag_req`
fn request() -> Vec<u8> {
    let states = (1u32 << ESTABLISHED) | (1 << LISTEN);
    let mut bytes = Vec::new();
    bytes.extend(40u32.to_ne_bytes());
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(DUMP.to_ne_bytes());
    // Sequence and sender.
    bytes.extend([0; 8]);
    bytes.extend([UNIX, 0, 0, 0]);
    bytes.extend(states.to_ne_bytes());
    // All inodes.
    bytes.extend([0; 4]);
    bytes.extend(SHOW.to_ne_bytes());
    // No cookie.
    bytes.extend([0; 8]);
    bytes
}

/// The first netlink message: its type, what is in it, and what comes after.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(number(bytes, 0)?).ok()?;
    let body = bytes.get(HEADER..length)?;
    let after = bytes.get(length.next_multiple_of(4)..);
    Some((short(bytes, 4)?, body, after.unwrap_or_default()))
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?;
    Some(u16::from_ne_bytes(bytes.try_into().ok()?))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

impl Socket {
    /// `struct unix_diag_msg` and its attributes. None without a name.
    fn parse(body: &[u8]) -> Option<Self> {
        let mut socket = Self {
            listens: *body.get(2)? == LISTEN,
            ..Self::default()
        };
        let mut rest = body.get(MESSAGE..)?;
        while let Some(length) = short(rest, 0) {
            let length = usize::from(length);
            let kind = short(rest, 2)?;
            let value = rest.get(4..length)?;
            match kind {
                NAME => socket.name = value.to_vec(),
                VFS => socket.file = number(value, 0),
                QUEUE => socket.queue = number(value, 0)?,
                _ => {}
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        (!socket.name.is_empty()).then_some(socket)
    }

    /// Whether it is at an address. A path may have been bound before, by a
    /// socket whose file is gone.
    fn is_at(&self, name: &[u8], file: Option<u32>) -> bool {
        // The kernel ends a path with a zero byte.
        let is_path = self.name.first() != Some(&0);
        let own = match self.name.split_last() {
            Some((0, path)) if is_path => path,
            _ => &self.name,
        };
        own == name && (file.is_none() || !self.listens || self.file == file)
    }
}

/// How many connections wait at an address, and whether any was accepted. None
/// where nothing listens there, or it is no address of a UNIX socket.
pub(super) fn queue(sockets: &[Socket], address: &SocketAddress) -> Option<(u32, bool)> {
    let (name, file) = match address {
        SocketAddress::Unix { path } => {
            let inode = fs::metadata(path).ok()?.ino();
            // The kernel tells as many bits.
            let inode = u32::try_from(inode & u64::from(u32::MAX)).ok();
            (path.clone().into_bytes(), inode)
        }
        SocketAddress::Abstract { name } => ([b"\0", name.as_bytes()].concat(), None),
        _ => return None,
    };
    let mut here = sockets.iter().filter(|socket| socket.is_at(&name, file));
    let listener = here.clone().find(|socket| socket.listens)?;
    Some((listener.queue, here.any(|socket| !socket.listens)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixListener, UnixStream};

    fn at(address: &str) -> Option<(u32, bool)> {
        queue(&sockets().unwrap(), &address.parse().unwrap())
    }

    #[test]
    fn connections_wait_until_they_are_accepted() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("socket");
        let text = path.to_str().unwrap();
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(at(text), Some((0, false)));
        let _clients: Vec<UnixStream> = (0..3)
            .map(|_| UnixStream::connect(&path).unwrap())
            .collect();
        assert_eq!(at(text), Some((3, false)));
        let accepted = listener.accept().unwrap();
        assert_eq!(at(text), Some((2, true)));
        drop(accepted);
        assert_eq!(at(text), Some((2, false)));
    }

    #[test]
    fn the_socket_that_has_the_file_counts() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("socket");
        let text = path.to_str().unwrap();
        let _old = UnixListener::bind(&path).unwrap();
        let _waits = UnixStream::connect(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(at(text), None);
        let _new = UnixListener::bind(&path).unwrap();
        assert_eq!(at(text), Some((0, false)));
    }

    #[test]
    fn abstract_sockets_are_seen() {
        use std::os::linux::net::SocketAddrExt as _;
        use std::os::unix::net::SocketAddr;
        let name = format!("podseal-queue-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let _listener = UnixListener::bind_addr(&address).unwrap();
        let _client = UnixStream::connect_addr(&address).unwrap();
        assert_eq!(at(&format!("@{name}")), Some((1, false)));
    }

    #[test]
    fn what_is_cut_off_is_no_socket() {
        assert_eq!(message(&[0; 3]), None);
        assert_eq!(Socket::parse(&[1, 1, LISTEN]), None);
        let mut body = vec![0; MESSAGE];
        body.extend([200, 0, 0, 0, b'x']);
        assert_eq!(Socket::parse(&body), None);
    }
}
