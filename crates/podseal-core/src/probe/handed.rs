//! Making something else of a socket that was handed over.

use super::{Attempt, Group, Handed, Network, Probe, Way};
use crate::policy::level::Level;

pub(super) const GROUP: Group = Group {
    title: "Turning a socket outward",
    about: "A socket that was handed over, or accepted from one that was, belongs to the host's \
            network namespace, whatever the container's own. Each probe has one of its own, which \
            it ruins, and a victim that says whether it was reached.",
    probes: PROBES,
};

const LISTENER: Handed = Handed::Listener(Network::Ipv4);
const ACCEPTED: Handed = Handed::Accepted(Network::Ipv4);

/// Landlock looks at bind(2), not at the port that listen(2) finds by itself.
const RANDOM_PORT: &str = "A socket that was handed over can be dissolved and made to listen on a \
                           port that the kernel chooses. Whoever reaches that port can talk to \
                           it; a firewall that lets only known ports in closes this.";
const UDP: &str = "A UDP socket sends to any address, and no Landlock before ABI 10 governs that: \
                   a service is not started with one unless --allow-udp accepts it.";

const PROBES: &[Probe] = &[
    Probe::closed(
        "turn-outward",
        "listener: AF_UNSPEC, connect",
        Attempt::Outward(LISTENER, Way::Connect),
        Level::Standard,
    )
    .in_demo(),
    Probe::closed(
        "turn-outward-ipv6",
        "listener: AF_UNSPEC, connect, IPv6",
        Attempt::Outward(Handed::Listener(Network::Ipv6), Way::Connect),
        Level::Standard,
    )
    .needs("IPv6")
    .in_demo(),
    Probe::closed(
        "turn-outward-mapped",
        "listener: AF_UNSPEC, connect, mapped",
        Attempt::Outward(Handed::Listener(Network::Mapped), Way::Connect),
        Level::Standard,
    )
    .needs("IPv6")
    .in_demo(),
    Probe::closed(
        "shutdown-connect",
        "listener: shutdown, connect",
        Attempt::Outward(LISTENER, Way::ShutDown),
        Level::Standard,
    )
    .in_demo(),
    Probe::closed(
        "fast-open-connect",
        "listener: TCP_FASTOPEN_CONNECT",
        Attempt::Outward(LISTENER, Way::FastOpenConnect),
        Level::Standard,
    )
    .in_demo(),
    Probe::closed(
        "fast-open-listener",
        "listener: sendto(MSG_FASTOPEN)",
        Attempt::Outward(LISTENER, Way::SendTo),
        Level::Standard,
    ),
    Probe::closed(
        "fast-open-sendmsg",
        "listener: sendmsg(MSG_FASTOPEN)",
        Attempt::Outward(LISTENER, Way::SendMessage),
        Level::Standard,
    )
    .in_demo(),
    Probe::closed(
        "fast-open-sendmmsg",
        "listener: sendmmsg(MSG_FASTOPEN)",
        Attempt::Outward(LISTENER, Way::SendMessages),
        Level::Standard,
    )
    .in_demo(),
    Probe::closed(
        "rebind",
        "listener: bound to another port",
        Attempt::Rebind(LISTENER),
        Level::Standard,
    )
    .in_demo(),
    Probe::closed(
        "relisten-listener",
        "listener: listens on a random port",
        Attempt::Relisten(LISTENER),
        Level::Strict,
    )
    .risk(RANDOM_PORT),
    Probe::closed(
        "turn-accepted-outward",
        "accepted: AF_UNSPEC, connect",
        Attempt::Outward(ACCEPTED, Way::Connect),
        Level::Standard,
    )
    .in_demo(),
    Probe::closed(
        "turn-accepted-ipv6",
        "accepted: AF_UNSPEC, connect, IPv6",
        Attempt::Outward(Handed::Accepted(Network::Ipv6), Way::Connect),
        Level::Standard,
    )
    .needs("IPv6"),
    Probe::closed(
        "fast-open-sendto",
        "accepted: sendto(MSG_FASTOPEN)",
        Attempt::Outward(ACCEPTED, Way::SendTo),
        Level::Standard,
    )
    .in_demo(),
    Probe::closed(
        "rebind-accepted",
        "accepted: bound to another port",
        Attempt::Rebind(ACCEPTED),
        Level::Standard,
    ),
    Probe::closed(
        "relisten",
        "accepted: listens on a random port",
        Attempt::Relisten(ACCEPTED),
        Level::Strict,
    )
    .risk(RANDOM_PORT)
    .in_demo(),
    Probe::closed(
        "upper-layer",
        "accepted: TCP_ULP",
        Attempt::UpperLayer(ACCEPTED),
        Level::Standard,
    )
    .needs("the kernel's module tls")
    .in_demo(),
    // As with Accept=yes: accepted before there was a seal.
    Probe::closed(
        "turn-connection-outward",
        "connection: AF_UNSPEC, connect",
        Attempt::Outward(Handed::Connection, Way::Connect),
        Level::Standard,
    ),
    Probe::closed(
        "fast-open-connection",
        "connection: sendmsg(MSG_FASTOPEN)",
        Attempt::Outward(Handed::Connection, Way::SendMessage),
        Level::Standard,
    ),
    Probe::closed(
        "io-uring-connect",
        "listener: connect through io_uring",
        Attempt::Outward(LISTENER, Way::IoUringConnect),
        Level::Families,
    )
    .needs("io_uring"),
    Probe::closed(
        "io-uring-fast-open",
        "accepted: MSG_FASTOPEN through io_uring",
        Attempt::Outward(ACCEPTED, Way::IoUringSend),
        Level::Families,
    )
    .needs("io_uring"),
    Probe::closed(
        "io-uring-listen",
        "accepted: listens through io_uring",
        Attempt::RelistenIoUring(ACCEPTED),
        Level::Families,
    )
    .needs("io_uring of Linux 6.11"),
    Probe::closed(
        "udp-sendto",
        "UDP socket: sendto",
        Attempt::Outward(Handed::Datagram, Way::Datagram),
        Level::Standard,
    )
    .risk(UDP),
    Probe::closed(
        "udp-connect",
        "UDP socket: connect, write",
        Attempt::Outward(Handed::Datagram, Way::Connect),
        Level::Standard,
    )
    .risk(UDP),
    Probe::closed(
        "mptcp-listener",
        "MPTCP listener: AF_UNSPEC, connect",
        Attempt::Outward(Handed::Multipath, Way::Connect),
        Level::Standard,
    )
    .needs("MPTCP, switched on (net.mptcp.enabled)"),
    Probe::closed(
        "received-tcp",
        "received TCP socket: connect",
        Attempt::Outward(Handed::Received, Way::Connect),
        Level::Standard,
    ),
    Probe::open(
        "received-udp",
        "received UDP socket: sendto",
        Attempt::Outward(Handed::ReceivedDatagram, Way::Datagram),
        "Somebody outside the seal can pass a UDP socket in over a UNIX socket (SCM_RIGHTS), and \
         it sends to any address. It is closed where the kernel has Landlock ABI 10.",
    ),
];
