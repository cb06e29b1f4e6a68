//! Tables of what systemd does, one test case a row.
//!
//! The `*-observed` tables were read off a running `systemd --user` (252), the
//! others are facts from systemd's own unit tests.
#![expect(clippy::expect_used, reason = "a test that cannot go on should fail")]

mod exec;
mod names;
mod socket_address;
mod specifiers;
mod table;
mod time_span;
mod words;
