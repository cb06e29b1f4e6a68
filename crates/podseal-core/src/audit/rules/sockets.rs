//! Socket units, and how they and their services find one another.

use crate::audit::Severity::{Error, Note, Warning};
use crate::audit::place::Place;
use crate::audit::rule::{Check, Example, Fault, Rule, when};
use crate::audit::subject::{Container, SocketUnit, Subject, depends};
use crate::socket_address::{SocketAddress, SocketKind};
use crate::unit::effective::Located;
use crate::unit::effective::socket::Listen;
use crate::unit::effective::view::View;
use crate::unit::name::UnitType;

const GOOD: Example = Example {
    unit: "web.socket",
    lines: "[Socket]\nListenStream=127.0.0.1:8080\nBindToDevice=lo\n",
};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "socket-without-service",
        severity: Warning,
        title: "a socket whose service is not there",
        why: "A socket unit starts the service of its own name, or that of Service=. Without it the socket cannot be started.",
        fix: "name the service as the socket is named, or set Service=",
        references: &["systemd.socket(5)"],
        bad: Example {
            unit: "web.socket",
            lines: "[Socket]\nService=wbe.service\n",
        },
        good: Example {
            unit: "web.socket",
            lines: "[Socket]\nService=web.service\n",
        },
        check: Check::Socket(without_service),
    },
    Rule {
        id: "service-without-its-socket",
        severity: Warning,
        title: "a service that can be started without its socket",
        why: "Without Requires= and After= on its socket, a service that is started directly comes up with no socket to serve: it has no other way to be reached.",
        fix: "add Requires= and After= with the socket to [Unit]",
        references: &["systemd.socket(5)", "systemd.unit(5)"],
        bad: Example {
            unit: "web.service",
            lines: "[Unit]\nRequires=podman-pause-process.service\nAfter=podman-pause-process.service\n",
        },
        good: Example {
            unit: "web.service",
            lines: "[Unit]\nRequires=web.socket\nAfter=web.socket\n",
        },
        check: Check::Container(without_its_socket),
    },
    Rule {
        id: "socket-name-mismatch",
        severity: Warning,
        title: "a socket that starts another service",
        why: "The service asks for a socket that, when traffic arrives, starts a unit of another name. The service is handed the socket only when it is already running.",
        fix: "set Service= in the socket unit, or give both the same name",
        references: &["systemd.socket(5)"],
        bad: Example {
            unit: "web.socket",
            lines: "[Socket]\nService=other.service\n",
        },
        good: Example {
            unit: "web.socket",
            lines: "[Socket]\nService=web.service\n",
        },
        check: Check::Container(name_mismatch),
    },
    Rule {
        id: "socket-not-sealable",
        severity: Error,
        title: "a socket that can be turned outward",
        why: "A UDP socket sends to any address without being connected first, and netlink, vsock, MPTCP and SCTP sockets reach what no rule of Landlock looks at. Whoever holds such a socket holds a way out.",
        fix: "listen on TCP or a UNIX socket; what speaks UDP needs another protection, such as a firewall",
        references: &["systemd.socket(5)", "udp(7)", "landlock(7)"],
        bad: Example {
            unit: "web.socket",
            lines: "[Socket]\nListenStream=127.0.0.1:8080\nListenDatagram=127.0.0.1:8080\n",
        },
        good: GOOD,
        check: Check::Socket(not_sealable),
    },
    Rule {
        id: "listen-wildcard",
        severity: Note,
        title: "a socket on every address of the host",
        why: "A port without an address, 0.0.0.0 and [::] are open to every network that the host is in. Behind a reverse proxy on the same host the loopback interface is enough.",
        fix: "listen on 127.0.0.1 or [::1], or on the one address that is meant",
        references: &["systemd.socket(5)"],
        bad: Example {
            unit: "web.socket",
            lines: "[Socket]\nListenStream=8080\nBindToDevice=\n",
        },
        good: GOOD,
        check: Check::Socket(wildcard),
    },
    Rule {
        id: "bind-to-device",
        severity: Note,
        title: "a loopback socket that can leave the loopback interface",
        why: "A TCP socket that was handed over can be disconnected and connected to another address, from the host's network and in spite of --network=none. BindToDevice=lo keeps it on the loopback interface, and a process without privileges cannot take it off.",
        fix: "set BindToDevice=lo",
        references: &["systemd.socket(5)", "socket(7)", "connect(2)"],
        bad: Example {
            unit: "web.socket",
            lines: "[Socket]\nBindToDevice=\n",
        },
        good: GOOD,
        check: Check::Socket(bind_to_device),
    },
    Rule {
        id: "accept-yes",
        severity: Warning,
        title: "a container for each connection",
        why: "With Accept=yes systemd starts an instance of a template for every connection, and hands it that connection instead of the listening socket. Podman takes longer to start than most clients wait, and anyone who can connect can have any number of containers started.",
        fix: "set Accept=no, and have the program accept connections itself",
        references: &["systemd.socket(5)", "sd_listen_fds(3)"],
        bad: Example {
            unit: "web.socket",
            lines: "[Socket]\nAccept=yes\n",
        },
        good: Example {
            unit: "web.socket",
            lines: "[Socket]\nAccept=no\n",
        },
        check: Check::Socket(accept),
    },
];

fn without_service(unit: &SocketUnit<'_>) -> Vec<Fault> {
    let service = &unit.socket.service;
    when(unit.set.is_absent(service), || {
        let origin = unit.socket.origins.get("Socket.Service");
        let named = origin.and_then(|origins| origins.last()).map(Place::whole);
        let message = format!("this socket starts {service}, which is not there");
        Fault::at(named.or(unit.start()), message)
    })
}

fn without_its_socket(container: &Container<'_>) -> Vec<Fault> {
    let dependencies = &container.service.dependencies;
    let mut faults = Vec::new();
    for socket in container.sockets().filter(|socket| !socket.accept) {
        let name = &socket.unit;
        let needs = depends(dependencies, crate::audit::subject::NEEDS, name);
        let is_after = depends(dependencies, &["After"], name);
        // Sockets= does both, if not as strictly.
        if (needs && is_after) || container.service.sockets.contains(name) {
            continue;
        }
        let lacking = match (needs, is_after) {
            (false, false) => "Requires= nor After=",
            (false, true) => "Requires=",
            _ => "After=",
        };
        let no = if needs || is_after { "no" } else { "neither" };
        let message = format!("{name} starts this service, which has {no} {lacking} for it");
        let mut fault = Fault::at(container.start(), message);
        if !needs {
            fault = fault.set("Unit", "Requires", name.as_str());
        }
        if !is_after {
            fault = fault.set("Unit", "After", name.as_str());
        }
        faults.push(fault);
    }
    for dependency in crate::audit::subject::NEEDS
        .iter()
        .flat_map(|key| dependencies.of(key))
    {
        let name = &dependency.unit;
        if name.unit_type() == UnitType::Socket && container.set.is_absent(name) {
            let origin = dependency.origin.as_ref();
            let place = origin.map(|origin| Place::word(origin, name.as_str()));
            let fault = Fault::at(place, format!("{name} is not there"));
            faults.push(fault.fix("correct the name, or write the socket unit"));
        }
    }
    faults
}

fn name_mismatch(container: &Container<'_>) -> Vec<Fault> {
    let service = container.service;
    let keys = ["Requires", "BindsTo", "Wants"];
    let dependencies = keys.iter().flat_map(|key| service.dependencies.of(key));
    let needed = dependencies
        .filter(|dependency| dependency.unit.unit_type() == UnitType::Socket)
        .map(|dependency| (&dependency.unit, dependency.origin.as_ref()));
    let origin = service
        .origins
        .get("Service.Sockets")
        .and_then(|o| o.last());
    let handed = service.sockets.iter().map(|name| (name, origin));
    let mut seen = Vec::new();
    let mut faults = Vec::new();
    for (name, origin) in needed.chain(handed) {
        if seen.contains(&name) {
            continue;
        }
        seen.push(name);
        let Some(View::Socket(socket)) = container.set.get(name).map(Subject::view) else {
            continue;
        };
        let started = container.set.get(&socket.service).map(Subject::unit);
        if started.unwrap_or(&socket.service) == &service.unit || socket.accept {
            continue;
        }
        let place = origin.map(|origin| Place::word(origin, name.as_str()));
        let message = format!("{name} starts {}, not {}", socket.service, service.unit);
        faults.push(Fault::at(place.or(container.start()), message));
    }
    faults
}

fn not_sealable(unit: &SocketUnit<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for Located { value, origin } in &unit.socket.listen {
        let what = match value {
            Listen::Netlink { .. } => "a netlink socket",
            Listen::Socket { kind, address, .. } => match (kind, address) {
                (
                    SocketKind::Datagram,
                    SocketAddress::Inet { .. } | SocketAddress::Inet6 { .. },
                ) => "a UDP socket",
                (_, SocketAddress::Vsock { .. }) => "a vsock socket",
                _ => continue,
            },
            Listen::Path {
                key: "USBFunction", ..
            } => "a USB function",
            Listen::Path { .. } => continue,
        };
        let message = format!("{what} is handed to the service");
        faults.push(Fault::at(Place::whole(origin), message));
    }
    if unit.socket.socket_protocol.is_some() {
        let origin = unit.socket.origins.get("Socket.SocketProtocol");
        let place = origin.and_then(|origins| origins.last()).map(Place::whole);
        let message = "a socket of this protocol is handed to the service";
        faults.push(Fault::at(place.or(unit.start()), message));
    }
    faults
}

/// The internet addresses: whether each is of loopback, and whether of all.
fn internet(unit: &SocketUnit<'_>) -> Vec<(Place, bool, bool)> {
    let listen = unit.socket.listen.iter();
    listen
        .filter_map(|Located { value, origin }| {
            let Listen::Socket { address, .. } = value else {
                return None;
            };
            let (is_loopback, is_wildcard) = match address {
                SocketAddress::Inet { address, .. } => {
                    (address.is_loopback(), address.is_unspecified())
                }
                SocketAddress::Inet6 { address, .. } => {
                    (address.is_loopback(), address.is_unspecified())
                }
                _ => return None,
            };
            Some((Place::whole(origin), is_loopback, is_wildcard))
        })
        .collect()
}

fn wildcard(unit: &SocketUnit<'_>) -> Vec<Fault> {
    if unit.socket.bind_to_device.is_some() {
        return Vec::new();
    }
    let addresses = internet(unit).into_iter();
    addresses
        .filter(|(_, _, is_wildcard)| *is_wildcard)
        .map(|(place, ..)| Fault::at(place, "this listens on every address of the host"))
        .collect()
}

fn bind_to_device(unit: &SocketUnit<'_>) -> Vec<Fault> {
    if unit.socket.bind_to_device.is_some() {
        return Vec::new();
    }
    let addresses = internet(unit);
    // Elsewhere it would keep clients away.
    if addresses.is_empty() || !addresses.iter().all(|(_, is_loopback, _)| *is_loopback) {
        return Vec::new();
    }
    let message = "this socket is for the loopback interface, and not bound to it";
    vec![Fault::at(unit.start(), message)]
}

fn accept(unit: &SocketUnit<'_>) -> Vec<Fault> {
    when(unit.socket.accept, || {
        let origin = unit.socket.origins.get("Socket.Accept");
        let place = origin.and_then(|origins| origins.last()).map(Place::whole);
        Fault::at(place.or(unit.start()), "each connection starts a container")
    })
}
