//! Linux socket address families and the names systemd knows them by.
//!
//! Follows `socket(2)`, `bits/socket.h` of glibc 2.41 and, for which name is
//! the canonical one, systemd's generated `af-to-name.h`.

use std::fmt;

use serde::{Serialize, Serializer};

/// A Linux address family (the first argument of `socket(2)`), any number.
///
/// Displays and serializes as its canonical `AF_…` name, or as the number
/// where no name is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Family(pub u16);

/// One family: its number, its canonical name and the other names that
/// systemd accepts for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FamilyRow {
    /// The number that the kernel uses.
    pub family: Family,
    /// The name podseal and systemd print.
    pub name: &'static str,
    /// Names that mean the same and are never printed.
    pub aliases: &'static [&'static str],
}

const fn row(number: u16, name: &'static str) -> FamilyRow {
    aliased(number, name, &[])
}

const fn aliased(number: u16, name: &'static str, aliases: &'static [&'static str]) -> FamilyRow {
    FamilyRow {
        family: Family(number),
        name,
        aliases,
    }
}

/// Every family with a name, ordered by number.
///
/// `AF_UNSPEC` and `AF_MAX` are missing as they are in systemd: neither is a
/// family that a socket can have.
pub const FAMILIES: &[FamilyRow] = &[
    // BSD's and glibc's names for the same thing; systemd prints AF_UNIX.
    aliased(1, "AF_UNIX", &["AF_LOCAL", "AF_FILE"]),
    row(2, "AF_INET"),
    row(3, "AF_AX25"),
    row(4, "AF_IPX"),
    row(5, "AF_APPLETALK"),
    row(6, "AF_NETROM"),
    row(7, "AF_BRIDGE"),
    row(8, "AF_ATMPVC"),
    row(9, "AF_X25"),
    row(10, "AF_INET6"),
    row(11, "AF_ROSE"),
    row(12, "AF_DECnet"),
    row(13, "AF_NETBEUI"),
    row(14, "AF_SECURITY"),
    row(15, "AF_KEY"),
    // 4.4BSD's routing sockets have their name on Linux too.
    aliased(16, "AF_NETLINK", &["AF_ROUTE"]),
    row(17, "AF_PACKET"),
    row(18, "AF_ASH"),
    row(19, "AF_ECONET"),
    row(20, "AF_ATMSVC"),
    row(21, "AF_RDS"),
    row(22, "AF_SNA"),
    row(23, "AF_IRDA"),
    row(24, "AF_PPPOX"),
    row(25, "AF_WANPIPE"),
    row(26, "AF_LLC"),
    row(27, "AF_IB"),
    row(28, "AF_MPLS"),
    row(29, "AF_CAN"),
    row(30, "AF_TIPC"),
    row(31, "AF_BLUETOOTH"),
    row(32, "AF_IUCV"),
    row(33, "AF_RXRPC"),
    row(34, "AF_ISDN"),
    row(35, "AF_PHONET"),
    row(36, "AF_IEEE802154"),
    row(37, "AF_CAIF"),
    row(38, "AF_ALG"),
    row(39, "AF_NFC"),
    row(40, "AF_VSOCK"),
    row(41, "AF_KCM"),
    row(42, "AF_QIPCRTR"),
    row(43, "AF_SMC"),
    row(44, "AF_XDP"),
    row(45, "AF_MCTP"),
];

impl Family {
    /// Local sockets, see `unix(7)`.
    pub const UNIX: Self = Self(1);
    /// Internet protocol version 4, see `ip(7)`.
    pub const INET: Self = Self(2);
    /// Internet protocol version 6, see `ipv6(7)`.
    pub const INET6: Self = Self(10);
    /// Talk with the kernel, see `netlink(7)`.
    pub const NETLINK: Self = Self(16);
    /// Raw link-layer packets, see `packet(7)`.
    pub const PACKET: Self = Self(17);
    /// Talk between a virtual machine and its host, see `vsock(7)`.
    pub const VSOCK: Self = Self(40);

    /// The family with this canonical name or alias, in any letter case, as
    /// systemd looks names up (`af_from_name()`). No numbers, no missing `AF_`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        FAMILIES
            .iter()
            .find(|row| {
                row.name.eq_ignore_ascii_case(name)
                    || row.aliases.iter().any(|a| a.eq_ignore_ascii_case(name))
            })
            .map(|row| row.family)
    }

    /// The canonical name, where there is one.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        FAMILIES
            .iter()
            .find(|row| row.family == self)
            .map(|row| row.name)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl Serialize for Family {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_ordered_and_round_trips() {
        for (index, row) in FAMILIES.iter().enumerate() {
            assert_eq!(usize::from(row.family.0), index + 1, "{}", row.name);
            assert_eq!(row.family.name(), Some(row.name));
            for name in std::iter::once(&row.name).chain(row.aliases) {
                assert_eq!(Family::from_name(name), Some(row.family), "{name}");
                let lower = name.to_lowercase();
                assert_eq!(Family::from_name(&lower), Some(row.family), "{lower}");
            }
        }
    }

    #[test]
    fn names_that_systemd_does_not_know() {
        for name in ["", "UNIX", "1", "AF_", "AF_MAX", "AF_UNSPEC", " AF_UNIX"] {
            assert_eq!(Family::from_name(name), None, "{name:?}");
        }
    }

    #[test]
    fn display_falls_back_to_the_number() {
        assert_eq!(Family::UNIX.to_string(), "AF_UNIX");
        assert_eq!(Family(0).to_string(), "0");
        assert_eq!(Family(4711).to_string(), "4711");
    }
}
