//! What of the network the kernel has loaded. Asking for something else could
//! load its module, and leave the host with more to attack than before.

use std::collections::BTreeSet;
use std::fs;
use std::io;

use podseal_core::family::Family;

/// Names in /proc/net/protocols, the family that they show to be there, and the
/// protocol for which it makes sockets: `proto` structures in the kernel's
/// net/ and drivers/.
const NAMES: &[(&str, Family, i32)] = &[
    ("AX25", Family(3), 0),
    ("DDP", Family(5), 0),
    ("NETROM", Family(6), 0),
    ("VCC", Family(8), 0),
    ("X25", Family(9), 0),
    ("ROSE", Family(11), 0),
    // PF_KEY_V2
    ("KEY", Family(15), 2),
    ("RDS", Family(21), 0),
    ("PPPOE", Family(24), 0),
    ("LLC", Family(26), 0),
    // CAN_RAW
    ("CAN_RAW", Family(29), 1),
    ("TIPC", Family(30), 0),
    ("L2CAP", Family(31), 0),
    ("AF_IUCV", Family(32), 0),
    ("RXRPC", Family(33), 2),
    ("PHONET", Family(35), 0),
    ("IEEE-802.15.4-RAW", Family(36), 0),
    ("CAIF", Family(37), 0),
    ("ALG", Family(38), 0),
    ("NFC", Family(39), 0),
    ("KCM", Family(41), 0),
    ("QIPCRTR", Family(42), 0),
    ("SMC", Family(43), 0),
    ("XDP", Family(44), 0),
    ("MCTP", Family(45), 0),
];

/// Whether the kernel has loaded the protocol of this name.
pub(super) fn has(name: &str) -> io::Result<bool> {
    let protocols = fs::read_to_string("/proc/net/protocols")?;
    Ok(names(&protocols).any(|found| found == name))
}

/// Families that are loaded, but for those that every host has, each with the
/// protocol to ask for.
pub(super) fn families() -> io::Result<Vec<(Family, i32)>> {
    let protocols = fs::read_to_string("/proc/net/protocols")?;
    Ok(families_of(&protocols))
}

fn families_of(protocols: &str) -> Vec<(Family, i32)> {
    let found: BTreeSet<&str> = names(protocols).collect();
    let rows = NAMES.iter().filter(|(name, ..)| found.contains(name));
    rows.map(|(_, family, protocol)| (*family, *protocol))
        .collect()
}

fn names(protocols: &str) -> impl Iterator<Item = &str> {
    let lines = protocols.lines().skip(1);
    lines.filter_map(|line| line.split_whitespace().next())
}

/// Protocols of netlink(7) that are loaded, but for NETLINK_ROUTE.
pub(super) fn netlink() -> io::Result<BTreeSet<u32>> {
    let sockets = fs::read_to_string("/proc/net/netlink")?;
    Ok(netlink_of(&sockets))
}

fn netlink_of(sockets: &str) -> BTreeSet<u32> {
    const ROUTE: u32 = 0;
    let lines = sockets.lines().skip(1);
    lines
        .filter_map(|line| line.split_whitespace().nth(1)?.parse().ok())
        .filter(|protocol| *protocol != ROUTE)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_read() {
        let protocols = "protocol  size sockets  memory press maxhdr  slab module\n\
                         ALG       1128      0      -1   NI       0   no   af_alg\n\
                         PACKET    1600      1      -1   NI       0   no   kernel\n\
                         XDP       1152      0      -1   NI       0   no   kernel\n";
        assert_eq!(families_of(protocols), [(Family(38), 0), (Family(44), 0)]);
        let sockets = "sk               Eth Pid        Groups   Rmem\n\
                       0000000000000000 0   0          00000000 0\n\
                       0000000000000000 9   0          00000000 0\n\
                       0000000000000000 9   177        00000001 0\n\
                       0000000000000000 15  0          00000000 0\n";
        assert_eq!(Vec::from_iter(netlink_of(sockets)), [9, 15]);
        assert!(has("TCP").unwrap());
        assert!(!has("protocol").unwrap());
    }
}
