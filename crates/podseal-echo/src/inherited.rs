//! What an inherited socket is, and so how it is served.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use podseal_sys::listen_fds::ListenFd;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, getpeername, sockopt};

use crate::ServeError;

/// How a socket is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Its connections are.
    Listener,
    /// It is a connection itself.
    Connection,
    /// Each datagram is.
    Datagram,
}

/// A socket this process was handed.
#[derive(Debug)]
pub(crate) struct Inherited {
    pub(crate) fd: OwnedFd,
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Whether it keeps message boundaries though it has connections.
    pub(crate) seqpacket: bool,
}

impl Inherited {
    /// Asks the kernel what `fd` is.
    pub(crate) fn examine(ListenFd { fd, name }: ListenFd) -> Result<Self, ServeError> {
        let number = fd.as_raw_fd();
        let set_up = |errno: Errno| ServeError::SetUp {
            fd: number,
            name: name.clone(),
            source: errno.into(),
        };
        let kind = match sockopt::socket_type(&fd) {
            Err(Errno::NOTSOCK) => return Err(ServeError::NotASocket { fd: number, name }),
            kind => kind.map_err(set_up)?,
        };
        let family = sockopt::socket_domain(&fd).map_err(set_up)?;
        let role = match (family, kind) {
            (
                AddressFamily::INET | AddressFamily::INET6 | AddressFamily::UNIX,
                SocketType::DGRAM,
            ) => Role::Datagram,
            (
                AddressFamily::INET
                | AddressFamily::INET6
                | AddressFamily::UNIX
                | AddressFamily::VSOCK,
                SocketType::STREAM,
            )
            | (AddressFamily::UNIX | AddressFamily::VSOCK, SocketType::SEQPACKET) => {
                if sockopt::socket_acceptconn(&fd).map_err(set_up)? {
                    Role::Listener
                } else if getpeername(&fd) == Err(Errno::NOTCONN) {
                    return Err(ServeError::Idle { fd: number, name });
                } else {
                    Role::Connection
                }
            }
            _ => {
                return Err(ServeError::Unsupported {
                    fd: number,
                    name,
                    family: family_name(family),
                    kind: type_name(kind),
                });
            }
        };
        if role == Role::Listener {
            // A client may give up between poll() and accept(), which would
            // then block; all other calls say MSG_DONTWAIT themselves.
            let flags = fcntl_getfl(&fd).map_err(set_up)?;
            fcntl_setfl(&fd, flags | OFlags::NONBLOCK).map_err(set_up)?;
        }
        tracing::debug!(fd = number, name, ?role, "inherited a socket");
        Ok(Self {
            fd,
            name,
            role,
            seqpacket: kind == SocketType::SEQPACKET,
        })
    }

    /// Its number, for messages.
    pub(crate) fn number(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl AsFd for Inherited {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The name of a family that somebody might pass by mistake.
fn family_name(family: AddressFamily) -> String {
    match family {
        AddressFamily::INET => "AF_INET".to_owned(),
        AddressFamily::INET6 => "AF_INET6".to_owned(),
        AddressFamily::UNIX => "AF_UNIX".to_owned(),
        AddressFamily::VSOCK => "AF_VSOCK".to_owned(),
        AddressFamily::NETLINK => "AF_NETLINK".to_owned(),
        AddressFamily::PACKET => "AF_PACKET".to_owned(),
        other => other.as_raw().to_string(),
    }
}

/// The name of a type, likewise.
fn type_name(kind: SocketType) -> String {
    match kind {
        SocketType::STREAM => "SOCK_STREAM".to_owned(),
        SocketType::DGRAM => "SOCK_DGRAM".to_owned(),
        SocketType::SEQPACKET => "SOCK_SEQPACKET".to_owned(),
        SocketType::RAW => "SOCK_RAW".to_owned(),
        other => other.as_raw().to_string(),
    }
}
