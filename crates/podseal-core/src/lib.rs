//! Pure decisions of podseal: no file, process, clock or environment.
#![forbid(unsafe_code)]

pub mod audit;
pub mod bpf;
pub mod doctor;
pub mod explain;
pub mod family;
pub mod jobs;
pub mod lifecycle;
pub mod listen;
pub mod notify;
mod number;
pub mod plan;
pub mod podman;
pub mod policy;
pub mod probe;
pub mod rate_limit;
#[cfg(feature = "schema")]
mod schema;
pub mod socket_address;
pub mod status;
pub mod supervised;
pub mod unit;
pub mod up;
pub mod verify;
