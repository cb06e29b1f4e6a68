//! What the service manager is told.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use podseal_echo::{Options, Served};

use crate::child::Server;
use crate::fixture::{Echo, bounded, expect_echo, tcp_client, tcp_listener};

fn expect_message(manager: &UnixDatagram, message: &str) {
    let mut buffer = [0; 256];
    let length = manager.recv(&mut buffer).unwrap();
    assert_eq!(str::from_utf8(&buffer[..length]), Ok(message));
}

fn expect_start_and_end(manager: &UnixDatagram, address: &str) {
    let listener = tcp_listener();
    let server = Server::start(listener.try_clone().unwrap(), &[("NOTIFY_SOCKET", address)]);
    expect_message(manager, "READY=1\nSTATUS=Echoing on 1 socket");
    expect_echo(tcp_client(&listener), b"hello");
    assert!(server.finish().success());
    expect_message(manager, "STOPPING=1");
}

#[test]
fn start_and_end_are_told_at_a_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let manager = bounded(UnixDatagram::bind(&path).unwrap());
    expect_start_and_end(&manager, path.to_str().unwrap());
}

#[test]
fn start_and_end_are_told_at_an_abstract_name() {
    let name = format!("podseal-echo-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let manager = bounded(UnixDatagram::bind_addr(&address).unwrap());
    expect_start_and_end(&manager, &format!("@{name}"));
}

#[test]
fn a_manager_that_is_not_there_is_an_error() {
    let server = Server::start(tcp_listener(), &[("NOTIFY_SOCKET", "/nonexistent/notify")]);
    assert!(!server.finish().success());
}

#[test]
fn a_slow_start_serves_later_and_can_be_stopped() {
    let listener = tcp_listener();
    let start_sleep = Duration::from_millis(50);
    let options = Options {
        start_sleep,
        ..Options::default()
    };
    let start = Instant::now();
    let echo = Echo::with(&options, [listener.try_clone().unwrap()]);
    expect_echo(tcp_client(&listener), b"hello");
    assert!(start.elapsed() >= start_sleep);
    assert_eq!(echo.finish().connections, 1);

    let options = Options {
        start_sleep: Duration::MAX,
        ..Options::default()
    };
    let echo = Echo::with(&options, [listener]);
    assert_eq!(echo.finish(), Served::default());
}
