//! Connections.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::thread;
use std::time::Duration;

use podseal_echo::{Options, Served, serve};
use rustix::net::sockopt::set_socket_linger;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, bind, connect,
    listen, recv, send, shutdown, socket_with,
};

use crate::fixture::{
    BOUND, Echo, bounded, expect_bytes, expect_echo, named, pattern, tcp_client, tcp_listener,
    unix_client,
};

#[test]
fn tcp_over_ipv4() {
    let listener = tcp_listener();
    let echo = Echo::start([listener.try_clone().unwrap()]);
    let client = tcp_client(&listener);
    expect_echo(&client, b"hello");
    expect_echo(&client, b"again");
    assert_eq!(echo.finish().connections, 1);
}

#[test]
fn tcp_over_ipv6() {
    let listener = TcpListener::bind("[::1]:0").unwrap();
    let _echo = Echo::start([listener.try_clone().unwrap()]);
    expect_echo(tcp_client(&listener), b"hello");
}

#[test]
fn unix_by_path_and_by_abstract_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let name = SocketAddr::from_abstract_name(path.as_os_str().as_encoded_bytes()).unwrap();
    let _echo = Echo::start([
        UnixListener::bind(&path).unwrap(),
        UnixListener::bind_addr(&name).unwrap(),
    ]);
    expect_echo(unix_client(&path), b"hello");
    expect_echo(bounded(&UnixStream::connect_addr(&name).unwrap()), b"hello");
}

#[test]
fn connections_that_were_handed_over_are_served_to_their_end() {
    let listener = tcp_listener();
    let tcp = tcp_client(&listener);
    let (unix, far_unix) = UnixStream::pair().unwrap();
    let far_ends = [OwnedFd::from(listener.accept().unwrap().0), far_unix.into()];
    // Nothing can stop it but the end of both.
    let echo = thread::spawn(|| serve(named(far_ends), &Options::default(), None));
    expect_echo(&tcp, b"hello");
    expect_echo(bounded(&unix), b"hello");
    drop((tcp, unix));
    let served = echo.join().unwrap().unwrap();
    assert_eq!(served.connections, 2);
}

#[test]
fn seqpacket_keeps_messages_apart() {
    let directory = tempfile::tempdir().unwrap();
    let address = SocketAddrUnix::new(directory.path().join("socket")).unwrap();
    let seqpacket = || {
        let kind = SocketType::SEQPACKET;
        socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap()
    };
    let listener = seqpacket();
    bind(&listener, &address).unwrap();
    listen(&listener, 8).unwrap();
    let _echo = Echo::start([listener]);

    let client = bounded(seqpacket());
    connect(&client, &address).unwrap();
    let longest = pattern(64 * 1024);
    let messages = [&b"one"[..], b"", b"three", &longest];
    for message in messages {
        send(&client, message, SendFlags::empty()).unwrap();
    }
    shutdown(&client, rustix::net::Shutdown::Write).unwrap();
    let mut buffer = vec![0; longest.len() + 1];
    for message in messages {
        let (length, _) = recv(&client, &mut buffer, RecvFlags::empty()).unwrap();
        assert!(&buffer[..length] == message, "{length}");
    }
    let end = recv(&client, &mut buffer, RecvFlags::empty()).unwrap();
    assert_eq!(end.0, 0);
}

#[test]
fn a_half_closed_client_gets_all_before_the_end() {
    let listener = tcp_listener();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let unix = UnixListener::bind(&path).unwrap();
    let _echo = Echo::start([OwnedFd::from(listener.try_clone().unwrap()), unix.into()]);
    // More than any queue on the way holds, so that the server meets the end
    // of the stream with answers still to be sent.
    let sent = pattern(3 * 1024 * 1024);

    let client = tcp_client(&listener);
    let (mut reader, mut writer) = (&client, &client);
    let received = thread::scope(|scope| {
        scope.spawn(|| {
            writer.write_all(&sent).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut received = Vec::new();
        reader.read_to_end(&mut received).unwrap();
        received
    });
    assert!(received == sent);

    let client = unix_client(&path);
    let (mut reader, mut writer) = (&client, &client);
    writer.write_all(b"last words").unwrap();
    writer.shutdown(Shutdown::Write).unwrap();
    let mut received = String::new();
    reader.read_to_string(&mut received).unwrap();
    assert_eq!(received, "last words");
}

/// Writes without reading until nothing more is taken, for the server has
/// stopped reading; gives how much that was.
fn fill(mut client: &TcpStream, bytes: &[u8]) -> usize {
    client
        .set_write_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let mut written = 0;
    loop {
        match client.write(&bytes[written..]) {
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    client.set_write_timeout(Some(BOUND)).unwrap();
    written
}

#[test]
fn a_slow_reader_holds_up_nobody_and_loses_nothing() {
    let listener = tcp_listener();
    let _echo = Echo::start([listener.try_clone().unwrap()]);
    let slow = tcp_client(&listener);
    let other = tcp_client(&listener);
    let sent = pattern(64 * 1024 * 1024);
    let written = fill(&slow, &sent);
    assert!(written < sent.len(), "the server reads on without limit");

    expect_echo(&other, b"not held up");

    let total = sent.len().min(written + 8 * 1024 * 1024);
    let (mut reader, mut writer) = (&slow, &slow);
    thread::scope(|scope| {
        scope.spawn(|| writer.write_all(&sent[written..total]).unwrap());
        for part in sent[..total].chunks(1000) {
            expect_bytes(&mut reader, part);
        }
    });
    expect_echo(&other, b"still there");
}

#[test]
fn a_reset_ends_one_connection_only() {
    let listener = tcp_listener();
    let echo = Echo::start([listener.try_clone().unwrap()]);
    let other = tcp_client(&listener);
    expect_echo(&other, b"before");

    let idle = tcp_client(&listener);
    expect_echo(&idle, b"hello");
    let stuck = tcp_client(&listener);
    fill(&stuck, &pattern(64 * 1024 * 1024));
    for client in [idle, stuck] {
        // A close that sends RST instead of FIN.
        set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
        drop(client);
        expect_echo(&other, b"after");
    }
    assert_eq!(echo.finish().connections, 3);
}

#[test]
fn clients_that_leave_before_they_are_accepted_do_no_harm() {
    let listener = tcp_listener();
    for _ in 0..10 {
        let client = tcp_client(&listener);
        set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
    }
    let echo = Echo::start([listener.try_clone().unwrap()]);
    expect_echo(tcp_client(&listener), b"hello");
    let Served { connections, .. } = echo.finish();
    assert!((1..=11).contains(&connections), "{connections}");
}
