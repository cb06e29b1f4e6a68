//! `docs/probes.md`, made of the table of probes.

use super::{Attempt, Base, GROUPS, Handed, Network, Probe, ProcessFile, Way};

const HEAD: &str = "\
# Probes: the ways out that are tried

This file is made of the table in `crates/podseal-core/src/probe/`.

A probe is one attempt to get out of a seal. It counts as **closed** only where
the same attempt, made at the same place and without a seal, works on that
machine: that is its control. Where the control fails as well, nothing was shown,
and the verdict is **inconclusive**; \"needs\" says what is missing then. So it is
where the attempt failed by chance: memory ran out, a port was taken, a signal
other than SIGSYS ended it. It is **open** where it works under the seal,
whatever the level promises.

Where somebody else would see that a probe worked, that victim is believed and
not the call's own answer: io_uring, for one, answers EINPROGRESS for a connection
that is then made. The victims are processes and sockets that the proof makes for
itself; a socket that an attempt ruins is made for it, too. Nothing else is
connected to but the UNIX sockets of services of this host, without a word (a
service that is started by its socket starts for that), and nothing is written.

`podseal demo --all` makes every probe, on the host, where Podman runs, and in a
container.
";

/// The whole file.
#[must_use]
pub fn markdown() -> String {
    let mut text = HEAD.to_owned();
    text.push_str("\n| probe | | closed by level |\n|---|---|---|\n");
    for probe in GROUPS.iter().flat_map(|group| group.probes) {
        let Probe { id, title, .. } = probe;
        text.extend(["| [", id, "](#", id, ") | ", title, " | "]);
        text.extend([&level(probe), " |\n"]);
    }
    for group in GROUPS {
        text.extend(["\n## ", group.title, "\n\n", group.about, "\n"]);
        for probe in group.probes {
            section(&mut text, probe);
        }
    }
    text
}

fn level(probe: &Probe) -> String {
    probe
        .closed_by
        .map_or_else(|| "none".to_owned(), |level| level.to_string())
}

fn section(text: &mut String, probe: &Probe) {
    text.extend(["\n### ", probe.id, "\n\n", &tries(probe.attempt)]);
    text.push('\n');
    let judged = if probe.attempt.has_victim() {
        "the victim, who hears the probe's name"
    } else {
        "the call's answer"
    };
    text.extend(["\n- closed by level: ", &level(probe), "\n"]);
    text.extend(["- judged by: ", judged, "\n"]);
    if let Some(needs) = probe.needs {
        text.extend(["- needs: ", needs, "\n"]);
    }
    if let Some(risk) = probe.risk {
        text.extend(["- where it is open: ", risk, "\n"]);
    }
}

/// What an attempt does, as a sentence.
fn tries(attempt: Attempt) -> String {
    match attempt {
        Attempt::Socket(family) => format!("socket(2) of {family}."),
        Attempt::SocketUpperBits(family) => format!(
            "socket(2) of {family} with bit 32 of the argument set, which the kernel does not \
             look at."
        ),
        Attempt::OtherFamilies => "socket(2) of each family that /proc/net/protocols shows and no \
                                   other probe is for, with each type of socket."
            .into(),
        Attempt::Protocol(family, protocol) => format!(
            "socket(2) of {family} for protocol {} ({}), where /proc/net/protocols shows it.",
            protocol.number(),
            protocol.name()
        ),
        Attempt::SocketI386(family) => {
            format!("socket(2) of {family} by `int 0x80`, call 359 of i386.")
        }
        Attempt::SocketcallI386(family) => {
            format!("socketcall(2) for a socket of {family} by `int 0x80`, call 102 of i386.")
        }
        Attempt::SocketX32(family) => {
            format!("socket(2) of {family} with the bit in the call's number that means x32.")
        }
        Attempt::IoUring(family) => format!("`IORING_OP_SOCKET` of {family}."),
        Attempt::Netlink(protocol) => {
            format!("socket(2) of AF_NETLINK for protocol {protocol}.")
        }
        Attempt::OtherNetlink => "socket(2) of AF_NETLINK for each protocol that \
                                  /proc/net/netlink shows, but for NETLINK_ROUTE."
            .into(),
        Attempt::Outward(socket, way) => format!("{}: {}.", handed(socket), outward(way)),
        Attempt::Rebind(socket) => format!(
            "{}: connect(2) to AF_UNSPEC, bind(2) to another port, listen(2).",
            handed(socket)
        ),
        Attempt::Relisten(socket) => format!(
            "{}: connect(2) to AF_UNSPEC, listen(2) without bind(2).",
            handed(socket)
        ),
        Attempt::RelistenIoUring(socket) => format!(
            "{}: connect(2) to AF_UNSPEC, `IORING_OP_LISTEN` without bind(2).",
            handed(socket)
        ),
        Attempt::UpperLayer(socket) => {
            format!("{}: setsockopt(2) of `TCP_ULP` to \"tls\".", handed(socket))
        }
        Attempt::Signal => "kill(2) with signal 0.".into(),
        Attempt::Trace => "ptrace(2) with `PTRACE_SEIZE`, which does not stop the process.".into(),
        Attempt::ReadMemory => "process_vm_readv(2) of the beginning of its program.".into(),
        Attempt::TakeDescriptor => "pidfd_getfd(2) of its standard input.".into(),
        Attempt::OpenProcess(file) => {
            let then = match file {
                ProcessFile::Memory => ", and read(2) of the beginning of its program",
                ProcessFile::Network | ProcessFile::Root => "",
            };
            format!("open(2) of `/proc/PID/{}`{then}.", file.path())
        }
        Attempt::AbstractSocket => "connect(2) to an abstract UNIX socket.".into(),
        Attempt::PathSocket => "connect(2) to a UNIX socket in `XDG_RUNTIME_DIR`, or else in \
                                the directory for temporary files."
            .into(),
        Attempt::Service(location) => {
            format!("connect(2) to `{}{}`.", base(location.base), location.path)
        }
        Attempt::Write(location) => format!(
            "open(2) of `{}{}` for appending. Where it is a directory or missing, open(2) with \
             `O_TMPFILE` in the directory, or the nearest one above that is there.",
            base(location.base),
            location.path
        ),
        Attempt::Container(attempt) => attempt.tries().into(),
        Attempt::NewPrivileges => "prctl(2) with `PR_GET_NO_NEW_PRIVS`: whether programs with the \
                                   set-user-ID bit or with file capabilities gain any."
            .into(),
        Attempt::HostNetwork => {
            "`podman run --network=host` of an image with podseal in it, which \
                                 calls socket(2) of AF_INET."
                .into()
        }
    }
}

const fn handed(socket: Handed) -> &'static str {
    match socket {
        Handed::Listener(Network::Ipv4) => "A TCP listener at 127.0.0.1",
        Handed::Listener(Network::Ipv6) => "A TCP listener at ::1",
        Handed::Listener(Network::Mapped) => "A TCP listener at ::, IPv4 included",
        Handed::Accepted(Network::Ipv4) => {
            "A connection accepted, under the seal, from a TCP listener at 127.0.0.1"
        }
        Handed::Accepted(Network::Ipv6) => {
            "A connection accepted, under the seal, from a TCP listener at ::1"
        }
        Handed::Accepted(Network::Mapped) => {
            "A connection accepted, under the seal, from a TCP listener at ::"
        }
        Handed::Connection => "A TCP connection that was accepted before there was a seal",
        Handed::Datagram => "A UDP socket at 127.0.0.1",
        Handed::Multipath => "An MPTCP listener at 127.0.0.1",
        Handed::Received => "A fresh TCP socket that comes over a UNIX socket (`SCM_RIGHTS`)",
        Handed::ReceivedDatagram => {
            "A fresh UDP socket that comes over a UNIX socket (`SCM_RIGHTS`)"
        }
    }
}

const fn outward(way: Way) -> &'static str {
    match way {
        Way::Connect => "connect(2) to AF_UNSPEC, connect(2) to the victim",
        Way::SendTo => "connect(2) to AF_UNSPEC, sendto(2) with `MSG_FASTOPEN` to the victim",
        Way::SendMessage => "connect(2) to AF_UNSPEC, sendmsg(2) with `MSG_FASTOPEN` to the victim",
        Way::SendMessages => {
            "connect(2) to AF_UNSPEC, sendmmsg(2) with `MSG_FASTOPEN` to the victim"
        }
        Way::FastOpenConnect => {
            "connect(2) to AF_UNSPEC, `TCP_FASTOPEN_CONNECT`, connect(2) and write(2) to the victim"
        }
        Way::ShutDown => "shutdown(2), connect(2) to the victim",
        Way::IoUringConnect => "connect(2) to AF_UNSPEC, `IORING_OP_CONNECT` to the victim",
        Way::IoUringSend => {
            "connect(2) to AF_UNSPEC, `IORING_OP_SENDMSG` with `MSG_FASTOPEN` to the victim"
        }
        Way::Datagram => "sendto(2) to the victim",
    }
}

fn base(base: Base) -> String {
    match base {
        Base::Root => String::new(),
        Base::RuntimeDirectory => "$XDG_RUNTIME_DIR/".into(),
        Base::Home => "~/".into(),
        Base::Configuration => "~/.config/".into(),
        Base::Variable(name) => format!("${name}"),
    }
}
