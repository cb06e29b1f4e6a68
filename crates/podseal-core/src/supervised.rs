//! Units as the supervisor carries them out: what of their settings it honours,
//! and what it refuses or passes over.
//!
//! It is no second systemd. A setting that would change what a service may do,
//! and that is not supported, is refused; any other is named in a warning.

use std::collections::{BTreeMap, BTreeSet};

use crate::jobs::{Cycle, Definition, Edge, Links, find_cycle};
use crate::lifecycle;
use crate::lifecycle::socket;
use crate::listen::{Listen, SocketOptions};
use crate::policy::seal::Seal;
use crate::unit::effective::Origin;
use crate::unit::effective::service::{KillMode, NotifyAccess};
use crate::unit::name::UnitName;
use crate::unit::quote::{quote, without_specifiers};

pub mod directives;
mod read;
mod service;
mod socket_unit;

/// What a unit file of `podseal run` says where the command was given as one
/// that runs no container.
const NO_CONTAINER: &str = "X-Podseal-Container=no\n";

/// The unit file of a service that comes from no file: what starts it, with all
/// that seals it.
#[must_use]
pub fn unit_file(command: &[String], has_container: bool) -> String {
    let words = command.iter().map(|word| quote(&without_specifiers(word)));
    let words: Vec<String> = words.collect();
    format!(
        "# Made by `podseal run`, for others to read.\n[Service]\n{}ExecStart=:{}\n",
        if has_container { "" } else { NO_CONTAINER },
        words.join(" ")
    )
}

pub use read::{Context, Need, Read, Remark, Severity, read};

/// How a service's commands are run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// What they may not do; none for nothing at all.
    pub seal: Option<Seal>,
    /// `Environment=`
    pub environment: BTreeMap<String, String>,
    /// `EnvironmentFile=`, later ones being stronger.
    pub environment_files: Vec<Optional>,
    /// `WorkingDirectory=`; none for the supervisor's own.
    pub working_directory: Option<Optional>,
    /// `NotifyAccess=`
    pub notify_access: NotifyAccess,
    /// `KillMode=`
    pub kill_mode: KillMode,
    /// `KillSignal=`, by its number.
    pub kill_signal: i32,
    /// A file in which Podman leaves the container's id.
    pub container_id_file: Option<String>,
}

/// A path that may be missing where `-` stands before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Optional {
    /// The path.
    pub path: String,
    /// Whether it may be missing.
    pub may_be_missing: bool,
}

impl Optional {
    fn parse(text: &str) -> Self {
        Self {
            path: text.strip_prefix('-').unwrap_or(text).to_owned(),
            may_be_missing: text.starts_with('-'),
        }
    }
}

/// A service to supervise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceUnit {
    /// How it lives.
    pub settings: lifecycle::Settings,
    /// How its commands are run.
    pub execution: Execution,
}

impl ServiceUnit {
    /// Why its main process is not sealed; none if it is.
    #[must_use]
    pub fn not_sealed(&self) -> Option<String> {
        let outside = self
            .settings
            .start
            .iter()
            .any(|command| command.unrestricted);
        match &self.execution.seal {
            _ if outside => Some("its ExecStart= has a +".into()),
            Some(seal) if seal.holds() => None,
            Some(seal) if !seal.without.families => Some(format!(
                "it may make sockets of {} as well",
                seal.wider_families()
            )),
            _ => Some("without RestrictAddressFamilies= it may use every socket family".into()),
        }
    }
}

/// A socket unit to supervise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketUnit {
    /// Where it listens, in the order of the descriptors.
    pub listen: Vec<Listen>,
    /// How it listens.
    pub options: SocketOptions,
    /// The names of the descriptors, one each.
    pub names: Vec<String>,
    /// What limits it.
    pub settings: socket::Settings,
    /// The service that it starts.
    pub service: UnitName,
}

/// A unit to supervise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A service.
    Service(Box<ServiceUnit>),
    /// A socket unit.
    Socket(Box<SocketUnit>),
}

/// Units to supervise together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Set {
    units: BTreeMap<UnitName, (Kind, Links)>,
    aliases: BTreeMap<UnitName, UnitName>,
}

impl Set {
    /// A socket unit and its service, without files.
    #[must_use]
    pub fn pair(socket: (UnitName, SocketUnit), service: (UnitName, ServiceUnit)) -> Self {
        let links = Links {
            after: BTreeSet::from([socket.0.clone()]),
            ..Links::default()
        };
        Self {
            units: BTreeMap::from([
                (
                    socket.0,
                    (Kind::Socket(Box::new(socket.1)), Links::default()),
                ),
                (service.0, (Kind::Service(Box::new(service.1)), links)),
            ]),
            aliases: BTreeMap::new(),
        }
    }

    /// Puts units together that were read. Dependencies on others are dropped:
    /// who reads them says which must be there.
    ///
    /// # Errors
    /// Their order contradicts itself.
    pub fn new(
        read: Vec<(UnitName, Kind, Vec<read::Dependency>)>,
        aliases: BTreeMap<UnitName, UnitName>,
    ) -> Result<Self, Cycle> {
        let known: BTreeSet<UnitName> = read.iter().map(|(name, _, _)| name.clone()).collect();
        let resolve = |name: &UnitName| {
            let name = aliases.get(name).unwrap_or(name);
            known.contains(name).then(|| name.clone())
        };
        let mut edges = Vec::new();
        let mut links: BTreeMap<UnitName, Links> = BTreeMap::new();
        for (name, _, dependencies) in &read {
            for dependency in dependencies {
                let Some(other) = resolve(&dependency.unit).filter(|other| other != name) else {
                    continue;
                };
                let own = links.entry(name.clone()).or_default();
                match dependency.relation {
                    read::Relation::Requires => drop(own.requires.insert(other)),
                    read::Relation::BindsTo => {
                        own.requires.insert(other.clone());
                        own.binds_to.insert(other);
                    }
                    read::Relation::Wants => drop(own.wants.insert(other)),
                    read::Relation::PartOf => drop(own.part_of.insert(other)),
                    read::Relation::After | read::Relation::Before => {
                        let before = dependency.relation == read::Relation::Before;
                        let (later, earlier) = if before {
                            (other, name.clone())
                        } else {
                            (name.clone(), other)
                        };
                        edges.push(Edge {
                            later,
                            earlier,
                            origin: dependency.origin.clone(),
                        });
                    }
                }
            }
        }
        if let Some(cycle) = find_cycle(&edges) {
            return Err(cycle);
        }
        for Edge { later, earlier, .. } in edges {
            links.entry(later).or_default().after.insert(earlier);
        }
        let units = read
            .into_iter()
            .map(|(name, kind, _)| {
                let links = links.remove(&name).unwrap_or_default();
                (name, (kind, links))
            })
            .collect();
        Ok(Self { units, aliases })
    }

    /// The units by name.
    pub fn units(&self) -> impl Iterator<Item = (&UnitName, &Kind)> {
        self.units.iter().map(|(name, (kind, _))| (name, kind))
    }

    /// The unit with this name or alias, and its own name.
    #[must_use]
    pub fn find(&self, name: &UnitName) -> Option<(&UnitName, &Kind)> {
        let name = self.aliases.get(name).unwrap_or(name);
        let (name, (kind, _)) = self.units.get_key_value(name)?;
        Some((name, kind))
    }

    /// What their jobs need to know.
    #[must_use]
    pub fn definitions(&self) -> BTreeMap<UnitName, (Definition, Links)> {
        let definition = |kind: &Kind| match kind {
            Kind::Service(service) => Definition::Service(Box::new(service.settings.clone())),
            Kind::Socket(socket) => Definition::Socket(socket.settings, socket.service.clone()),
        };
        self.units
            .iter()
            .map(|(name, (kind, links))| (name.clone(), (definition(kind), links.clone())))
            .collect()
    }

    /// The socket units whose sockets a service is handed, by name.
    pub fn sockets_of(&self, service: &UnitName) -> impl Iterator<Item = (&UnitName, &SocketUnit)> {
        self.units
            .iter()
            .filter_map(move |(name, (kind, _))| match kind {
                Kind::Socket(socket) if socket.service == *service => Some((name, &**socket)),
                _ => None,
            })
    }
}

/// Where a cycle is written, for messages: `FILE:LINE` of each edge.
#[must_use]
pub fn describe(cycle: &Cycle) -> String {
    let place = |origin: &Option<Origin>| match origin {
        Some(origin) => format!(" ({}:{})", origin.file, origin.line),
        None => String::new(),
    };
    let steps = cycle.0.iter();
    let steps = steps.map(|edge| {
        format!(
            "{} after {}{}",
            edge.later,
            edge.earlier,
            place(&edge.origin)
        )
    });
    steps.collect::<Vec<_>>().join(", ")
}
