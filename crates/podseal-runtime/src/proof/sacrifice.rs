//! Sockets that a probe may ruin.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use podseal_core::probe::{Handed, Network};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
    bind, ipproto, listen, sendmsg, socket_with,
};

/// A socket to hand over, and what it needs to be what it is.
#[derive(Debug)]
pub(super) struct Sacrifice {
    /// The probe it is for.
    pub(super) id: &'static str,
    pub(super) handed: Handed,
    socket: OwnedFd,
    /// Whoever is at the other end.
    _peer: Option<OwnedFd>,
}

impl Sacrifice {
    /// None on a host that lacks the protocol, where that is what is wanted.
    pub(super) fn make(id: &'static str, handed: Handed) -> io::Result<Option<Self>> {
        let (socket, peer) = match made(handed) {
            Ok(made) => made,
            Err(_) if is_optional(handed) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(Self {
            id,
            handed,
            socket,
            _peer: peer,
        }))
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Hosts have IPv4 and TCP, and may have IPv6 and MPTCP.
fn is_optional(handed: Handed) -> bool {
    handed == Handed::Multipath || handed.network() != Network::Ipv4
}

fn made(handed: Handed) -> io::Result<(OwnedFd, Option<OwnedFd>)> {
    let address: SocketAddr = match handed.network() {
        Network::Ipv4 => (Ipv4Addr::LOCALHOST, 0).into(),
        Network::Ipv6 => (Ipv6Addr::LOCALHOST, 0).into(),
        Network::Mapped => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    Ok(match handed {
        Handed::Listener(_) => (TcpListener::bind(address)?.into(), None),
        Handed::Accepted(_) => {
            let listener = TcpListener::bind(address)?;
            let client = TcpStream::connect(listener.local_addr()?)?;
            (listener.into(), Some(client.into()))
        }
        Handed::Connection => {
            let listener = TcpListener::bind(address)?;
            let client = TcpStream::connect(listener.local_addr()?)?;
            (listener.accept()?.0.into(), Some(client.into()))
        }
        Handed::Datagram => (UdpSocket::bind(address)?.into(), None),
        Handed::Multipath => {
            let socket = fresh(SocketType::STREAM, Some(ipproto::MPTCP))?;
            bind(&socket, &address)?;
            listen(&socket, 1)?;
            (socket, None)
        }
        Handed::Received => channel_with(&fresh(SocketType::STREAM, None)?)?,
        Handed::ReceivedDatagram => channel_with(&fresh(SocketType::DGRAM, None)?)?,
    })
}

fn fresh(kind: SocketType, protocol: Option<rustix::net::Protocol>) -> io::Result<OwnedFd> {
    let (family, flags) = (AddressFamily::INET, SocketFlags::CLOEXEC);
    Ok(socket_with(family, kind, flags, protocol)?)
}

/// A UNIX socket in which `socket` waits to be received.
fn channel_with(socket: &OwnedFd) -> io::Result<(OwnedFd, Option<OwnedFd>)> {
    let (ours, theirs) = UnixStream::pair()?;
    let sockets = [socket.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&sockets)) {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    sendmsg(
        &ours,
        &[IoSlice::new(b"\n")],
        &mut ancillary,
        SendFlags::empty(),
    )?;
    Ok((theirs.into(), Some(ours.into())))
}
