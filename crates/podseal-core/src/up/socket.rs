//! `NAME.socket`, systemd.socket(5).

use super::Wanted;
use super::value::{Unwritable, line};
use crate::listen::Listen;
use crate::socket_address::{SocketAddress, SocketKind};
use crate::unit::quote::without_specifiers;

/// The sockets of one unit: those of one name, which a unit has only one of.
pub(super) struct Group<'a> {
    /// The unit's name.
    pub(super) unit: String,
    name: Option<&'a str>,
    listen: Vec<&'a Listen>,
}

/// The socket units, in the order in which their names were first given.
pub(super) fn groups(wanted: &Wanted) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for socket in &wanted.sockets {
        let name = socket.name.as_deref();
        if let Some(group) = groups.iter_mut().find(|group| group.name == name) {
            group.listen.push(&socket.listen);
            continue;
        }
        let own = &wanted.name;
        let unit = match name {
            Some(name) if !groups.is_empty() => format!("{own}-{name}.socket"),
            _ => format!("{own}.socket"),
        };
        groups.push(Group {
            unit,
            name,
            listen: vec![&socket.listen],
        });
    }
    groups
}

pub(super) fn body(wanted: &Wanted, group: &Group<'_>) -> Result<String, Unwritable> {
    let name = &wanted.name;
    let mut text = match group.name {
        Some(socket) => {
            let socket = line("--fdname", socket)?;
            format!("[Unit]\nDescription=Socket {socket} of {name}\n\n[Socket]\n")
        }
        None => format!("[Unit]\nDescription=Sockets of {name}\n\n[Socket]\n"),
    };
    for listen in &group.listen {
        let key = match listen.kind {
            SocketKind::Stream => "ListenStream",
            SocketKind::Datagram => "ListenDatagram",
            SocketKind::SequentialPacket => "ListenSequentialPacket",
        };
        let address = line("--listen", &address(&listen.address))?;
        text.extend([key, "=", &address, "\n"]);
    }
    if let Some(name) = group.name {
        text.extend(["FileDescriptorName=", &line("--fdname", name)?, "\n"]);
    }
    let has_file = |listen: &&Listen| matches!(listen.address, SocketAddress::Unix { .. });
    let is_loopback = |listen: &&Listen| match &listen.address {
        SocketAddress::Inet { address, .. } => Some(address.is_loopback()),
        SocketAddress::Inet6 { address, .. } => Some(address.is_loopback()),
        _ => None,
    };
    let mut loopback = group.listen.iter().filter_map(is_loopback).peekable();
    if loopback.peek().is_some() && loopback.all(|is| is) {
        // It could be connected to another address by a service that is taken over.
        text.push_str("BindToDevice=lo\n");
    }
    if group.listen.iter().any(has_file) {
        text.push_str("RemoveOnStop=yes\n");
    }
    if group.unit != format!("{name}.socket") {
        let service = without_specifiers(name);
        text.extend(["Service=", &service, ".service\n"]);
    }
    text.push_str("\n[Install]\nWantedBy=sockets.target\n");
    Ok(text)
}

/// An address as people write it: a port alone is every address of the host,
/// and the same where the host has no IPv6.
fn address(address: &SocketAddress) -> String {
    match address {
        SocketAddress::Inet6 {
            address,
            port,
            interface: None,
        } if address.is_unspecified() => port.to_string(),
        other => other.to_string(),
    }
}
