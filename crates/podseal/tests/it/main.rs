//! The program from outside: real processes, sockets, users and containers.
//!
//! What this host lacks is skipped visibly, and fails where
//! `PODSEAL_TEST_REQUIRE=all`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod account;
mod bad_input;
mod check;
mod compat;
mod container;
mod demo;
mod doctor;
mod enter;
mod explain;
mod fixture;
mod notifier;
mod old_kernels;
mod recipe;
mod schema;
mod seal;
mod show;
mod status;
mod supervisor;
mod talk;
mod units;
mod up;
mod verify;
mod weakened;
