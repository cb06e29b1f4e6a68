//! System calls through another ABI than the program's own, whose numbers a
//! filter could misread. For probes only.
//!
//! Where there is no such ABI the answer is ENOSYS, or SIGSEGV for i386.

#[cfg_attr(not(target_arch = "x86_64"), path = "foreign/absent.rs")]
#[cfg_attr(target_arch = "x86_64", path = "foreign/x86_64.rs")]
mod architecture;

pub use architecture::{socket_i386, socket_x32, socketcall_i386};
