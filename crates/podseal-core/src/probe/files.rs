//! What the file system leads to: sockets of services, files that are run.

use super::{Attempt, Base, Group, Location, Probe};
use crate::policy::level::Level;

pub(super) const GROUP: Group = Group {
    title: "Asking somebody else",
    about: "Podman works with the user's files and UNIX sockets, so no level takes those away: \
            Landlock's rights over files would forbid mount(2). Sockets are connected to and left \
            without a word; files are opened and not written.",
    probes: PROBES,
};

const fn at(base: Base, path: &'static str) -> Location {
    Location { base, path }
}

/// Why a socket of somebody who starts programs stays in reach.
const STARTS: &str = "Whoever may use AF_UNIX and sees this socket can ask for a program to be \
                      started outside the seal. A container sees it only where a volume brings it \
                      in; Podman, conmon and the OCI runtime do.";
const RESOLVES: &str = "Names can be looked up through it, and a name carries data to whoever \
                        answers for its domain. A container sees it only where a volume brings it \
                        in.";
const AUTOSTART: &str = "What Podman, conmon or the OCI runtime write here is run later, outside \
                         the seal. A container sees it only where a volume brings it in.";

const PROBES: &[Probe] = &[
    Probe::open(
        "unix-socket",
        "UNIX socket outside, by its path",
        Attempt::PathSocket,
        "UNIX sockets in directories that are in reach can be connected to; a container reaches \
         those in its volumes.",
    ),
    Probe::open(
        "user-bus",
        "the user's D-Bus",
        Attempt::Service(at(Base::RuntimeDirectory, "bus")),
        STARTS,
    )
    .needs("a D-Bus of the user")
    .in_demo(),
    Probe::open(
        "user-systemd",
        "the user's systemd, private socket",
        Attempt::Service(at(Base::RuntimeDirectory, "systemd/private")),
        STARTS,
    )
    .needs("systemd of the user"),
    Probe::open(
        "podman-socket",
        "podman.sock",
        Attempt::Service(at(Base::RuntimeDirectory, "podman/podman.sock")),
        STARTS,
    )
    .needs("podman.socket of the user, started"),
    Probe::open(
        "system-bus",
        "the system's D-Bus",
        Attempt::Service(at(Base::Root, "/run/dbus/system_bus_socket")),
        "The services of the system do for the user what their own rules let it do.",
    )
    .needs("a D-Bus of the system"),
    Probe::open(
        "resolver",
        "systemd-resolved",
        Attempt::Service(at(Base::Root, "/run/systemd/resolve/io.systemd.Resolve")),
        RESOLVES,
    )
    .needs("systemd-resolved"),
    Probe::open(
        "nscd",
        "name service cache",
        Attempt::Service(at(Base::Root, "/run/nscd/socket")),
        RESOLVES,
    )
    .needs("nscd"),
    Probe::open(
        "ssh-agent",
        "SSH agent",
        Attempt::Service(at(Base::Variable("SSH_AUTH_SOCK"), "")),
        "It signs with the user's keys for whoever asks, which is of use to somebody who reaches \
         a network. A container sees it only where a volume brings it in.",
    )
    .needs("SSH_AUTH_SOCK"),
    Probe::open(
        "autostart-units",
        "writes the user's units",
        Attempt::Write(at(Base::Configuration, "systemd/user")),
        AUTOSTART,
    )
    .needs("HOME"),
    Probe::open(
        "autostart-quadlet",
        "writes the user's .container files",
        Attempt::Write(at(Base::Configuration, "containers/systemd")),
        AUTOSTART,
    )
    .needs("HOME"),
    Probe::open(
        "autostart-shell",
        "writes the user's .bashrc",
        Attempt::Write(at(Base::Home, ".bashrc")),
        AUTOSTART,
    )
    .needs("HOME"),
    Probe::open(
        "autostart-ssh",
        "writes the user's authorized_keys",
        Attempt::Write(at(Base::Home, ".ssh/authorized_keys")),
        AUTOSTART,
    )
    .needs("HOME"),
    Probe::closed(
        "host-network",
        "podman run --network=host, AF_INET",
        Attempt::HostNetwork,
        Level::Families,
    )
    .needs("Podman and an image, where Podman runs"),
];
