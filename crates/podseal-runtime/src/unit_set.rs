//! Units in a directory, read with all that they need, to be supervised.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use podseal_core::jobs::Cycle;
use podseal_core::supervised::{self, Context, Kind, Need, Read, Remark, Set, Severity};
use podseal_core::unit::effective::{Origin, Scope};
use podseal_core::unit::name::{NameError, NameKind, UnitName, UnitType};

use crate::units::{Target, UnitError, Units};

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitSet {
    /// The units.
    pub set: Set,
    /// Those that were asked for, by their own names.
    pub start: Vec<UnitName>,
    /// What should be known of each, and is no error.
    pub warnings: Vec<(UnitName, Remark)>,
}

/// Units cannot be supervised.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// What was asked for is no name.
    #[error("{argument:?} is not the name of a unit")]
    Name {
        /// The argument.
        argument: String,
        /// Why.
        source: NameError,
    },
    /// What was asked for cannot be started.
    #[error("{unit} cannot be run: {why}")]
    Kind {
        /// The unit.
        unit: UnitName,
        /// Why.
        why: &'static str,
    },
    /// A unit is not there.
    #[error(
        "{}there is no file of {unit} in {}",
        place(origin.as_ref()),
        directory.display()
    )]
    Missing {
        /// The unit.
        unit: UnitName,
        /// Where it was looked for.
        directory: PathBuf,
        /// What needs it.
        origin: Option<Origin>,
    },
    /// A unit cannot be read.
    #[error("{unit} cannot be read")]
    Unit {
        /// The unit.
        unit: UnitName,
        /// Why.
        source: UnitError,
    },
    /// The directory cannot be read.
    #[error(transparent)]
    Directory(UnitError),
    /// Units have settings that cannot be honoured.
    #[error("{}", list(remarks))]
    Refused {
        /// All of them.
        remarks: Vec<(UnitName, Remark)>,
    },
    /// The order of units contradicts itself.
    #[error("the order of units is a cycle: {}", supervised::describe(cycle))]
    Cycle {
        /// The cycle.
        cycle: Cycle,
    },
}

impl SetError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Name { .. } => {
                Some("give NAME.socket, a file of which is in the directory given".into())
            }
            Self::Kind { .. } => Some("name a socket unit or a service".into()),
            Self::Missing { .. } => Some("put the file there, or name another unit".into()),
            Self::Unit { source, .. } | Self::Directory(source) => Some(source.hint()),
            Self::Refused { .. } => {
                Some("take the settings out, or have systemd run the units".into())
            }
            Self::Cycle { .. } => Some("take one of the After= or Before= lines out".into()),
        }
    }
}

fn place(origin: Option<&Origin>) -> String {
    origin.map_or(String::new(), |origin| {
        format!("{}:{}: ", origin.file, origin.line)
    })
}

fn list(remarks: &[(UnitName, Remark)]) -> String {
    let lines = remarks.iter().map(|(unit, remark)| match &remark.origin {
        Some(_) => format!("{}{}", place(remark.origin.as_ref()), remark.message),
        None => format!("{unit}: {}", remark.message),
    });
    lines.collect::<Vec<_>>().join("; ")
}

/// Reads the names on a command line.
///
/// # Errors
/// One is not the name of a unit that can be run.
pub fn names(arguments: &[String]) -> Result<Vec<UnitName>, SetError> {
    let name = |argument: &String| {
        let unit: UnitName = argument.parse().map_err(|source| SetError::Name {
            argument: argument.clone(),
            source,
        })?;
        let why = match (unit.unit_type(), unit.kind()) {
            (_, NameKind::Template) => "it is a template without an instance",
            (UnitType::Service | UnitType::Socket, _) => return Ok(unit),
            _ => "only sockets and services are run",
        };
        Err(SetError::Kind { unit, why })
    };
    arguments.iter().map(name).collect()
}

/// Reads units and all that they need from a directory.
///
/// # Errors
/// See [`SetError`].
pub fn read(directory: &Path, wanted: &[UnitName]) -> Result<UnitSet, SetError> {
    let units = Units::in_directory(directory).map_err(SetError::Directory)?;
    let home = units.specifier('h').map(str::to_owned);
    let context = Context {
        working_directory: match units.scope() {
            Scope::User => home.clone().unwrap_or_else(|| "/".to_owned()),
            Scope::System => "/".to_owned(),
        },
        home,
    };
    let mut reader = Reader {
        directory,
        units: &units,
        context,
        found: BTreeMap::new(),
        aliases: BTreeMap::new(),
        absent: BTreeSet::new(),
        remarks: Vec::new(),
    };
    let mut look_at: Vec<(UnitName, Need, Option<Origin>)> = wanted
        .iter()
        .map(|unit| (unit.clone(), Need::Required, None))
        .collect();
    while let Some((unit, need, origin)) = look_at.pop() {
        look_at.extend(reader.read(&unit, need, origin)?);
    }
    let (refused, warnings): (Vec<_>, Vec<_>) = reader
        .remarks
        .into_iter()
        .partition(|(_, remark)| remark.severity == Severity::Error);
    if !refused.is_empty() {
        return Err(SetError::Refused { remarks: refused });
    }
    let own = |unit: &UnitName| reader.aliases.get(unit).unwrap_or(unit).clone();
    let start = wanted.iter().map(own).collect();
    let read = reader.found.into_iter().filter_map(|(name, read)| {
        let kind: Kind = read.kind?;
        Some((name, kind, read.dependencies))
    });
    let set =
        Set::new(read.collect(), reader.aliases).map_err(|cycle| SetError::Cycle { cycle })?;
    Ok(UnitSet {
        set,
        start,
        warnings,
    })
}

struct Reader<'a> {
    directory: &'a Path,
    units: &'a Units,
    context: Context,
    found: BTreeMap<UnitName, Read>,
    aliases: BTreeMap<UnitName, UnitName>,
    absent: BTreeSet<UnitName>,
    remarks: Vec<(UnitName, Remark)>,
}

impl Reader<'_> {
    /// Reads a unit, unless it was, and returns what it needs.
    fn read(
        &mut self,
        unit: &UnitName,
        need: Need,
        origin: Option<Origin>,
    ) -> Result<Vec<(UnitName, Need, Option<Origin>)>, SetError> {
        let known = self.found.contains_key(unit) || self.aliases.contains_key(unit);
        if known || (need == Need::Wanted && self.absent.contains(unit)) {
            return Ok(Vec::new());
        }
        let target = Target::Name(unit.clone());
        let loaded = match self.units.read(&target) {
            Ok(loaded) => loaded,
            Err(UnitError::NotFound { .. }) if need == Need::Wanted => {
                self.absent.insert(unit.clone());
                return Ok(Vec::new());
            }
            Err(UnitError::NotFound { .. }) => {
                return Err(SetError::Missing {
                    unit: unit.clone(),
                    directory: self.directory.to_owned(),
                    origin,
                });
            }
            Err(source) => {
                return Err(SetError::Unit {
                    unit: unit.clone(),
                    source,
                });
            }
        };
        let own = loaded.view.unit().clone();
        for alias in loaded.aliases {
            self.aliases.insert(alias, own.clone());
        }
        let mut read = supervised::read(&loaded.view, &self.context);
        let remarks = std::mem::take(&mut read.remarks);
        self.remarks
            .extend(remarks.into_iter().map(|remark| (own.clone(), remark)));
        let needs = read.needs.clone();
        self.found.insert(own, read);
        Ok(needs)
    }
}
