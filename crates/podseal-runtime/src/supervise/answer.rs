//! What is asked of a running supervisor, and the answers.

use podseal_core::jobs::{Event, JobKind};
use podseal_core::supervised::Kind;
use podseal_core::unit::name::UnitName;
use rustix::process::Pid;

use super::Supervisor;
use crate::control::{Request, Response, UnitStatus, Verb};

impl Supervisor<'_, '_> {
    /// Does what a client asks and answers, at once or when it is done.
    pub(super) fn answer_client(&mut self, index: usize) {
        let Some(request) = self.control.read(index) else {
            return;
        };
        if matches!(request.verb, Verb::Start | Verb::Restart) {
            self.reload();
        }
        let units = match self.named(&request) {
            Ok(units) => units,
            Err(error) => {
                let response = Response {
                    error: Some(error),
                    ..Response::default()
                };
                return self.control.answer(index, response);
            }
        };
        let kind = match request.verb {
            Verb::Status => {
                let units = units.iter().filter_map(|name| self.status(name));
                let response = Response {
                    units: units.collect(),
                    directory: Some(self.units.clone()),
                    ..Response::default()
                };
                return self.control.answer(index, response);
            }
            Verb::Log => {
                let response = Response {
                    logs: units.iter().filter_map(|name| self.log(name)).collect(),
                    ..Response::default()
                };
                return self.control.answer(index, response);
            }
            Verb::ResetFailed => {
                for unit in units {
                    if let Some(service) = self.services.get_mut(&unit) {
                        service.history.reset();
                    }
                    self.feed(Event::ResetFailed(unit));
                }
                return self.control.answer(index, Response::default());
            }
            Verb::Start => JobKind::Start,
            Verb::Stop => JobKind::Stop,
            Verb::Restart => JobKind::Restart,
        };
        self.control.wait(index, units.clone());
        for unit in units {
            self.feed(Event::Wanted(kind, unit));
        }
    }

    /// The units of a request, all where it names none.
    fn named(&self, request: &Request) -> Result<Vec<UnitName>, String> {
        if request.units.is_empty() {
            return Ok(self.jobs.units().keys().cloned().collect());
        }
        let find = |text: &String| {
            let name: UnitName = text
                .parse()
                .map_err(|_| format!("{text:?} is no unit name"))?;
            let own = self.set.find(&name).map_or(&name, |(own, _)| own);
            if self.jobs.units().contains_key(own) {
                Ok(own.clone())
            } else {
                Err(format!("there is no unit {text} in this run"))
            }
        };
        request.units.iter().map(find).collect()
    }

    pub(super) fn status(&self, name: &UnitName) -> Option<UnitStatus> {
        let unit = self.jobs.units().get(name)?;
        let service = self.services.get(name);
        let (active_state, sub_state) = unit.state();
        let main = service.and_then(|service| service.main.as_ref());
        let would_be = || {
            let unit = self.set.find(name).map(|(_, kind)| kind);
            matches!(unit, Some(Kind::Service(unit)) if unit.not_sealed().is_none())
        };
        let listen = self.sockets.get(name).into_iter().flatten();
        let sealed = service.map(|service| service.sealed.unwrap_or_else(would_be));
        let promise = service.map(|service| service.promise(sealed == Some(true)));
        let promise = promise.unwrap_or_default();
        let names = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect();
        let started = match self.set.find(name) {
            Some((_, Kind::Socket(socket))) => Some(socket.service.to_string()),
            _ => None,
        };
        let number = |pid: Pid| pid.as_raw_nonzero().get();
        let processes = service.map(|service| service.processes(&self.user, self.marks));
        Some(UnitStatus {
            unit: name.to_string(),
            active_state: active_state.to_owned(),
            sub_state: sub_state.to_owned(),
            result: unit.result(),
            job: unit.job().map(|job| job.to_string()),
            main_pid: main.map(|main| number(main.pid)),
            sealed,
            listen: listen.map(|socket| socket.listen.to_string()).collect(),
            service: started,
            control_pid: service.and_then(|service| service.control).map(number),
            mechanisms: names(&promise.mechanisms),
            given_up: names(&promise.given_up),
            processes: processes.into_iter().flatten().map(number).collect(),
        })
    }
}
