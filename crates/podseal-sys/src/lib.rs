//! What podseal asks of the kernel, where no safe crate does it; the only
//! crate with unsafe code.
//!
//! Functions here decide nothing: which filter, which sockets and which
//! process are the caller's to say.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "the kernel's interfaces mix the widths and signs of integers that are small"
)]

pub mod attempt;
pub mod foreign;
pub mod inherited;
pub mod landlock;
pub mod listen_fds;
pub mod memory;
pub mod namespaces;
pub mod seccomp;
pub mod socket;
pub mod spawn;
pub mod uring;
