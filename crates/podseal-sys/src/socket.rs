//! Socket calls that rustix lacks.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Binds to an AF_VSOCK address, see vsock(7).
///
/// # Errors
/// As bind(2).
pub fn bind_vsock(socket: BorrowedFd<'_>, cid: u32, port: u32) -> io::Result<()> {
    // SAFETY: sockaddr_vm is plain integers, for which zero is valid.
    let mut address: libc::sockaddr_vm = unsafe { mem::zeroed() };
    address.svm_family = libc::AF_VSOCK as libc::sa_family_t;
    address.svm_cid = cid;
    address.svm_port = port;
    // SAFETY: pointer and length describe `address`, which outlives the call.
    check(unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of::<libc::sockaddr_vm>() as libc::socklen_t,
        )
    })
}

/// Ties a socket to a network interface (`SO_BINDTODEVICE`, socket(7)).
///
/// # Errors
/// ENODEV when there is no such interface.
pub fn bind_to_device(socket: BorrowedFd<'_>, interface: &str) -> io::Result<()> {
    // SAFETY: pointer and length describe `interface`; the kernel copies it
    // and needs no terminating zero.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_BINDTODEVICE,
            interface.as_ptr().cast(),
            interface.len() as libc::socklen_t,
        )
    })
}

/// Dissolves what a socket is connected or bound to: connect(2) with
/// AF_UNSPEC.
///
/// # Errors
/// As connect(2).
pub fn disconnect(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: sockaddr is plain integers, for which zero is valid; family 0
    // is AF_UNSPEC.
    let address: libc::sockaddr = unsafe { mem::zeroed() };
    // SAFETY: pointer and length describe `address`, which outlives the call.
    check(unsafe {
        libc::connect(
            socket.as_raw_fd(),
            &raw const address,
            size_of::<libc::sockaddr>() as libc::socklen_t,
        )
    })
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
