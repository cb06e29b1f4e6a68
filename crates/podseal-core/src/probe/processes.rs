//! Reaching other processes of the user.

use super::{Attempt, Group, Probe, ProcessFile};
use crate::policy::level::Level;

pub(super) const GROUP: Group = Group {
    title: "Reaching other processes",
    about: "Another process of the same user has no seal: whoever controls it, or takes something \
            from it, is out. The process is one that the proof starts for this. With more \
            privileges the whole host would be in reach.",
    probes: PROBES,
};

const PROBES: &[Probe] = &[
    Probe::closed(
        "new-privileges",
        "setuid programs gain privileges",
        Attempt::NewPrivileges,
        Level::Families,
    ),
    Probe::closed(
        "signal",
        "signal to a process outside",
        Attempt::Signal,
        Level::Standard,
    )
    .in_demo(),
    Probe::closed(
        "ptrace",
        "ptrace of a process outside",
        Attempt::Trace,
        Level::Standard,
    )
    .in_demo(),
    Probe::closed(
        "process-vm-read",
        "memory of a process outside",
        Attempt::ReadMemory,
        Level::Standard,
    ),
    Probe::closed(
        "pidfd-getfd",
        "descriptor of a process outside",
        Attempt::TakeDescriptor,
        Level::Standard,
    )
    .in_demo(),
    Probe::closed(
        "proc-mem",
        "/proc/PID/mem of a process outside",
        Attempt::OpenProcess(ProcessFile::Memory),
        Level::Standard,
    ),
    Probe::closed(
        "proc-net",
        "/proc/PID/ns/net of a process outside",
        Attempt::OpenProcess(ProcessFile::Network),
        Level::Standard,
    ),
    Probe::closed(
        "proc-root",
        "/proc/PID/root of a process outside",
        Attempt::OpenProcess(ProcessFile::Root),
        Level::Standard,
    ),
    Probe::closed(
        "abstract-socket",
        "abstract UNIX socket outside",
        Attempt::AbstractSocket,
        Level::Standard,
    )
    .in_demo(),
];
