//! Services of the system's manager whose Podman runs as another user, on this
//! host.

use podseal_core::plan::refusal::Refusal;
use podseal_core::unit::effective::service::Service;

use crate::account::{Account, AccountError};

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
