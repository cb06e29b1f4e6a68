//! Quadlet's `.container` files, and the services that Podman makes of them.
//!
//! Follows `podman-systemd.unit(5)` and Podman's generator, whose rules are not
//! those of systemd: another syntax ([`mod@file`]), other drop-ins ([`search`]), and
//! an order of its own in the generated service ([`container`]). What differs
//! between versions of Podman is in [`Generator`].

pub mod command;
pub mod container;
pub mod file;
pub mod resource;
pub mod search;

mod groups;
mod image;
mod keys;
mod mappings;
mod mounts;
mod options;
mod services;
mod values;

use crate::podman::Version;

pub use file::{QuadletError, QuadletFile};
pub use groups::Generated;

/// The behaviour of Podman's generator, named after the release that has it.
///
/// These two were compared with the generators themselves; a release between
/// them is taken for the newer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Generator {
    /// Podman 5.4 and before.
    V5_4,
    /// Podman 5.5 and later, as of 5.8.
    V5_8,
}

impl Generator {
    /// The newest that podseal knows.
    pub const NEWEST: Self = Self::V5_8;

    /// The behaviour of this version's generator.
    #[must_use]
    pub fn of(version: Version) -> Self {
        if version < Version::new(5, 5, 0) {
            Self::V5_4
        } else {
            Self::V5_8
        }
    }
}
