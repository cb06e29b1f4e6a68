//! `ListenStream=` and its like.

use serde::Serialize;

use super::super::merge::MergedSetting;
use super::super::reader::Reader;
use super::super::{Diagnostic, Located};
use super::SECTION;
use crate::family::Family;
use crate::number::parse_unsigned;
use crate::socket_address::{SocketAddress, SocketAddressError, SocketKind};
use crate::unit::exec::simplify;
use crate::unit::{Problem, WHITESPACE};

/// Something to listen on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Listen {
    /// `ListenStream=`, `ListenDatagram=` or `ListenSequentialPacket=`.
    Socket {
        /// Which of the three.
        kind: SocketKind,
        /// The family of the address.
        family: Family,
        /// The address in canonical form.
        address: SocketAddress,
    },
    /// `ListenNetlink=`.
    Netlink {
        /// Protocol name or number, and group.
        address: String,
    },
    /// `ListenFIFO=`, `ListenSpecial=`, `ListenMessageQueue=` or
    /// `ListenUSBFunction=`: no socket.
    Path {
        /// The key without `Listen`.
        key: &'static str,
        /// The path or name.
        path: String,
    },
}

/// The keys to listen with. An empty value of one resets all.
const LISTEN_KEYS: &[(&str, Parse)] = &[
    ("ListenStream", |value| socket(value, SocketKind::Stream)),
    ("ListenDatagram", |value| {
        socket(value, SocketKind::Datagram)
    }),
    ("ListenSequentialPacket", |value| {
        socket(value, SocketKind::SequentialPacket)
    }),
    ("ListenNetlink", netlink),
    ("ListenFIFO", |value| path("FIFO", value)),
    ("ListenSpecial", |value| path("Special", value)),
    ("ListenMessageQueue", |value| path("MessageQueue", value)),
    ("ListenUSBFunction", |value| path("USBFunction", value)),
];

type Parse = fn(&str) -> Result<Listen, Problem>;

pub(super) fn read(reader: &mut Reader<'_>) -> Vec<Located<Listen>> {
    let parser = |setting: &MergedSetting| {
        let key = LISTEN_KEYS.iter().find(|(key, _)| *key == setting.key)?;
        (setting.section == SECTION).then_some(key.1)
    };
    let mut found = Vec::new();
    for setting in &reader.merged.settings {
        let Some(parse) = parser(setting) else {
            continue;
        };
        if setting.value.is_empty() {
            found.clear();
            continue;
        }
        let value = match reader.specifiers.expand(&setting.value) {
            Ok(value) => value,
            Err(error) => {
                reader.ignore(setting, error.to_string());
                continue;
            }
        };
        match parse(&value) {
            Ok(listen) => {
                if let Some(problem) = any_vsock(&value) {
                    reader.note(setting, problem);
                }
                found.push(Located {
                    value: listen,
                    origin: setting.origin.clone(),
                });
            }
            Err(problem) => reader.note(setting, problem),
        }
    }
    // systemd makes a mount dependency of each path, which fails for these.
    for listen in &found {
        if let Listen::Socket {
            address: SocketAddress::Unix { path },
            ..
        } = &listen.value
            && path.split('/').any(|part| part == "..")
        {
            let problem = Problem::refused(format!("socket path {path:?} is not normalized"));
            reader
                .diagnostics
                .push(Diagnostic::at(&listen.origin, problem));
        }
    }
    found
}

/// Words for every context, which old versions of systemd do not know.
fn any_vsock(value: &str) -> Option<Problem> {
    let (prefix, rest) = value.split_once(':')?;
    let (cid, _) = rest.split_once(':')?;
    (prefix.starts_with("vsock") && matches!(cid, "any" | "-1")).then(|| {
        Problem::used(format!(
            "{cid:?} in {value:?}: systemd 257 and older do not know it, and ignore the address"
        ))
    })
}

fn socket(value: &str, kind: SocketKind) -> Result<Listen, Problem> {
    // A specifier that the caller has no value for is a path, such as %t.
    let address = match value.strip_prefix('%') {
        Some(rest) if rest.contains('/') => SocketAddress::Unix {
            path: value.to_owned(),
        },
        _ => value
            .parse()
            .map_err(|error: SocketAddressError| Problem::ignored(error.to_string()))?,
    };
    if !address.supports(kind) {
        return Err(Problem::ignored(format!(
            "{value:?} cannot be a socket of this kind"
        )));
    }
    Ok(Listen::Socket {
        kind,
        family: address.family(),
        address,
    })
}

/// Protocols of `ListenNetlink=`, see `netlink(7)`.
const NETLINK_PROTOCOLS: &[(&str, u64)] = &[
    ("route", 0),
    ("firewall", 3),
    ("inet-diag", 4),
    ("nflog", 5),
    ("xfrm", 6),
    ("selinux", 7),
    ("iscsi", 8),
    ("audit", 9),
    ("fib-lookup", 10),
    ("connector", 11),
    ("netfilter", 12),
    ("ip6-fw", 13),
    ("dnrtmsg", 14),
    ("kobject-uevent", 15),
    ("generic", 16),
    ("scsitransport", 18),
    ("ecryptfs", 19),
    ("rdma", 20),
];

fn netlink(value: &str) -> Result<Listen, Problem> {
    let error = || Problem::ignored(format!("{value:?} is not a netlink protocol and group"));
    let value = value.trim_start_matches(WHITESPACE);
    let (protocol, group) = value.split_once(WHITESPACE).unwrap_or((value, ""));
    let group = group.trim_start_matches(WHITESPACE);
    let mut known = NETLINK_PROTOCOLS.iter();
    let protocol = match parse_unsigned(protocol, 0x7fff_ffff) {
        Ok(number) => known
            .find(|known| known.1 == number)
            .map_or_else(|| number.to_string(), |known| known.0.to_owned()),
        Err(_) => known
            .find(|known| known.0 == protocol)
            .map(|known| known.0.to_owned())
            .ok_or_else(error)?,
    };
    let group = match group {
        "" => 0,
        group => parse_unsigned(group, u32::MAX.into()).map_err(|_| error())?,
    };
    Ok(Listen::Netlink {
        address: format!("{protocol} {group}"),
    })
}

fn path(key: &'static str, value: &str) -> Result<Listen, Problem> {
    if !value.starts_with(['/', '%']) {
        return Err(Problem::ignored(format!(
            "{value:?} is not an absolute path"
        )));
    }
    // The name of a message queue is none of a file.
    if key == "MessageQueue" {
        return Ok(Listen::Path {
            key,
            path: value.to_owned(),
        });
    }
    if value.split('/').any(|part| part == "..") {
        return Err(Problem::ignored(format!(
            "{value:?} is not a normalized path"
        )));
    }
    Ok(Listen::Path {
        key,
        path: simplify(value),
    })
}
