//! One sequence of settings from a unit file and its drop-ins.

use serde::Serialize;

use super::{Diagnostic, Origin};
use crate::unit::exec::parse_exec;
use crate::unit::file::UnitFile;
use crate::unit::name::UnitType;
use crate::unit::specifier::Specifiers;
use crate::unit::{Effect, Problem};

/// A file to merge: where it is and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The path, for messages.
    pub path: String,
    /// The contents.
    pub file: UnitFile,
}

/// A setting of the merged unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MergedSetting {
    /// The section.
    pub section: String,
    /// The key; an old spelling is replaced by today's.
    pub key: String,
    /// The value, specifiers as written.
    pub value: String,
    /// Where it stands.
    pub origin: Origin,
}

/// The settings of a unit in the order in which systemd reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// The path of the unit file.
    pub fragment: Option<String>,
    /// The paths of the drop-ins.
    pub dropins: Vec<String>,
    /// Every setting, those that a later one overrides included.
    pub settings: Vec<MergedSetting>,
    /// What systemd passes over or refuses in the files as such.
    pub diagnostics: Vec<Diagnostic>,
}

/// Spellings that systemd reads as another key, by section.
const OLD_SPELLINGS: &[(&str, &str, &str, &str)] = &[
    // Never documented, and written all the same.
    ("Unit", "BindTo", "Unit", "BindsTo"),
    // Renamed or moved in version 230.
    (
        "Unit",
        "StartLimitInterval",
        "Unit",
        "StartLimitIntervalSec",
    ),
    (
        "Service",
        "StartLimitInterval",
        "Unit",
        "StartLimitIntervalSec",
    ),
    ("Service", "StartLimitBurst", "Unit", "StartLimitBurst"),
    ("Service", "StartLimitAction", "Unit", "StartLimitAction"),
    // Renamed in version 185 and 209.
    ("Unit", "OnFailureIsolate", "Unit", "OnFailureJobMode"),
    ("Unit", "PropagateReloadTo", "Unit", "PropagatesReloadTo"),
    (
        "Unit",
        "PropagateReloadFrom",
        "Unit",
        "ReloadPropagatedFrom",
    ),
];

/// The keys of `[Service]` that hold commands.
pub const EXEC_KEYS: &[&str] = &[
    "ExecCondition",
    "ExecStartPre",
    "ExecStart",
    "ExecStartPost",
    "ExecReload",
    "ExecStop",
    "ExecStopPost",
];

/// The sections that a kind of unit has. systemd warns of others, unless they
/// begin with `X-`.
fn sections(unit_type: UnitType) -> &'static [&'static str] {
    match unit_type {
        UnitType::Service => &["Unit", "Service", "Install"],
        UnitType::Socket => &["Unit", "Socket", "Install"],
        _ => &["Unit", "Install"],
    }
}

impl Merged {
    /// Merges a unit's file and its drop-ins, given in the order of
    /// [`super::search::locate`]. With `specifiers` the files are those of a
    /// unit, and reading one of them stops at a command that systemd refuses;
    /// without, they are files of another program, such as Quadlet's.
    #[must_use]
    pub fn new(
        fragment: Option<&Source>,
        dropins: &[Source],
        specifiers: Option<&Specifiers<'_>>,
    ) -> Self {
        let mut merged = Self {
            fragment: fragment.map(|source| source.path.clone()),
            dropins: dropins.iter().map(|source| source.path.clone()).collect(),
            ..Self::default()
        };
        for source in fragment.into_iter().chain(dropins) {
            merged.read(source, specifiers);
        }
        merged
    }

    /// Whether a place is in a drop-in: there, what systemd refuses does not
    /// keep the unit from being loaded, it only ends the drop-in.
    #[must_use]
    pub fn is_dropin(&self, origin: &Origin) -> bool {
        self.fragment.as_ref() != Some(&origin.file)
    }

    /// The settings with this section and key.
    #[must_use]
    pub fn all<'a, 'k>(
        &'a self,
        section: &'k str,
        key: &'k str,
    ) -> impl DoubleEndedIterator<Item = &'a MergedSetting> + use<'a, 'k> {
        self.settings
            .iter()
            .filter(move |s| s.section == section && s.key == key)
    }

    /// The settings of a list: those after the last empty one, which resets it.
    #[must_use]
    pub fn list(&self, section: &str, key: &str) -> Vec<&MergedSetting> {
        let mut list: Vec<&MergedSetting> = self
            .all(section, key)
            .rev()
            .take_while(|setting| !setting.value.is_empty())
            .collect();
        list.reverse();
        list
    }

    /// The last setting with this section and key, even an empty one.
    #[must_use]
    pub fn last(&self, section: &str, key: &str) -> Option<&MergedSetting> {
        self.all(section, key).next_back()
    }

    fn read(&mut self, source: &Source, specifiers: Option<&Specifiers<'_>>) {
        let origin = |line| Origin {
            file: source.path.clone(),
            line,
        };
        for (line, problem) in source.file.problems() {
            self.diagnostics
                .push(Diagnostic::at(&origin(*line), problem.clone()));
        }
        let known = specifiers.map(|s| sections(s.unit.unit_type()));
        if let Some(known) = known {
            for (line, name) in source.file.sections() {
                if !known.contains(&name) && !name.starts_with("X-") {
                    let problem = Problem::ignored(format!("unknown section [{name}]"));
                    self.diagnostics
                        .push(Diagnostic::at(&origin(line), problem));
                }
            }
        }
        for setting in source.file.settings() {
            if known.is_some_and(|known| !known.contains(&setting.section)) {
                continue;
            }
            let (section, key) = OLD_SPELLINGS
                .iter()
                .find(|(section, key, _, _)| (*section, *key) == (setting.section, setting.key))
                .map_or((setting.section, setting.key), |(_, _, section, key)| {
                    (section, key)
                });
            self.settings.push(MergedSetting {
                section: section.to_owned(),
                key: key.to_owned(),
                value: setting.value.to_owned(),
                origin: origin(setting.line),
            });
            let refused = section == "Service"
                && EXEC_KEYS.contains(&key)
                && specifiers.is_some_and(|specifiers| {
                    let line = parse_exec(setting.value, specifiers);
                    line.problems.iter().any(|p| p.effect == Effect::Refused)
                });
            if refused {
                return;
            }
        }
        if let Some(refusal) = source.file.refusal() {
            let problem = Problem::refused(format!(
                "{}, the rest of the file is not read",
                refusal.reason
            ));
            let mut diagnostic = Diagnostic::at(&origin(refusal.line), problem);
            if self.fragment.as_ref() != Some(&source.path) {
                diagnostic.effect = Effect::Ignored;
            }
            self.diagnostics.push(diagnostic);
        }
    }
}
