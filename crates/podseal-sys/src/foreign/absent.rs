//! An architecture on which there is nothing to try.

use std::io;
use std::os::fd::OwnedFd;

/// Not there.
///
/// # Errors
/// ENOSYS.
pub fn socket_i386(_: u32, _: u32) -> io::Result<OwnedFd> {
    Err(io::Error::from_raw_os_error(libc::ENOSYS))
}

/// Not there.
///
/// # Errors
/// ENOSYS.
pub fn socketcall_i386(_: u32, _: u32) -> io::Result<OwnedFd> {
    Err(io::Error::from_raw_os_error(libc::ENOSYS))
}

/// Not there.
///
/// # Errors
/// ENOSYS.
pub fn socket_x32(_: u32, _: u32) -> io::Result<OwnedFd> {
    Err(io::Error::from_raw_os_error(libc::ENOSYS))
}
