//! What a probe does.

use super::strict;
use crate::family::Family;

/// One way to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// socket(2) for a stream, or for raw packets with AF_PACKET.
    Socket(Family),
    /// The same with bit 32 of the first argument set, which the kernel does
    /// not look at and a 64-bit comparison in a filter would.
    SocketUpperBits(Family),
    /// socket(2) for every family that the kernel has loaded and no other
    /// attempt is for.
    OtherFamilies,
    /// socket(2) for a stream of this family and protocol.
    Protocol(Family, Protocol),
    /// socket(2) through the i386 system-call ABI.
    SocketI386(Family),
    /// socketcall(2) through the i386 system-call ABI.
    SocketcallI386(Family),
    /// socket(2) through the x32 system-call ABI.
    SocketX32(Family),
    /// `IORING_OP_SOCKET` of io_uring(7).
    IoUring(Family),
    /// socket(2) for this protocol of netlink(7).
    Netlink(u32),
    /// socket(2) for every protocol of netlink(7) that the kernel has loaded,
    /// but for NETLINK_ROUTE.
    OtherNetlink,
    /// A socket that was handed over is connected to somebody else.
    Outward(Handed, Way),
    /// One is dissolved, bound to another port and made to listen there.
    Rebind(Handed),
    /// One is dissolved and made to listen on the port that the kernel chooses.
    Relisten(Handed),
    /// The same with `IORING_OP_LISTEN` of io_uring(7).
    RelistenIoUring(Handed),
    /// The "tls" upper layer is put on a connection (`TCP_ULP`).
    UpperLayer(Handed),
    /// kill(2) of a process outside, with signal 0.
    Signal,
    /// ptrace(2) of a process outside (`PTRACE_SEIZE`).
    Trace,
    /// process_vm_readv(2) of a process outside.
    ReadMemory,
    /// pidfd_getfd(2) of a process outside.
    TakeDescriptor,
    /// open(2) of a file in /proc/PID of a process outside.
    OpenProcess(ProcessFile),
    /// connect(2) to an abstract UNIX socket of a process outside.
    AbstractSocket,
    /// connect(2) to a UNIX socket of a process outside, by its path.
    PathSocket,
    /// connect(2) to the UNIX socket of a service of this host.
    Service(Location),
    /// open(2) for writing of a file of the user, or making one in the directory
    /// where it would be. Nothing is written, and what is made has no name.
    Write(Location),
    /// Programs with the set-user-ID bit or with file capabilities give the
    /// process privileges, as prctl(2) `PR_GET_NO_NEW_PRIVS` says.
    NewPrivileges,
    /// A container in the host's network namespace, whose process makes an
    /// AF_INET socket.
    HostNetwork,
    /// Something that is the container's own affair.
    Container(strict::Attempt),
}

/// A socket to sacrifice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handed {
    /// A listener that was handed over.
    Listener(Network),
    /// A connection that the probe accepts from a listener that was handed
    /// over.
    Accepted(Network),
    /// A connection that was handed over.
    Connection,
    /// A UDP socket that was handed over.
    Datagram,
    /// A listener for MPTCP that was handed over.
    Multipath,
    /// A fresh TCP socket that comes over a UNIX socket (`SCM_RIGHTS`).
    Received,
    /// The same with UDP.
    ReceivedDatagram,
}

impl Handed {
    /// Whether it is of a kind that a seal refuses to start with.
    #[must_use]
    pub const fn is_refused(self) -> bool {
        matches!(self, Self::Datagram | Self::Multipath)
    }

    /// Whether the probe gets a listener and accepts from that.
    #[must_use]
    pub const fn is_accepted(self) -> bool {
        matches!(self, Self::Accepted(_))
    }

    /// Whether the probe gets a UNIX socket and receives from that.
    #[must_use]
    pub const fn is_received(self) -> bool {
        matches!(self, Self::Received | Self::ReceivedDatagram)
    }

    /// Where it is, and the somebody else.
    #[must_use]
    pub const fn network(self) -> Network {
        match self {
            Self::Listener(network) | Self::Accepted(network) => network,
            Self::Connection
            | Self::Datagram
            | Self::Multipath
            | Self::Received
            | Self::ReceivedDatagram => Network::Ipv4,
        }
    }
}

/// Where a listener listens, and the somebody else is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Both at 127.0.0.1.
    Ipv4,
    /// Both at ::1.
    Ipv6,
    /// At ::, for IPv4 as well, and at 127.0.0.1.
    Mapped,
}

/// How a socket is connected to somebody else. All but [`Self::ShutDown`] and
/// [`Self::Datagram`] first dissolve what it is, with connect(2) to AF_UNSPEC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// connect(2)
    Connect,
    /// sendto(2) with `MSG_FASTOPEN`
    SendTo,
    /// sendmsg(2) with `MSG_FASTOPEN`
    SendMessage,
    /// sendmmsg(2) with `MSG_FASTOPEN`
    SendMessages,
    /// connect(2) with `TCP_FASTOPEN_CONNECT`, then write(2)
    FastOpenConnect,
    /// shutdown(2), then connect(2)
    ShutDown,
    /// `IORING_OP_CONNECT` of io_uring(7)
    IoUringConnect,
    /// `IORING_OP_SENDMSG` of io_uring(7) with `MSG_FASTOPEN`
    IoUringSend,
    /// sendto(2) of one datagram
    Datagram,
}

/// A protocol of the internet families that is not the one a type of socket
/// has by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Multipath TCP, RFC 8684.
    Mptcp,
    /// sctp(7)
    Sctp,
}

impl Protocol {
    /// The third argument of socket(2).
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Mptcp => 262,
            Self::Sctp => 132,
        }
    }

    /// What it is called in /proc/net/protocols.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mptcp => "MPTCP",
            Self::Sctp => "SCTP",
        }
    }
}

/// A file in /proc/PID (proc(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessFile {
    /// `mem`, and a byte of it
    Memory,
    /// `ns/net`
    Network,
    /// `root`
    Root,
}

impl ProcessFile {
    /// Its path from /proc/PID.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Memory => "mem",
            Self::Network => "ns/net",
            Self::Root => "root",
        }
    }
}

/// Where a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// The beginning.
    pub base: Base,
    /// The rest.
    pub path: &'static str,
}

/// A directory of the host, or a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// The root directory.
    Root,
    /// `XDG_RUNTIME_DIR`
    RuntimeDirectory,
    /// `HOME`
    Home,
    /// `XDG_CONFIG_HOME`, or else `.config` in `HOME`
    Configuration,
    /// The file that this variable names.
    Variable(&'static str),
}

impl Attempt {
    /// The socket that has to be handed over for it, named by
    /// [`Probe::id`](super::Probe::id), since it does not survive.
    #[must_use]
    pub const fn handed(self) -> Option<Handed> {
        match self {
            Self::Outward(handed, _)
            | Self::Rebind(handed)
            | Self::Relisten(handed)
            | Self::RelistenIoUring(handed)
            | Self::UpperLayer(handed) => Some(handed),
            _ => None,
        }
    }

    /// Whether somebody else sees if it worked, and is to be asked.
    #[must_use]
    pub const fn has_victim(self) -> bool {
        matches!(
            self,
            Self::Outward(..) | Self::AbstractSocket | Self::PathSocket
        )
    }

    /// The file that it is about, for whoever knows where that is.
    #[must_use]
    pub const fn location(self) -> Option<Location> {
        match self {
            Self::Service(location) | Self::Write(location) => Some(location),
            _ => None,
        }
    }
}
