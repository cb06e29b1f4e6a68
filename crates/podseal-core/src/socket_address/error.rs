//! What can be wrong with an address, and what a right one looks like.

use thiserror::Error;

use super::SocketAddress;

/// Why a text is no [`SocketAddress`]. [`SocketAddressError::hint`] tells what
/// a right value looks like.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SocketAddressError {
    /// Neither of the forms.
    #[error("{address:?} is not a socket address")]
    UnknownForm {
        /// The whole text.
        address: String,
    },
    /// An Internet address alone.
    #[error("{address:?} has no port")]
    PortMissing {
        /// The whole text.
        address: String,
    },
    /// The port is 0 or not a number.
    #[error("{port:?} in {address:?} is not a port number")]
    PortInvalid {
        /// The whole text.
        address: String,
        /// What stands in the place of the port.
        port: String,
    },
    /// The port is a number, but negative or past 65535 (ERANGE in systemd).
    #[error("port {port:?} in {address:?} is out of range")]
    PortOutOfRange {
        /// The whole text.
        address: String,
        /// What stands in the place of the port.
        port: String,
    },
    /// Brackets around something else than an IPv6 address.
    #[error("{host:?} in {address:?} is not an IPv6 address")]
    Ipv6Invalid {
        /// The whole text.
        address: String,
        /// What stands between the brackets.
        host: String,
    },
    /// A name that no network interface can have.
    #[error("{interface:?} in {address:?} is not an interface name")]
    InterfaceInvalid {
        /// The whole text.
        address: String,
        /// What follows the percent sign.
        interface: String,
    },
    /// `/` or `@` alone.
    #[error("socket name {address:?} is empty")]
    UnixEmpty {
        /// The whole text.
        address: String,
    },
    /// The kernel has no room for it.
    #[error(
        "socket name {address:?} is {} bytes long, {} are the most",
        address.len(),
        SocketAddress::UNIX_MAX
    )]
    UnixTooLong {
        /// The whole text.
        address: String,
    },
    /// A bad part of a `vsock:` address.
    #[error("{part:?} in {address:?} is not a vsock number")]
    VsockInvalid {
        /// The whole text.
        address: String,
        /// The context identifier or the port.
        part: String,
    },
}

impl SocketAddressError {
    /// What a right value looks like, for a message's second line.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::UnknownForm { .. } => {
                "write PORT, IPV4:PORT, [IPV6]:PORT, /PATH, @NAME or vsock:CID:PORT; \
                 host names are not looked up"
            }
            Self::PortMissing { .. } => "add a port, as in 127.0.0.1:8080 or [::1]:8080",
            Self::PortInvalid { .. } | Self::PortOutOfRange { .. } => {
                "a port is a number from 1 to 65535"
            }
            Self::Ipv6Invalid { .. } => "write an IPv6 address as in [::1]:8080",
            Self::InterfaceInvalid { .. } => {
                "write an interface as in [fe80::1]:8080%eth0 (%%eth0 in a unit file)"
            }
            Self::UnixEmpty { .. } => {
                "write a path as in /run/NAME.sock or an abstract name as in @NAME"
            }
            Self::UnixTooLong { .. } => {
                "choose a shorter path, for example under %t (the runtime directory)"
            }
            Self::VsockInvalid { .. } => {
                "write vsock:CID:PORT with two numbers, or vsock::PORT for any CID"
            }
        }
    }
}
