//! Socket addresses as `ListenStream=`, `ListenDatagram=` and
//! `ListenSequentialPacket=` take them.
//!
//! Follows `systemd.socket(5)` and systemd's `socket_address_parse()`. Values
//! are expected with their specifiers expanded (`%%` for a literal percent
//! sign in a unit file).

mod error;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::family::Family;
use crate::number::{NumberError, parse_unsigned};

pub use error::SocketAddressError;

/// An address to listen on.
///
/// [`fmt::Display`] gives the canonical form, which parses to the same value;
/// it serializes as that text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SocketAddress {
    /// `IPV4:PORT`.
    Inet {
        /// The local address; `0.0.0.0` is every address of the host.
        address: Ipv4Addr,
        /// 1 to 65535.
        port: u16,
    },
    /// `[IPV6]:PORT`, `[IPV6]:PORT%INTERFACE`, or a bare `PORT`, which is
    /// `[::]:PORT` (on a kernel without IPv6 systemd makes it `0.0.0.0:PORT`).
    Inet6 {
        /// The local address; `::` is every address of the host, IPv4 ones
        /// included unless `BindIPv6Only=` says otherwise.
        address: Ipv6Addr,
        /// 1 to 65535.
        port: u16,
        /// The interface's name or index, the scope of a link-local address.
        interface: Option<String>,
    },
    /// `/PATH`: a socket in the file system.
    Unix {
        /// Absolute, not normalised.
        path: String,
    },
    /// `@NAME`: a socket in Linux's abstract namespace, see `unix(7)`.
    Abstract {
        /// Without the `@`.
        name: String,
    },
    /// `vsock:CID:PORT`, see `vsock(7)`.
    Vsock {
        /// The context to accept connections for;
        /// [`SocketAddress::VSOCK_CID_ANY`] when left out.
        cid: u32,
        /// Any number but the largest, 0 included.
        port: u32,
        /// Set by `vsock-stream:` and so on, which systemd ≥ 253 knows.
        kind: Option<SocketKind>,
    },
}

/// What `socket(2)` calls the type of a socket, as far as units can ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SocketKind {
    /// `SOCK_STREAM`.
    Stream,
    /// `SOCK_DGRAM`.
    Datagram,
    /// `SOCK_SEQPACKET`.
    SequentialPacket,
}

impl SocketAddress {
    /// The most bytes of a socket name, the leading `/` or `@` included
    /// (`sun_path` in `unix(7)` without its terminating zero).
    pub const UNIX_MAX: usize = 107;

    /// `VMADDR_CID_ANY`: connections for every context, see `vsock(7)`.
    pub const VSOCK_CID_ANY: u32 = u32::MAX;

    /// The family of a socket for this address.
    #[must_use]
    pub fn family(&self) -> Family {
        match self {
            Self::Inet { .. } => Family::INET,
            Self::Inet6 { .. } => Family::INET6,
            Self::Unix { .. } | Self::Abstract { .. } => Family::UNIX,
            Self::Vsock { .. } => Family::VSOCK,
        }
    }

    /// An internet address as the standard library has it.
    #[must_use]
    pub fn internet(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet { address, port } => Some((*address, *port).into()),
            Self::Inet6 { address, port, .. } => Some((*address, *port).into()),
            Self::Unix { .. } | Self::Abstract { .. } | Self::Vsock { .. } => None,
        }
    }

    /// Whether systemd makes a socket of this kind for this address:
    /// `SOCK_SEQPACKET` is for AF_UNIX only.
    #[must_use]
    pub fn supports(&self, wanted: SocketKind) -> bool {
        match self {
            Self::Unix { .. } | Self::Abstract { .. } => true,
            _ if wanted == SocketKind::SequentialPacket => false,
            // The kind that a vsock prefix names does not count: the setting's does.
            Self::Vsock { .. } | Self::Inet { .. } | Self::Inet6 { .. } => true,
        }
    }
}

impl FromStr for SocketAddress {
    type Err = SocketAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with(['/', '@']) {
            return parse_unix(text);
        }
        if let Some(parsed) = parse_vsock(text) {
            return parsed;
        }
        match parse_port(text) {
            Ok(port) => {
                return Ok(Self::Inet6 {
                    address: Ipv6Addr::UNSPECIFIED,
                    port,
                    interface: None,
                });
            }
            Err(NumberError::OutOfRange) => return Err(out_of_range(text, text)),
            Err(NumberError::Invalid) => {}
        }
        parse_internet(text)
    }
}

fn parse_unix(text: &str) -> Result<SocketAddress, SocketAddressError> {
    let address = text.to_owned();
    if text.len() < 2 {
        return Err(SocketAddressError::UnixEmpty { address });
    }
    if text.len() > SocketAddress::UNIX_MAX {
        return Err(SocketAddressError::UnixTooLong { address });
    }
    Ok(match text.strip_prefix('@') {
        Some(name) => SocketAddress::Abstract {
            name: name.to_owned(),
        },
        None => SocketAddress::Unix { path: address },
    })
}

/// The prefixes of vsock addresses and the kind of socket each asks for.
const VSOCK_PREFIXES: &[(&str, Option<SocketKind>)] = &[
    ("vsock:", None),
    ("vsock-stream:", Some(SocketKind::Stream)),
    ("vsock-dgram:", Some(SocketKind::Datagram)),
    ("vsock-seqpacket:", Some(SocketKind::SequentialPacket)),
];

/// `None` where the text has no vsock prefix.
fn parse_vsock(text: &str) -> Option<Result<SocketAddress, SocketAddressError>> {
    let (rest, kind) = VSOCK_PREFIXES
        .iter()
        .find_map(|(prefix, kind)| Some((text.strip_prefix(prefix)?, *kind)))?;
    let number = |part: &str| {
        parse_unsigned(part, u32::MAX.into())
            .ok()
            .and_then(|value| u32::try_from(value).ok())
            .ok_or_else(|| SocketAddressError::VsockInvalid {
                address: text.to_owned(),
                part: part.to_owned(),
            })
    };
    let parse = || {
        let (cid, port) = rest
            .split_once(':')
            .ok_or_else(|| SocketAddressError::PortMissing {
                address: text.to_owned(),
            })?;
        // Any port (VMADDR_PORT_ANY): systemd 252 takes it, later versions do not.
        let port = number(port).and_then(|number| match number {
            u32::MAX => Err(SocketAddressError::VsockInvalid {
                address: text.to_owned(),
                part: port.to_owned(),
            }),
            number => Ok(number),
        })?;
        // The names are systemd's, from version 255 on; 262 has "any" and "-1",
        // 257 does not.
        let cid = match cid {
            "" | "any" | "-1" => SocketAddress::VSOCK_CID_ANY,
            "hypervisor" => 0,
            "local" => 1,
            "host" => 2,
            _ => number(cid)?,
        };
        Ok(SocketAddress::Vsock { cid, port, kind })
    };
    Some(parse())
}

fn parse_internet(text: &str) -> Result<SocketAddress, SocketAddressError> {
    let address = text.to_owned();
    let (body, interface) = match text.split_once('%') {
        Some((body, name)) if is_interface(name) => (body, Some(name)),
        Some((_, name)) => {
            return Err(SocketAddressError::InterfaceInvalid {
                address,
                interface: name.to_owned(),
            });
        }
        None => (text, None),
    };
    if let Some(bracketed) = body.strip_prefix('[') {
        let Some((host, after)) = bracketed.rsplit_once(']') else {
            return Err(SocketAddressError::UnknownForm { address });
        };
        let Ok(ip) = host.parse() else {
            return Err(SocketAddressError::Ipv6Invalid {
                address,
                host: host.to_owned(),
            });
        };
        let Some(port) = after.strip_prefix(':') else {
            return Err(SocketAddressError::PortMissing { address });
        };
        return Ok(SocketAddress::Inet6 {
            address: ip,
            port: parse_port_of(text, port)?,
            interface: interface.map(str::to_owned),
        });
    }
    if body.parse::<Ipv4Addr>().is_ok() || body.parse::<Ipv6Addr>().is_ok() {
        return Err(SocketAddressError::PortMissing { address });
    }
    match body.rsplit_once(':') {
        Some((host, port)) => match host.parse() {
            // An interface is accepted here and has no effect, as in systemd.
            Ok(ip) => Ok(SocketAddress::Inet {
                address: ip,
                port: parse_port_of(text, port)?,
            }),
            Err(_) => Err(SocketAddressError::UnknownForm { address }),
        },
        // "0" gets here: a port that is none.
        None if body.bytes().all(|b| b.is_ascii_digit()) && !body.is_empty() => {
            Err(SocketAddressError::PortInvalid {
                port: address.clone(),
                address,
            })
        }
        None => Err(SocketAddressError::UnknownForm { address }),
    }
}

fn parse_port(text: &str) -> Result<u16, NumberError> {
    match parse_unsigned(text, u16::MAX.into())? {
        0 => Err(NumberError::Invalid),
        port => u16::try_from(port).map_err(|_| NumberError::OutOfRange),
    }
}

fn parse_port_of(address: &str, port: &str) -> Result<u16, SocketAddressError> {
    parse_port(port).map_err(|error| match error {
        NumberError::Invalid => SocketAddressError::PortInvalid {
            address: address.to_owned(),
            port: port.to_owned(),
        },
        NumberError::OutOfRange => out_of_range(address, port),
    })
}

fn out_of_range(address: &str, port: &str) -> SocketAddressError {
    SocketAddressError::PortOutOfRange {
        address: address.to_owned(),
        port: port.to_owned(),
    }
}

/// Names that `ifname_valid_full()` accepts, alternative names and numeric
/// indexes included.
fn is_interface(name: &str) -> bool {
    if name.bytes().all(|b| b.is_ascii_digit()) {
        return parse_unsigned(name, 0x7fff_ffff).is_ok_and(|index| index > 0);
    }
    name.len() < 128
        && !matches!(name, "." | ".." | "all" | "default")
        && name
            .bytes()
            .all(|b| b.is_ascii_graphic() && !matches!(b, b':' | b'/' | b'%'))
}

impl fmt::Display for SocketAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet { address, port } => write!(f, "{address}:{port}"),
            Self::Inet6 {
                address,
                port,
                interface,
            } => {
                match address.segments() {
                    // As inet_ntop(3) prints it, where Rust prints hexadecimal.
                    [0, 0, 0, 0, 0, 0, high, low] if high != 0 => {
                        let tail = Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
                        write!(f, "[::{tail}]:{port}")?;
                    }
                    _ => write!(f, "[{address}]:{port}")?,
                }
                interface.iter().try_for_each(|name| write!(f, "%{name}"))
            }
            Self::Unix { path } => f.write_str(path),
            Self::Abstract { name } => write!(f, "@{name}"),
            Self::Vsock { cid, port, kind } => {
                let prefix = VSOCK_PREFIXES
                    .iter()
                    .find(|(_, of)| of == kind)
                    .map_or("vsock:", |(prefix, _)| prefix);
                match *cid {
                    Self::VSOCK_CID_ANY => write!(f, "{prefix}:{port}"),
                    cid => write!(f, "{prefix}{cid}:{port}"),
                }
            }
        }
    }
}

impl Serialize for SocketAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests;
