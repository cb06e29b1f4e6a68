//! Making something else of a socket that was handed over.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::fd::{BorrowedFd, OwnedFd};

use podseal_core::probe::{Handed, Network, Way};
use podseal_sys::attempt::set_fast_open_connect;
use podseal_sys::socket::disconnect;
use podseal_sys::uring;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::net::{
    MMsgHdr, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendFlags,
    Shutdown, recvmsg, sendmmsg, sendmsg_addr, sendto, shutdown, sockopt,
};

use super::Outside;

/// `MSG_FASTOPEN` of send(2), which rustix does not name.
const FAST_OPEN: SendFlags = SendFlags::from_bits_retain(0x2000_0000);

/// How long a connection that was made before may take to be accepted.
const PATIENCE: Timespec = Timespec {
    tv_sec: 5,
    tv_nsec: 0,
};

/// Who is not to be reached from such a socket.
pub(super) fn victim(handed: Handed, outside: &Outside) -> Option<SocketAddr> {
    match handed {
        Handed::Datagram | Handed::ReceivedDatagram => outside.datagram,
        _ => match handed.network() {
            Network::Ipv4 => outside.ipv4,
            Network::Ipv6 => outside.ipv6,
            Network::Mapped => outside.ipv4.map(mapped),
        },
    }
}

/// An IPv4 address as one of IPv6.
fn mapped(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) => (ip.to_ipv6_mapped(), address.port()).into(),
        IpAddr::V6(_) => address,
    }
}

/// The socket itself, or what comes by way of it.
pub(super) fn take(handed: Handed, socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    if handed.is_accepted() {
        accept(socket)
    } else if handed.is_received() {
        receive(socket)
    } else {
        socket.try_clone_to_owned()
    }
}

/// The socket that waits in a UNIX socket.
fn receive(channel: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    recvmsg(
        channel,
        &mut [IoSliceMut::new(&mut byte)],
        &mut ancillary,
        flags,
    )?;
    let received = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
        _ => None,
    });
    received.ok_or_else(|| Errno::NOMSG.into())
}

/// The connection that waits in a listener's queue.
fn accept(listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut fds = [PollFd::from_borrowed_fd(listener, PollFlags::IN)];
    match poll(&mut fds, Some(&PATIENCE))? {
        0 => Err(Errno::TIMEDOUT.into()),
        _ => Ok(rustix::net::accept(listener)?),
    }
}

/// Connects a socket to `victim` and says `said` there. Whether it worked is
/// the victim's to say.
pub(super) fn connect(
    socket: BorrowedFd<'_>,
    way: Way,
    victim: SocketAddr,
    said: &[u8],
) -> io::Result<()> {
    // Another process may share the socket, and its flags.
    fcntl_setfl(socket, fcntl_getfl(socket)? - OFlags::NONBLOCK)?;
    match way {
        Way::ShutDown => shutdown(socket, Shutdown::Both)?,
        Way::Datagram => {}
        _ => disconnect(socket)?,
    }
    let iov = [IoSlice::new(said)];
    match way {
        Way::Connect | Way::ShutDown => rustix::net::connect(socket, &victim)?,
        Way::FastOpenConnect => {
            set_fast_open_connect(socket)?;
            rustix::net::connect(socket, &victim)?;
        }
        Way::IoUringConnect => uring::connect(socket, victim)?,
        Way::IoUringSend => match uring::send(socket, victim, said, FAST_OPEN.bits()) {
            // The connection is being made, and nothing is on its way yet.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::INPROGRESS) => {}
            result => return sent(result, said),
        },
        Way::Datagram => {
            let result = sendto(socket, said, SendFlags::empty(), &victim);
            return sent(result.map_err(Into::into), said);
        }
        Way::SendTo => {
            let result = sendto(socket, said, FAST_OPEN, &victim);
            return sent(result.map_err(Into::into), said);
        }
        Way::SendMessage => {
            let mut none = SendAncillaryBuffer::default();
            let result = sendmsg_addr(socket, &victim, &iov, &mut none, FAST_OPEN);
            return sent(result.map_err(Into::into), said);
        }
        Way::SendMessages => {
            let mut none = SendAncillaryBuffer::default();
            let address = victim.into();
            let mut messages = [MMsgHdr::new_with_addr(&address, &iov, &mut none)];
            sendmmsg(socket, &mut messages, FAST_OPEN)?;
            return Ok(());
        }
    }
    sent(rustix::io::write(socket, said).map_err(Into::into), said)
}

fn sent(result: io::Result<usize>, said: &[u8]) -> io::Result<()> {
    if result? == said.len() {
        Ok(())
    } else {
        Err(io::ErrorKind::WriteZero.into())
    }
}

/// Makes a socket listen on a port that nobody has at present.
pub(super) fn rebind(socket: BorrowedFd<'_>) -> io::Result<()> {
    /// Ports for private use (RFC 6335).
    const PRIVATE: RangeInclusive<u16> = 49152..=65535;
    disconnect(socket)?;
    let mut result = Err(Errno::ADDRINUSE);
    for port in PRIVATE.rev() {
        result = rustix::net::bind(socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        if result != Err(Errno::ADDRINUSE) {
            break;
        }
    }
    result?;
    listens(socket)
}

/// Makes a socket listen on a port that the kernel chooses.
pub(super) fn relisten(socket: BorrowedFd<'_>) -> io::Result<()> {
    disconnect(socket)?;
    listens(socket)
}

/// The same through io_uring.
pub(super) fn relisten_io_uring(socket: BorrowedFd<'_>) -> io::Result<()> {
    disconnect(socket)?;
    uring::listen(socket)?;
    is_listening(socket)
}

fn listens(socket: BorrowedFd<'_>) -> io::Result<()> {
    rustix::net::listen(socket, 1)?;
    is_listening(socket)
}

fn is_listening(socket: BorrowedFd<'_>) -> io::Result<()> {
    if sockopt::socket_acceptconn(socket)? {
        Ok(())
    } else {
        Err(Errno::INVAL.into())
    }
}
