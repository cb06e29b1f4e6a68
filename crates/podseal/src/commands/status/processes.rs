//! A process and what it is under, in words.

use podseal_core::status::facts::{HeldSocket, Process, Relation, Restrictions, Role, Socket};
use podseal_core::status::of_socket;

/// All that is known of a process of a service with these sockets.
pub(in crate::commands) fn line(process: &Process, sockets: &[Socket]) -> String {
    let mut parts = vec![name(process)];
    parts.extend(restrictions(&process.restrictions));
    parts.extend(held(process, sockets));
    parts.join(", ")
}

/// Its number and name, and what it is there for.
pub(in crate::commands) fn name(process: &Process) -> String {
    let role = match process.role {
        Role::Main => "main",
        Role::Control => "beside the service",
        Role::Conmon => "conmon",
        Role::Container => "container",
        Role::Pause => "pause process",
        Role::Other => "",
    };
    let name = format!("{} {}", process.pid, process.comm);
    if role.is_empty() || role == process.comm {
        name
    } else {
        format!("{name}, {role}")
    }
}

/// What a process is under, in parts.
pub(in crate::commands) fn restrictions(restrictions: &Restrictions) -> [String; 4] {
    let privileges = if restrictions.no_new_privs {
        "no_new_privs"
    } else {
        "NO no_new_privs"
    };
    let filters = match (restrictions.seccomp, restrictions.filters) {
        (2, Some(1)) => "1 filter".to_owned(),
        (2, Some(count)) => format!("{count} filters"),
        (2, None) => "filters".to_owned(),
        _ => "NO filters".to_owned(),
    };
    let of = |relation, what| match relation {
        Relation::Host => format!("{what} of the host"),
        Relation::Pause => format!("{what} of pause process"),
        Relation::Own => format!("own {what}"),
        Relation::Unknown => format!("{what} not seen"),
    };
    [
        privileges.to_owned(),
        filters,
        of(restrictions.user_namespace, "user ns"),
        of(restrictions.network_namespace, "net ns"),
    ]
}

/// The internet sockets of a process, those of the same kind together.
pub(in crate::commands) fn held(process: &Process, of_service: &[Socket]) -> Vec<String> {
    let Some(sockets) = &process.sockets else {
        return vec!["sockets not seen".to_owned()];
    };
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for socket in sockets {
        let text = kind(socket, of_service);
        match kinds.iter_mut().find(|(known, _)| *known == text) {
            Some((_, count)) => *count += 1,
            None => kinds.push((text, 1)),
        }
    }
    let times = |(text, count): (String, usize)| match count {
        1 => text,
        _ => format!("{count}x {text}"),
    };
    kinds.into_iter().map(times).collect()
}

fn kind(socket: &HeldSocket, of_service: &[Socket]) -> String {
    let protocol = &socket.protocol;
    let is_own = of_socket(socket, of_service);
    let own = if is_own { "the service's " } else { "" };
    match (socket.local, socket.listens) {
        (None, _) => format!("{protocol} socket without an address"),
        (Some(local), true) => format!("{own}{protocol} listener {local}"),
        (Some(local), false) if is_own => format!("{protocol} connections to {local}"),
        (Some(local), false) => format!("{protocol} socket {local}"),
    }
}
