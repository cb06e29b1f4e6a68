//! Making a socket that leads somewhere.

use super::{Attempt, Group, Probe, Protocol};
use crate::family::Family;
use crate::policy::level::Level;

pub(super) const GROUP: Group = Group {
    title: "Making a socket",
    about: "A new socket of a family or protocol that leads somewhere. Podman, conmon and the OCI \
            runtime run in the host's network namespace, where one of these reaches everything \
            that the host reaches.",
    probes: PROBES,
};

const PROBES: &[Probe] = &[
    Probe::closed(
        "af-inet",
        "socket(AF_INET)",
        Attempt::Socket(Family::INET),
        Level::Families,
    )
    .in_demo(),
    Probe::closed(
        "af-inet6",
        "socket(AF_INET6)",
        Attempt::Socket(Family::INET6),
        Level::Families,
    )
    .needs("IPv6")
    .in_demo(),
    Probe::closed(
        "af-packet",
        "socket(AF_PACKET)",
        Attempt::Socket(Family::PACKET),
        Level::Families,
    )
    .needs("CAP_NET_RAW")
    .in_demo(),
    Probe::closed(
        "af-vsock",
        "socket(AF_VSOCK)",
        Attempt::Socket(Family::VSOCK),
        Level::Families,
    )
    .needs("the kernel's AF_VSOCK")
    .in_demo(),
    Probe::closed(
        "upper-bits",
        "socket(AF_INET), upper bits set",
        Attempt::SocketUpperBits(Family::INET),
        Level::Families,
    )
    .in_demo(),
    // Only what is loaded: asking for another one could load its module, and
    // leave the host with more to attack than before.
    Probe::closed(
        "other-families",
        "socket() of every other family",
        Attempt::OtherFamilies,
        Level::Families,
    )
    .needs("a module of another family that is loaded, and mostly CAP_NET_RAW")
    .in_demo(),
    Probe::closed(
        "mptcp",
        "socket(AF_INET) for MPTCP",
        Attempt::Protocol(Family::INET, Protocol::Mptcp),
        Level::Families,
    )
    .needs("MPTCP, switched on (net.mptcp.enabled)"),
    Probe::closed(
        "sctp",
        "socket(AF_INET) for SCTP",
        Attempt::Protocol(Family::INET, Protocol::Sctp),
        Level::Families,
    )
    .needs("the kernel's module sctp, loaded"),
    Probe::closed(
        "i386",
        "socket(AF_INET) as an i386 call",
        Attempt::SocketI386(Family::INET),
        Level::Families,
    )
    .needs("an x86-64 kernel with i386 calls")
    .in_demo(),
    Probe::closed(
        "i386-socketcall",
        "socketcall(SYS_SOCKET), AF_INET, on i386",
        Attempt::SocketcallI386(Family::INET),
        Level::Families,
    )
    .needs("an x86-64 kernel with i386 calls"),
    Probe::closed(
        "x32",
        "socket(AF_INET) as an x32 call",
        Attempt::SocketX32(Family::INET),
        Level::Families,
    )
    .needs("an x86-64 kernel with x32 calls"),
    Probe::closed(
        "io-uring",
        "AF_INET socket through io_uring",
        Attempt::IoUring(Family::INET),
        Level::Families,
    )
    .needs("io_uring")
    .in_demo(),
    Probe::closed(
        "netlink-audit",
        "socket(AF_NETLINK), audit protocol",
        Attempt::Netlink(9),
        Level::Standard,
    )
    .in_demo(),
    Probe::closed(
        "netlink-protocols",
        "socket(AF_NETLINK), all but ROUTE",
        Attempt::OtherNetlink,
        Level::Standard,
    ),
];
