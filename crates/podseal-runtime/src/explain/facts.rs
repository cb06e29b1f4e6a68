//! Facts about units and host beyond what systemd tells.

use std::path::Path;

use podseal_core::audit::audit;
use podseal_core::audit::command::Program;
use podseal_core::audit::subject::Subject;
use podseal_core::explain::case::{Case, Facts, Finding};
use podseal_core::podman::invocation::Verb;
use podseal_core::socket_address::SocketKind;
use podseal_core::unit::effective::service::ServiceType;
use podseal_core::unit::effective::socket::Listen;
use podseal_core::unit::effective::view::View;

use super::{ExplainError, manager, queue};
use crate::account::Account;
use crate::audit::{Collected, collect};
use crate::podman::{Podman, PodmanError};
use crate::systemd::Manager;
use crate::units::Units;

/// What can be known of a case without trying anything.
pub(super) fn gather(of: Manager, case: &Case) -> Result<Facts, ExplainError> {
    let names: Vec<String> = case.units().map(|unit| unit.name.clone()).collect();
    let collected = collect(&Units::of(case.scope), &names);
    let subjects = || collected.groups.iter().flat_map(|g| g.set.subjects());
    let service = subjects().find(|s| s.unit().as_str() == case.service.name);
    let image = service.and_then(image);
    let mut facts = Facts {
        run_as: service.and_then(run_as).map(str::to_owned),
        image_exists: image.as_deref().and_then(|image| exists(image, service?)),
        image,
        is_notify: service.and_then(is_notify),
        findings: Some(findings(&collected)),
        quadlet_error: service.and_then(quadlet_error),
        missing_programs: service.map(missing_programs),
        waits_for: manager::waits_for(of, &case.service.name)?,
        ..Facts::default()
    };
    let tcp = queue::sockets();
    let mut waiting = Vec::new();
    let mut taken = Vec::new();
    for subject in subjects() {
        let View::Socket(socket) = subject.view() else {
            continue;
        };
        let mut states = case.sockets.iter();
        let is_open = states.any(|s| s.name == socket.unit.as_str() && s.active == "active");
        for listen in &socket.listen {
            let Listen::Socket {
                kind: SocketKind::Stream,
                address,
                ..
            } = &listen.value
            else {
                continue;
            };
            let Some(waits) = queue::waiting(&tcp, address) else {
                continue;
            };
            if !is_open {
                taken.push(address.to_string());
            } else if waits > 0 {
                waiting.push((address.to_string(), waits));
            }
        }
    }
    facts.waiting = Some(waiting);
    facts.taken = Some(taken);
    Ok(facts)
}

/// The image of the first container that the service runs.
fn image(service: &Subject) -> Option<String> {
    service.commands().iter().find_map(|command| {
        let Program::Podman(invocation) = &command.program else {
            return None;
        };
        let image = invocation
            .image()
            .filter(|_| invocation.verb == Verb::Run)?;
        Some(image.text.to_string())
    })
}

fn run_as(service: &Subject) -> Option<&str> {
    match service.view() {
        View::Service(service) => service.run_as(),
        _ => None,
    }
}

fn exists(image: &str, service: &Subject) -> Option<bool> {
    let account = run_as(service).map(Account::ready).transpose().ok()?;
    let podman = Podman::installed().ok()?.run_as(account);
    match podman.require_image(image) {
        Ok(()) => Some(true),
        Err(PodmanError::ImageMissing { .. }) => Some(false),
        Err(_) => None,
    }
}

fn is_notify(service: &Subject) -> Option<bool> {
    let View::Service(service) = service.view() else {
        return None;
    };
    Some(matches!(
        service.service_type,
        ServiceType::Notify | ServiceType::NotifyReload
    ))
}

fn quadlet_error(service: &Subject) -> Option<String> {
    let View::NotGenerated(refused) = service.view() else {
        return None;
    };
    let diagnostic = refused.diagnostics.first()?;
    let place = diagnostic.origin.as_ref();
    Some(place.map_or_else(
        || format!("{}: {}", refused.fragment, diagnostic.message),
        |origin| format!("{}:{}: {}", origin.file, origin.line, diagnostic.message),
    ))
}

fn missing_programs(service: &Subject) -> Vec<String> {
    let commands = service.commands().iter();
    let mut missing: Vec<String> = commands
        .map(|command| command.path.clone())
        .filter(|path| path.starts_with('/') && !Path::new(path).exists())
        .collect();
    missing.dedup();
    missing
}

fn findings(collected: &Collected) -> Vec<Finding> {
    let groups = collected.groups.iter();
    let findings = groups.flat_map(|group| audit(&group.set));
    findings
        .filter(podseal_core::audit::Finding::counts)
        .map(|finding| Finding {
            id: finding.rule.id,
            message: match finding.span {
                Some(span) => format!(
                    "{}:{}: {}",
                    span.origin.file, span.origin.line, finding.message
                ),
                None => format!("{}: {}", finding.unit, finding.message),
            },
        })
        .collect()
}
