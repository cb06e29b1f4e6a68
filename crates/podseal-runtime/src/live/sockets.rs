//! Internet sockets of this network namespace, and who holds them.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use podseal_core::status::InternetSocket;

/// Every internet socket of the network namespace that podseal is in, by inode,
/// from the tables in /proc/net (proc_pid_net(5)).
#[derive(Debug, Default)]
pub struct HostSockets {
    by_inode: HashMap<u64, InternetSocket>,
    /// Of listening TCP sockets: how many connections wait.
    waiting: Vec<(SocketAddr, u32)>,
}

const TABLES: &[(&str, &str)] = &[
    ("tcp", "tcp"),
    ("tcp6", "tcp"),
    ("udp", "udp"),
    ("udp6", "udp"),
    ("udplite", "udplite"),
    ("udplite6", "udplite"),
    ("raw", "raw"),
    ("raw6", "raw"),
];

/// `TCP_LISTEN` as the tables have it.
const LISTENS: &str = "0A";

impl HostSockets {
    /// Reads the tables as they are now.
    ///
    /// # Errors
    /// A table that the kernel has cannot be read.
    pub fn read() -> io::Result<Self> {
        let mut sockets = Self::default();
        for (file, protocol) in TABLES {
            for line in table(file)?.lines().skip(1) {
                sockets.row(line, protocol);
            }
        }
        for line in table("packet")?.lines().skip(1) {
            let inode = line.split_whitespace().nth(8);
            if let Some(inode) = inode.and_then(|inode| inode.parse().ok()) {
                let socket = InternetSocket {
                    protocol: "packet",
                    local: None,
                    remote: None,
                };
                sockets.by_inode.insert(inode, socket);
            }
        }
        Ok(sockets)
    }

    /// A line is "sl: local remote state tx:rx … inode …".
    fn row(&mut self, line: &str, protocol: &'static str) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, local, remote, state, queues, _, _, _, _, inode, ..] = fields.as_slice() else {
            return;
        };
        let (Some(local), Ok(inode)) = (address(local), inode.parse()) else {
            return;
        };
        if protocol == "tcp" && *state == LISTENS {
            let waiting = queues.split_once(':').map(|(_, waiting)| waiting);
            let waiting = waiting.and_then(|count| u32::from_str_radix(count, 16).ok());
            self.waiting.push((local, waiting.unwrap_or(0)));
        }
        let socket = InternetSocket {
            protocol,
            local: Some(local),
            remote: address(remote).filter(|remote| remote.port() != 0),
        };
        self.by_inode.insert(inode, socket);
    }

    /// Those that a process holds, each once. None where its descriptors cannot
    /// be seen.
    #[must_use]
    pub fn of(&self, pid: i32) -> Option<Vec<InternetSocket>> {
        let mut held = Vec::new();
        for entry in fs::read_dir(format!("/proc/{pid}/fd")).ok()? {
            // A descriptor that was closed meanwhile.
            let Ok(target) = fs::read_link(entry.ok()?.path()) else {
                continue;
            };
            let inode = target.to_str().and_then(|target| {
                let inode = target.strip_prefix("socket:[")?.strip_suffix(']')?;
                inode.parse::<u64>().ok()
            });
            let socket = inode.and_then(|inode| self.by_inode.get(&inode));
            if let Some(socket) = socket
                && !held.contains(socket)
            {
                held.push(socket.clone());
            }
        }
        Some(held)
    }

    /// How many connections wait to be accepted at these addresses. None where
    /// nothing listens there.
    #[must_use]
    pub fn waiting(&self, listeners: &[SocketAddr]) -> Option<u32> {
        let mut counts = self
            .waiting
            .iter()
            .filter(|(local, _)| listeners.iter().any(|listener| is_at(*listener, *local)))
            .map(|(_, count)| *count)
            .peekable();
        counts.peek()?;
        Some(counts.sum())
    }
}

/// Whether a socket is at the address that was asked for. Without IPv6 it is at
/// IPv4's wildcard instead of that of both.
fn is_at(listener: SocketAddr, local: SocketAddr) -> bool {
    let are_wildcards = listener.ip().is_unspecified() && local.ip().is_unspecified();
    listener == local || (are_wildcards && listener.port() == local.port())
}

/// A table; one that this kernel does not have is empty.
fn table(name: &str) -> io::Result<String> {
    match fs::read_to_string(format!("/proc/net/{name}")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        other => other,
    }
}

/// An address such as "0100007F:1F90": words of 32 bits in the host's order,
/// and a port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |at: usize| {
        let digits = ip.get(8 * at..8 * (at + 1))?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
            IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(words).ok()?))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_kernels_tables_are_read() {
        let listeners = ["127.0.0.1:0", "[::1]:0"].map(|at| TcpListener::bind(at).expect("bound"));
        let addresses = listeners.map(|listener| {
            let at = listener.local_addr().expect("an address");
            let client = TcpStream::connect(at).expect("connected");
            (listener, at, client)
        });
        let sockets = HostSockets::read().expect("read");
        let own = i32::try_from(std::process::id()).expect("a process id");
        let held = sockets.of(own).expect("own descriptors are seen");
        for (_listener, at, client) in &addresses {
            assert_eq!(sockets.waiting(&[*at]), Some(1));
            let listens = |socket: &InternetSocket| {
                socket.local == Some(*at) && socket.remote.is_none() && socket.protocol == "tcp"
            };
            assert!(held.iter().any(listens), "{held:?}");
            let local = client.local_addr().expect("an address");
            let connects =
                |socket: &InternetSocket| socket.local == Some(local) && socket.remote == Some(*at);
            assert!(held.iter().any(connects), "{held:?}");
        }
        let nobody = "192.0.2.1:1".parse().expect("an address");
        assert_eq!(sockets.waiting(&[nobody]), None);
    }

    #[test]
    fn what_is_no_address_is_none() {
        for text in ["", "0100007F", "0100007F:", "01:1F90", "0100007Z:1F90"] {
            assert_eq!(address(text), None, "{text}");
        }
    }
}
