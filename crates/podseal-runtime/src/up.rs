//! A container as a sealed service with sockets: its unit files, its seal, and
//! the manager that is told of them, as one change.
//!
//! The files are changed in an order in which no mixture of old and new ones
//! serves unsealed: the seal before the service, the service before its
//! sockets, and last the links that have systemd open the sockets at boot. When
//! they are removed it is the other way round.

mod apply;
mod down;
mod error;
mod found;
mod plan;
mod staged;

use podseal_core::policy::level::Level;
use podseal_core::policy::seal::Seal;
use podseal_core::unit::effective::Scope;
use podseal_core::unit::name::UnitName;
use podseal_core::up::{Form, Socket};

use crate::account::Account;
use crate::install::{Change, Contents, Installed, clear};

pub use apply::{Applied, apply};
pub use down::{Kept, Removal, Why, plan_removal, remove};
pub use error::UpError;
pub use plan::{Plan, linger, plan};

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Request {
    /// The user's or the system's manager.
    pub scope: Scope,
    /// The level of the seal.
    pub level: Level,
    /// The absolute path of podseal, as the units will have it.
    pub podseal: String,
    /// Whether files that were edited are replaced.
    pub force: bool,
    /// What the service is written as; none is as before, else a file of
    /// Quadlet's where Podman has that.
    pub form: Option<Form>,
    /// The service's name, without its type.
    pub name: String,
    /// `Description=`
    pub description: Option<String>,
    /// Where it listens.
    pub sockets: Vec<Socket>,
    /// The image.
    pub image: String,
    /// Whether to write the image with the digest that it has now.
    pub digest: bool,
    /// Variables of the container.
    pub environment: Vec<String>,
    /// Mounts.
    pub volumes: Vec<String>,
    /// The user in the container.
    pub user: Option<String>,
    /// The most memory.
    pub memory: Option<String>,
    /// The OCI runtime to use instead of one that is found to work.
    pub oci_runtime: Option<String>,
    /// Arguments for the image's entry point.
    pub arguments: Vec<String>,
    /// The user whose Podman a service of the system's manager has; none is
    /// root's.
    pub account: Option<Account>,
}

impl Request {
    fn seal(&self) -> Seal {
        Seal {
            level: self.level,
            ..Seal::default()
        }
    }
}

/// One file, as it was and as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// What was there.
    pub before: Option<Contents>,
    /// What becomes of it.
    pub change: Change,
}

impl FileChange {
    /// Whether it is already what it is to be.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.before == self.change.contents
    }
}

/// Those of some files that are still to be changed.
fn open(files: &[FileChange]) -> Vec<Change> {
    let open = files.iter().filter(|file| !file.is_done());
    open.map(|file| file.change.clone()).collect()
}

/// Lets the changes stay. Until then what lies beside the files says that all of
/// it is not done yet.
fn keep(files: &[FileChange], installed: Installed) {
    installed.keep();
    clear(files.iter().map(|file| file.change.path.as_path()));
}

/// The link that has systemd open a socket at boot, and where it leads.
fn link(config: &str, socket: &UnitName) -> (String, Contents) {
    let path = format!("{config}/sockets.target.wants/{socket}");
    let target = format!("{config}/{socket}");
    (path, Contents::Link(target.into()))
}
