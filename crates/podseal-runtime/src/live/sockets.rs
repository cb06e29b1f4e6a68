//! The sockets of processes, and the kernel's tables of internet sockets.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use podseal_core::socket_address::SocketAddress;
use podseal_core::status::facts::HeldSocket;

use super::descriptors::{self, Descriptor};
use super::unix;

/// The files below /proc/PID/net that list internet sockets.
const FILES: &[&str] = &[
    "tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6",
];

/// State of a socket that takes connections (TCP_LISTEN of the kernel).
const LISTEN: &str = "0A";

/// One line of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    local: SocketAddr,
    remote: SocketAddr,
    listens: bool,
    /// Of a listening socket, the connections that wait.
    queue: u32,
    inode: u64,
}

/// The internet sockets of networks, and the UNIX sockets of this one, each read
/// when they are first needed.
#[derive(Debug, Default)]
pub struct Tables {
    networks: BTreeMap<Option<String>, BTreeMap<u64, Row>>,
    unix: Option<Vec<unix::Socket>>,
}

/// What waits at an address on which somebody listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// How many connections wait to be accepted.
    pub waiting: u32,
    /// Whether some process has one that was.
    pub accepts: bool,
}

impl Tables {
    fn network(&mut self, namespace: Option<&str>, pid: &str) -> &BTreeMap<u64, Row> {
        let read = || {
            FILES
                .iter()
                .filter_map(|file| fs::read_to_string(format!("/proc/{pid}/net/{file}")).ok())
                .flat_map(|text| text.lines().filter_map(Row::parse).collect::<Vec<_>>())
                .map(|row| (row.inode, row))
                .collect()
        };
        self.networks
            .entry(namespace.map(str::to_owned))
            .or_insert_with(read)
    }

    /// The sockets of a process that are not of the families AF_UNIX and
    /// AF_NETLINK. None where they cannot be looked at.
    pub(super) fn held(
        &mut self,
        pid: i32,
        network: Option<&str>,
        own: Option<&str>,
    ) -> Option<Vec<HeldSocket>> {
        let mut held = Vec::new();
        for Descriptor {
            fd,
            inode,
            protocol,
        } in descriptors::of(pid)?
        {
            if protocol.starts_with("UNIX") || protocol == "NETLINK" {
                continue;
            }
            // An inherited socket stays in the network that it was made in.
            let here = self.network(own, "self").get(&inode).cloned();
            let row = here.map(|row| (row, true)).or_else(|| {
                let there = self.network(network, &pid.to_string());
                there.get(&inode).cloned().map(|row| (row, false))
            });
            let (row, in_own_network) = row.unzip();
            let is_set = |address: &SocketAddr| address.port() != 0;
            held.push(HeldSocket {
                fd,
                protocol,
                local: row.as_ref().map(|row| row.local),
                remote: row.as_ref().map(|row| row.remote).filter(is_set),
                listens: row.as_ref().is_some_and(|row| row.listens),
                in_own_network,
            });
        }
        held.sort_by_key(|socket| socket.fd);
        Some(held)
    }

    /// What waits at an address of this network. None where nothing listens
    /// there, or it is no address of TCP's or of UNIX sockets.
    pub fn queue(&mut self, address: &SocketAddress) -> Option<Queue> {
        let (ip, port) = match address {
            SocketAddress::Inet { address, port } => (IpAddr::V4(*address), *port),
            SocketAddress::Inet6 { address, port, .. } => (IpAddr::V6(*address), *port),
            SocketAddress::Unix { .. } | SocketAddress::Abstract { .. } => {
                return self.unix_queue(address);
            }
            SocketAddress::Vsock { .. } => return None,
        };
        let wanted = SocketAddr::new(ip, port);
        // Without IPv6, systemd listens on all of IPv4 instead.
        let instead = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port);
        let rows = self.network(None, "self");
        let at = |wanted: SocketAddr| {
            let mut rows = rows.values();
            rows.find(|row| row.listens && row.local == wanted)
        };
        let row = at(wanted).or_else(|| at(instead).filter(|_| ip.is_unspecified()))?;
        let mut here = rows.values().filter(|row| row.local.port() == port);
        Some(Queue {
            waiting: row.queue,
            accepts: here.any(|row| !row.listens),
        })
    }

    fn unix_queue(&mut self, address: &SocketAddress) -> Option<Queue> {
        let read = || {
            unix::sockets().unwrap_or_else(|error| {
                tracing::debug!(%error, "UNIX sockets cannot be listed");
                Vec::new()
            })
        };
        let sockets = self.unix.get_or_insert_with(read);
        let (waiting, accepts) = unix::queue(sockets, address)?;
        Some(Queue { waiting, accepts })
    }
}

impl Row {
    /// A line as described in proc_pid_net(5). The heading, and sockets that
    /// belong to no process any more, are none.
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split_whitespace().skip(1);
        let local = address(fields.next()?)?;
        let remote = address(fields.next()?)?;
        let listens = fields.next()? == LISTEN;
        let queue = fields.next()?.split_once(':')?.1;
        let inode = fields.nth(4)?.parse().ok().filter(|inode| *inode != 0)?;
        Some(Self {
            local,
            remote,
            listens,
            queue: u32::from_str_radix(queue, 16).ok()?,
            inode,
        })
    }
}

/// An address and port in hexadecimal, the address in words of the host's byte
/// order.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let word = u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    let ip: IpAddr = match ip.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let mut bytes = [0; 16];
            for (at, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(at)?);
            }
            Ipv6Addr::from(bytes).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn rows() {
        let line = "   0: 0100007F:1388 00000000:0000 0A 00000000:00000002 00:00000000 00000000 \
                      100        0 67988914 1 00000000efca8dd9 100 0 0 10 0";
        let row = Row::parse(line).unwrap();
        assert_eq!((row.queue, row.inode, row.listens), (2, 67_988_914, true));
        if cfg!(target_endian = "little") {
            assert_eq!(row.local.to_string(), "127.0.0.1:5000");
        }
        assert_eq!(
            Row::parse("  sl  local_address rem_address   st tx_queue"),
            None
        );
        let without_owner = line.replace("67988914", "0");
        assert_eq!(Row::parse(&without_owner), None);
    }

    #[test]
    fn own_sockets_are_seen() {
        let listener = TcpListener::bind("[::1]:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).unwrap();
        let mut tables = Tables::default();
        let parsed = address.to_string().parse().unwrap();
        let queue = |accepts| {
            Some(Queue {
                waiting: 1,
                accepts,
            })
        };
        assert_eq!(tables.queue(&parsed), queue(false));
        let own = i32::try_from(std::process::id()).unwrap();
        let held = tables.held(own, None, None).unwrap();
        let listening = |socket: &&HeldSocket| socket.local == Some(address);
        let found = held.iter().find(listening).unwrap();
        assert_eq!((found.protocol.as_str(), found.listens), ("TCPv6", true));
        let connected = held.iter().find(|socket| socket.remote == Some(address));
        assert_eq!(connected.unwrap().local, client.local_addr().ok());
        assert_eq!(connected.unwrap().in_own_network, Some(true));
    }
}
