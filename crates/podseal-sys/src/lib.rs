//! What podseal asks of the kernel; the only crate with unsafe code.

pub mod listen_fds;
