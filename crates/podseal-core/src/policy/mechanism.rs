//! What seals are made of, and what each part needs of the kernel.

use super::level::Level;

/// One part of a seal.
#[derive(Debug, PartialEq, Eq)]
pub struct Mechanism {
    /// Stable kebab-case name.
    pub id: &'static str,
    /// What it does, for people.
    pub title: &'static str,
    /// The first level that has it.
    pub level: Level,
    /// What it needs.
    pub need: Need,
    /// Whether the level's promises rest on it. What is not required is used
    /// where the kernel has it.
    pub is_required: bool,
}

/// Something a kernel may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// prctl(2) `PR_SET_NO_NEW_PRIVS`.
    NoNewPrivileges,
    /// seccomp(2) with filters.
    Seccomp,
    /// A right or scope of landlock(7).
    Landlock(Landlock),
    /// An option of podman-run(1), so that it is the container that has it.
    Container,
}

/// A right or scope of landlock(7) that a seal takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landlock {
    /// `LANDLOCK_ACCESS_NET_CONNECT_TCP`
    ConnectTcp,
    /// `LANDLOCK_ACCESS_NET_BIND_TCP`
    BindTcp,
    /// `LANDLOCK_SCOPE_SIGNAL`
    Signal,
    /// `LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET`
    AbstractUnixSocket,
    /// `LANDLOCK_ACCESS_NET_BIND_UDP` and `LANDLOCK_ACCESS_NET_CONNECT_SEND_UDP`
    Udp,
}

impl Landlock {
    /// The ABI version that brought it, and the Linux version that brought that.
    #[must_use]
    pub const fn since(self) -> (u32, &'static str) {
        match self {
            Self::ConnectTcp | Self::BindTcp => (4, "6.7"),
            Self::Signal | Self::AbstractUnixSocket => (6, "6.12"),
            Self::Udp => (10, "7.2"),
        }
    }
}

/// No new privileges.
pub static NO_NEW_PRIVILEGES: Mechanism = Mechanism {
    id: "no-new-privileges",
    title: "no new privileges",
    level: Level::Families,
    need: Need::NoNewPrivileges,
    is_required: true,
};

/// Socket families.
pub static FAMILIES: Mechanism = Mechanism {
    id: "families",
    title: "socket families",
    level: Level::Families,
    need: Need::Seccomp,
    is_required: true,
};

/// Native system calls only.
pub static NATIVE_ABI: Mechanism = Mechanism {
    id: "native-abi",
    title: "native system calls only",
    level: Level::Families,
    need: Need::Seccomp,
    is_required: true,
};

/// No io_uring.
pub static NO_IO_URING: Mechanism = Mechanism {
    id: "no-io-uring",
    title: "no io_uring",
    level: Level::Families,
    need: Need::Seccomp,
    is_required: true,
};

/// No TCP connections out.
pub static NO_TCP_CONNECT: Mechanism = Mechanism {
    id: "no-tcp-connect",
    title: "no TCP connections out",
    level: Level::Standard,
    need: Need::Landlock(Landlock::ConnectTcp),
    is_required: true,
};

/// No TCP ports of its own.
pub static NO_TCP_BIND: Mechanism = Mechanism {
    id: "no-tcp-bind",
    title: "no TCP ports of its own",
    level: Level::Standard,
    need: Need::Landlock(Landlock::BindTcp),
    is_required: true,
};

/// No TCP connections by sending (MSG_FASTOPEN).
///
/// Landlock does not look at it (Linux 6.18).
pub static NO_FAST_OPEN: Mechanism = Mechanism {
    id: "no-fast-open",
    title: "no TCP connections by sending (MSG_FASTOPEN)",
    level: Level::Standard,
    need: Need::Seccomp,
    is_required: true,
};

/// No other protocol on a TCP socket (TCP_ULP).
///
/// Another protocol on top takes a socket out of Landlock's sight.
pub static NO_UPPER_LAYER: Mechanism = Mechanism {
    id: "no-upper-layer",
    title: "no other protocol on a TCP socket (TCP_ULP)",
    level: Level::Standard,
    need: Need::Seccomp,
    is_required: true,
};

/// No protocols but TCP, and of netlink but NETLINK_ROUTE.
///
/// Landlock governs TCP alone; netlink has more than 20 protocols, each a
/// piece of the kernel, and containers need one.
pub static PROTOCOLS: Mechanism = Mechanism {
    id: "protocols",
    title: "no protocols but TCP, and of netlink but NETLINK_ROUTE",
    level: Level::Standard,
    need: Need::Seccomp,
    is_required: true,
};

/// No signals to processes outside.
pub static NO_SIGNALS_OUT: Mechanism = Mechanism {
    id: "no-signals-out",
    title: "no signals to processes outside",
    level: Level::Standard,
    need: Need::Landlock(Landlock::Signal),
    is_required: true,
};

/// No abstract UNIX sockets of processes outside.
pub static NO_ABSTRACT_SOCKETS: Mechanism = Mechanism {
    id: "no-abstract-sockets-outside",
    title: "no abstract UNIX sockets of processes outside",
    level: Level::Standard,
    need: Need::Landlock(Landlock::AbstractUnixSocket),
    is_required: true,
};

/// No UDP, unless it is accepted.
///
/// For UDP sockets that come in later, over a UNIX socket: those handed over
/// are refused in any case. Landlock lets a port through or not, and a UDP
/// server sends to whatever port its client has, so with it a server is
/// either silent or not sealed.
pub static NO_UDP: Mechanism = Mechanism {
    id: "no-udp",
    title: "no UDP, unless it is accepted",
    level: Level::Standard,
    need: Need::Landlock(Landlock::Udp),
    is_required: false,
};

/// No capabilities in the container (`--cap-drop=all`).
pub static NO_CAPABILITIES: Mechanism = Mechanism {
    id: "no-capabilities",
    title: "no capabilities in the container",
    level: Level::Strict,
    need: Need::Container,
    is_required: true,
};

/// A read-only root in the container (`--read-only`): what is written goes to
/// volumes, and to the tmpfs that Podman mounts on /tmp, /var/tmp and /run.
pub static READ_ONLY: Mechanism = Mechanism {
    id: "read-only-root",
    title: "a read-only root in the container",
    level: Level::Strict,
    need: Need::Container,
    is_required: true,
};

/// No connect(2) in the container, not even to UNIX sockets.
pub static NO_CONNECT: Mechanism = Mechanism {
    id: "no-connect",
    title: "no connect(2) in the container",
    level: Level::Strict,
    need: Need::Container,
    is_required: true,
};

/// No bind(2) in the container.
pub static NO_BIND: Mechanism = Mechanism {
    id: "no-bind",
    title: "no bind(2) in the container",
    level: Level::Strict,
    need: Need::Container,
    is_required: true,
};

/// No listen(2) in the container: it does nothing, and says that it did.
///
/// Landlock knows no right to listen.
pub static NO_LISTEN: Mechanism = Mechanism {
    id: "no-listen",
    title: "no listen(2) in the container",
    level: Level::Strict,
    need: Need::Container,
    is_required: true,
};

/// No namespaces, mounts, tracing, keys and the like in the container.
pub static FEWER_CALLS: Mechanism = Mechanism {
    id: "fewer-calls",
    title: "fewer system calls in the container",
    level: Level::Strict,
    need: Need::Container,
    is_required: true,
};

/// An image that is pinned by digest: what was looked at is what runs.
pub static PINNED: Mechanism = Mechanism {
    id: "pinned-image",
    title: "an image that is pinned by digest",
    level: Level::Strict,
    need: Need::Container,
    is_required: true,
};

/// All parts of all levels.
///
/// Landlock's rights over files are not among them: with any of them a process
/// cannot mount, which Podman and the OCI runtimes have to.
pub static MECHANISMS: &[&Mechanism] = &[
    &NO_NEW_PRIVILEGES,
    &FAMILIES,
    &NATIVE_ABI,
    &NO_IO_URING,
    &NO_TCP_CONNECT,
    &NO_TCP_BIND,
    &NO_FAST_OPEN,
    &NO_UPPER_LAYER,
    &PROTOCOLS,
    &NO_SIGNALS_OUT,
    &NO_ABSTRACT_SOCKETS,
    &NO_UDP,
    &NO_CAPABILITIES,
    &READ_ONLY,
    &NO_CONNECT,
    &NO_BIND,
    &NO_LISTEN,
    &FEWER_CALLS,
    &PINNED,
];

/// The parts that a level has.
pub fn of(level: Level) -> impl Iterator<Item = &'static Mechanism> {
    MECHANISMS
        .iter()
        .copied()
        .filter(move |mechanism| mechanism.level <= level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_build_on_one_another() {
        let ids = |level| of(level).map(|m| m.id).collect::<Vec<_>>();
        let [families, standard, strict] = Level::ALL.map(ids);
        assert_eq!(standard[..families.len()], families);
        assert_eq!(strict[..standard.len()], standard);
        assert_eq!(strict.len(), MECHANISMS.len());
        assert!(of(Level::Families).all(|m| !matches!(m.need, Need::Landlock(_))));
        for (index, id) in strict.iter().enumerate() {
            assert!(!strict[..index].contains(id), "{id} twice");
        }
    }
}
