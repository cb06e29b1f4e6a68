//! Effects of podseal: processes, Podman, the launcher, the supervisor.
//!
//! Nothing here prints, and only [`command`] starts processes.
#![forbid(unsafe_code)]

pub mod command;
pub mod host;
pub mod pause;
pub mod podman;
pub mod seal;
