//! The parts of the generated service around the Podman command.

use super::command::PodmanCommand;
use super::groups::Groups;
use super::resource::{Resources, is_quadlet};
use super::values::{Section, Value};
use super::{Generator, QuadletError, QuadletFile};
use crate::unit::effective::{Origin, Scope};
use crate::unit::path;

/// Keys of `[Unit]` in which the newer generator replaces the name of a Quadlet
/// file by that of its service.
const DEPENDENCIES: &[&str] = &[
    "After",
    "Before",
    "BindsTo",
    "Conflicts",
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
];

pub(super) fn error(origin: &Origin, message: impl Into<String>) -> QuadletError {
    QuadletError {
        origin: origin.clone(),
        message: message.into(),
    }
}

/// A service in the making.
pub(super) struct Builder<'a> {
    pub(super) file: &'a QuadletFile,
    pub(super) resources: &'a Resources,
    pub(super) scope: Scope,
    pub(super) generator: Generator,
    pub(super) service: Groups,
    /// The place of what belongs to no setting.
    pub(super) origin: Origin,
}

impl Builder<'_> {
    /// `[Container]` of the file.
    pub(super) fn section(&self) -> Section<'_> {
        self.section_of(&self.file.groups, "Container")
    }

    pub(super) fn section_of<'g>(&self, groups: &'g Groups, name: &'g str) -> Section<'g> {
        Section {
            groups,
            name,
            generator: self.generator,
        }
    }

    /// Adds a setting that belongs to none of the file's.
    pub(super) fn add(&mut self, section: &str, key: &str, value: &str) {
        let origin = self.origin.clone();
        self.service.add(section, key, value, &origin);
    }

    /// Sets what belongs to none of the file's settings.
    pub(super) fn set(&mut self, section: &str, key: &str, value: &str) {
        let origin = self.origin.clone();
        self.service.set(section, key, value, &origin);
    }

    /// Adds a command.
    pub(super) fn add_command(&mut self, key: &str, prefix: &str, command: &PodmanCommand) {
        let value = format!("{prefix}{}", command.to_value(self.generator));
        self.add("Service", key, &value);
    }

    /// What stands before any settings of the container are looked at.
    pub(super) fn begin(&mut self) -> Result<(), QuadletError> {
        if self.generator > Generator::V5_4 {
            self.translate_dependencies()?;
        }
        let quadlet = self.section_of(&self.service, "Quadlet");
        if quadlet.is_on("DefaultDependencies", true) {
            let unit = match self.scope {
                Scope::User => "podman-user-wait-network-online.service",
                Scope::System => "network-online.target",
            };
            let origin = self.origin.clone();
            self.service.prepend("Unit", "After", unit, &origin);
            self.service.prepend("Unit", "Wants", unit, &origin);
        }
        self.add("Unit", "SourcePath", &self.file.path);
        if self.generator > Generator::V5_4 {
            self.require_storage();
        }
        self.service.rename("Container", "X-Container");
        self.service.rename("Quadlet", "X-Quadlet");
        Ok(())
    }

    /// Podman's own directory has to be there. The older generator says so after
    /// it has looked at the image.
    pub(super) fn require_storage(&mut self) {
        self.add("Unit", "RequiresMountsFor", "%t/containers");
    }

    fn translate_dependencies(&mut self) -> Result<(), QuadletError> {
        for key in DEPENDENCIES {
            let names = self.section_of(&self.service, "Unit").strings(key);
            let Some(first) = names.iter().find(|name| is_quadlet(&name.text)) else {
                continue;
            };
            let origin = first.origin.clone();
            let mut services = Vec::new();
            for Value { text, origin } in &names {
                let service = if is_quadlet(text) {
                    let resource = self.resources.get(text).ok_or_else(|| {
                        error(origin, format!("unable to translate dependency for {text}"))
                    })?;
                    &resource.service
                } else {
                    text
                };
                services.push(service.as_str());
            }
            let value = services.join(" ");
            self.service.unset("Unit", key);
            self.service.add("Unit", key, &value, &origin);
        }
        Ok(())
    }

    /// Makes the service depend on the one of another Quadlet file, and returns
    /// the name of what that one makes.
    pub(super) fn require(
        &mut self,
        name: &str,
        origin: &Origin,
        missing: &str,
    ) -> Result<String, QuadletError> {
        let resource = self.resources.get(name);
        let resource = resource.ok_or_else(|| error(origin, missing))?.clone();
        for key in ["Requires", "After"] {
            self.service.add("Unit", key, &resource.service, origin);
        }
        Ok(resource.name)
    }

    /// The path that a relative one has from the file's directory.
    pub(super) fn absolute(&self, path: &str) -> String {
        let is_specifier = path.starts_with('%') && !path.starts_with("%%");
        if is_specifier || path.starts_with('/') {
            return path.to_owned();
        }
        let directory = match self.file.path.rsplit_once('/') {
            Some((directory, _)) => directory,
            None => "",
        };
        path::absolute(directory, path)
    }
}
