//! Making something else of a TCP socket that was handed over.

use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{BorrowedFd, OwnedFd};

use podseal_core::probe::Way;
use podseal_sys::attempt::set_fast_open_connect;
use podseal_sys::socket::disconnect;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::net::{
    MMsgHdr, SendAncillaryBuffer, SendFlags, Shutdown, sendmmsg, sendmsg_addr, sendto, shutdown,
    sockopt,
};

/// `MSG_FASTOPEN` of send(2), which rustix does not name.
const FAST_OPEN: SendFlags = SendFlags::from_bits_retain(0x2000_0000);

/// How long a connection that was made before may take to be accepted.
const PATIENCE: Timespec = Timespec {
    tv_sec: 5,
    tv_nsec: 0,
};

/// An IPv4 address as one of IPv6.
pub(super) fn mapped(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) => (ip.to_ipv6_mapped(), address.port()).into(),
        IpAddr::V6(_) => address,
    }
}

/// The connection that waits in a listener's queue.
pub(super) fn accept(listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
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
    if way == Way::ShutDown {
        shutdown(socket, Shutdown::Both)?;
    } else {
        disconnect(socket)?;
    }
    let iov = [IoSlice::new(said)];
    match way {
        Way::Connect | Way::ShutDown => rustix::net::connect(socket, &victim)?,
        Way::FastOpenConnect => {
            set_fast_open_connect(socket)?;
            rustix::net::connect(socket, &victim)?;
        }
        Way::SendTo => return sent(sendto(socket, said, FAST_OPEN, &victim), said),
        Way::SendMessage => {
            let mut none = SendAncillaryBuffer::default();
            let result = sendmsg_addr(socket, &victim, &iov, &mut none, FAST_OPEN);
            return sent(result, said);
        }
        Way::SendMessages => {
            let mut none = SendAncillaryBuffer::default();
            let address = victim.into();
            let mut messages = [MMsgHdr::new_with_addr(&address, &iov, &mut none)];
            sendmmsg(socket, &mut messages, FAST_OPEN)?;
            return Ok(());
        }
    }
    sent(rustix::io::write(socket, said), said)
}

fn sent(result: Result<usize, Errno>, said: &[u8]) -> io::Result<()> {
    if result? == said.len() {
        Ok(())
    } else {
        Err(io::ErrorKind::WriteZero.into())
    }
}

/// Makes a listener listen on a port that nobody has at present.
pub(super) fn rebind(listener: BorrowedFd<'_>) -> io::Result<()> {
    disconnect(listener)?;
    let port = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|free| free.local_addr())
        // Under a seal none can be asked for; any will do, since the answer
        // comes before the port counts.
        .map_or(54321, |address| address.port());
    rustix::net::bind(listener, &SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    listens(listener)
}

/// Makes an accepted connection listen on a port that the kernel chooses.
pub(super) fn relisten(accepted: BorrowedFd<'_>) -> io::Result<()> {
    disconnect(accepted)?;
    listens(accepted)
}

fn listens(socket: BorrowedFd<'_>) -> io::Result<()> {
    rustix::net::listen(socket, 1)?;
    if sockopt::socket_acceptconn(socket)? {
        Ok(())
    } else {
        Err(Errno::INVAL.into())
    }
}
