//! Datagrams.

use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use podseal_echo::Served;

use crate::fixture::{Echo, bounded, expect_echo, pattern, tcp_client, tcp_listener};

fn udp_client(server: &UdpSocket) -> UdpSocket {
    let address = server.local_addr().unwrap();
    let client = UdpSocket::bind((address.ip(), 0)).unwrap();
    client.connect(address).unwrap();
    bounded(client)
}

fn unix_client(directory: &Path, name: &str) -> UnixDatagram {
    let client = UnixDatagram::bind(directory.join(name)).unwrap();
    client.connect(directory.join("server")).unwrap();
    bounded(client)
}

/// Sends both before reading either.
macro_rules! expect_own_answers {
    ($one:expr, $two:expr) => {
        let mut buffer = [0; 16];
        for _ in 0..3 {
            assert_eq!($one.send(b"from one").unwrap(), 8);
            assert_eq!($two.send(b"from two").unwrap(), 8);
            for (client, expected) in [(&$one, b"from one"), (&$two, b"from two")] {
                let length = client.recv(&mut buffer).unwrap();
                assert_eq!(&buffer[..length], expected);
            }
        }
    };
}

#[test]
fn udp_senders_get_their_own_answers() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let server = UdpSocket::bind(address).unwrap();
        let echo = Echo::start([server.try_clone().unwrap()]);
        let (one, two) = (udp_client(&server), udp_client(&server));
        expect_own_answers!(one, two);

        // The longest there is over IPv4, and an empty one.
        for sent in [pattern(65_507), Vec::new()] {
            one.send(&sent).unwrap();
            let mut back = vec![0; 65_508];
            let length = one.recv(&mut back).unwrap();
            assert!(back[..length] == sent);
        }
        let expected = Served {
            datagrams: 8,
            ..Served::default()
        };
        assert_eq!(echo.finish(), expected);
    }
}

#[test]
fn unix_senders_get_their_own_answers() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let echo = Echo::start([UnixDatagram::bind(directory.join("server")).unwrap()]);
    let (one, two) = (unix_client(directory, "one"), unix_client(directory, "two"));
    expect_own_answers!(one, two);

    // Nobody to answer to, then one that is longer than what is echoed.
    let nameless = UnixDatagram::unbound().unwrap();
    nameless.connect(directory.join("server")).unwrap();
    nameless.send(b"hello").unwrap();
    one.send(&pattern(64 * 1024 + 1)).unwrap();
    let longest = pattern(64 * 1024);
    one.send(&longest).unwrap();
    let mut back = vec![0; longest.len() + 1];
    let length = one.recv(&mut back).unwrap();
    assert!(back[..length] == longest);
    let expected = Served {
        datagrams: 7,
        dropped: 2,
        ..Served::default()
    };
    assert_eq!(echo.finish(), expected);
}

/// More than any queue holds.
const FLOOD: usize = 2000;

#[test]
fn a_sender_that_does_not_read_loses_its_own_answers_only() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let echo = Echo::start([UnixDatagram::bind(directory.join("server")).unwrap()]);
    let deaf = bounded(UnixDatagram::bind(directory.join("deaf")).unwrap());
    for _ in 0..FLOOD {
        deaf.send_to(b"hello", directory.join("server")).unwrap();
    }
    let other = unix_client(directory, "other");
    other.send(b"hello").unwrap();
    assert_eq!(other.recv(&mut [0; 16]).unwrap(), 5);
    let served = echo.finish();
    assert_eq!(served.datagrams + served.dropped, 2001);
    assert!(served.dropped > 0, "queues have no end here");
}

#[test]
fn a_connected_sender_that_does_not_read_harms_one_socket_and_while_it_lives() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let elsewhere = UdpSocket::bind("127.0.0.1:0").unwrap();
    let _echo = Echo::start([
        OwnedFd::from(UnixDatagram::bind(directory.join("server")).unwrap()),
        elsewhere.try_clone().unwrap().into(),
    ]);
    let deaf = unix_client(directory, "deaf");
    for _ in 0..FLOOD {
        deaf.send(b"hello").unwrap();
    }
    let other = udp_client(&elsewhere);
    other.send(b"hello").unwrap();
    assert_eq!(other.recv(&mut [0; 16]).unwrap(), 5);

    drop(deaf);
    let other = unix_client(directory, "other");
    other.send(b"hello").unwrap();
    assert_eq!(other.recv(&mut [0; 16]).unwrap(), 5);
}

#[test]
fn the_other_end_of_a_pair_is_answered() {
    let (client, server) = UnixDatagram::pair().unwrap();
    let _echo = Echo::start([server]);
    let client = bounded(client);
    client.send(b"hello").unwrap();
    assert_eq!(client.recv(&mut [0; 16]).unwrap(), 5);
}

#[test]
fn a_sender_that_is_gone_does_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let unix = UnixDatagram::bind(directory.join("server")).unwrap();
    let listener = tcp_listener();
    let gone = unix_client(directory, "gone");
    gone.send(b"hello").unwrap();
    drop(gone);
    udp_client(&udp).send(b"hello").unwrap();
    let echo = Echo::start([
        OwnedFd::from(udp.try_clone().unwrap()),
        unix.into(),
        listener.try_clone().unwrap().into(),
    ]);
    let other = udp_client(&udp);
    other.send(b"hello").unwrap();
    assert_eq!(other.recv(&mut [0; 16]).unwrap(), 5);
    expect_echo(tcp_client(&listener), b"hello");
    assert_eq!(echo.finish().dropped, 1);
}
