//! What a process was left by whoever started it.
//!
//! rustix asks such things of descriptors that somebody owns; here nobody does
//! yet, and their numbers come out of /proc.

use std::fs;
use std::io;
use std::os::fd::RawFd;

/// A socket that a program executed by this process would get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InheritedSocket {
    /// Its number.
    pub fd: RawFd,
    /// `SO_DOMAIN`
    pub domain: i32,
    /// `SO_TYPE`
    pub kind: i32,
    /// `SO_PROTOCOL`
    pub protocol: i32,
}

/// All open sockets that are not close-on-exec, in the order of their numbers.
///
/// # Errors
/// /proc cannot be read, or the kernel does not say what a socket is.
pub fn sockets() -> io::Result<Vec<InheritedSocket>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.parse::<RawFd>().ok()));
    }
    numbers.sort_unstable();
    let mut sockets = Vec::new();
    for fd in numbers {
        // SAFETY: takes plain integers.
        let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
        // It may be the directory's own, closed by now.
        if flags < 0 || flags & libc::FD_CLOEXEC != 0 {
            continue;
        }
        match option(fd, libc::SO_DOMAIN) {
            Err(error) if error.raw_os_error() == Some(libc::ENOTSOCK) => {}
            domain => sockets.push(InheritedSocket {
                fd,
                domain: domain?,
                kind: option(fd, libc::SO_TYPE)?,
                protocol: option(fd, libc::SO_PROTOCOL)?,
            }),
        }
    }
    Ok(sockets)
}

fn option(fd: RawFd, name: libc::c_int) -> io::Result<i32> {
    let mut value: libc::c_int = 0;
    let mut length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: pointer and length describe `value`.
    let result = unsafe {
        libc::getsockopt(
            fd,
            libc::SOL_SOCKET,
            name,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    if result == 0 {
        Ok(value)
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn only_what_outlives_an_exec_is_listed() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let listed = || {
            let all = sockets().unwrap();
            all.into_iter().find(|s| s.fd == socket.as_raw_fd())
        };
        assert_eq!(listed(), None);
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::empty()).unwrap();
        let expected = InheritedSocket {
            fd: socket.as_raw_fd(),
            domain: libc::AF_INET,
            kind: libc::SOCK_DGRAM,
            protocol: libc::IPPROTO_UDP,
        };
        assert_eq!(listed(), Some(expected));
    }
}
