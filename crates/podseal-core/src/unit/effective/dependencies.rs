//! Dependencies of a unit, written ones and those that systemd adds.

use std::collections::BTreeMap;

use serde::Serialize;

use super::reader::Reader;
use super::{Origin, Scope};
use crate::unit::name::{NameKind, UnitName, UnitType};
use crate::unit::words::Flags;

/// A dependency on one unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Dependency {
    /// The other unit.
    pub unit: UnitName,
    /// Where it is written; `None` where systemd adds it by itself, or a link
    /// stands for it.
    pub origin: Option<Origin>,
    /// The path of the link in a directory such as `NAME.wants` that makes it
    /// one.
    pub link: Option<String>,
}

/// All dependencies of a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Dependencies {
    /// By the key of `[Unit]` or `[Install]`: `Requires`, `After`, `WantedBy` …
    #[serde(flatten)]
    by_key: BTreeMap<&'static str, Vec<Dependency>>,
}

impl Dependencies {
    /// The dependencies under one key.
    #[must_use]
    pub fn of(&self, key: &str) -> &[Dependency] {
        self.by_key.get(key).map_or(&[], Vec::as_slice)
    }

    /// Adds one that follows from another setting.
    pub(super) fn imply(&mut self, key: &'static str, unit: &UnitName) {
        self.by_key.entry(key).or_default().push(Dependency {
            unit: unit.clone(),
            origin: None,
            link: None,
        });
    }

    /// Adds one of the unit `own` that a link at `path` stands for.
    pub(super) fn link(&mut self, key: &'static str, unit: UnitName, own: &UnitName, path: String) {
        // systemd passes over those on the unit itself, and names too long.
        if let Ok(unit) = instantiated(unit, own)
            && unit != *own
        {
            self.by_key.entry(key).or_default().push(Dependency {
                unit,
                origin: None,
                link: Some(path),
            });
        }
    }
}

/// Keys whose values are unit names. An empty value does not reset them.
const KEYS: &[(&str, &[&str])] = &[
    (
        "Unit",
        &[
            "After",
            "Before",
            "BindsTo",
            "Conflicts",
            "JoinsNamespaceOf",
            "OnFailure",
            "OnSuccess",
            "PartOf",
            "PropagatesReloadTo",
            "PropagatesStopTo",
            "ReloadPropagatedFrom",
            "Requires",
            "Requisite",
            "StopPropagatedFrom",
            "Upholds",
            "Wants",
        ],
    ),
    (
        "Install",
        &["Alias", "Also", "RequiredBy", "UpheldBy", "WantedBy"],
    ),
];

/// What `DefaultDependencies=yes` adds to services and sockets: key, unit, and
/// the scope and type it is for where that is not all.
/// See "Automatic Dependencies" in `systemd.service(5)` and `systemd.socket(5)`.
const DEFAULT: &[(&str, &str, Option<Scope>, Option<UnitType>)] = &[
    (
        "Requires",
        "basic.target",
        Some(Scope::User),
        Some(UnitType::Service),
    ),
    ("After", "basic.target", None, Some(UnitType::Service)),
    ("Requires", "sysinit.target", Some(Scope::System), None),
    ("After", "sysinit.target", Some(Scope::System), None),
    ("Before", "sockets.target", None, Some(UnitType::Socket)),
    ("Conflicts", "shutdown.target", None, None),
    ("Before", "shutdown.target", None, None),
];

pub(super) fn read(reader: &mut Reader<'_>, scope: Scope) -> Dependencies {
    let mut by_key: BTreeMap<&'static str, Vec<Dependency>> = BTreeMap::new();
    for (section, keys) in KEYS {
        for key in *keys {
            // [Install] may name templates, and is read with quotes.
            let install = *section == "Install";
            let flags = if install {
                Flags::UNQUOTE | Flags::RETAIN_ESCAPE
            } else {
                Flags::RETAIN_ESCAPE
            };
            let own = reader.specifiers.unit;
            for setting in reader.merged.all(section, key) {
                let units = reader.words(setting, flags, |word| {
                    let unit = unit_name(word)?;
                    if install {
                        Ok(unit)
                    } else {
                        instantiated(unit, own)
                    }
                });
                for unit in units {
                    by_key.entry(key).or_default().push(Dependency {
                        unit,
                        origin: Some(setting.origin.clone()),
                        link: None,
                    });
                }
            }
        }
    }
    if reader.boolean("Unit", "DefaultDependencies") != Some(false) {
        let unit_type = reader.specifiers.unit.unit_type();
        for (key, unit, only_scope, only_type) in DEFAULT {
            let applies = only_scope.is_none_or(|only| only == scope)
                && only_type.is_none_or(|only| only == unit_type);
            if let (true, Ok(unit)) = (applies, unit.parse()) {
                by_key.entry(key).or_default().push(Dependency {
                    unit,
                    origin: None,
                    link: None,
                });
            }
        }
    }
    Dependencies { by_key }
}

fn unit_name(word: &str) -> Result<UnitName, String> {
    word.parse()
        .map_err(|_| format!("{word:?} is not a unit name"))
}

/// A dependency on a template is one on its instance of the unit's own
/// instance, or of its prefix where it has none.
fn instantiated(unit: UnitName, own: &UnitName) -> Result<UnitName, String> {
    if unit.kind() != NameKind::Template {
        return Ok(unit);
    }
    let instance = own
        .instance()
        .filter(|instance| !instance.is_empty())
        .unwrap_or(own.prefix());
    unit.with_instance(instance).map_err(|e| e.to_string())
}
