//! Telling the service manager, after sd_notify(3).

use std::env;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};

use crate::ServeError;

/// The way to the service manager.
pub(crate) struct Notifier {
    socket: OwnedFd,
    address: SocketAddrUnix,
    /// The address as it was given, for messages.
    given: String,
}

impl Notifier {
    /// Reads `NOTIFY_SOCKET`; `None` where nobody wants to be told.
    pub(crate) fn from_environment() -> Result<Option<Self>, ServeError> {
        let Some(given) = env::var_os("NOTIFY_SOCKET") else {
            tracing::debug!("NOTIFY_SOCKET is not set, nobody is told");
            return Ok(None);
        };
        let address = address(&given)?;
        let given = given.to_string_lossy().into_owned();
        let (family, kind) = (AddressFamily::UNIX, SocketType::DGRAM);
        match rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None) {
            Ok(socket) => Ok(Some(Self {
                socket,
                address,
                given,
            })),
            Err(errno) => Err(ServeError::Notify {
                address: given,
                source: errno.into(),
            }),
        }
    }

    /// Sends one message of `VARIABLE=value` lines.
    pub(crate) fn send(&self, message: &str) -> Result<(), ServeError> {
        tracing::debug!(message, "telling the service manager");
        loop {
            let (bytes, flags) = (message.as_bytes(), SendFlags::NOSIGNAL);
            match rustix::net::sendto(&self.socket, bytes, flags, &self.address) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => {
                    return Err(ServeError::Notify {
                        address: self.given.clone(),
                        source: errno.into(),
                    });
                }
            }
        }
    }
}

/// An absolute path, or a name in the abstract namespace after an `@`.
fn address(given: &OsStr) -> Result<SocketAddrUnix, ServeError> {
    let address = match given.as_bytes() {
        [b'/', ..] => SocketAddrUnix::new(given),
        [b'@', name @ ..] if !name.is_empty() => SocketAddrUnix::new_abstract_name(name),
        _ => {
            return Err(ServeError::NotifyAddress {
                address: given.to_string_lossy().into_owned(),
            });
        }
    };
    address.map_err(|errno| ServeError::Notify {
        address: given.to_string_lossy().into_owned(),
        source: errno.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_sd_notify_does() {
        let path = address(OsStr::new("/run/notify")).unwrap();
        assert_eq!(path.path_bytes(), Some(&b"/run/notify"[..]));
        let name = address(OsStr::new("@notify")).unwrap();
        assert_eq!(name.abstract_name(), Some(&b"notify"[..]));
        let long = "/".repeat(200);
        for (given, message) in [
            ("", "neither an absolute path nor an @abstract name"),
            ("@", "neither an absolute path nor an @abstract name"),
            ("notify", "neither an absolute path nor an @abstract name"),
            (
                "vsock:2:1",
                "neither an absolute path nor an @abstract name",
            ),
            (&long, "cannot send a message to NOTIFY_SOCKET="),
        ] {
            let error = address(OsStr::new(given)).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
