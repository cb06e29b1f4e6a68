//! The echo server from outside: real sockets, loopback only.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod child;
mod datagram;
mod fixture;
mod limits;
mod notify;
mod refuse;
mod stream;
mod vsock;
