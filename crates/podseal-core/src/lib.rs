//! Pure decisions of podseal: no file, process, clock or environment.
#![forbid(unsafe_code)]

pub mod family;
mod number;
pub mod socket_address;
pub mod unit;
