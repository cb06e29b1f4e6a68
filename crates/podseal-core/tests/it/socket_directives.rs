use std::collections::BTreeMap;

use podseal_core::socket_address::SocketKind;
use podseal_core::unit::effective::Scope;
use podseal_core::unit::effective::merge::{Merged, Source};
use podseal_core::unit::effective::socket::{BindIpv6Only, Listen, Socket, SocketProtocol};
use podseal_core::unit::file::UnitFile;
use podseal_core::unit::specifier::Specifiers;
use podseal_core::unit::time_span::TimeSpan;

use crate::table::{check_rows, json_text, same};

/// The units that were probed, where their names show in a row.
const PROBED_UNITS: &[&str] = &["ls038", "ls042", "ls086", "ls090"];

/// Values that systemd 252, which was probed, reads otherwise than 262: a word
/// for every context, and any port.
const NEWER: &[&str] = &["vsock:any:1234", "vsock:2:4294967295"];

fn socket(unit: &str, lines: &str) -> Socket {
    let unit = unit.parse().expect("valid name");
    // %l is the short host name: known on a host, and no interface.
    let host = BTreeMap::from([('l', "host".to_owned())]);
    let specifiers = Specifiers {
        unit: &unit,
        fragment: None,
        host: &host,
    };
    let source = Source {
        path: "f".to_owned(),
        file: UnitFile::parse(format!("[Socket]\n{lines}\n")),
    };
    Socket::new(
        Merged::new(&source, &[], &specifiers),
        &specifiers,
        Scope::User,
    )
}

fn shown_listen(socket: &Socket) -> String {
    socket
        .listen
        .iter()
        .map(|listen| match &listen.value {
            Listen::Socket { kind, address, .. } => {
                let kind = match kind {
                    SocketKind::Stream => "Stream",
                    SocketKind::Datagram => "Datagram",
                    SocketKind::SequentialPacket => "SequentialPacket",
                };
                format!("{address} ({kind});")
            }
            Listen::Netlink { address } => format!("{address} (Netlink);"),
            Listen::Path { key, path } => format!("{path} ({key});"),
        })
        .collect()
}

/// The value as `systemctl show` prints it.
fn shown(socket: &Socket, directive: &str) -> Result<String, String> {
    Ok(match directive {
        d if d.starts_with("Listen") => return Ok(shown_listen(socket)),
        "SocketMode" => socket.socket_mode.clone(),
        "Backlog" => socket.backlog.to_string(),
        "BindIPv6Only" => match socket.bind_ipv6_only {
            BindIpv6Only::Default => "default",
            BindIpv6Only::Both => "both",
            BindIpv6Only::Ipv6Only => "ipv6-only",
        }
        .to_owned(),
        "FileDescriptorName" => socket.file_descriptor_name.clone(),
        "TriggerLimitBurst" => socket
            .trigger_limit_burst
            .map_or_else(String::new, |burst| burst.to_string()),
        "Service" => socket.service.to_string(),
        "SocketProtocol" => match socket.socket_protocol {
            Some(SocketProtocol::UdpLite) => "136".to_owned(),
            Some(SocketProtocol::Sctp) => "132".to_owned(),
            Some(SocketProtocol::Mptcp) => "262".to_owned(),
            None => "0".to_owned(),
        },
        "BindToDevice" => socket.bind_to_device.clone().unwrap_or_default(),
        "NoDelay" => if socket.no_delay { "yes" } else { "no" }.to_owned(),
        "TimeoutSec" => match socket.timeout_sec {
            Some(TimeSpan::Infinity) => "infinity".to_owned(),
            other => format!("{other:?}"),
        },
        other => return Err(format!("unknown directive {other}")),
    } + ";")
}

#[test]
fn socket_directives_observed() {
    let table = include_str!("../conformance/socket-directives-observed.tsv");
    check_rows(table, |row| {
        let [directive, value, load_state, expected] = row else {
            return Err("not four columns".to_owned());
        };
        // Read as later versions do.
        if NEWER.contains(&json_text(value).as_str()) {
            return Ok(());
        }
        let unit = PROBED_UNITS
            .iter()
            .find(|unit| expected.contains(**unit))
            .unwrap_or(&"probe");
        let mut lines = format!("{directive}={}", json_text(value));
        if !directive.starts_with("Listen") {
            lines.push_str("\nListenStream=1");
        }
        let socket = socket(&format!("{unit}.socket"), &lines);
        same(&socket.loads, &(*load_state == "loaded"))?;
        let found = shown(&socket, directive)?;
        same(found.as_str(), expected)
    });
}

#[test]
fn vsock_as_later_versions_read_it() {
    let any = socket("a.socket", "ListenStream=vsock:any:1234");
    assert_eq!(shown_listen(&any), "vsock::1234 (Stream);");
    assert!(any.loads);
    assert_eq!(any.diagnostics.len(), 1, "{:?}", any.diagnostics);
    assert!(any.diagnostics[0].message.contains("257 and older"));
    let port = socket("a.socket", "ListenStream=vsock:2:4294967295");
    assert!(!port.loads);
}
