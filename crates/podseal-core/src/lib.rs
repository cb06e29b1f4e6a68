//! Pure decisions of podseal: no file, process, clock or environment.
#![forbid(unsafe_code)]

pub mod bpf;
pub mod family;
pub mod policy;
