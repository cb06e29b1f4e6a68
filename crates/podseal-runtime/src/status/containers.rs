//! What Podman says of containers.

use std::time::Duration;

use podseal_core::status::facts::Container;
use serde::Deserialize;

use crate::account::Account;
use crate::podman::Podman;

/// How long Podman may take to answer.
const LIMIT: Duration = Duration::from_secs(10);

/// The part of `podman container inspect` that is looked at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    name: Option<String>,
    image: Option<String>,
    image_name: Option<String>,
    image_digest: Option<String>,
    config: Option<Config>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    healthcheck: Option<HealthCheck>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HealthCheck {
    test: Option<Vec<String>>,
}

impl Inspected {
    /// Whether Podman runs health checks in it.
    fn is_checked(&self) -> bool {
        let config = self.config.as_ref();
        let check = config.and_then(|config| config.healthcheck.as_ref());
        let command = check.and_then(|check| check.test.as_ref()?.first());
        command.is_some_and(|first| !matches!(first.as_str(), "" | "NONE" | "none"))
    }
}

/// What is known of a container by its id alone.
pub(super) fn unnamed(id: String) -> Container {
    Container {
        id,
        user: None,
        name: None,
        image: None,
        image_id: None,
        digest: None,
        is_health_checked: None,
    }
}

/// Asks Podman for names and images of containers. What it does not know stays
/// unknown: containers of users that it cannot be asked as, and one that ended
/// meanwhile.
pub(crate) fn name_containers<'a>(containers: impl Iterator<Item = &'a mut Container>) {
    let containers: Vec<&mut Container> = containers.collect();
    if containers.is_empty() {
        return;
    }
    let Ok(podman) = Podman::installed() else {
        return;
    };
    for container in containers {
        let account = match &container.user {
            None => None,
            Some(user) => match Account::ready(user) {
                Ok(account) => Some(account),
                Err(error) => {
                    tracing::debug!(%error, "not inspected");
                    continue;
                }
            },
        };
        let podman = podman.clone().run_as(account);
        let answer = podman.output_within(&["container", "inspect", &container.id], LIMIT);
        let Ok(answer) = answer.inspect_err(|error| tracing::debug!(%error, "not inspected"))
        else {
            continue;
        };
        let found: Vec<Inspected> = serde_json::from_str(&answer).unwrap_or_default();
        if let Some(found) = found.into_iter().find(|found| found.id == container.id) {
            container.is_health_checked = Some(found.is_checked());
            container.name = found.name;
            container.image = found.image_name;
            container.image_id = found.image;
            container.digest = found.image_digest.filter(|digest| !digest.is_empty());
        }
    }
}
