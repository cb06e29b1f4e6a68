//! A unit as jobs see it.

use std::collections::BTreeSet;
use std::fmt;

use crate::lifecycle::{self, Service, socket};
use crate::unit::name::UnitName;

/// What a unit has to do with others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// `Requires=` and `BindsTo=`: started with it, and it does not start
    /// without them.
    pub requires: BTreeSet<UnitName>,
    /// `BindsTo=`: it stops when one of them ends.
    pub binds_to: BTreeSet<UnitName>,
    /// `Wants=`: started with it.
    pub wants: BTreeSet<UnitName>,
    /// `PartOf=`: stopped and restarted with them.
    pub part_of: BTreeSet<UnitName>,
    /// `After=`, the other side of `Before=`, and what systemd adds.
    pub after: BTreeSet<UnitName>,
}

/// A unit that can be supervised, as far as jobs are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Definition {
    /// A service.
    Service(Box<lifecycle::Settings>),
    /// A socket unit and the service that it starts.
    Socket(socket::Settings, UnitName),
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    /// Brings the unit up.
    Start,
    /// Takes it down.
    Stop,
    /// Takes it down, then brings it up.
    Restart,
}

impl fmt::Display for JobKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
        })
    }
}

/// What came of a job (as `systemctl` words it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobResult {
    /// It did what it should.
    Done,
    /// It did not.
    Failed,
    /// A unit that it needs did not start.
    Dependency,
    /// Another job took its place.
    Canceled,
}

impl fmt::Display for JobResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Dependency => "dependency",
            Self::Canceled => "canceled",
        })
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Job {
    pub(super) kind: JobKind,
    pub(super) running: bool,
}

/// The machine of a unit.
#[derive(Debug)]
pub enum Machine {
    /// Of a service.
    Service(Box<Service>),
    /// Of a socket unit.
    Socket(Box<socket::Socket>),
}

/// A unit and what is to become of it.
#[derive(Debug)]
pub struct Unit {
    pub(super) machine: Machine,
    /// The service that a socket unit starts.
    pub(super) triggers: Option<UnitName>,
    pub(super) links: Links,
    pub(super) job: Option<Job>,
}

impl Unit {
    /// Where it is in its life.
    #[must_use]
    pub const fn machine(&self) -> &Machine {
        &self.machine
    }

    /// What is to become of it.
    #[must_use]
    pub fn job(&self) -> Option<JobKind> {
        self.job.map(|job| job.kind)
    }

    /// The service that it starts, if it is a socket unit.
    #[must_use]
    pub const fn triggers(&self) -> Option<&UnitName> {
        self.triggers.as_ref()
    }

    /// systemd's words for where it is: its state, as any unit has it, and that
    /// of its kind.
    #[must_use]
    pub fn state(&self) -> (&'static str, &'static str) {
        match &self.machine {
            Machine::Service(service) => service.state().words(),
            Machine::Socket(socket) => socket.state().words(),
        }
    }

    /// How it ended last, or what has gone wrong so far.
    #[must_use]
    pub fn result(&self) -> String {
        match &self.machine {
            Machine::Service(service) => service.outcome().to_string(),
            Machine::Socket(socket) => socket.outcome().to_string(),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        match &self.machine {
            Machine::Service(service) => service.is_up(),
            Machine::Socket(socket) => socket.is_open(),
        }
    }

    pub(super) fn is_down(&self) -> bool {
        match &self.machine {
            Machine::Service(service) => service.is_down(),
            Machine::Socket(socket) => !socket.is_open(),
        }
    }

    pub(super) fn stops(&self) -> bool {
        self.job
            .is_some_and(|job| matches!(job.kind, JobKind::Stop | JobKind::Restart))
    }
}
