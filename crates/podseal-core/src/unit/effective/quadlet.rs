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
use crate::unit::quadlet::container::{Surroundings, translate};
use crate::unit::quadlet::{QuadletError, QuadletFile};
use crate::unit::specifier::Specifiers;

/// What a generated service was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quadlet {
    /// The path of the `.container` file.
    pub source: String,
    /// The paths of its drop-ins, in the order in which they count.
    pub dropins: Vec<String>,
    /// The command of the generated `ExecStart=`, which a drop-in of the
    /// service may have replaced since. Specifiers are as written.
    pub podman: PodmanCommand,
}

/// A service that is not made: its `.container` file is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
        if !super::loads(&diagnostics) {
            return Self::not_generated(container, surroundings.scope, diagnostics);
        }
        let made = match translate(container.file, surroundings) {
            Ok(made) => made,
            Err(error) => {
                diagnostics.push(Diagnostic::of_quadlet(&error, Effect::Refused));
                return Self::not_generated(container, surroundings.scope, diagnostics);
            }
        };
        let warnings = made.warnings.iter();
        diagnostics.extend(warnings.map(|warning| Diagnostic::of_quadlet(warning, Effect::Used)));
        let specifiers = Specifiers {
            unit: container.unit,
            fragment: Some(container.generated),
            host,
        };
        let fragment = Source {
            path: container.generated.to_owned(),
            file: UnitFile::parse(made.unit.text),
        };
        let mut merged = Merged::new(Some(&fragment), container.dropins, Some(&specifiers));
        merged.relocate(&made.unit.origins, &container.file.path);
        merged.diagnostics.extend(diagnostics);
        let mut service = Service::new(&merged, &specifiers, surroundings.scope);
        service.quadlet = Some(Quadlet {
            source: container.file.path.clone(),
            dropins: container.file.dropins.clone(),
            podman: made.podman,
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
