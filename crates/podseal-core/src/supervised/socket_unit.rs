//! A socket unit as the supervisor carries it out.

use super::SocketUnit;
use super::read::Remarks;
use super::service::limit;
use crate::lifecycle::socket::Settings;
use crate::listen::{self, SocketOptions};
use crate::rate_limit::Limit;
use crate::unit::effective::socket::{self as effective, BindIpv6Only, Listen};
use crate::unit::time_span::TimeSpan;

pub(super) fn read(view: &effective::Socket, remarks: &mut Remarks) -> SocketUnit {
    if view.accept {
        let origin = view.origins.get("Socket.Accept").and_then(|o| o.first());
        remarks.error(
            origin,
            "Accept=yes is not supported: the service has to take all its connections",
        );
    }
    let listen: Vec<listen::Listen> = view
        .listen
        .iter()
        .filter_map(|listen| match &listen.value {
            Listen::Socket { kind, address, .. } => Some(listen::Listen {
                kind: *kind,
                address: address.clone(),
            }),
            // Refused by the table of directives.
            Listen::Netlink { .. } | Listen::Path { .. } => None,
        })
        .collect();
    // What systemd has where a manager's setting does not say otherwise.
    let rate = |interval: Option<TimeSpan>, burst: Option<u32>, default: Limit| {
        let interval = interval.unwrap_or(TimeSpan::Finite(default.interval));
        limit(interval, burst.unwrap_or(default.burst))
    };
    SocketUnit {
        names: vec![view.file_descriptor_name.clone(); listen.len()],
        listen,
        options: SocketOptions {
            backlog: Some(view.backlog),
            mode: u32::from_str_radix(&view.socket_mode, 8).ok(),
            directory_mode: u32::from_str_radix(&view.directory_mode, 8).ok(),
            bind_to_device: view.bind_to_device.clone(),
            reuse_port: view.reuse_port,
            free_bind: view.free_bind,
            ipv6_only: match view.bind_ipv6_only {
                BindIpv6Only::Default => None,
                BindIpv6Only::Both => Some(false),
                BindIpv6Only::Ipv6Only => Some(true),
            },
            keep_file: !view.remove_on_stop,
        },
        settings: Settings {
            trigger_limit: rate(
                view.trigger_limit_interval_sec,
                view.trigger_limit_burst,
                Limit::TRIGGER,
            ),
            poll_limit: rate(
                view.poll_limit_interval_sec,
                view.poll_limit_burst,
                Limit::POLL,
            ),
            start_limit: limit(view.start_limit_interval_sec, view.start_limit_burst),
        },
        service: view.service.clone(),
    }
}
