//! One sequence of settings from a unit file and its drop-ins.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;

use super::{Diagnostic, Origin, keys};
use crate::unit::exec::{ExecLine, parse_exec};
use crate::unit::file::{Setting, UnitFile};
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MergedSetting {
    /// The section.
    pub section: &'static str,
    /// The key; an old spelling is replaced by today's.
    pub key: Cow<'static, str>,
    /// The value, specifiers as written.
    pub value: String,
    /// Where it stands.
    pub origin: Origin,
    /// Which of [`Merged::exec_lines`] it is, where it is a command.
    #[serde(skip)]
    exec: Option<usize>,
}

/// The settings of a unit in the order in which systemd reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// The path of the unit file.
    pub fragment: String,
    /// The paths of the drop-ins.
    pub dropins: Vec<String>,
    /// Every setting, those that a later one overrides included.
    pub settings: Vec<MergedSetting>,
    /// What systemd passes over or refuses in the files as such.
    pub diagnostics: Vec<Diagnostic>,
    /// What the commands are read as, until a service takes them.
    exec_lines: Vec<ExecLine>,
}

/// Spellings that systemd reads as another key, by section.
pub(crate) const OLD_SPELLINGS: &[(&str, &str, &str, &str)] = &[
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
    /// [`super::search::dropins`]. Reading one of them stops at a command that
    /// systemd refuses.
    #[must_use]
    pub fn new(fragment: &Source, dropins: &[Source], specifiers: &Specifiers<'_>) -> Self {
        let mut merged = Self {
            fragment: fragment.path.clone(),
            dropins: dropins.iter().map(|source| source.path.clone()).collect(),
            ..Self::default()
        };
        for source in std::iter::once(fragment).chain(dropins) {
            merged.read(source, specifiers);
        }
        merged
    }

    /// Whether a place is in a drop-in: there, what systemd refuses does not
    /// keep the unit from being loaded, it only ends the drop-in.
    #[must_use]
    pub fn is_dropin(&self, origin: &Origin) -> bool {
        self.dropins.iter().any(|path| **path == *origin.file)
    }

    /// What the commands are read as, to be asked for with a setting once.
    pub(super) fn take_exec_lines(&mut self) -> ExecLines {
        ExecLines(std::mem::take(&mut self.exec_lines))
    }

    /// Takes over the places that a generated unit file's lines come from, and
    /// the file that it was generated from.
    pub(super) fn relocate(&mut self, generated: &[Origin], source: &str) {
        let fragment = std::mem::replace(&mut self.fragment, source.to_owned());
        let places = self.settings.iter_mut().map(|setting| &mut setting.origin);
        let diagnostics = self.diagnostics.iter_mut();
        let places = places.chain(diagnostics.filter_map(|d| d.origin.as_mut()));
        for place in places.filter(|place| *place.file == *fragment) {
            if let Some(origin) = generated.get(place.line - 1) {
                *place = origin.clone();
            }
        }
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
            .filter(move |s| s.key == key && s.section == section)
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

    fn read(&mut self, source: &Source, specifiers: &Specifiers<'_>) {
        let file: Arc<str> = source.path.as_str().into();
        let origin = |line| Origin {
            file: Arc::clone(&file),
            line,
        };
        let known = sections(specifiers.unit.unit_type());
        let is_known = |section: &str| known.contains(&section);
        let first_exec_line = self.exec_lines.len();
        // A command that systemd refuses is the last thing it reads of a file.
        let mut commands = source.file.settings().filter(is_command);
        let end = commands.find(|setting| {
            let line = parse_exec(setting.value, specifiers);
            let is_refused = line.problems.iter().any(|p| p.effect == Effect::Refused);
            self.exec_lines.push(line);
            is_refused
        });
        let mut exec_lines = first_exec_line..self.exec_lines.len();
        let is_read = |line: usize| end.is_none_or(|end| line <= end.line);
        let headers: Vec<(usize, &str)> = source.file.sections().collect();
        for (line, problem) in source.file.problems() {
            // Lines of sections that are passed over are not looked at.
            let before = headers.partition_point(|(header, _)| header < line);
            if is_read(*line) && (before == 0 || is_known(headers[before - 1].1)) {
                self.diagnostics
                    .push(Diagnostic::at(&origin(*line), problem.clone()));
            }
        }
        for (line, name) in headers {
            if is_read(line) && !is_known(name) && !name.starts_with("X-") {
                let problem = Problem::ignored(format!("unknown section [{name}]"));
                self.diagnostics
                    .push(Diagnostic::at(&origin(line), problem));
            }
        }
        let count = source.file.settings().count();
        self.settings.reserve_exact(count);
        for setting in source.file.settings() {
            let of_section = known.iter().find(|known| **known == setting.section);
            let Some(section) = of_section.filter(|_| is_read(setting.line)) else {
                continue;
            };
            let known_key = keys::known(section, setting.key);
            if known_key.is_none() && !setting.key.starts_with("X-") {
                let message = format!(
                    "unknown key {:?} in section [{}]",
                    setting.key, setting.section
                );
                self.diagnostics.push(Diagnostic::at(
                    &origin(setting.line),
                    Problem::ignored(message),
                ));
            }
            let (section, key) = OLD_SPELLINGS
                .iter()
                .find(|(section, key, _, _)| (*key, *section) == (setting.key, setting.section))
                .map_or((*section, known_key), |(_, _, section, key)| {
                    (*section, Some(*key))
                });
            self.settings.push(MergedSetting {
                section,
                key: key.map_or_else(|| setting.key.to_owned().into(), Cow::Borrowed),
                value: setting.value.to_owned(),
                origin: origin(setting.line),
                exec: is_command(&setting).then(|| exec_lines.next()).flatten(),
            });
        }
        if end.is_some() {
            return;
        }
        if let Some(refusal) = source.file.refusal() {
            let problem = Problem::refused(format!(
                "{}, the rest of the file is not read",
                refusal.reason
            ));
            let mut diagnostic = Diagnostic::at(&origin(refusal.line), problem);
            if self.fragment != source.path {
                diagnostic.effect = Effect::Ignored;
            }
            self.diagnostics.push(diagnostic);
        }
    }
}

/// See [`Merged::take_exec_lines`].
pub(super) struct ExecLines(Vec<ExecLine>);

impl ExecLines {
    /// What a command is read as.
    pub(super) fn take(&mut self, setting: &MergedSetting) -> ExecLine {
        let line = setting.exec.and_then(|at| self.0.get_mut(at));
        line.map(std::mem::take).unwrap_or_default()
    }
}

fn is_command(setting: &Setting<'_>) -> bool {
    setting.key.starts_with("Exec")
        && setting.section == "Service"
        && EXEC_KEYS.contains(&setting.key)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            file: UnitFile::parse(text),
        }
    }

    fn merged(unit: &str, fragment: &str, dropins: &[Source]) -> Merged {
        let unit = unit.parse().expect("valid");
        let specifiers = Specifiers {
            unit: &unit,
            fragment: None,
            host: &BTreeMap::new(),
        };
        Merged::new(&source("f", fragment), dropins, &specifiers)
    }

    fn noted(merged: &Merged) -> Vec<(usize, &str)> {
        let diagnostics = merged.diagnostics.iter();
        diagnostics
            .filter_map(|d| Some((d.origin.as_ref()?.line, d.message.as_str())))
            .collect()
    }

    #[test]
    fn lists_are_reset_by_empty_values() {
        let dropins = [
            source("d", "[Service]\nSockets=\nSockets=3\n"),
            source("e", "[Service]\nSockets=4\nUser=\n"),
        ];
        let merged = merged(
            "a.service",
            "[Service]\nSockets=1\nSockets=2\nUser=1\n",
            &dropins,
        );
        let values = |key| -> Vec<String> {
            let list = merged.list("Service", key);
            list.iter()
                .map(|s| format!("{}:{}", s.origin.file, s.value))
                .collect()
        };
        assert_eq!(values("Sockets"), ["d:3", "e:4"]);
        assert_eq!(values("User"), [""; 0]);
        let last = merged.last("Service", "Sockets");
        assert_eq!(last.map(|s| s.value.as_str()), Some("4"));
    }

    #[test]
    fn units_have_known_sections() {
        let text = "[Container]\nImage=x\nfoo\n[X-Podseal]\nLevel=strict\n[Unit]\nBindTo=b\nfoo\n";
        let merged = merged("a.service", text, &[]);
        let keys: Vec<&str> = merged.settings.iter().map(|s| &*s.key).collect();
        assert_eq!(keys, ["BindsTo"]);
        let lines: Vec<usize> = noted(&merged).iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [8, 1]);
    }

    #[test]
    fn sections_have_known_keys() {
        let text = "[Service]\nRestrictAddressFamily=AF_UNIX\nX-Mine=1\n\
                    StartLimitInterval=1\nListenStream=1\n[X-A]\nB=1\n";
        assert_eq!(
            noted(&merged("a.service", text, &[])),
            [
                (
                    2,
                    "unknown key \"RestrictAddressFamily\" in section [Service]"
                ),
                (5, "unknown key \"ListenStream\" in section [Service]"),
            ]
        );
        let text = "[Unit]\nexecstart=1\n[Socket]\nListenStream=1\nMemoryMax=1\n";
        assert_eq!(
            noted(&merged("a.socket", text, &[])),
            [(2, "unknown key \"execstart\" in section [Unit]")]
        );
        // What comes after a command that is refused is not read.
        let text = "[Service]\nFoo=1\nExecStart=/\nBar=1\n";
        assert_eq!(noted(&merged("a.service", text, &[])).len(), 1);
    }
}
