//! A socket unit: typed settings, defaults and systemd's own checks.
//!
//! Follows `systemd.socket(5)` and systemd's `socket_verify()`.

mod listen;

use serde::Serialize;

use super::dependencies::{self, Dependencies};
use super::merge::Merged;
use super::reader::{Origins, Reader};
use super::values::words;
use super::{Diagnostic, Located, Scope, VERSION};
use crate::socket_address::SocketKind;
use crate::unit::boolean::parse_boolean;
use crate::unit::name::{NameKind, UnitName, UnitType};
use crate::unit::specifier::Specifiers;
use crate::unit::time_span::TimeSpan;

pub use listen::Listen;

words! {
    /// `BindIPv6Only=`: whether IPv6 sockets take IPv4 connections too.
    BindIpv6Only {
        /// As the host is set up; on Linux usually as `both`.
        Default = "default",
        /// They do.
        Both = "both",
        /// They do not.
        Ipv6Only = "ipv6-only",
    }
}

words! {
    /// `SocketProtocol=`: protocols other than TCP and UDP.
    #[expect(missing_docs, reason = "the words are the manual's")]
    SocketProtocol {
        UdpLite = "udplite",
        Sctp = "sctp",
        Mptcp = "mptcp",
    }
}

/// The effective view of a socket unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting that is yes or no"
)]
pub struct Socket {
    version: u32,
    kind: UnitType,
    /// Its name.
    pub unit: UnitName,
    /// Which manager reads it.
    pub scope: Scope,
    /// The path of its file.
    pub fragment: Option<String>,
    /// The paths of its drop-ins, in the order in which they count.
    pub dropins: Vec<String>,
    /// Whether systemd loads it; `diagnostics` says why not.
    pub loads: bool,
    /// What it listens on, in the order of the file descriptors.
    pub listen: Vec<Located<Listen>>,
    /// The service that it starts; a template with `Accept=yes`.
    pub service: UnitName,
    /// `Accept=`.
    pub accept: bool,
    /// `FileDescriptorName=`, the unit's name by default.
    pub file_descriptor_name: String,
    /// `SocketMode=`, as octal digits.
    pub socket_mode: String,
    /// `DirectoryMode=`, as octal digits.
    pub directory_mode: String,
    /// `SocketUser=`.
    pub socket_user: Option<String>,
    /// `SocketGroup=`.
    pub socket_group: Option<String>,
    /// `BindIPv6Only=`.
    pub bind_ipv6_only: BindIpv6Only,
    /// `BindToDevice=`.
    pub bind_to_device: Option<String>,
    /// `ReusePort=`.
    pub reuse_port: bool,
    /// `RemoveOnStop=`.
    pub remove_on_stop: bool,
    /// `FreeBind=`.
    pub free_bind: bool,
    /// `NoDelay=`.
    pub no_delay: bool,
    /// `PassCredentials=`.
    pub pass_credentials: bool,
    /// `SocketProtocol=`.
    pub socket_protocol: Option<SocketProtocol>,
    /// `Backlog=`.
    pub backlog: u32,
    /// `MaxConnections=`.
    pub max_connections: u32,
    /// `TriggerLimitIntervalSec=`; `None` for the manager's default (2 s).
    pub trigger_limit_interval_sec: Option<TimeSpan>,
    /// `TriggerLimitBurst=`; `None` for the manager's default (20, with
    /// `Accept=yes` 200). 0 is no limit.
    pub trigger_limit_burst: Option<u32>,
    /// `PollLimitIntervalSec=` (systemd ≥ 255); `None` for the default (2 s).
    pub poll_limit_interval_sec: Option<TimeSpan>,
    /// `PollLimitBurst=` (systemd ≥ 255); `None` for the default (15, with
    /// `Accept=yes` 150). 0 is no limit.
    pub poll_limit_burst: Option<u32>,
    /// `StartLimitIntervalSec=`.
    pub start_limit_interval_sec: TimeSpan,
    /// `StartLimitBurst=`.
    pub start_limit_burst: u32,
    /// `TimeoutSec=`; `None` for the manager's default (90 s).
    pub timeout_sec: Option<TimeSpan>,
    /// Dependencies.
    pub dependencies: Dependencies,
    /// Where the values stand.
    pub origins: Origins,
    /// What systemd ignores or refuses.
    pub diagnostics: Vec<Diagnostic>,
    /// The settings it was read from, those without a field of their own
    /// included.
    #[serde(skip)]
    pub settings: Merged,
}

const SECTION: &str = "Socket";

/// `Backlog=` by default: as many as the kernel takes (`SOMAXCONN_DELUXE`).
const BACKLOG: u32 = 0x7fff_ffff;

impl Socket {
    /// Reads the settings of a merged socket unit.
    #[must_use]
    pub fn new(merged: Merged, specifiers: &Specifiers<'_>, scope: Scope) -> Self {
        let mut reader = Reader::new(&merged, specifiers);
        let listen = listen::read(&mut reader);
        let accept = reader.boolean(SECTION, "Accept") == Some(true);
        let named_service = service(&mut reader);
        let (start_limit_interval_sec, start_limit_burst) = reader.start_limit();
        let flag = |reader: &mut Reader<'_>, key| reader.boolean(SECTION, key) == Some(true);
        let mut socket = Self {
            version: VERSION,
            kind: UnitType::Socket,
            unit: specifiers.unit.clone(),
            scope,
            fragment: Some(merged.fragment.clone()),
            dropins: merged.dropins.clone(),
            loads: true,
            listen,
            service: named_service
                .clone()
                .unwrap_or_else(|| default_service(specifiers.unit, accept)),
            accept,
            file_descriptor_name: file_descriptor_name(&mut reader, accept),
            socket_mode: reader
                .scalar(SECTION, "SocketMode", mode)
                .unwrap_or_else(|| "0666".to_owned()),
            directory_mode: reader
                .scalar(SECTION, "DirectoryMode", mode)
                .unwrap_or_else(|| "0755".to_owned()),
            socket_user: reader.text(SECTION, "SocketUser"),
            socket_group: reader.text(SECTION, "SocketGroup"),
            bind_ipv6_only: reader
                .scalar(SECTION, "BindIPv6Only", bind_ipv6_only)
                .unwrap_or(BindIpv6Only::Default),
            bind_to_device: reader
                .scalar(SECTION, "BindToDevice", device)
                .filter(|device| !matches!(device.as_str(), "" | "*")),
            reuse_port: flag(&mut reader, "ReusePort"),
            remove_on_stop: flag(&mut reader, "RemoveOnStop"),
            free_bind: flag(&mut reader, "FreeBind"),
            no_delay: flag(&mut reader, "NoDelay"),
            pass_credentials: flag(&mut reader, "PassCredentials"),
            socket_protocol: reader.scalar(SECTION, "SocketProtocol", |word| {
                SocketProtocol::from_word(&word.to_ascii_lowercase())
            }),
            backlog: reader.number(SECTION, "Backlog").unwrap_or(BACKLOG),
            max_connections: reader.number(SECTION, "MaxConnections").unwrap_or(64),
            trigger_limit_interval_sec: limit_interval(&mut reader, "TriggerLimitIntervalSec"),
            trigger_limit_burst: reader.number(SECTION, "TriggerLimitBurst"),
            poll_limit_interval_sec: limit_interval(&mut reader, "PollLimitIntervalSec"),
            poll_limit_burst: reader.number(SECTION, "PollLimitBurst"),
            start_limit_interval_sec,
            start_limit_burst,
            timeout_sec: reader.timeout(SECTION, "TimeoutSec"),
            dependencies: dependencies::read(&mut reader, scope),
            origins: Origins::new(),
            diagnostics: Vec::new(),
            settings: Merged::default(),
        };
        if !accept {
            let service = socket.service.clone();
            socket.dependencies.imply("Before", &service);
        }
        (socket.origins, socket.diagnostics) = reader.finish();
        socket.settings = merged;
        socket.verify(named_service.is_some());
        socket
    }

    /// What systemd checks once everything is read.
    fn verify(&mut self, service_named: bool) {
        let accepts = |listen: &Listen| {
            matches!(
                listen,
                Listen::Socket {
                    kind: SocketKind::Stream | SocketKind::SequentialPacket,
                    ..
                }
            )
        };
        let rules = [
            (
                self.listen.is_empty(),
                "socket unit has no Listen…= that systemd accepts",
            ),
            (
                self.accept && !self.listen.iter().all(|l| accepts(&l.value)),
                "socket unit has Accept=yes and listens on what has no connections",
            ),
            (
                self.max_connections == 0,
                "socket unit has MaxConnections=0",
            ),
            (
                self.accept && service_named,
                "socket unit has Accept=yes and Service=",
            ),
        ];
        let broken = rules.into_iter().filter(|(broken, _)| *broken);
        self.diagnostics
            .extend(broken.map(|(_, message)| Diagnostic::of_unit(message)));
        self.loads = super::loads(&self.diagnostics);
    }
}

/// `Service=`: a service that can be loaded, so no template.
fn service(reader: &mut Reader<'_>) -> Option<UnitName> {
    let specifiers = reader.specifiers;
    reader.scalar(SECTION, "Service", |value| {
        let value = specifiers.expand(value).map_err(|e| e.to_string())?;
        match value.parse::<UnitName>() {
            Ok(name)
                if name.unit_type() == UnitType::Service && name.kind() != NameKind::Template =>
            {
                Ok(name)
            }
            _ => Err(format!("{value:?} is not the name of a service")),
        }
    })
}

fn default_service(unit: &UnitName, accept: bool) -> UnitName {
    let instance = if accept { Some("") } else { unit.instance() };
    UnitName::build(unit.prefix(), instance, UnitType::Service).unwrap_or_else(|_| unit.clone())
}

/// `FileDescriptorName=`: up to 255 printable characters other than a colon.
/// With `Accept=yes` it is that of a connection.
fn file_descriptor_name(reader: &mut Reader<'_>, accept: bool) -> String {
    let specifiers = reader.specifiers;
    reader
        .scalar(SECTION, "FileDescriptorName", |value| {
            let name = specifiers.expand(value).map_err(|e| e.to_string())?;
            if name.len() <= 255 && name.bytes().all(|b| matches!(b, b' '..=b'~') && b != b':') {
                Ok(name.into_owned())
            } else {
                Err(format!("{name:?} is not a name for file descriptors"))
            }
        })
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| {
            if accept {
                "connection".to_owned()
            } else {
                specifiers.unit.to_string()
            }
        })
}

/// The interval of a limit; `infinity` is another word for the default.
fn limit_interval(reader: &mut Reader<'_>, key: &str) -> Option<TimeSpan> {
    reader
        .time_span(SECTION, key)
        .filter(|interval| *interval != TimeSpan::Infinity)
}

fn mode(value: &str) -> Result<String, String> {
    match u32::from_str_radix(value, 8) {
        Ok(mode) if mode <= 0o7777 && !value.starts_with('+') => Ok(format!("{mode:04o}")),
        _ => Err(format!("{value:?} is not an octal file mode")),
    }
}

fn bind_ipv6_only(value: &str) -> Result<BindIpv6Only, String> {
    match parse_boolean(value) {
        Some(true) => Ok(BindIpv6Only::Ipv6Only),
        Some(false) => Ok(BindIpv6Only::Both),
        None => BindIpv6Only::from_word(value),
    }
}

/// An interface name of up to 15 characters, or nothing or `*` for any.
fn device(value: &str) -> Result<String, String> {
    let valid = matches!(value, "" | "*")
        || (value.len() < 16
            && !matches!(value, "." | ".." | "all" | "default")
            && !value.bytes().all(|b| b.is_ascii_digit())
            && value
                .bytes()
                .all(|b| b.is_ascii_graphic() && !matches!(b, b':' | b'/' | b'%')));
    if valid {
        Ok(value.to_owned())
    } else {
        Err(format!("{value:?} is not an interface name"))
    }
}

#[cfg(test)]
mod tests;
