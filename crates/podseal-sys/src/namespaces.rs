//! Questions about user namespaces, see ioctl_ns(2).
//!
//! rustix has setns(2), but not these ioctls.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

// linux/nsfs.h: _IO(0xb7, 2) and _IO(0xb7, 4)
const NS_GET_PARENT: libc::Ioctl = 0xb702;
const NS_GET_OWNER_UID: libc::Ioctl = 0xb704;

/// The user, as the caller's namespace counts, that made `user_namespace`.
///
/// # Errors
/// EINVAL when the descriptor is not a user namespace.
pub fn owner(user_namespace: BorrowedFd<'_>) -> io::Result<u32> {
    let mut uid: libc::uid_t = 0;
    // SAFETY: the kernel writes one uid_t through the pointer.
    let result = unsafe { libc::ioctl(user_namespace.as_raw_fd(), NS_GET_OWNER_UID, &raw mut uid) };
    if result == 0 {
        Ok(uid)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The parent of `user_namespace`.
///
/// # Errors
/// EPERM when the parent is outside the caller's namespace, EINVAL when the
/// descriptor is not a namespace that has parents.
pub fn parent(user_namespace: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: this ioctl takes no argument.
    let fd = unsafe { libc::ioctl(user_namespace.as_raw_fd(), NS_GET_PARENT) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
