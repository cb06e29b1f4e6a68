use std::collections::BTreeMap;

use super::*;
use crate::unit::effective::merge::Source;
use crate::unit::file::UnitFile;

fn socket_named(name: &str, lines: &str) -> Socket {
    let unit = name.parse().expect("valid");
    let host = BTreeMap::from([('t', "/run/user/1000".to_owned())]);
    let specifiers = Specifiers {
        unit: &unit,
        fragment: None,
        host: &host,
    };
    let source = Source {
        path: "f".to_owned(),
        file: UnitFile::parse(format!("[Socket]\n{lines}")),
    };
    let merged = Merged::new(&source, &[], &specifiers);
    Socket::new(merged, &specifiers, Scope::User)
}

fn socket(lines: &str) -> Socket {
    socket_named("a.socket", lines)
}

fn addresses(socket: &Socket) -> Vec<String> {
    socket
        .listen
        .iter()
        .map(|listen| match &listen.value {
            Listen::Socket { kind, address, .. } => format!("{kind:?} {address}"),
            Listen::Netlink { address } => format!("Netlink {address}"),
            Listen::Path { key, path } => format!("{key} {path}"),
        })
        .collect()
}

#[test]
fn addresses_keep_their_order_and_are_reset_together() {
    let socket = socket(
        "ListenStream=1\nListenDatagram=\nListenStream=%t/a.sock\nListenDatagram=127.0.0.1:2\n\
         ListenStream=[::1]:3%%lo\nListenFIFO=/f\nListenNetlink=kobject-uevent 1\nListenStream=@%n\n",
    );
    assert_eq!(
        addresses(&socket),
        [
            "Stream /run/user/1000/a.sock",
            "Datagram 127.0.0.1:2",
            "Stream [::1]:3%lo",
            "FIFO /f",
            "Netlink kobject-uevent 1",
            "Stream @a.socket",
        ]
    );
    assert!(socket.loads);
    assert_eq!(socket.listen[1].origin.line, 5);
}

#[test]
fn what_systemd_refuses() {
    let refused = [
        "",
        "ListenStream=1\nListenStream=\n",
        "ListenStream=localhost:1\n",
        "ListenStream=/a/../b\n",
        "ListenSequentialPacket=1\n",
        "Accept=yes\nListenDatagram=1\n",
        "Accept=yes\nListenStream=1\nService=b.service\n",
        "Accept=yes\nListenStream=1\nMaxConnections=0\n",
    ];
    for lines in refused {
        assert!(!socket(lines).loads, "{lines}");
    }
}

#[test]
fn services() {
    let service = |name: &str, lines: &str| {
        let socket = socket_named(name, &format!("ListenStream=1\n{lines}"));
        (socket.service.to_string(), socket.diagnostics.len())
    };
    assert_eq!(service("a.socket", ""), ("a.service".to_owned(), 0));
    assert_eq!(service("a@b.socket", ""), ("a@b.service".to_owned(), 0));
    assert_eq!(
        service("a.socket", "Accept=yes"),
        ("a@.service".to_owned(), 0)
    );
    assert_eq!(
        service("a.socket", "Service=%p-b.service"),
        ("a-b.service".to_owned(), 0)
    );
    for wrong in ["b.socket", "b", "b@.service", "%Z.service"] {
        let lines = format!("Service={wrong}");
        assert_eq!(
            service("a.socket", &lines),
            ("a.service".to_owned(), 1),
            "{wrong}"
        );
    }
}

#[test]
fn json_has_a_version_and_places() {
    let socket = socket("ListenStream=0x50\nBindToDevice=lo\n");
    let json = serde_json::to_value(&socket).expect("serializes");
    assert_eq!(json["version"], 1);
    assert_eq!(json["kind"], "socket");
    let listen = &json["listen"][0];
    assert_eq!(listen["type"], "socket");
    assert_eq!(listen["kind"], "stream");
    assert_eq!(listen["family"], "AF_INET6");
    assert_eq!(listen["address"], "[::]:80");
    assert_eq!(listen["origin"]["line"], 2);
    assert_eq!(json["service"], "a.service");
    assert_eq!(json["bind_to_device"], "lo");
    assert_eq!(json["origins"]["Socket.BindToDevice"][0]["line"], 3);
}

/// What the managers of systemd 257 and 262 were seen to make of these.
#[test]
fn values_in_other_words() {
    let cases = [
        ("ListenNetlink=16 2", "Netlink generic 2"),
        ("ListenNetlink=17", "Netlink 17 0"),
        ("ListenFIFO=/a//b/", "FIFO /a/b"),
        ("ListenMessageQueue=/a", "MessageQueue /a"),
    ];
    for (line, expected) in cases {
        assert_eq!(addresses(&socket(line)), [expected], "{line}");
    }
    assert_eq!(addresses(&socket("ListenFIFO=/a/../b")), [""; 0]);
    let one = |line: &str| socket(&format!("ListenStream=1\n{line}\n"));
    assert_eq!(
        one("SocketProtocol=SCTP").socket_protocol,
        Some(SocketProtocol::Sctp)
    );
    let interval = one("TriggerLimitIntervalSec=infinity").trigger_limit_interval_sec;
    assert_eq!(interval, None);
    assert_eq!(one("Accept=yes").file_descriptor_name, "connection");
    let accepting = one("Accept=yes\nFileDescriptorName=a");
    assert_eq!(accepting.file_descriptor_name, "a");
    let before = |socket: Socket| {
        let mut units = socket.dependencies.of("Before").iter();
        units.any(|dependency| dependency.unit.as_str() == "a.service")
    };
    assert!(before(one("")));
    assert!(!before(one("Accept=yes")));
}
