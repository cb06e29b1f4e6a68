//! Several units and what is to become of them: jobs, their order, and how the
//! end of one unit reaches others.
//!
//! A state machine without effects, above those of [`crate::lifecycle`].
//! Follows "Unit dependencies" in systemd.unit(5) and `src/core/job.c`,
//! `src/core/transaction.c`. A unit has one job at most; a job waits for those
//! that `After=` puts before it; where a unit is to stop and another to start,
//! the stop goes first.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::lifecycle::{self, Action, Outcome, Service, socket};
use crate::unit::name::UnitName;

mod order;
mod transaction;
mod unit;

pub use order::{Cycle, Edge, find_cycle};
pub use unit::{Definition, JobKind, JobResult, Links, Machine, Unit};

use unit::Job;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody wants this of a unit.
    Wanted(JobKind, UnitName),
    /// Something happened to a service.
    Service(UnitName, lifecycle::Event),
    /// A socket unit's sockets are open, as [`Effect::Open`] asked.
    Opened(UnitName),
    /// They could not be opened.
    OpenFailed(UnitName),
    /// There is traffic on a socket unit.
    Traffic(UnitName),
    /// Somebody wants a failure to be forgotten.
    ResetFailed(UnitName),
    /// Everything is to stop, for good.
    StopAll,
    /// The same, without waiting for anything that can be killed.
    KillAll,
    /// Time has passed.
    Tick,
}

/// What the supervisor is to do, or to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// What a service's machine says.
    Service(UnitName, Action),
    /// Open the sockets of this unit, then report [`Event::Opened`] or
    /// [`Event::OpenFailed`].
    Open(UnitName),
    /// Close them.
    Close(UnitName),
    /// A job has ended.
    JobDone(UnitName, JobKind, JobResult),
    /// A socket unit was given up; its sockets are to be closed.
    GivenUp(UnitName, socket::Outcome),
    /// A socket unit is not opened while its service runs without it.
    Busy(UnitName),
}

/// What has to be known of the world at an event.
#[derive(Clone, Copy)]
pub struct Now<'a> {
    /// A monotonic clock.
    pub time: Duration,
    /// Whether any process of a service is left that it waits for; asked only
    /// where it matters.
    pub processes: &'a dyn Fn(&UnitName) -> bool,
}

/// The units of one supervisor.
#[derive(Debug, Default)]
pub struct Jobs {
    units: BTreeMap<UnitName, Unit>,
    ending: bool,
}

impl Jobs {
    /// Takes in what units are made of. Those that are known go on with it;
    /// those that are not there any more are dropped once they are down.
    pub fn load(&mut self, definitions: BTreeMap<UnitName, (Definition, Links)>) {
        self.units
            .retain(|name, unit| definitions.contains_key(name) || !unit.is_down());
        for (name, (definition, links)) in definitions {
            let triggers = match &definition {
                Definition::Service(_) => None,
                Definition::Socket(_, service) => Some(service.clone()),
            };
            let machine = match (self.units.remove(&name), definition) {
                (None, Definition::Service(settings)) => {
                    (Machine::Service(Box::new(Service::new(*settings))), None)
                }
                (None, Definition::Socket(settings, _)) => (
                    Machine::Socket(Box::new(socket::Socket::new(settings))),
                    None,
                ),
                (Some(mut known), definition) => {
                    match (&mut known.machine, definition) {
                        (Machine::Service(service), Definition::Service(settings)) => {
                            service.set_settings(*settings);
                        }
                        (Machine::Socket(socket), Definition::Socket(settings, _)) => {
                            socket.set_settings(settings);
                        }
                        // The name tells the kind.
                        _ => {}
                    }
                    (known.machine, known.job)
                }
            };
            let (machine, job) = machine;
            self.units.insert(
                name,
                Unit {
                    machine,
                    triggers,
                    links,
                    job,
                },
            );
        }
    }

    /// All units, by name.
    #[must_use]
    pub const fn units(&self) -> &BTreeMap<UnitName, Unit> {
        &self.units
    }

    /// The machine of a service.
    #[must_use]
    pub fn service(&self, name: &UnitName) -> Option<&Service> {
        match &self.units.get(name)?.machine {
            Machine::Service(service) => Some(service),
            Machine::Socket(_) => None,
        }
    }

    /// Whether a socket unit is to be looked at for traffic.
    #[must_use]
    pub fn listens(&self, name: &UnitName, now: Duration) -> bool {
        self.units.get(name).is_some_and(|unit| {
            let listens = matches!(&unit.machine, Machine::Socket(socket) if socket.listens(now));
            listens && !unit.stops()
        })
    }

    /// When a [`Event::Tick`] is wanted at the latest.
    #[must_use]
    pub fn deadline(&self, now: Duration) -> Option<Duration> {
        let of_unit = |unit: &Unit| match &unit.machine {
            Machine::Service(service) => service.deadline(),
            Machine::Socket(socket) => socket.deadline(now),
        };
        self.units.values().filter_map(of_unit).min()
    }

    /// Whether nothing runs and nothing will by itself.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.units
            .values()
            .all(|unit| unit.is_down() && unit.job.is_none())
    }

    /// Whether everything is being stopped.
    #[must_use]
    pub const fn is_ending(&self) -> bool {
        self.ending
    }

    /// Takes `event` in and says what to do, in order.
    pub fn handle(&mut self, event: Event, now: Now<'_>) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Wanted(kind, name) => self.wanted(kind, &name, &mut effects),
            Event::Service(name, event) => self.feed(&name, event, now, &mut effects),
            Event::Opened(name) => {
                if let Some(socket) = self.socket_mut(&name) {
                    socket.opened();
                }
                self.finish(&name, JobResult::Done, now, &mut effects);
            }
            Event::OpenFailed(name) => {
                if let Some(socket) = self.socket_mut(&name) {
                    socket.fail(socket::Outcome::Resources);
                }
                self.finish(&name, JobResult::Failed, now, &mut effects);
            }
            Event::Traffic(name) => self.traffic(&name, now, &mut effects),
            Event::ResetFailed(name) => {
                match self.units.get_mut(&name).map(|unit| &mut unit.machine) {
                    Some(Machine::Service(service)) => service.reset_failed(),
                    Some(Machine::Socket(socket)) => socket.reset_failed(),
                    None => {}
                }
            }
            Event::StopAll => self.stop_all(&mut effects),
            Event::KillAll => {
                self.stop_all(&mut effects);
                for name in self.names() {
                    if self
                        .service(&name)
                        .is_some_and(|service| !service.is_down())
                    {
                        if let Some(job) = self.job_mut(&name) {
                            job.running = true;
                        }
                        self.feed(&name, lifecycle::Event::Kill, now, &mut effects);
                    }
                }
            }
            Event::Tick => {
                let due = self.names().into_iter().filter(|name| {
                    self.service(name)
                        .and_then(Service::deadline)
                        .is_some_and(|at| now.time >= at)
                });
                for name in due.collect::<Vec<_>>() {
                    self.feed(&name, lifecycle::Event::Tick, now, &mut effects);
                }
            }
        }
        self.dispatch(now, &mut effects);
        effects
    }

    fn names(&self) -> Vec<UnitName> {
        self.units.keys().cloned().collect()
    }

    fn socket_mut(&mut self, name: &UnitName) -> Option<&mut socket::Socket> {
        match &mut self.units.get_mut(name)?.machine {
            Machine::Socket(socket) => Some(socket),
            Machine::Service(_) => None,
        }
    }

    fn job_mut(&mut self, name: &UnitName) -> Option<&mut Job> {
        self.units.get_mut(name)?.job.as_mut()
    }

    fn traffic(&mut self, name: &UnitName, now: Now<'_>, effects: &mut Vec<Effect>) {
        if !self.listens(name, now.time) {
            return;
        }
        let Some(service) = self.units.get(name).and_then(|unit| unit.triggers.clone()) else {
            return;
        };
        if self.socket_mut(name).is_some_and(|s| s.traffic(now.time)) {
            self.wanted(JobKind::Start, &service, effects);
        } else {
            let outcome = socket::Outcome::TriggerLimitHit;
            effects.push(Effect::GivenUp(name.clone(), outcome));
            self.ended(name, effects);
        }
    }

    /// Tells a service's machine what happened, and the other units what
    /// comes of it.
    fn feed(
        &mut self,
        name: &UnitName,
        event: lifecycle::Event,
        now: Now<'_>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(Machine::Service(service)) = self.units.get_mut(name).map(|u| &mut u.machine)
        else {
            return;
        };
        let processes = || (now.processes)(name);
        let of_service = lifecycle::Now {
            time: now.time,
            processes: &processes,
        };
        for action in service.handle(event, of_service) {
            effects.push(Effect::Service(name.clone(), action));
            match action {
                Action::Up if self.is_starting(name) => {
                    self.finish(name, JobResult::Done, now, effects);
                }
                Action::Down(outcome) => self.service_down(name, outcome, now, effects),
                Action::StartAgain => self.start_again(name, effects),
                _ => {}
            }
        }
    }

    fn is_starting(&self, name: &UnitName) -> bool {
        let job = self.units.get(name).and_then(Unit::job);
        job == Some(JobKind::Start)
    }

    fn service_down(
        &mut self,
        name: &UnitName,
        outcome: Outcome,
        now: Now<'_>,
        effects: &mut Vec<Effect>,
    ) {
        if self.service(name).is_some_and(Service::start_limit_hit) {
            let outcome = socket::Outcome::ServiceStartLimitHit;
            for socket in self.sockets_of(name) {
                if let Some(machine) = self.socket_mut(&socket).filter(|s| s.is_open()) {
                    machine.fail(outcome);
                    effects.push(Effect::GivenUp(socket.clone(), outcome));
                    self.ended(&socket, effects);
                }
            }
        }
        match self.units.get(name).and_then(|unit| unit.job) {
            Some(Job {
                kind: JobKind::Start,
                running: true,
            }) => {
                let result = match outcome {
                    Outcome::Success => JobResult::Done,
                    _ => JobResult::Failed,
                };
                self.ended(name, effects);
                self.finish(name, result, now, effects);
            }
            Some(Job {
                kind: JobKind::Stop,
                ..
            }) => self.finish(name, JobResult::Done, now, effects),
            Some(Job {
                kind: JobKind::Restart,
                ..
            }) => {
                if let Some(job) = self.job_mut(name) {
                    *job = Job {
                        kind: JobKind::Start,
                        running: false,
                    };
                }
            }
            _ => self.ended(name, effects),
        }
    }

    fn sockets_of(&self, service: &UnitName) -> Vec<UnitName> {
        let triggers = |unit: &Unit| unit.triggers.as_ref() == Some(service);
        let sockets = self.units.iter().filter(|(_, unit)| triggers(unit));
        sockets.map(|(name, _)| name.clone()).collect()
    }

    /// Its time to be started again has come: with what it needs, and with what
    /// needs it, as systemd restarts those too.
    fn start_again(&mut self, name: &UnitName, effects: &mut Vec<Effect>) {
        self.restart_dependents(name, effects);
        self.wanted(JobKind::Start, name, effects);
    }
}

#[cfg(test)]
mod tests;
