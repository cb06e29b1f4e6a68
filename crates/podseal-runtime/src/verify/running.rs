//! The service itself: what its processes show, from outside.

use podseal_core::status::facts::{Copies, Restrictions, Service};
use podseal_core::verify::Place;
use podseal_core::verify::document::Reported;
use podseal_core::verify::running::Running;

use super::{Request, Runner, VerifyError};
use crate::control::Verb;
use crate::host::User;
use crate::live;
use crate::status::{name_containers, runs, systemd};
use crate::units::Units;

/// Looks at the processes of the service, and holds them against the copies'.
pub(super) fn look(
    request: &Request<'_>,
    user: &User,
    reports: &[Reported],
) -> Result<Running, VerifyError> {
    let mut facts = match request.runner {
        Runner::Manager(manager) => {
            let units = Units::of(manager.scope());
            systemd::facts(manager, &units, &request.service.unit)?
        }
        Runner::Supervisor => of_run(request, user),
    };
    if let Some(facts) = &mut facts {
        name_containers(facts.container.iter_mut());
    }
    let under = |wanted: Place| -> Option<Restrictions> {
        let mut at = reports.iter().filter(|(place, _)| *place == wanted);
        let report = at.next()?.1.as_ref().ok()?;
        Some(live::restrictions(report.process.as_ref()?, user))
    };
    let copies = Copies {
        host: under(Place::Podman).or_else(|| under(Place::OciRuntime)),
        container: under(Place::Container),
    };
    Ok(Running::new(facts, copies))
}

/// What the run has of the service, if it has not ended meanwhile.
fn of_run(request: &Request<'_>, user: &User) -> Option<Service> {
    let response = request.run?.ask(Verb::Status, &[]);
    let all = response
        .inspect_err(|error| tracing::info!(%error, "the run was not asked"))
        .ok()?
        .units;
    let unit = all
        .iter()
        .find(|unit| unit.unit == request.service.unit.as_str())?;
    Some(runs::service(unit, &all, user))
}
