//! What `--listen` takes: an address as systemd's `Listen…=` settings write
//! it, with the kind of socket before it where that is not a stream.

use std::fmt;
use std::str::FromStr;

use crate::family::Family;
use crate::policy::inherited::{DATAGRAM, SEQUENTIAL_PACKET, STREAM, SocketIdentity, TCP, UDP};
use crate::socket_address::{SocketAddress, SocketAddressError, SocketKind};

/// One socket to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Stream, datagram or sequential packet.
    pub kind: SocketKind,
    /// Where.
    pub address: SocketAddress,
}

/// Why a `--listen` value was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    /// The address itself.
    #[error(transparent)]
    Address(#[from] SocketAddressError),
    /// An address of another family than the prefix says.
    #[error("\"{text}\": {prefix} needs {needs}")]
    PrefixMismatch {
        /// The whole text.
        text: String,
        /// The prefix, colon included.
        prefix: &'static str,
        /// What should follow it.
        needs: &'static str,
    },
}

impl ListenError {
    /// What a right value looks like.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Address(error) => error.hint().to_owned(),
            Self::PrefixMismatch { .. } => {
                let forms: Vec<&str> = PREFIXES.iter().map(|row| row.text).collect();
                format!("the prefixes are {} and vsock:", forms.join(" "))
            }
        }
    }
}

impl Listen {
    /// What a socket for it is made of.
    #[must_use]
    pub fn identity(&self) -> SocketIdentity {
        let family = self.address.family();
        let is_internet = matches!(family, Family::INET | Family::INET6);
        let (kind, protocol) = match self.kind {
            SocketKind::Stream => (STREAM, TCP),
            SocketKind::Datagram => (DATAGRAM, UDP),
            SocketKind::SequentialPacket => (SEQUENTIAL_PACKET, 0),
        };
        SocketIdentity {
            family,
            kind,
            protocol: if is_internet { protocol } else { 0 },
        }
    }
}

struct Prefix {
    text: &'static str,
    kind: SocketKind,
    unix: bool,
}

const PREFIXES: &[Prefix] = &[
    Prefix {
        text: "tcp:",
        kind: SocketKind::Stream,
        unix: false,
    },
    Prefix {
        text: "udp:",
        kind: SocketKind::Datagram,
        unix: false,
    },
    Prefix {
        text: "unix:",
        kind: SocketKind::Stream,
        unix: true,
    },
    Prefix {
        text: "unix-stream:",
        kind: SocketKind::Stream,
        unix: true,
    },
    Prefix {
        text: "unix-dgram:",
        kind: SocketKind::Datagram,
        unix: true,
    },
    Prefix {
        text: "unix-seqpacket:",
        kind: SocketKind::SequentialPacket,
        unix: true,
    },
];

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((row, rest)) = PREFIXES
            .iter()
            .find_map(|row| Some((row, text.strip_prefix(row.text)?)))
        else {
            let address: SocketAddress = text.parse()?;
            let kind = match address {
                SocketAddress::Vsock {
                    kind: Some(kind), ..
                } => kind,
                _ => SocketKind::Stream,
            };
            return Ok(Self { kind, address });
        };
        let address: SocketAddress = rest.parse()?;
        let is_unix = matches!(
            address,
            SocketAddress::Unix { .. } | SocketAddress::Abstract { .. }
        );
        let is_vsock = matches!(address, SocketAddress::Vsock { .. });
        if is_vsock || is_unix != row.unix {
            return Err(ListenError::PrefixMismatch {
                text: text.to_owned(),
                prefix: row.text,
                needs: if row.unix {
                    "/PATH or @NAME"
                } else {
                    "PORT, IPV4:PORT or [IPV6]:PORT"
                },
            });
        }
        Ok(Self {
            kind: row.kind,
            address,
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_unix = matches!(
            self.address,
            SocketAddress::Unix { .. } | SocketAddress::Abstract { .. }
        );
        let prefix = match (self.kind, &self.address) {
            (SocketKind::Stream, _) | (_, SocketAddress::Vsock { .. }) => "",
            (SocketKind::Datagram, _) if is_unix => "unix-dgram:",
            (SocketKind::Datagram, _) => "udp:",
            (SocketKind::SequentialPacket, _) => "unix-seqpacket:",
        };
        write!(f, "{prefix}{}", self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_their_canonical_text() {
        for (text, canonical) in [
            ("8080", "[::]:8080"),
            ("tcp:8080", "[::]:8080"),
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("udp:[::1]:53", "udp:[::1]:53"),
            ("/run/a.sock", "/run/a.sock"),
            ("unix:/run/a.sock", "/run/a.sock"),
            ("unix-dgram:@a", "unix-dgram:@a"),
            ("unix-seqpacket:/run/a", "unix-seqpacket:/run/a"),
            ("@a", "@a"),
            ("vsock:2:9", "vsock:2:9"),
        ] {
            let listen: Listen = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(listen.to_string(), canonical);
            assert_eq!(canonical.parse().as_ref(), Ok(&listen), "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_a_hint() {
        for text in [
            "",
            "udp:",
            "udp:/run/a",
            "tcp:@a",
            "unix:8080",
            "unix:rel.sock",
            "udp:vsock:1:2",
            "localhost:80",
            "127.0.0.1",
            "127.0.0.1:0",
            "70000",
            "sctp:80",
        ] {
            let error = text.parse::<Listen>().expect_err(text);
            assert!(!error.hint().is_empty());
        }
    }
}
