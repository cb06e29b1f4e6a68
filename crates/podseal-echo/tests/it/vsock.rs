//! vsock streams.

use std::env;
use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, listen, socket_with};

use crate::fixture::Echo;

/// Connects to the port of its standard input at CID 1, the own machine. Python,
/// because nothing safe in Rust makes a vsock address.
const CLIENT: &str = r#"
import socket, sys
port = socket.socket(fileno=0).getsockname()[1]
client = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
client.settimeout(3)
try:
    client.connect((1, port))
except OSError as error:
    sys.exit(f"connecting to CID 1: {error}")
client.settimeout(20)
client.sendall(b"hello")
client.shutdown(socket.SHUT_WR)
while data := client.recv(100):
    sys.stdout.buffer.write(data)
"#;

/// Says on standard error, past the test harness, that this was not tested.
fn skip(lacking: &str) {
    let line = format!("SKIPPED: vsock streams: {lacking}\n");
    io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Skips, unless everything is required to be tested.
fn lacking_here(lacking: &str) {
    let required = env::var("PODSEAL_TEST_REQUIRE").is_ok_and(|required| required == "all");
    assert!(!required, "vsock streams are not tested: {lacking}");
    skip(lacking);
}

#[test]
fn vsock_streams() {
    let (family, kind) = (AddressFamily::VSOCK, SocketType::STREAM);
    let listener = match socket_with(family, kind, SocketFlags::CLOEXEC, None) {
        Err(Errno::AFNOSUPPORT) => return skip("this kernel has no AF_VSOCK"),
        Err(errno) => return lacking_here(&format!("no AF_VSOCK socket: {errno}")),
        Ok(listener) => listener,
    };
    // A new socket's address is any CID and any port.
    bind(&listener, &getsockname(&listener).unwrap()).unwrap();
    listen(&listener, 8).unwrap();
    let echo = Echo::start([listener.try_clone().unwrap()]);

    let client = Command::new("python3")
        .args(["-c", CLIENT])
        .stdin(Stdio::from(listener))
        .output();
    let client = match client {
        Err(error) => return lacking_here(&format!("no python3: {error}")),
        Ok(client) => client,
    };
    let complaint = String::from_utf8_lossy(&client.stderr);
    if complaint.starts_with("connecting to CID 1") {
        // The kernel itself answers a connection to a listener.
        return skip(&format!("no vsock_loopback in this kernel: {complaint}"));
    }
    assert!(client.status.success(), "{complaint}");
    assert_eq!(client.stdout, b"hello");
    assert_eq!(echo.finish().connections, 1);
}
