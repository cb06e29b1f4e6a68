//! A unit of any kind that podseal reads.

use std::collections::BTreeMap;

use serde::Serialize;

use super::merge::{Merged, MergedSetting, Source};
use super::quadlet::NotGenerated;
use super::service::Service;
use super::socket::Socket;
use super::{Diagnostic, Scope, VERSION};
use crate::unit::name::{UnitName, UnitType};
use crate::unit::specifier::Specifiers;

/// What a unit's files add up to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum View {
    /// A service.
    Service(Box<Service>),
    /// A socket unit.
    Socket(Box<Socket>),
    /// A unit of either kind that cannot be started, whatever its files say.
    Masked(Masked),
    /// A service that Podman's generator does not make.
    NotGenerated(Box<NotGenerated>),
}

/// A unit that is masked: its file is empty, or a link to `/dev/null`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Masked {
    version: u32,
    kind: UnitType,
    /// Its name.
    pub unit: UnitName,
    /// Which manager reads it.
    pub scope: Scope,
    /// The path of what masks it.
    pub fragment: String,
    /// Always false, as in the views of units that are not masked.
    #[cfg_attr(feature = "schema", schemars(extend("const" = false)))]
    loads: bool,
}

impl View {
    /// Merges a service's or socket unit's files and reads their settings.
    /// `host` has the values of specifiers, see [`Specifiers::host`]. `None`
    /// for other kinds of unit.
    #[must_use]
    pub fn new(
        unit: &UnitName,
        fragment: &Source,
        dropins: &[Source],
        host: &BTreeMap<char, String>,
        scope: Scope,
    ) -> Option<Self> {
        let specifiers = Specifiers {
            unit,
            fragment: Some(&fragment.path),
            host,
        };
        let merge = || Merged::new(fragment, dropins, &specifiers);
        match unit.unit_type() {
            UnitType::Service => Some(Self::Service(Box::new(Service::new(
                merge(),
                &specifiers,
                scope,
            )))),
            UnitType::Socket => Some(Self::Socket(Box::new(Socket::new(
                merge(),
                &specifiers,
                scope,
            )))),
            _ => None,
        }
    }

    /// The view of a unit that is masked by what is at `fragment`.
    #[must_use]
    pub fn masked(unit: &UnitName, fragment: &str, scope: Scope) -> Self {
        Self::Masked(Masked {
            version: VERSION,
            kind: unit.unit_type(),
            unit: unit.clone(),
            scope,
            fragment: fragment.to_owned(),
            loads: false,
        })
    }

    /// Adds dependencies that links stand for: their key, and what
    /// [`super::search::dependency_links`] found.
    pub fn link(&mut self, key: &'static str, links: Vec<(UnitName, String)>) {
        let (own, dependencies) = match self {
            Self::Service(service) => (&service.unit, &mut service.dependencies),
            Self::Socket(socket) => (&socket.unit, &mut socket.dependencies),
            Self::Masked(_) | Self::NotGenerated(_) => return,
        };
        for (unit, path) in links {
            dependencies.link(key, unit, own, path);
        }
    }

    /// The unit's own name.
    #[must_use]
    pub fn unit(&self) -> &UnitName {
        match self {
            Self::Service(service) => &service.unit,
            Self::Socket(socket) => &socket.unit,
            Self::Masked(masked) => &masked.unit,
            Self::NotGenerated(service) => &service.unit,
        }
    }

    /// The paths of its files: the unit file first, then the drop-ins in the
    /// order in which they count.
    #[must_use]
    pub fn files(&self) -> Vec<&str> {
        let (fragment, dropins) = match self {
            Self::Service(service) => {
                // What Podman's generator made of it need not be there.
                if let Some(quadlet) = &service.quadlet {
                    let own = std::iter::once(&quadlet.source).chain(&quadlet.dropins);
                    let files = own.chain(&service.dropins);
                    return files.map(String::as_str).collect();
                }
                (service.fragment.as_ref(), service.dropins.as_slice())
            }
            Self::Socket(socket) => (socket.fragment.as_ref(), socket.dropins.as_slice()),
            Self::Masked(_) => (None, [].as_slice()),
            Self::NotGenerated(service) => (Some(&service.fragment), [].as_slice()),
        };
        let files = fragment.into_iter().chain(dropins);
        files.map(String::as_str).collect()
    }

    /// Every setting in its files, those without a field of their own included.
    #[must_use]
    pub fn settings(&self) -> &[MergedSetting] {
        match self {
            Self::Service(service) => &service.settings.settings,
            Self::Socket(socket) => &socket.settings.settings,
            Self::Masked(_) | Self::NotGenerated(_) => &[],
        }
    }

    /// What systemd ignores or refuses.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            Self::Service(service) => &service.diagnostics,
            Self::Socket(socket) => &socket.diagnostics,
            Self::Masked(_) => &[],
            Self::NotGenerated(service) => &service.diagnostics,
        }
    }
}
