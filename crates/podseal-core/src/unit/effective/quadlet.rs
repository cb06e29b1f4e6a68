//! Services that Podman's generator makes of `.container` files.

use std::collections::BTreeMap;

use serde::Serialize;

use super::merge::{Merged, Source};
use super::service::Service;
use super::view::View;
use super::{Diagnostic, Scope, VERSION};
use crate::unit::Effect;
use crate::unit::file::UnitFile;
use crate::unit::name::{UnitName, UnitType};
use crate::unit::quadlet::command::PodmanCommand;
use crate::unit::quadlet::container::{ContainerService, Surroundings, translate};
use crate::unit::quadlet::{Generated, QuadletError, QuadletFile};
use crate::unit::specifier::Specifiers;
use crate::unit::words::{Flags, Words};

/// What a generated service was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Quadlet {
    /// The path of the `.container` file.
    pub source: String,
    /// The paths of its drop-ins, in the order in which they count.
    pub dropins: Vec<String>,
    /// Whose translation this is.
    pub from: Translator,
    /// The path of Podman's generator, where it was asked.
    pub generator: Option<String>,
    /// The command of the generated `ExecStart=`, which a drop-in of the
    /// service may have replaced since. Specifiers are as written.
    pub podman: PodmanCommand,
}

/// Who translated a `.container` file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Translator {
    /// Podman's own generator.
    Generator,
    /// podseal.
    Podseal,
}

/// What Podman's own generator makes of a `.container` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The path of the generator.
    pub generator: String,
    /// The text of the service's unit file; `None` where it makes none.
    pub unit: Option<String>,
    /// What it says is wrong with the file.
    pub error: Option<String>,
}

/// A service that is not made: its `.container` file is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NotGenerated {
    version: u32,
    kind: UnitType,
    /// Its name.
    pub unit: UnitName,
    /// Whose generator.
    pub scope: Scope,
    /// The path of the `.container` file.
    pub fragment: String,
    /// Always false, as in the views of services that are made.
    #[cfg_attr(feature = "schema", schemars(extend("const" = false)))]
    loads: bool,
    /// Why not.
    pub diagnostics: Vec<Diagnostic>,
}

/// A `.container` file to be viewed.
#[derive(Clone, Debug)]
pub struct Container<'a> {
    /// The name of the service.
    pub unit: &'a UnitName,
    /// The file with its drop-ins.
    pub file: &'a QuadletFile,
    /// Why the generator has none of the file or passes over a drop-in.
    pub problems: &'a [Diagnostic],
    /// Where the generator would put the service.
    pub generated: &'a str,
    /// The drop-ins of the service.
    pub dropins: &'a [Source],
    /// What the generator itself says, where it was asked. It has the last word.
    pub answer: Option<&'a Answer>,
}

impl View {
    /// The service that is made of a `.container` file, with the drop-ins that
    /// systemd adds.
    #[must_use]
    pub fn quadlet(
        container: &Container<'_>,
        surroundings: &Surroundings<'_>,
        host: &BTreeMap<char, String>,
    ) -> Self {
        let mut diagnostics = container.problems.to_vec();
        let own = translate(container.file, surroundings);
        if let Ok(own) = &own {
            let warnings = own.warnings.iter();
            diagnostics.extend(warnings.map(|w| Diagnostic::of_quadlet(w, Effect::Used)));
        }
        let made = match container.answer {
            Some(answer) => generated(container, answer, own, &mut diagnostics),
            None if !super::loads(&diagnostics) => None,
            None => own
                .map_err(|e| diagnostics.push(Diagnostic::of_quadlet(&e, Effect::Refused)))
                .map(|own| (own.unit, own.podman))
                .ok(),
        };
        let Some((unit, podman)) = made else {
            return Self::not_generated(container, surroundings.scope, diagnostics);
        };
        let specifiers = Specifiers {
            unit: container.unit,
            fragment: Some(container.generated),
            host,
        };
        let fragment = Source {
            path: container.generated.to_owned(),
            file: UnitFile::parse(unit.text),
        };
        let mut merged = Merged::new(&fragment, container.dropins, &specifiers);
        merged.relocate(&unit.origins, &container.file.path);
        merged.diagnostics.extend(diagnostics);
        let mut service = Service::new(merged, &specifiers, surroundings.scope);
        service.quadlet = Some(Quadlet {
            source: container.file.path.clone(),
            dropins: container.file.dropins.clone(),
            from: match container.answer {
                Some(_) => Translator::Generator,
                None => Translator::Podseal,
            },
            generator: container.answer.map(|answer| answer.generator.clone()),
            podman,
        });
        Self::Service(Box::new(service))
    }

    fn not_generated(
        container: &Container<'_>,
        scope: Scope,
        diagnostics: Vec<Diagnostic>,
    ) -> Self {
        Self::NotGenerated(Box::new(NotGenerated {
            version: VERSION,
            kind: UnitType::Service,
            unit: container.unit.clone(),
            scope,
            fragment: container.file.path.clone(),
            loads: false,
            diagnostics,
        }))
    }
}

/// What the generator made, with the places that podseal's own translation
/// knows; `None` where it made nothing. Notes where the two differ.
fn generated(
    container: &Container<'_>,
    answer: &Answer,
    own: Result<ContainerService, QuadletError>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<(Generated, PodmanCommand)> {
    let origin = container.file.section_origin("Container");
    let note = |effect, message: String| Diagnostic {
        origin: Some(origin.clone()),
        effect,
        message,
    };
    let generator = &answer.generator;
    let Some(text) = &answer.unit else {
        match (own, &answer.error) {
            (Err(error), _) => diagnostics.push(Diagnostic::of_quadlet(&error, Effect::Refused)),
            (Ok(_), Some(error)) => diagnostics.push(note(Effect::Refused, error.clone())),
            (Ok(_), None) if super::loads(diagnostics) => diagnostics.push(note(
                Effect::Refused,
                format!("{generator} makes no service of this file, and does not say why"),
            )),
            (Ok(_), None) => {}
        }
        return None;
    };
    // A file next to it may be wrong in podseal's eyes only.
    for diagnostic in diagnostics.iter_mut() {
        if diagnostic.effect == Effect::Refused {
            diagnostic.effect = Effect::Used;
        }
    }
    let theirs = Generated::of_text(text, own.as_ref().ok().map(|own| &own.unit), &origin);
    let argv = argv(&theirs);
    match own {
        Ok(own) if own.podman.has_words(&argv) => {
            if let Some(difference) = own.unit.difference(&theirs) {
                diagnostics.push(note(
                    Effect::Used,
                    format!("{generator} makes another service than podseal would: {difference}"),
                ));
            }
            Some((theirs.with_command_at(&own.unit), own.podman))
        }
        Ok(_) => {
            diagnostics.push(note(
                Effect::Used,
                format!("{generator} makes another Podman command than podseal would"),
            ));
            Some((theirs, PodmanCommand::of_words(argv)))
        }
        Err(error) => {
            diagnostics.push(note(
                Effect::Used,
                format!("{generator} makes a service, where podseal expects none: {error}"),
            ));
            Some((theirs, PodmanCommand::of_words(argv)))
        }
    }
}

/// The words of the generated command.
fn argv(unit: &Generated) -> Vec<String> {
    let mut words = Words::new(unit.command().unwrap_or_default());
    let flags = Flags::UNQUOTE | Flags::CUNESCAPE;
    std::iter::from_fn(|| words.next_word(flags).ok().flatten()).collect()
}

impl Diagnostic {
    /// Something in a Quadlet file that its generator does not accept, and what
    /// becomes of the file.
    #[must_use]
    pub fn of_quadlet(error: &QuadletError, effect: Effect) -> Self {
        Self {
            origin: Some(error.origin.clone()),
            effect,
            message: error.message.clone(),
        }
    }
}
