//! The units of a `podseal run`.

use podseal_core::status::document::{SocketUnit, Unit};
use podseal_core::status::examine;
use podseal_core::status::facts::{Promise, Service, Socket, State};

use super::containers::{name_containers, unnamed};
use crate::control::{Run, UnitStatus};
use crate::explain::{self, Host};
use crate::host::User;
use crate::live::sockets::Tables;
use crate::live::{self, Whose};

/// What is to be known of a unit, of all that its run has. Why it failed is
/// looked for, and Podman asked for its container, where there is a `host` to look
/// at.
#[must_use]
pub fn unit(
    run: &Run,
    unit: &UnitStatus,
    all: &[UnitStatus],
    user: &User,
    host: Option<&Host>,
) -> Unit {
    let why = host.and_then(|host| explain::of_unit_in_run(run, &unit.unit, all, host));
    if unit.sealed.is_none() {
        return Unit::Socket(Box::new(SocketUnit {
            socket: socket(unit),
            service: unit.service.clone(),
            why,
        }));
    }
    let mut facts = Service {
        why,
        ..service(unit, all, user)
    };
    if host.is_some() {
        name_containers(facts.container.iter_mut());
    }
    Unit::Service(Box::new(examine(facts)))
}

/// What was seen of a service, of all units that its run has.
#[must_use]
pub fn service(unit: &UnitStatus, all: &[UnitStatus], user: &User) -> Service {
    let whose = Whose {
        pids: &unit.processes,
        main: unit.main_pid,
        control: unit.control_pid,
        ..Whose::default()
    };
    let processes = if unit.processes.is_empty() && unit.main_pid.is_none() {
        Ok(Vec::new())
    } else {
        live::processes(&whose, user).map_err(|error| error.to_string())
    };
    let container = processes.as_deref().ok().and_then(live::container);
    let own = |other: &&UnitStatus| other.service.as_ref() == Some(&unit.unit);
    Service {
        state: state(unit),
        promise: Promise::told(&unit.mechanisms, &unit.given_up),
        unread: None,
        processes,
        sockets: all.iter().filter(own).map(socket).collect(),
        container: container.map(unnamed),
        loaded: None,
        copies: None,
        why: None,
    }
}

fn state(unit: &UnitStatus) -> State {
    State {
        unit: unit.unit.clone(),
        active_state: unit.active_state.clone(),
        sub_state: unit.sub_state.clone(),
        result: unit.result.clone(),
        job: unit.job.clone(),
        main_pid: unit.main_pid,
        control_pid: unit.control_pid,
        activated: None,
    }
}

fn socket(unit: &UnitStatus) -> Socket {
    let mut tables = Tables::default();
    let mut waiting = |address: &String| Some(tables.queue(&address.parse().ok()?)?.waiting);
    Socket {
        state: state(unit),
        waiting: unit.listen.iter().map(&mut waiting).collect(),
        listen: unit.listen.clone(),
        accepted: None,
        connections: None,
    }
}
