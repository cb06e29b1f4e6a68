//! What a running supervisor knows of the failures of its units.

use podseal_core::explain::short::Short;
use podseal_core::lifecycle::{Kind as ServiceType, Outcome};
use podseal_core::podman::invocation::{Invocation, Verb, Word};
use podseal_core::supervised::{Kind, ServiceUnit};
use podseal_core::unit::name::UnitName;

use super::Supervisor;
use crate::control::{LogLine, StartLog, UnitLog};
use crate::explain;

impl Supervisor<'_, '_> {
    /// Why a service ended, by what it said.
    pub(super) fn why(&self, name: &UnitName, outcome: Outcome) -> Option<Short> {
        let mut status = self.status(name)?;
        // It may be about to be started again.
        "failed".clone_into(&mut status.active_state);
        status.result = outcome.to_string();
        let log = self.log(name)?;
        let run = self.directory.file_name().unwrap_or_default();
        let case = explain::of_run(&run.to_string_lossy(), &status, &log, &[]);
        Short::of(&case)
    }

    /// What a unit said.
    pub(super) fn log(&self, name: &UnitName) -> Option<UnitLog> {
        let unit = name.to_string();
        match self.set.find(name)? {
            (_, Kind::Socket(socket)) => {
                let said = self.not_opened.get(name).into_iter();
                let lines = said.map(|text| LogLine {
                    is_own: true,
                    text: text.clone(),
                });
                let now = StartLog {
                    lines: lines.collect(),
                    ..StartLog::default()
                };
                Some(UnitLog {
                    unit,
                    listen: socket.listen.iter().map(ToString::to_string).collect(),
                    now,
                    ..UnitLog::default()
                })
            }
            (_, Kind::Service(definition)) => {
                let service = self.services.get(name)?;
                let history = &service.history;
                let (ends, failures) = history.ends();
                let is_notify = definition.settings.kind == ServiceType::Notify;
                Some(UnitLog {
                    unit,
                    image: image(definition),
                    is_notify,
                    listen: Vec::new(),
                    active_for: history.up.map(|since| since.elapsed().as_secs()),
                    ends,
                    failures,
                    now: history.now([service.stdout.lines(), service.stderr.lines()]),
                    ended: history.ended().cloned(),
                })
            }
        }
    }
}

/// The image of the first container that a service runs.
fn image(unit: &ServiceUnit) -> Option<String> {
    unit.settings.start.iter().find_map(|command| {
        let words = Word::numbered(command.arguments.iter().map(String::as_str));
        let invocation = Invocation::parse(words.get(1..).unwrap_or_default());
        let is_podman = command.program.rsplit('/').next() == Some("podman");
        let image = invocation
            .image()
            .filter(|_| is_podman && invocation.verb == Verb::Run)?;
        Some(image.text.to_string())
    })
}
