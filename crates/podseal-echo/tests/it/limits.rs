//! Many sockets, many connections, and what happens past the limits.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::thread;
use std::time::{Duration, Instant};

use podseal_echo::Options;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::child::Server;
use crate::fixture::{
    Echo, bounded, expect_bytes, expect_echo, pattern, tcp_client, tcp_listener, unix_client,
};

/// Takes as many descriptors as this process may have.
fn raise_descriptors() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, limit).unwrap();
}

#[test]
fn many_sockets_of_all_kinds_at_once() {
    raise_descriptors();
    let directory = tempfile::tempdir().unwrap();
    let path = |kind: &str, index| directory.path().join(format!("{kind}-{index}"));
    let many = 0..25;
    let tcp: Vec<_> = many.clone().map(|_| tcp_listener()).collect();
    let udp: Vec<_> = many
        .clone()
        .map(|_| bounded(UdpSocket::bind("127.0.0.1:0").unwrap()))
        .collect();
    let mut sockets: Vec<OwnedFd> = Vec::new();
    for index in many.clone() {
        sockets.push(tcp[index].try_clone().unwrap().into());
        sockets.push(udp[index].try_clone().unwrap().into());
        sockets.push(UnixListener::bind(path("stream", index)).unwrap().into());
        sockets.push(UnixDatagram::bind(path("dgram", index)).unwrap().into());
    }
    let echo = Echo::start(sockets);

    for index in many {
        expect_echo(tcp_client(&tcp[index]), b"tcp");
        expect_echo(unix_client(&path("stream", index)), b"unix");
        let client = bounded(UdpSocket::bind("127.0.0.1:0").unwrap());
        client
            .send_to(b"udp", udp[index].local_addr().unwrap())
            .unwrap();
        assert_eq!(client.recv(&mut [0; 16]).unwrap(), 3);
        let client = bounded(UnixDatagram::bind(path("client", index)).unwrap());
        client.send_to(b"dgram", path("dgram", index)).unwrap();
        assert_eq!(client.recv(&mut [0; 16]).unwrap(), 5);
    }
    let served = echo.finish();
    assert_eq!((served.connections, served.datagrams), (50, 50));
}

#[test]
fn a_thousand_connections_at_once() {
    raise_descriptors();
    let listener = tcp_listener();
    let echo = Echo::start([listener.try_clone().unwrap()]);
    let clients: Vec<TcpStream> = (0..1000).map(|_| tcp_client(&listener)).collect();
    for round in 0..2u8 {
        for (index, mut client) in clients.iter().enumerate() {
            client
                .write_all(format!("{round}/{index}").as_bytes())
                .unwrap();
        }
        for (index, mut client) in clients.iter().enumerate() {
            expect_bytes(&mut client, format!("{round}/{index}").as_bytes());
        }
    }
    assert_eq!(echo.finish().connections, 1000);
}

#[test]
fn connections_past_the_limit_wait_for_their_turn() {
    let listener = tcp_listener();
    let options = Options {
        max_connections: 2,
        ..Options::default()
    };
    let echo = Echo::with(&options, [listener.try_clone().unwrap()]);
    let [first, second, mut third] = [(); 3].map(|()| tcp_client(&listener));
    third.write_all(b"my turn").unwrap();
    for _ in 0..10 {
        expect_echo(&first, b"first");
        expect_echo(&second, b"second");
    }
    third.set_nonblocking(true).unwrap();
    let refused = third.read(&mut [0]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::WouldBlock);
    third.set_nonblocking(false).unwrap();
    drop(first);
    expect_bytes(&mut third, b"my turn");
    assert_eq!(echo.finish().connections, 3);
}

#[test]
fn without_descriptors_accepting_waits_and_does_not_spin() {
    let listener = tcp_listener();
    let server = Server::with_descriptors(listener.try_clone().unwrap(), 12);
    let clients: Vec<_> = (0u8..30)
        .map(|index| {
            let mut client = tcp_client(&listener);
            client.write_all(&[index]).unwrap();
            client
        })
        .collect();
    let mut clients = clients.into_iter().zip(0u8..);
    let (mut first, index) = clients.next().unwrap();
    expect_bytes(&mut first, &[index]);
    // Now it is full. A time to look at, not to wait for something.
    let (ticks, start) = (server.ticks(), Instant::now());
    thread::sleep(Duration::from_millis(500));
    let (used, passed) = (server.ticks() - ticks, start.elapsed());
    assert!(used <= 10, "{used} ticks of processor time in {passed:?}");
    drop(first);
    for (mut client, index) in clients {
        expect_bytes(&mut client, &[index]);
    }
    assert!(server.finish().success());
}

#[test]
fn clients_that_do_not_read_cost_little_memory() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let server = Server::start(UnixListener::bind(&path).unwrap(), &[]);
    expect_echo(unix_client(&path), b"hello");
    let before = server.resident();
    let bytes = pattern(64 * 1024);
    let clients = [(); 100].map(|()| {
        let mut client = unix_client(&path);
        client
            .set_write_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        while client.write(&bytes).is_ok() {}
        client
    });
    let after = server.resident();
    // 16 KiB each, and as much again for the allocator.
    assert!(after < before + 3200, "{before} KiB, then {after} KiB");
    drop(clients);
    assert!(server.finish().success());
}
