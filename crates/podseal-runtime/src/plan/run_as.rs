//! Services of the system's manager whose Podman runs as another user, on this
//! host.

use podseal_core::plan::refusal::Refusal;
use podseal_core::policy::seal::Seal;
use podseal_core::unit::effective::service::Service;
use podseal_core::unit::effective::view::View;
use podseal_core::unit::name::{NameKind, UnitName};

use super::{PlanError, Request};
use crate::account::{Account, AccountError};
use crate::container_profile;
use crate::podman::Podman;

const VARIABLE: &str = "XDG_RUNTIME_DIR";

/// The user of a service, with what it takes to start Podman under the seal.
pub(super) fn user(service: &Service, podseal: &str) -> Result<Option<Account>, AccountError> {
    let account = service.run_as().map(Account::named).transpose()?;
    if let Some(account) = &account {
        account.require_podseal(podseal)?;
    }
    Ok(account)
}

/// A run-time directory that is not the user's: the pause process is in another.
pub(super) fn elsewhere(service: &Service, account: &Account) -> Option<Refusal> {
    let found = service.environment.get(VARIABLE)?;
    let own = account.runtime_directory();
    let own = own.display();
    (*found != own.to_string()).then(|| Refusal {
        id: "user-runtime",
        unit: service.unit.clone(),
        origin: service
            .origins
            .get("Service.Environment")
            .and_then(|origins| origins.last().cloned()),
        message: format!(
            "{VARIABLE} is {found}, and that of {} is {own}",
            account.user.name
        ),
        fix: format!("write Environment={VARIABLE}={own}"),
        edit: None,
        image: None,
    })
}

/// The Podman of a service, with the settings and the storage of its user.
pub(super) fn podman(service: &Service) -> Result<Podman, PlanError> {
    let account = service.run_as().map(Account::ready).transpose()?;
    Ok(Podman::installed()?.run_as(account))
}

/// What of a seal rests on the user of a service.
#[derive(Default)]
pub(super) struct OfUser {
    /// The seccomp profile of its containers, where the level has one.
    pub(super) profile: Option<String>,
    /// Why there can be no seal.
    pub(super) refusal: Option<Refusal>,
    /// Why nothing could be asked as the user. It is told where nothing else
    /// stands against the seal.
    pub(super) error: Option<PlanError>,
}

/// Looks at it for a service, or for an instance of the template `unit`.
pub(super) fn of_user(
    view: &View,
    unit: &UnitName,
    is_named: bool,
    request: &Request,
) -> Result<OfUser, PlanError> {
    let mut found = OfUser::default();
    let View::Service(service) = view else {
        return Ok(found);
    };
    if unit.kind() == NameKind::Template {
        found.refusal = of_instance(service, unit);
    }
    if found.refusal.is_none() {
        match profile(service, request) {
            Ok(profile) => found.profile = profile,
            Err(error @ PlanError::Account(_)) if is_named => found.error = Some(error),
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// The seccomp profile of a service's containers, where the level has one: made
/// from that which its own Podman has.
fn profile(service: &Service, request: &Request) -> Result<Option<String>, PlanError> {
    let seal = Seal {
        level: request.level,
        allow_connect: request.allow_connect,
        ..Seal::default()
    };
    if seal.level == seal.level.on_host() {
        return Ok(None);
    }
    Ok(container_profile::for_level(&podman(service)?, &seal)?)
}

/// That the user of a template's instances is none that could be looked at.
fn of_instance(service: &Service, unit: &UnitName) -> Option<Refusal> {
    service.run_as()?;
    let user = service.settings.last("Service", "User")?;
    // Specifiers that have the instance in them, systemd.unit(5).
    let is_of_instance = ["%i", "%I", "%f", "%n", "%N"]
        .iter()
        .any(|specifier| user.value.contains(specifier));
    is_of_instance.then(|| Refusal {
        id: "user-directive",
        unit: unit.clone(),
        origin: Some(user.origin.clone()),
        message: format!("User={} is another user in each instance", user.value),
        fix: format!(
            "seal the instances, each with a drop-in of its own: podseal seal --system {}",
            unit.as_str().replacen('@', "@INSTANCE", 1)
        ),
        edit: None,
        image: None,
    })
}
