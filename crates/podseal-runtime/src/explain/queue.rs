//! TCP sockets that listen in this network namespace, and the connections that
//! wait on them.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use podseal_core::socket_address::SocketAddress;

/// A TCP socket of this host's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tcp {
    address: IpAddr,
    port: u16,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// It listens, and this many connections wait to be accepted.
    Listens(u32),
    /// A connection that a process has.
    Accepted,
    /// A connection that waits, or one that is over.
    Nobodys,
}

/// All of them; what cannot be read shows none.
pub(super) fn sockets() -> Vec<Tcp> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let texts = tables
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok());
    texts
        .flat_map(|text| text.lines().filter_map(read).collect::<Vec<_>>())
        .collect()
}

/// A line of `/proc/net/tcp` (proc_pid_net(5)). A socket that listens has its
/// backlog in the place of the receive queue.
fn read(line: &str) -> Option<Tcp> {
    const LISTEN: &str = "0A";
    let columns: Vec<&str> = line.split_whitespace().collect();
    let (address, port) = columns.get(1)?.split_once(':')?;
    let (_sent, waiting) = columns.get(4)?.split_once(':')?;
    let inode = *columns.get(9)?;
    Some(Tcp {
        address: ip_address(address)?,
        port: u16::from_str_radix(port, 16).ok()?,
        state: if columns.get(3) == Some(&LISTEN) {
            State::Listens(u32::from_str_radix(waiting, 16).ok()?)
        } else if inode == "0" {
            State::Nobodys
        } else {
            State::Accepted
        },
    })
}

/// Words of 32 bits in the host's byte order.
fn ip_address(text: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let word = u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    if text.len() == 8 {
        return Some(Ipv4Addr::from(word(0)?).into());
    }
    let words = [word(0)?, word(8)?, word(16)?, word(24)?];
    let bytes: [u8; 16] = words.concat().try_into().ok()?;
    Some(Ipv6Addr::from(bytes).into())
}

/// How many connections wait at an address; None where no TCP socket listens
/// there. None wait for long where others are accepted.
pub(super) fn waiting(sockets: &[Tcp], address: &SocketAddress) -> Option<u32> {
    let (address, port): (IpAddr, u16) = match address {
        SocketAddress::Inet { address, port } => ((*address).into(), *port),
        SocketAddress::Inet6 { address, port, .. } => ((*address).into(), *port),
        _ => return None,
    };
    let here = || sockets.iter().filter(|socket| socket.port == port);
    let waiting = here().find_map(|socket| match socket.state {
        State::Listens(waiting) if socket.address == address => Some(waiting),
        _ => None,
    })?;
    let accepts = here().any(|socket| socket.state == State::Accepted);
    Some(if accepts { 0 } else { waiting })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_is_read_with_its_queue() {
        const LISTENS: &str = "   1: 0100007F:1C2A 00000000:0000 0A 00000000:00000001 00:00000000 00000000  1000        0 65308506 2 0 100 0 0 10 0";
        const WAITS: &str = "   3: 0100007F:1C2A 0100007F:EC9A 01 00000000:00000000 00:00000000 00000000  1000        0 0 1 0 20 0 0 10 -1";
        let address: SocketAddress = "127.0.0.1:7210".parse().unwrap();
        let mut sockets = vec![read(LISTENS).unwrap(), read(WAITS).unwrap()];
        assert_eq!(waiting(&sockets, &address), Some(1));
        let other: SocketAddress = "127.0.0.1:7211".parse().unwrap();
        assert_eq!(waiting(&sockets, &other), None);
        sockets.push(read(&WAITS.replace(" 0 0 1 0 ", " 0 7 1 0 ")).unwrap());
        assert_eq!(waiting(&sockets, &address), Some(0));
        assert_eq!(waiting(&sockets[1..], &address), None);
    }

    #[test]
    fn ipv6_addresses_are_read() {
        let loopback = "00000000000000000000000001000000";
        assert_eq!(ip_address(loopback), Some(Ipv6Addr::LOCALHOST.into()));
    }
}
