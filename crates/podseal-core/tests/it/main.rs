//! Tables of what systemd does, one test case a row.
//!
//! The `*-observed` tables were read off a running `systemd --user` (252), the
//! others are facts from systemd's own unit tests.

mod socket_address;
mod table;
