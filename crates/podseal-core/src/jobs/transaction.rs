//! Which jobs a wish comes to, when each may run, and what its end means.

use std::collections::BTreeSet;

use super::{Effect, Job, JobKind, JobResult, Jobs, Links, Machine, Now, Unit};
use crate::lifecycle::{self, Service};
use crate::unit::name::UnitName;

impl Jobs {
    pub(super) fn wanted(&mut self, kind: JobKind, name: &UnitName, effects: &mut Vec<Effect>) {
        if !self.units.contains_key(name) {
            return;
        }
        if self.ending && kind != JobKind::Stop {
            effects.push(Effect::JobDone(name.clone(), kind, JobResult::Canceled));
            return;
        }
        match kind {
            JobKind::Start => self.enqueue_start(name, effects),
            JobKind::Stop => {
                for unit in self.dependents(name) {
                    if !self.units.get(&unit).is_some_and(is_idle) {
                        self.enqueue(&unit, JobKind::Stop, effects);
                    }
                }
                self.enqueue(name, JobKind::Stop, effects);
            }
            JobKind::Restart => {
                self.restart_dependents(name, effects);
                self.enqueue_start(name, effects);
                self.enqueue(name, JobKind::Restart, effects);
            }
        }
    }

    /// A start job for a unit, and for what it needs and wants and is not up.
    fn enqueue_start(&mut self, name: &UnitName, effects: &mut Vec<Effect>) {
        let mut seen = BTreeSet::from([name.clone()]);
        let mut look_at = vec![name.clone()];
        self.enqueue(name, JobKind::Start, effects);
        while let Some(next) = look_at.pop() {
            let Some(Unit { links, .. }) = self.units.get(&next) else {
                continue;
            };
            let needed: Vec<UnitName> = links.requires.union(&links.wants).cloned().collect();
            for unit in needed {
                let starts = self
                    .units
                    .get(&unit)
                    .is_some_and(|unit| !unit.is_up() || unit.stops());
                if starts && seen.insert(unit.clone()) {
                    self.enqueue(&unit, JobKind::Start, effects);
                    look_at.push(unit);
                }
            }
        }
    }

    /// Puts a job in place of the one that a unit has, as systemd's mode
    /// `replace` does.
    fn enqueue(&mut self, name: &UnitName, kind: JobKind, effects: &mut Vec<Effect>) {
        let Some(unit) = self.units.get_mut(name) else {
            return;
        };
        let job = Job {
            kind,
            running: false,
        };
        unit.job = Some(match (unit.job, kind) {
            (None, _) => job,
            (Some(old), _) if old.kind == kind => old,
            // What is being stopped starts again afterwards.
            (Some(old), JobKind::Start) if old.kind == JobKind::Restart => old,
            (Some(old), JobKind::Restart) if old.kind == JobKind::Start && !old.running => job,
            (Some(old), _) => {
                effects.push(Effect::JobDone(name.clone(), old.kind, JobResult::Canceled));
                match (old.kind, kind) {
                    (JobKind::Stop, JobKind::Start | JobKind::Restart) => Job {
                        kind: JobKind::Restart,
                        running: old.running,
                    },
                    _ => job,
                }
            }
        });
    }

    /// Restarts what is up and needs this unit.
    pub(super) fn restart_dependents(&mut self, name: &UnitName, effects: &mut Vec<Effect>) {
        for unit in self.dependents(name) {
            if self.units.get(&unit).is_some_and(Unit::is_up) {
                self.enqueue(&unit, JobKind::Restart, effects);
            }
        }
    }

    pub(super) fn stop_all(&mut self, effects: &mut Vec<Effect>) {
        self.ending = true;
        for name in self.names() {
            if !self.units.get(&name).is_some_and(is_idle) {
                self.enqueue(&name, JobKind::Stop, effects);
            }
        }
    }

    /// A unit has ended without being asked: what is bound to it stops.
    pub(super) fn ended(&mut self, name: &UnitName, effects: &mut Vec<Effect>) {
        for unit in self.reached(name, |links| &links.binds_to) {
            if !self.units.get(&unit).is_some_and(Unit::is_down) {
                self.enqueue(&unit, JobKind::Stop, effects);
            }
        }
    }

    /// What stops with this unit, directly or not.
    fn dependents(&self, name: &UnitName) -> BTreeSet<UnitName> {
        let mut found = self.reached(name, |links| &links.requires);
        found.extend(self.reached(name, |links| &links.part_of));
        found
    }

    fn reached(
        &self,
        name: &UnitName,
        of: impl Fn(&Links) -> &BTreeSet<UnitName>,
    ) -> BTreeSet<UnitName> {
        let mut found = BTreeSet::new();
        let mut look_at = vec![name];
        while let Some(next) = look_at.pop() {
            for (other, unit) in &self.units {
                if other != name && of(&unit.links).contains(next) && found.insert(other.clone()) {
                    look_at.push(other);
                }
            }
        }
        found
    }

    /// Runs every job whose time has come.
    pub(super) fn dispatch(&mut self, now: Now<'_>, effects: &mut Vec<Effect>) {
        while let Some(name) = self.next_job() {
            self.run(&name, now, effects);
        }
        for (name, service) in self
            .units
            .iter()
            .filter_map(|(name, unit)| Some((name.clone(), unit.triggers.clone()?)))
            .collect::<Vec<_>>()
        {
            let waits_again = self
                .units
                .get(&service)
                .is_none_or(|unit| unit.job.is_none())
                && self
                    .service(&service)
                    .is_none_or(|s| s.is_down() || s.state() == lifecycle::State::AutoRestart);
            if let Some(socket) = self.socket_mut(&name) {
                socket.service(!waits_again);
            }
        }
    }

    fn next_job(&self) -> Option<UnitName> {
        let runnable = |name: &UnitName, unit: &Unit| {
            unit.job
                .is_some_and(|job| !job.running && self.may_run(name, unit, job.kind))
        };
        let mut units = self.units.iter();
        units
            .find(|(name, unit)| runnable(name, unit))
            .map(|(name, _)| name.clone())
    }

    fn may_run(&self, name: &UnitName, unit: &Unit, kind: JobKind) -> bool {
        // What comes after this one stops before it stops, or starts.
        let later_stops = self
            .units
            .values()
            .any(|other| other.links.after.contains(name) && other.stops());
        if later_stops {
            return false;
        }
        if kind != JobKind::Start {
            return true;
        }
        let earlier_waits = unit
            .links
            .after
            .iter()
            .any(|other| self.units.get(other).is_some_and(|o| o.job.is_some()));
        // A service that is ending, or waits to be started again, is waited for.
        let ready = match &unit.machine {
            Machine::Service(service) => {
                use lifecycle::{Phase, State};
                service.is_up()
                    || service.can_start()
                    || matches!(
                        service.state(),
                        State::Running(Phase::StartPre | Phase::Start | Phase::StartPost, _)
                    )
            }
            Machine::Socket(_) => true,
        };
        ready && !earlier_waits
    }

    fn run(&mut self, name: &UnitName, now: Now<'_>, effects: &mut Vec<Effect>) {
        let Some(unit) = self.units.get_mut(name) else {
            return;
        };
        let Some(job) = &mut unit.job else {
            return;
        };
        job.running = true;
        let kind = job.kind;
        let (is_up, is_down) = (unit.is_up(), unit.is_down());
        match (kind, &mut unit.machine) {
            (JobKind::Start, _) if is_up => {
                self.finish(name, JobResult::Done, now, effects);
            }
            (JobKind::Start, Machine::Service(service)) if service.can_start() => {
                if self.lacks_a_binding(name) {
                    self.finish(name, JobResult::Dependency, now, effects);
                } else {
                    self.feed(name, lifecycle::Event::Start, now, effects);
                }
            }
            // It is starting already.
            (JobKind::Start, Machine::Service(_)) => {}
            (JobKind::Start, Machine::Socket(_)) => self.open(name, now, effects),
            (JobKind::Stop | JobKind::Restart, _) if is_down => {
                self.stopped(name, kind, now, effects);
            }
            (JobKind::Stop | JobKind::Restart, Machine::Service(_)) => {
                self.feed(name, lifecycle::Event::Stop, now, effects);
            }
            (JobKind::Stop | JobKind::Restart, Machine::Socket(socket)) => {
                socket.stop();
                effects.push(Effect::Close(name.clone()));
                self.stopped(name, kind, now, effects);
            }
        }
    }

    fn stopped(&mut self, name: &UnitName, kind: JobKind, now: Now<'_>, effects: &mut Vec<Effect>) {
        if kind == JobKind::Restart {
            if let Some(job) = self.job_mut(name) {
                *job = Job {
                    kind: JobKind::Start,
                    running: false,
                };
            }
        } else {
            self.finish(name, JobResult::Done, now, effects);
        }
    }

    /// With `BindsTo=` and `After=` the other unit must be up, not only started.
    fn lacks_a_binding(&self, name: &UnitName) -> bool {
        self.units.get(name).is_some_and(|unit| {
            let links = &unit.links;
            let mut bound = links.binds_to.intersection(&links.after);
            bound.any(|other| self.units.get(other).is_some_and(|other| !other.is_up()))
        })
    }

    fn open(&mut self, name: &UnitName, now: Now<'_>, effects: &mut Vec<Effect>) {
        let service = self.units.get(name).and_then(|unit| unit.triggers.clone());
        let busy = service
            .and_then(|service| self.service(&service))
            .is_some_and(|s| !s.is_down() && s.state() != lifecycle::State::AutoRestart);
        if busy {
            effects.push(Effect::Busy(name.clone()));
            self.finish(name, JobResult::Failed, now, effects);
        } else if self.socket_mut(name).is_some_and(|s| s.start(now.time)) {
            effects.push(Effect::Open(name.clone()));
        } else {
            self.finish(name, JobResult::Failed, now, effects);
        }
    }

    /// A job has ended, and with it those that cannot go on without it.
    pub(super) fn finish(
        &mut self,
        name: &UnitName,
        result: JobResult,
        now: Now<'_>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(job) = self.units.get_mut(name).and_then(|unit| unit.job.take()) else {
            return;
        };
        effects.push(Effect::JobDone(name.clone(), job.kind, result));
        if job.kind != JobKind::Start
            || !matches!(result, JobResult::Failed | JobResult::Dependency)
        {
            return;
        }
        // A service that waited to be started again has to give that up.
        if self
            .service(name)
            .is_some_and(|s| s.can_start() && !Service::is_down(s))
        {
            self.feed(name, lifecycle::Event::Stop, now, effects);
        }
        let waiting: Vec<UnitName> = self
            .units
            .iter()
            .filter(|(_, unit)| {
                unit.links.requires.contains(name)
                    && unit.job.is_some_and(|job| job.kind == JobKind::Start)
            })
            .map(|(other, _)| other.clone())
            .collect();
        for other in waiting {
            self.finish(&other, JobResult::Dependency, now, effects);
        }
    }
}

/// Nothing of it runs, and nothing is to.
fn is_idle(unit: &Unit) -> bool {
    unit.is_down() && unit.job.is_none()
}
