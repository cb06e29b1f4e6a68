//! Effects of podseal: processes, Podman, unit files, the launcher, the
//! supervisor.
//!
//! Nothing here prints, and only [`command`] starts processes.
#![forbid(unsafe_code)]

pub mod account;
pub mod audit;
pub mod chain;
pub mod command;
pub mod container_profile;
pub mod control;
pub mod demo;
pub mod doctor;
pub mod engine;
pub mod explain;
pub mod host;
pub mod id_map;
pub mod install;
pub mod instance;
pub mod linger;
pub mod live;
pub mod oci_runtime;
pub mod pause;
pub mod plan;
pub mod podman;
pub mod probe;
pub mod proof;
pub mod receive;
pub mod seal;
pub mod service;
mod side_by_side;
pub mod signals;
pub mod sockets;
pub mod status;
pub mod supervise;
pub mod systemd;
pub mod unit_set;
pub mod units;
pub mod up;
pub mod verify;
