//! Tables of what systemd does, one test case a row.
//!
//! The `*-observed` tables were read off a running `systemd --user` (252), the
//! others are facts from systemd's own unit tests.
#![expect(clippy::expect_used, reason = "a test that cannot go on should fail")]

mod dropins;
mod exec;
mod families;
mod names;
mod rules;
mod socket_address;
mod socket_directives;
mod specifiers;
mod table;
mod time_span;
mod words;
