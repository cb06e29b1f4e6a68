//! What podseal asks of the kernel; the only crate with unsafe code.
