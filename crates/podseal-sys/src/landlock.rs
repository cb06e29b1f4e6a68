//! The version of landlock(7), which the landlock crate keeps to itself.

use std::io;

/// The Landlock ABI version of the running kernel.
///
/// # Errors
/// ENOSYS where the kernel was built without it, EOPNOTSUPP where it is off.
pub fn abi() -> io::Result<u32> {
    const CREATE_RULESET_VERSION: u32 = 1; // linux/landlock.h
    let nothing: *const u8 = std::ptr::null();
    // SAFETY: with this flag the kernel takes a null pointer and a size of 0,
    // and makes nothing.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            nothing,
            0usize,
            CREATE_RULESET_VERSION,
        )
    };
    u32::try_from(version).map_err(|_| io::Error::last_os_error())
}
