//! What is known of a service that failed.

use podseal_core::explain::case::{Case, Facts, UnitState};
use podseal_core::explain::journal::Log;
use podseal_core::lifecycle::{Kind as ServiceType, Outcome};
use podseal_core::podman::invocation::{Invocation, Verb, Word};
use podseal_core::supervised::{Kind, ServiceUnit};
use podseal_core::unit::effective::Scope;
use podseal_core::unit::name::UnitName;

use super::Supervisor;

impl Supervisor<'_, '_> {
    /// The case of a service that ended with `outcome`, and said this.
    pub(super) fn case(&self, name: &UnitName, outcome: Outcome, log: Log) -> Case {
        let unit = match self.set.find(name) {
            Some((_, Kind::Service(unit))) => Some(unit),
            _ => None,
        };
        Case {
            scope: Scope::User,
            run: Some(self.name()),
            service: UnitState {
                name: name.to_string(),
                active: "failed".to_owned(),
                result: outcome.to_string(),
                ended: log.ended().cloned(),
                ..UnitState::default()
            },
            sockets: Vec::new(),
            log,
            facts: unit.map(|unit| facts(unit)).unwrap_or_default(),
        }
    }

    /// The name of the run, which its directory has.
    fn name(&self) -> String {
        let name = self.directory.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

fn facts(unit: &ServiceUnit) -> Facts {
    Facts {
        image: image(unit),
        is_notify: Some(unit.settings.kind == ServiceType::Notify),
        ..Facts::default()
    }
}

/// The image of the first container that the service runs.
fn image(unit: &ServiceUnit) -> Option<String> {
    unit.settings.start.iter().find_map(|command| {
        let words = command.arguments.iter().enumerate().skip(1);
        let words: Vec<Word<usize>> = words
            .map(|(place, text)| Word {
                text: text.as_str().into(),
                is_open: false,
                place,
            })
            .collect();
        let invocation = Invocation::parse(&words);
        let is_podman = command.program.rsplit('/').next() == Some("podman");
        let image = invocation
            .image()
            .filter(|_| is_podman && invocation.verb == Verb::Run)?;
        Some(image.text.to_string())
    })
}
