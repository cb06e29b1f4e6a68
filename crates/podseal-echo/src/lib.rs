//! The demo echo server.
#![forbid(unsafe_code)]
