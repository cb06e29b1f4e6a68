//! Pure decisions of podseal: no file, process, clock or environment.
#![forbid(unsafe_code)]

pub mod bpf;
pub mod family;
mod number;
pub mod policy;
pub mod socket_address;
