//! The unit files of a container that is served by sockets, as `podseal up`
//! writes them: what a user would write by hand, and nothing of the seal,
//! which is a drop-in ([`crate::plan`]).

mod container;
pub mod mark;
mod service;
mod socket;
mod value;

use crate::listen::Listen;
use crate::unit::name::{NameError, UnitName};

pub use value::Unwritable;

/// What the service is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A `.container` file, of which Quadlet makes the service.
    Quadlet,
    /// A `.service`, as `podman generate systemd --new` writes it.
    Service,
}

impl Form {
    /// What the file's name ends in, after the dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Quadlet => "container",
            Self::Service => "service",
        }
    }
}

/// A container that is a service.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The name of the service, without its type.
    pub name: String,
    /// `Description=`; none is made of name and image.
    pub description: Option<String>,
    /// Where it listens, in the order given.
    pub sockets: Vec<Socket>,
    /// The image.
    pub image: String,
    /// Variables of the container, `NAME=VALUE`.
    pub environment: Vec<String>,
    /// Mounts, as `--volume` of podman-run(1) takes them.
    pub volumes: Vec<String>,
    /// The user in the container.
    pub user: Option<String>,
    /// The most memory, as `--memory` of podman-run(1) takes it.
    pub memory: Option<String>,
    /// Path of podman.
    pub podman: String,
    /// Path of the OCI runtime; none is Podman's own choice.
    pub oci_runtime: Option<String>,
    /// Arguments for the image's entry point.
    pub arguments: Vec<String>,
    /// The user other than root as whom the system's manager starts Podman. Such
    /// a service is none of Quadlet's.
    pub run_as: Option<RunAs>,
}

/// A user whose Podman a service of the system's manager has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunAs {
    /// The name.
    pub name: String,
    /// The number.
    pub uid: u32,
}

impl RunAs {
    /// The user's manager, whose start makes the run-time directory.
    #[must_use]
    pub fn manager(&self) -> String {
        format!("user@{}.service", self.uid)
    }
}

/// A socket to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Where.
    pub listen: Listen,
    /// Its name for the service; none is the socket unit's name.
    pub name: Option<String>,
}

/// A file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Its text, marked as podseal's.
    pub text: String,
}

/// The files of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The service.
    pub service: File,
    /// Its socket units, the first named after the service.
    pub sockets: Vec<File>,
}

impl Wanted {
    /// The service's unit.
    ///
    /// # Errors
    /// The name is none of a unit.
    pub fn unit(&self) -> Result<UnitName, NameError> {
        format!("{}.service", self.name).parse()
    }

    /// The files in this form.
    ///
    /// # Errors
    /// A value that cannot be written in a unit file.
    pub fn files(&self, form: Form) -> Result<Files, Unwritable> {
        let groups = socket::groups(self);
        let body = match form {
            Form::Quadlet => container::body(self, &groups)?,
            Form::Service => service::body(self, &groups)?,
        };
        let file = |name: String, body: &str| File {
            name,
            text: mark::write(&self.name, body),
        };
        let mut sockets = Vec::new();
        for group in &groups {
            let body = socket::body(self, group)?;
            sockets.push(file(group.unit.clone(), &body));
        }
        let name = format!("{}.{}", self.name, form.extension());
        Ok(Files {
            service: file(name, &body),
            sockets,
        })
    }

    fn description(&self) -> Result<String, Unwritable> {
        match &self.description {
            Some(text) => value::line("--description", text),
            None => value::line(
                "--image",
                &format!("{}, a container of {}", self.name, self.image),
            ),
        }
    }
}

/// The settings of `[Unit]` that have every socket there when the service is
/// started: each hands over its own only if it is.
fn dependencies(groups: &[socket::Group<'_>]) -> String {
    let units: Vec<&str> = groups.iter().map(|group| group.unit.as_str()).collect();
    let units = units.join(" ");
    format!("Requires={units}\nAfter={units}\n")
}

/// A container that fails at once is started again without end, slowly enough
/// for systemd not to give it up.
const RESTART: &str = "Restart=on-failure\nRestartSec=5s\n";

#[cfg(test)]
mod tests;
