//! How services are: what systemd, a running `podseal run` and the living
//! processes say of them.
//!
//! What that means is decided in [`podseal_core::status`].

mod containers;
pub mod runs;
pub mod systemd;

pub(crate) use containers::name_containers;
