//! podseal on real systemd with real rootless Podman, in a machine of
//! `cargo xtask lab`, which `cargo xtask lab test` brings up for them.
//!
//! Without a machine they are skipped visibly, and fail where
//! `PODSEAL_TEST_REQUIRE=all`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod differential;
mod facts;
mod faults;
mod health;
mod machine;
mod pages;
mod probes;
mod recipe;
mod run_as;
mod status;
mod up;
mod verify;
mod verify_run_as;
mod web;
