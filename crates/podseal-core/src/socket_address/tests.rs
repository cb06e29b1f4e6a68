use super::*;

#[test]
fn canonical_forms() {
    let long = format!("@{}", "a".repeat(106));
    let cases = [
        ("8080", "[::]:8080"),
        ("+8080", "[::]:8080"),
        ("0x50", "[::]:80"),
        ("127.0.0.1:80", "127.0.0.1:80"),
        ("127.0.0.1:80%lo", "127.0.0.1:80"),
        (
            "[2001:0db8:0000:85a3:0000:0000:ac1f:8001]:8888",
            "[2001:db8:0:85a3::ac1f:8001]:8888",
        ),
        ("[::ffff:127.0.0.1]:8080", "[::ffff:127.0.0.1]:8080"),
        ("[::102:304]:80", "[::1.2.3.4]:80"),
        ("[fe80::1]:80%lo", "[fe80::1]:80%lo"),
        ("[fe80::1]:80%2", "[fe80::1]:80%2"),
        ("/run//a/../b.sock", "/run//a/../b.sock"),
        ("@abs b", "@abs b"),
        (&long, &long),
        ("vsock::1234", "vsock::1234"),
        ("vsock:4294967295:3000", "vsock::3000"),
        ("vsock:any:3000", "vsock::3000"),
        ("vsock-stream:-1:3000", "vsock-stream::3000"),
        ("vsock:2:4294967294", "vsock:2:4294967294"),
        ("vsock:2:0", "vsock:2:0"),
        ("vsock:host:1", "vsock:2:1"),
        ("vsock-seqpacket:2:1", "vsock-seqpacket:2:1"),
    ];
    for (input, canonical) in cases {
        let parsed: SocketAddress = input.parse().expect(input);
        assert_eq!(parsed.to_string(), canonical, "{input}");
        assert_eq!(canonical.parse(), Ok(parsed), "{input}");
    }
}

#[test]
fn refused_with_a_reason() {
    let long = format!("/{}", "a".repeat(107));
    let cases = [
        ("", "\"\" is not a socket address"),
        ("0", "\"0\" in \"0\" is not a port number"),
        ("65536", "port \"65536\" in \"65536\" is out of range"),
        ("-1", "port \"-1\" in \"-1\" is out of range"),
        ("localhost:80", "\"localhost:80\" is not a socket address"),
        ("127.1:80", "\"127.1:80\" is not a socket address"),
        ("127.0.0.1", "\"127.0.0.1\" has no port"),
        ("::1", "\"::1\" has no port"),
        ("[::1]", "\"[::1]\" has no port"),
        ("[::1]:", "\"\" in \"[::1]:\" is not a port number"),
        ("[x]:1", "\"x\" in \"[x]:1\" is not an IPv6 address"),
        (
            "[::1]:80%",
            "\"\" in \"[::1]:80%\" is not an interface name",
        ),
        (
            "[::1]:80%all",
            "\"all\" in \"[::1]:80%all\" is not an interface name",
        ),
        (
            "[::1]:80%0",
            "\"0\" in \"[::1]:80%0\" is not an interface name",
        ),
        ("/", "socket name \"/\" is empty"),
        ("@", "socket name \"@\" is empty"),
        (
            "vsock:ANY:1",
            "\"ANY\" in \"vsock:ANY:1\" is not a vsock number",
        ),
        (
            "vsock:2:any",
            "\"any\" in \"vsock:2:any\" is not a vsock number",
        ),
        (
            "vsock:2:4294967295",
            "\"4294967295\" in \"vsock:2:4294967295\" is not a vsock number",
        ),
        ("vsock:2", "\"vsock:2\" has no port"),
        ("unix:/run/a", "\"unix:/run/a\" is not a socket address"),
        (
            "127.0.0.1:80#name",
            "\"80#name\" in \"127.0.0.1:80#name\" is not a port number",
        ),
    ];
    for (input, message) in cases {
        let error = input.parse::<SocketAddress>().expect_err(input);
        assert_eq!(error.to_string(), message);
        assert!(!error.hint().is_empty());
    }
    let error = long.parse::<SocketAddress>().expect_err("too long");
    assert!(
        error
            .to_string()
            .ends_with("is 108 bytes long, 107 are the most")
    );
}

#[test]
fn kinds() {
    let supports = |address: &str, kind| {
        address
            .parse::<SocketAddress>()
            .expect(address)
            .supports(kind)
    };
    assert!(supports("8080", SocketKind::Datagram));
    assert!(!supports("8080", SocketKind::SequentialPacket));
    assert!(supports("/a", SocketKind::SequentialPacket));
    assert!(supports("vsock:2:1", SocketKind::Datagram));
    // The kind that is named does not count (systemd 257, observed).
    assert!(supports("vsock-stream:2:1", SocketKind::Datagram));
}
