//! From a unit's effective view to what is supervised.

use super::directives::{Treatment, treatment};
use super::{Kind, service, socket_unit};
use crate::unit::Effect;
use crate::unit::effective::merge::MergedSetting;
use crate::unit::effective::view::View;
use crate::unit::effective::{Diagnostic, Origin};
use crate::unit::name::{UnitName, UnitType};

/// What a unit's settings depend on besides its files.
#[derive(Debug, Clone)]
pub struct Context {
    /// Where commands run without `WorkingDirectory=`: the user's home, or `/`.
    pub working_directory: String,
    /// The user's home, for `WorkingDirectory=~`.
    pub home: Option<String>,
}

/// How much a remark matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something is left out, or weaker than it looks.
    Warning,
    /// The unit is not run.
    Error,
}

/// Something about a unit that its author should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// How much it matters.
    pub severity: Severity,
    /// Where; none where it is about the unit as a whole.
    pub origin: Option<Origin>,
    /// A lowercase fragment.
    pub message: String,
}

/// How a unit depends on another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// `Requires=`
    Requires,
    /// `BindsTo=`
    BindsTo,
    /// `Wants=`
    Wants,
    /// `PartOf=`
    PartOf,
    /// `After=`
    After,
    /// `Before=`
    Before,
}

/// A dependency on another unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// How.
    pub relation: Relation,
    /// The other unit.
    pub unit: UnitName,
    /// Where it is written; none where it is added by itself.
    pub origin: Option<Origin>,
}

/// Whether a unit has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The unit that needs it cannot do without.
    Required,
    /// It is started, too, where it is there.
    Wanted,
}

/// A unit as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// What is supervised; none where a remark says that it cannot be.
    pub kind: Option<Kind>,
    /// Dependencies on services and sockets.
    pub dependencies: Vec<Dependency>,
    /// The units to read next.
    pub needs: Vec<(UnitName, Need, Option<Origin>)>,
    /// What its author should know.
    pub remarks: Vec<Remark>,
}

/// What is noted while a unit is read.
#[derive(Default)]
pub(super) struct Remarks(Vec<Remark>);

impl Remarks {
    pub(super) fn error(&mut self, origin: Option<&Origin>, message: impl Into<String>) {
        self.add(Severity::Error, origin, message.into());
    }

    pub(super) fn warning(&mut self, origin: Option<&Origin>, message: impl Into<String>) {
        self.add(Severity::Warning, origin, message.into());
    }

    fn add(&mut self, severity: Severity, origin: Option<&Origin>, message: String) {
        self.0.push(Remark {
            severity,
            origin: origin.cloned(),
            message,
        });
    }
}

const RELATIONS: &[(&str, Relation)] = &[
    ("Requires", Relation::Requires),
    ("BindsTo", Relation::BindsTo),
    ("Wants", Relation::Wants),
    ("PartOf", Relation::PartOf),
    ("After", Relation::After),
    ("Before", Relation::Before),
];

/// Reads what is to be supervised from a unit's view and its merged settings.
#[must_use]
pub fn read(view: &View, context: &Context) -> Read {
    let settings = view.settings();
    let mut remarks = Remarks::default();
    diagnostics(view.diagnostics(), &mut remarks);
    for (index, setting) in settings.iter().enumerate() {
        // A later empty value takes a list back, a later value a single one.
        if is_in_effect(settings, index) {
            directive(setting, &mut remarks);
        }
    }
    let (kind, written) = match view {
        View::Service(view) => (
            Kind::Service(Box::new(service::read(
                view,
                settings,
                context,
                &mut remarks,
            ))),
            &view.dependencies,
        ),
        View::Socket(view) => (
            Kind::Socket(Box::new(socket_unit::read(view, &mut remarks))),
            &view.dependencies,
        ),
        View::Masked(_) | View::NotGenerated(_) => {
            remarks.error(None, "the unit is masked, or none is generated");
            return Read {
                kind: None,
                dependencies: Vec::new(),
                needs: Vec::new(),
                remarks: remarks.0,
            };
        }
    };
    let mut dependencies = Vec::new();
    for (key, relation) in RELATIONS {
        for dependency in written.of(key) {
            match (dependency.unit.unit_type(), relation) {
                (UnitType::Service | UnitType::Socket, _) => dependencies.push(Dependency {
                    relation: *relation,
                    unit: dependency.unit.clone(),
                    origin: dependency.origin.clone(),
                }),
                // Without systemd, they are taken as reached.
                (UnitType::Target, _) | (_, Relation::After | Relation::Before) => {}
                (unit_type, _) => remarks.warning(
                    dependency.origin.as_ref(),
                    format!(
                        "{key}={}: a {} is not supervised, and taken as being there",
                        dependency.unit,
                        unit_type.name()
                    ),
                ),
            }
        }
    }
    let added = |relation, unit: &UnitName| Dependency {
        relation,
        unit: unit.clone(),
        origin: None,
    };
    let mut needs = Vec::new();
    match view {
        View::Socket(view) => {
            dependencies.push(added(Relation::Before, &view.service));
            let origin = view.origins.get("Socket.Service").and_then(|o| o.first());
            needs.push((view.service.clone(), Need::Required, origin.cloned()));
        }
        View::Service(view) => {
            for socket in &view.sockets {
                dependencies.push(added(Relation::Wants, socket));
                dependencies.push(added(Relation::After, socket));
            }
        }
        View::Masked(_) | View::NotGenerated(_) => {}
    }
    needs.extend(dependencies.iter().filter_map(|dependency| {
        let need = match dependency.relation {
            Relation::Requires | Relation::BindsTo => Need::Required,
            Relation::Wants => Need::Wanted,
            _ => return None,
        };
        Some((dependency.unit.clone(), need, dependency.origin.clone()))
    }));
    let refused = remarks.0.iter().any(|r| r.severity == Severity::Error);
    Read {
        kind: (!refused).then_some(kind),
        dependencies,
        needs,
        remarks: remarks.0,
    }
}

fn diagnostics(diagnostics: &[Diagnostic], remarks: &mut Remarks) {
    for diagnostic in diagnostics {
        let origin = diagnostic.origin.as_ref();
        if diagnostic.effect == Effect::Refused {
            remarks.error(
                origin,
                format!("{}; systemd does not load it", diagnostic.message),
            );
        } else {
            remarks.warning(origin, diagnostic.message.clone());
        }
    }
}

fn is_in_effect(settings: &[MergedSetting], index: usize) -> bool {
    let setting = &settings[index];
    let later = &settings[index + 1..];
    let reset = later.iter().any(|other| {
        other.section == setting.section && other.key == setting.key && other.value.is_empty()
    });
    !setting.value.is_empty() && !reset
}

fn directive(setting: &MergedSetting, remarks: &mut Remarks) {
    let MergedSetting {
        section,
        key,
        value,
        origin,
        ..
    } = setting;
    match treatment(section, key, value) {
        // What systemd does not know either is among the view's diagnostics.
        Treatment::Honoured | Treatment::NotNeeded(_) | Treatment::Unknown => {}
        Treatment::Unsupported(reason) => {
            remarks.warning(Some(origin), format!("{key}= is left out: {reason}"));
        }
        Treatment::Refused(reason) => remarks.error(
            Some(origin),
            format!("{key}={value} is not supported: {reason}"),
        ),
    }
}
