//! What cannot be echoed on.

use std::fs::File;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::thread;

use podseal_echo::{Options, serve};
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, shutdown, socket_with};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::fixture::{expect_echo, named, tcp_client, tcp_listener};

fn socket(family: AddressFamily, kind: SocketType) -> OwnedFd {
    socket_with(family, kind, SocketFlags::CLOEXEC, None).unwrap()
}

#[test]
fn each_is_named_with_its_number() {
    let (fifo, _writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    for (fd, message) in [
        (
            OwnedFd::from(File::open("/dev/null").unwrap()),
            "inherited file descriptor <fd> (test-1) is not a socket",
        ),
        (
            fifo,
            "inherited file descriptor <fd> (test-1) is not a socket",
        ),
        (
            socket(AddressFamily::NETLINK, SocketType::RAW),
            "inherited socket <fd> (test-1) cannot be echoed on: family AF_NETLINK, type SOCK_RAW",
        ),
        (
            socket(AddressFamily::INET, SocketType::STREAM),
            "inherited socket <fd> (test-1) is neither listening nor connected",
        ),
        (
            socket(AddressFamily::UNIX, SocketType::SEQPACKET),
            "inherited socket <fd> (test-1) is neither listening nor connected",
        ),
    ] {
        let number = fd.as_raw_fd().to_string();
        let sockets = named([tcp_listener().into(), fd]);
        let error = serve(sockets, &Options::default(), None).unwrap_err();
        assert_eq!(error.to_string(), message.replace("<fd>", &number));
    }
}

#[test]
fn no_socket_at_all_is_an_error() {
    let error = serve(Vec::new(), &Options::default(), None).unwrap_err();
    assert_eq!(error.to_string(), "there is no socket to serve");
}

#[test]
fn a_listener_that_is_shut_down_ends_the_server() {
    let listener = tcp_listener();
    let sockets = named([listener.try_clone().unwrap()]);
    let echo = thread::spawn(move || serve(sockets, &Options::default(), None));
    expect_echo(tcp_client(&listener), b"hello");
    shutdown(&listener, Shutdown::Both).unwrap();
    let error = echo.join().unwrap().unwrap_err().to_string();
    assert!(
        error.ends_with("(test-0) takes no more connections"),
        "{error}"
    );
}
