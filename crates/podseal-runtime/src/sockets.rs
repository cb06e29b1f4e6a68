//! Opening the sockets that a service is handed, as systemd opens those of a
//! socket unit (systemd.socket(5)).

use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt};
use std::path::{Path, PathBuf};

use podseal_core::listen::{Listen, SocketOptions};
use podseal_core::socket_address::{SocketAddress, SocketKind};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
    sockopt,
};

/// A socket to hand over. A socket file goes away with it.
#[derive(Debug)]
pub struct ServiceSocket {
    /// What it listens on.
    pub listen: Listen,
    fd: OwnedFd,
    /// The socket file to remove.
    path: Option<PathBuf>,
}

/// A socket could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {listen}{}", option.map_or(String::new(), |option| format!(" with {option}")))]
pub struct SocketError {
    /// The address.
    pub listen: Listen,
    /// The option that could not be set, if it was one.
    pub option: Option<&'static str>,
    /// Why.
    pub source: io::Error,
}

impl SocketError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let port = match self.listen.address {
            SocketAddress::Inet { port, .. } | SocketAddress::Inet6 { port, .. } => Some(port),
            _ => None,
        };
        match (self.source.kind(), port) {
            (io::ErrorKind::AddrInUse, Some(port)) => Some(format!(
                "something else listens there; `ss -lnp sport = :{port}` tells what"
            )),
            (io::ErrorKind::AddrInUse, None) => {
                Some("something else listens there, or the file is no stale socket".into())
            }
            (io::ErrorKind::PermissionDenied, Some(port)) if port < 1024 => Some(format!(
                "ports below net.ipv4.ip_unprivileged_port_start (1024) need root; choose another, \
                 or as root: sysctl net.ipv4.ip_unprivileged_port_start={port}"
            )),
            (io::ErrorKind::AddrNotAvailable, _) => {
                Some("the address is none of this host's".into())
            }
            _ => None,
        }
    }
}

impl AsFd for ServiceSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for ServiceSocket {
    fn drop(&mut self) {
        if let Some(path) = &self.path
            && let Err(error) = fs::remove_file(path)
        {
            tracing::warn!(path = %path.display(), %error, "cannot remove socket file");
        }
    }
}

impl ServiceSocket {
    /// Opens a socket and starts to listen.
    ///
    /// A socket file that nobody listens on is replaced; any other file is an
    /// error.
    ///
    /// # Errors
    /// See [`SocketError`].
    pub fn open(wanted: &Listen, options: &SocketOptions) -> Result<Self, SocketError> {
        let failed = |option| {
            move |source: io::Error| SocketError {
                listen: wanted.clone(),
                option,
                source,
            }
        };
        let (fd, address) = make(wanted).map_err(failed(None))?;
        let is_inet = matches!(
            address,
            SocketAddress::Inet { .. } | SocketAddress::Inet6 { .. }
        );
        if is_inet {
            sockopt::set_socket_reuseaddr(&fd, true)
                .map_err(|errno| failed(Some("SO_REUSEADDR"))(errno.into()))?;
        }
        if options.reuse_port && is_inet {
            sockopt::set_socket_reuseport(&fd, true)
                .map_err(|errno| failed(Some("ReusePort="))(errno.into()))?;
        }
        if options.free_bind && is_inet {
            sockopt::set_ip_freebind(&fd, true)
                .map_err(|errno| failed(Some("FreeBind="))(errno.into()))?;
        }
        if let Some(device) = options.bind_to_device.as_deref().filter(|_| is_inet) {
            podseal_sys::socket::bind_to_device(fd.as_fd(), device)
                .map_err(failed(Some("BindToDevice=")))?;
        }
        let path = bind_to(&fd, &address, wanted, options).map_err(failed(None))?;
        let socket = Self {
            listen: Listen {
                kind: wanted.kind,
                address,
            },
            fd,
            path: path.filter(|_| !options.keep_file),
        };
        if wanted.kind != SocketKind::Datagram {
            let backlog = options.backlog.map_or(i32::MAX, |backlog| {
                i32::try_from(backlog).unwrap_or(i32::MAX)
            });
            listen(&socket.fd, backlog).map_err(|errno| failed(None)(errno.into()))?;
        }
        Ok(socket)
    }
}

/// Makes a socket for `wanted`, and says which address it is for: on a host
/// without IPv6, `[::]` becomes `0.0.0.0`, as in systemd.
fn make(wanted: &Listen) -> io::Result<(OwnedFd, SocketAddress)> {
    let kind = match wanted.kind {
        SocketKind::Stream => SocketType::STREAM,
        SocketKind::Datagram => SocketType::DGRAM,
        SocketKind::SequentialPacket => SocketType::SEQPACKET,
    };
    let open = |address: &SocketAddress| {
        let family = AddressFamily::from_raw(address.family().0);
        socket_with(
            family,
            kind,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )
    };
    match (open(&wanted.address), &wanted.address) {
        (Err(Errno::AFNOSUPPORT), SocketAddress::Inet6 { address, port, .. })
            if address.is_unspecified() =>
        {
            let address = SocketAddress::Inet {
                address: Ipv4Addr::UNSPECIFIED,
                port: *port,
            };
            Ok((open(&address)?, address))
        }
        (result, address) => Ok((result?, address.clone())),
    }
}

/// Binds, and returns the file that came of it.
fn bind_to(
    fd: &OwnedFd,
    address: &SocketAddress,
    wanted: &Listen,
    options: &SocketOptions,
) -> io::Result<Option<PathBuf>> {
    match address {
        SocketAddress::Inet { address, port } => {
            bind(fd, &SocketAddrV4::new(*address, *port))?;
        }
        SocketAddress::Inet6 {
            address,
            port,
            interface,
        } => {
            if let Some(only) = options
                .ipv6_only
                .filter(|_| *address == Ipv6Addr::UNSPECIFIED)
            {
                sockopt::set_ipv6_v6only(fd, only)?;
            }
            let scope = match interface.as_deref() {
                None => 0,
                Some(name) => match name.parse() {
                    Ok(index) => index,
                    Err(_) => rustix::net::netdevice::name_to_index(fd, name)?,
                },
            };
            bind(fd, &SocketAddrV6::new(*address, *port, 0, scope))?;
        }
        SocketAddress::Abstract { name } => {
            bind(fd, &SocketAddrUnix::new_abstract_name(name.as_bytes())?)?;
        }
        SocketAddress::Vsock { cid, port, .. } => {
            podseal_sys::socket::bind_vsock(fd.as_fd(), *cid, *port)?;
        }
        SocketAddress::Unix { path } => {
            bind_path(fd, Path::new(path), wanted.kind, options)?;
            return Ok(Some(path.into()));
        }
    }
    Ok(None)
}

fn bind_path(
    fd: &OwnedFd,
    path: &Path,
    kind: SocketKind,
    options: &SocketOptions,
) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        let mode = options.directory_mode.unwrap_or(0o755);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(parent)?;
    }
    let address = SocketAddrUnix::new(path)?;
    // The file's mode is the socket's own less the process's umask.
    let mode = options.mode.unwrap_or(0o666);
    rustix::fs::fchmod(fd, rustix::fs::Mode::from_raw_mode(mode))?;
    let umask = rustix::process::umask(rustix::fs::Mode::empty());
    let result = match bind(fd, &address) {
        Err(Errno::ADDRINUSE) if is_stale(path, kind) => {
            fs::remove_file(path).and_then(|()| Ok(bind(fd, &address)?))
        }
        other => Ok(other?),
    };
    rustix::process::umask(umask);
    result
}

/// Whether `path` is a socket that nobody listens on.
fn is_stale(path: &Path, kind: SocketKind) -> bool {
    let is_socket =
        fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    let kind = match kind {
        SocketKind::Stream => SocketType::STREAM,
        SocketKind::Datagram => SocketType::DGRAM,
        SocketKind::SequentialPacket => SocketType::SEQPACKET,
    };
    is_socket
        && SocketAddrUnix::new(path)
            .and_then(|address| {
                let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
                let probe = socket_with(AddressFamily::UNIX, kind, flags, None)?;
                connect(&probe, &address)
            })
            .is_err_and(|errno| errno == Errno::CONNREFUSED)
}
