//! Why a service was not made.

use std::path::PathBuf;

use podseal_core::unit::effective::Scope;
use podseal_core::unit::name::{NameError, UnitName};
use podseal_core::up::Unwritable;

use crate::account::AccountError;
use crate::command::CommandError;
use crate::container_profile::ProfileError;
use crate::engine::EngineError;
use crate::install::InstallError;
use crate::instance::InstanceError;
use crate::plan::PlanError;
use crate::podman::PodmanError;
use crate::units::UnitError;

/// Why a service was not made or removed. Everything is as before, as far as it
/// could be put back.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// A name that is not one of a unit.
    #[error("{name:?} cannot be the name of a unit")]
    Name {
        /// The name.
        name: String,
        /// Why.
        source: NameError,
    },
    /// The container's seccomp profile cannot be made.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A value that no unit file can have.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    /// A mount of something that is not there.
    #[error("there is no {} to mount", path.display())]
    NoSource {
        /// Its path.
        path: PathBuf,
    },
    /// It is not known where unit files belong.
    #[error("there is no directory for unit files")]
    NoDirectory,
    /// podseal did not write the file.
    #[error("podseal did not write {}", path.display())]
    Foreign {
        /// Its path.
        path: PathBuf,
    },
    /// It wrote it for another service.
    #[error("{} belongs to the service {owner}", path.display())]
    OtherService {
        /// Its path.
        path: PathBuf,
        /// The service's name.
        owner: String,
    },
    /// podseal wrote it, and somebody changed it.
    #[error("{} was edited since podseal wrote it", path.display())]
    Edited {
        /// Its path.
        path: PathBuf,
    },
    /// There is such a unit elsewhere.
    #[error("there is a unit {unit} already{}", path.as_ref().map_or(String::new(), |path| format!(": {path}")))]
    Taken {
        /// The unit.
        unit: UnitName,
        /// Its file.
        path: Option<String>,
    },
    /// It was made in the other form.
    #[error("{} is of the other form", path.display())]
    OtherForm {
        /// The service's file.
        path: PathBuf,
        /// The service's name.
        name: String,
    },
    /// podseal made no such service.
    #[error("there is no service {name} that podseal made")]
    Absent {
        /// Its name.
        name: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A unit cannot be read.
    #[error(transparent)]
    Unit(#[from] UnitError),
    /// Podman or the image.
    #[error(transparent)]
    Podman(#[from] PodmanError),
    /// Podman cannot run a sealed container here.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// podseal has no run-time directory.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// The seal.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The files could not be changed.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// Podman cannot run as the user.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The user's run-time directory is not there at boot.
    #[error("{user} does not linger: after a boot there is no run-time directory for Podman")]
    NotLingering {
        /// The user.
        user: String,
    },
    /// The service has another user's Podman, and is asked to have root's.
    #[error("Podman runs as {user} in the service {name}")]
    RunsAs {
        /// The service's name.
        name: String,
        /// The user.
        user: String,
    },
    /// The system's services are root's to make.
    #[error("a service of the system's is made by root")]
    NotRoot,
    /// No manager answers.
    #[error("the {} systemd cannot be reached", if *scope == Scope::User { "user's" } else { "system's" })]
    NoManager {
        /// Which.
        scope: Scope,
    },
    /// The manager did not do what it was asked.
    #[error("systemd could not be made to {step}")]
    Manager {
        /// What.
        step: &'static str,
        /// Why.
        source: CommandError,
    },
    /// A socket was not opened.
    #[error("{unit} was not opened: {said}")]
    Listen {
        /// The socket unit.
        unit: UnitName,
        /// What the journal has of it, or systemctl said.
        said: String,
    },
    /// The manager looks elsewhere for units.
    #[error("systemd does not read {} for {unit}", path.display())]
    NotRead {
        /// The unit.
        unit: UnitName,
        /// The file.
        path: PathBuf,
    },
    /// logind did not let the user linger.
    #[error("lingering could not be enabled")]
    Linger {
        /// Why.
        source: CommandError,
    },
}

impl UpError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Name { .. } => "a name has letters, digits, '_', '.' and '-'".into(),
            Self::Profile(error) => error.hint(),
            Self::Unwritable(error) => error.hint().into(),
            Self::NoSource { .. } => "make it, or check the path".into(),
            Self::NoDirectory => "set HOME".into(),
            Self::Foreign { .. } | Self::Taken { .. } | Self::OtherService { .. } => {
                "choose another name, or `podseal seal` the unit that is there".into()
            }
            Self::Edited { .. } => {
                "move your changes to a drop-in, such as NAME.service.d/60-local.conf, and use --force"
                    .into()
            }
            Self::OtherForm { name, .. } => format!("run `podseal down {name}` first"),
            Self::Absent { .. } => {
                "the name is that of `podseal up`; `podseal unseal` takes a seal off other services"
                    .into()
            }
            Self::Read { .. } => "check that it is a text file that you may read".into(),
            Self::Unit(error) => error.hint(),
            Self::Podman(error) => error.hint(),
            Self::Engine(error) => error.hint(),
            Self::Instance(error) => error.hint(),
            Self::Plan(error) => error.hint(),
            Self::Install(error) => error.hint().into(),
            Self::Account(error @ AccountError::NoRuntimeDirectory { .. }) => {
                format!("--linger, or {}", error.hint())
            }
            Self::Account(error) => error.hint(),
            Self::RunsAs { name, user } => {
                format!("give --run-as {user}, or run `podseal down --system {name}` first")
            }
            Self::NotLingering { user } => format!("--linger, or loginctl enable-linger {user}"),
            Self::NoManager { scope: Scope::User } => {
                "log in as this user, so that XDG_RUNTIME_DIR is set, or use --no-start to write files only; `podseal run` needs no systemd"
                    .into()
            }
            Self::NoManager { .. } => {
                "run it as root where systemd is process 1, or use --no-start to write files only"
                    .into()
            }
            Self::NotRoot => "run it as root, or without --system for a service of your own".into(),
            Self::Manager { .. } => {
                "run systemctl by hand to see what it says (with --user for your own units)".into()
            }
            Self::Listen { said, .. } if said.contains("Permission denied") => {
                "a user may not listen on ports below 1024: use another port, or --system, or lower the sysctl net.ipv4.ip_unprivileged_port_start"
                    .into()
            }
            Self::Listen { unit, .. } => {
                format!("`ss -lnp` lists what listens already, and `journalctl -u {unit}` has more (with --user for your own units)")
            }
            Self::NotRead { .. } => {
                "the running manager has another SYSTEMD_UNIT_PATH, XDG_CONFIG_HOME or HOME than this shell: set them alike"
                    .into()
            }
            Self::Linger { .. } => "ask the administrator for `loginctl enable-linger USER`".into(),
        }
    }
}
