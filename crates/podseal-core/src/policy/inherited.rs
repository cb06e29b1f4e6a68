//! Whether a socket that a service is handed can be sealed.

use super::level::Level;
use super::seal::Seal;
use crate::family::Family;

/// What socket(2) made a socket of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketIdentity {
    /// Its family (`SO_DOMAIN`).
    pub family: Family,
    /// Its type (`SO_TYPE`).
    pub kind: u32,
    /// Its protocol (`SO_PROTOCOL`).
    pub protocol: u32,
}

/// `SOCK_STREAM`
pub const STREAM: u32 = 1;
/// `SOCK_DGRAM`
pub const DATAGRAM: u32 = 2;
/// `SOCK_SEQPACKET`
pub const SEQUENTIAL_PACKET: u32 = 5;
/// `IPPROTO_TCP`
pub const TCP: u32 = 6;
/// `IPPROTO_UDP`
pub const UDP: u32 = 17;

/// A socket would be a way out in spite of the seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsealable {
    /// A UDP socket sends to any address.
    #[error("a UDP socket cannot be sealed: it sends to any address")]
    Udp,
    /// Nothing governs connections of this protocol.
    #[error(
        "a socket of {family}, type {kind}, protocol {protocol} cannot be sealed: \
         only TCP and UNIX sockets can"
    )]
    Other {
        /// Its family.
        family: Family,
        /// Its type.
        kind: u32,
        /// Its protocol.
        protocol: u32,
    },
}

impl Unsealable {
    /// What to do about it.
    #[must_use]
    pub const fn hint(self) -> &'static str {
        match self {
            Self::Udp => {
                "use TCP or a UNIX socket, or accept it with --allow-udp (or --level=families)"
            }
            Self::Other { .. } => {
                "use TCP or a UNIX socket, or a level that leaves sockets alone (--level=families)"
            }
        }
    }
}

/// Looks at a socket that a service under `seal` would get.
///
/// # Errors
/// It would be a way out that the level promises to close.
pub const fn check(socket: SocketIdentity, seal: &Seal) -> Result<(), Unsealable> {
    let SocketIdentity {
        family,
        kind,
        protocol,
    } = socket;
    match (seal.level, family) {
        (Level::Families, _) | (_, Family::UNIX | Family::NETLINK) => Ok(()),
        (Level::Standard | Level::Strict, Family::INET | Family::INET6) => match (kind, protocol) {
            (STREAM, TCP) => Ok(()),
            (DATAGRAM, UDP) if seal.allow_udp => Ok(()),
            (DATAGRAM, UDP) => Err(Unsealable::Udp),
            _ => Err(Unsealable::Other {
                family,
                kind,
                protocol,
            }),
        },
        (Level::Standard | Level::Strict, _) => Err(Unsealable::Other {
            family,
            kind,
            protocol,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tcp_and_unix_sockets_can_be_sealed() {
        let seal = Seal::default();
        let udp = Seal {
            allow_udp: true,
            ..Seal::default()
        };
        let families = Seal {
            level: Level::Families,
            ..Seal::default()
        };
        let sctp = 132;
        let mptcp = 262;
        for (family, kind, protocol, expected) in [
            (Family::UNIX, STREAM, 0, [true, true]),
            (Family::UNIX, DATAGRAM, 0, [true, true]),
            (Family::INET, STREAM, TCP, [true, true]),
            (Family::INET6, STREAM, TCP, [true, true]),
            (Family::INET, DATAGRAM, UDP, [false, true]),
            (Family::INET6, DATAGRAM, UDP, [false, true]),
            (Family::INET, STREAM, mptcp, [false, false]),
            (Family::INET, STREAM, sctp, [false, false]),
            (Family::INET, 3, 1, [false, false]),
            (Family::PACKET, 3, 0, [false, false]),
            (Family::VSOCK, STREAM, 0, [false, false]),
        ] {
            let socket = SocketIdentity {
                family,
                kind,
                protocol,
            };
            let is_accepted = [&seal, &udp].map(|seal| check(socket, seal).is_ok());
            assert_eq!(is_accepted, expected, "{socket:?}");
            assert!(check(socket, &families).is_ok());
        }
    }
}
