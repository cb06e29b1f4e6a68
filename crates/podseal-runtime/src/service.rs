//! From what a user asks `podseal run` for to something to supervise: checks
//! everything that can be checked before a socket is opened.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use podseal_core::lifecycle::{Command, Kind, Restart, Settings, socket};
use podseal_core::listen::{Listen, SocketOptions};
use podseal_core::podman::invocation::{Invocation, Word};
use podseal_core::podman::strict::{self, Stage};
use podseal_core::podman::{Cgroups, Container, Pull, RefusedOption, SdNotify, check_options};
use podseal_core::policy::inherited::{self, Unsealable};
use podseal_core::policy::level::Level;
use podseal_core::policy::seal::Seal;
use podseal_core::supervised::{Execution, ServiceUnit, Set, SocketUnit, unit_file};
use podseal_core::unit::effective::service::{KillMode, NotifyAccess};
use podseal_core::unit::name::{NameError, UnitName, UnitType};

use crate::command;
use crate::container_profile::{self, ProfileError};
use crate::engine::{Engine, EngineError};
use crate::host::{self, User};
use crate::instance::{Instance, InstanceError};
use crate::oci_runtime::Choice;
use crate::podman::{Podman, PodmanError};
use crate::signals::{self, Caught};
use crate::supervise::{Reload, Supervised, launcher};
use crate::unit_set::{self, SetError, UnitSet};

/// What is run.
#[derive(Debug, Clone)]
pub enum Workload {
    /// A container.
    Image(Image),
    /// Any command that takes the sockets it is handed.
    Command(Vec<String>),
}

/// A container to run.
#[derive(Debug, Clone)]
pub struct Image {
    /// The image.
    pub image: String,
    /// Options for `podman run`.
    pub options: Vec<String>,
    /// Arguments for the image's entry point.
    pub arguments: Vec<String>,
    /// Whether to ask the registry at each start.
    pub pull: Pull,
    /// The OCI runtime to use instead of one that is found to work.
    pub oci_runtime: Option<String>,
}

/// A service to run.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its name, unique among what this user runs.
    pub name: String,
    /// What it is.
    pub workload: Workload,
    /// Where it listens.
    pub listen: Vec<Listen>,
    /// How it listens.
    pub socket_options: SocketOptions,
    /// Names of the sockets; none means the service's name for each.
    pub names: Vec<String>,
    /// How it is sealed.
    pub seal: Seal,
    /// Whether it says itself when it is ready.
    pub notify: bool,
    /// Whether to start it at once.
    pub start_now: bool,
    /// When to start it again.
    pub restart: Restart,
    /// How long it may take to start; none is forever.
    pub timeout_start: Option<Duration>,
    /// How long it may take to stop; none is forever.
    pub timeout_stop: Option<Duration>,
}

/// Units that are ready to be supervised. Their name is taken as long as this
/// lives.
pub struct Prepared {
    /// For the supervisor.
    pub supervised: Supervised<'static>,
    /// What should be known of units that were read.
    pub units: Option<UnitSet>,
    /// The OCI runtime, for a container.
    pub oci_runtime: Option<Choice>,
    /// Holds the name; dropped after the sockets.
    pub instance: Instance,
}

/// Why a service cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// Another number of names than of sockets.
    #[error("{names} names for {sockets} sockets: give --fdname once, or once for each --listen")]
    NameCount {
        /// Names given.
        names: usize,
        /// Sockets asked for.
        sockets: usize,
    },
    /// A Podman option that cannot be passed on.
    #[error(transparent)]
    Option(#[from] RefusedOption),
    /// A socket would be a way out.
    #[error("{listen}")]
    Unsealable {
        /// The address.
        listen: Listen,
        /// Why.
        source: Unsealable,
    },
    /// The command is not there.
    #[error("{program} is not installed, or not in PATH")]
    CommandNotFound {
        /// Its name.
        program: String,
    },
    /// Level strict is about a container, and there is none.
    #[error("level strict is for containers, and this is a command")]
    NoContainer,
    /// The container's options contradict level strict.
    #[error("level strict cannot be had: {message}")]
    NotStrict {
        /// What does.
        message: String,
        /// What to do about it.
        fix: String,
    },
    /// There is no seccomp profile for level strict.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The name is taken.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// Podman cannot run a sealed container here.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The image is not here.
    #[error(transparent)]
    Image(#[from] PodmanError),
    /// Units cannot be supervised.
    #[error(transparent)]
    Units(#[from] SetError),
    /// A name that is not one of a unit.
    #[error("{name:?} cannot be the name of a service")]
    Name {
        /// The name.
        name: String,
        /// Why.
        source: NameError,
    },
    /// A name that is needed and was not given.
    #[error("{unit} is too long or too odd a name for a run")]
    RunName {
        /// The unit whose name was to be the run's.
        unit: UnitName,
    },
    /// What is run could not be written down.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something about this host cannot be looked up.
    #[error("cannot look at this host")]
    Host {
        /// Why.
        source: io::Error,
    },
}

impl PrepareError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NameCount { .. } | Self::Host { .. } | Self::Name { .. } | Self::Write { .. } => {
                None
            }
            Self::RunName { .. } => Some("give the run a --name".into()),
            Self::Units(error) => error.hint(),
            Self::Option(error) => error.hint().map(str::to_owned),
            Self::Unsealable { source, .. } => Some(source.hint().into()),
            Self::NoContainer => Some("give --image, or take --level=standard".into()),
            Self::NotStrict { fix, .. } => Some(fix.clone()),
            Self::Profile(error) => Some(error.hint()),
            Self::CommandNotFound { .. } => Some("check the command's name and PATH".into()),
            Self::Instance(error) => Some(error.hint()),
            Self::Engine(error) => Some(error.hint()),
            Self::Image(error) => Some(error.hint()),
        }
    }
}

/// Checks `request` and this host. SIGINT, SIGTERM and SIGHUP are caught from
/// then on and end the supervision at its first look.
///
/// # Errors
/// See [`PrepareError`]; nothing is left behind.
pub fn prepare(request: &Request) -> Result<Prepared, PrepareError> {
    let names = socket_names(request)?;
    for listen in &request.listen {
        inherited::check(listen.identity(), &request.seal).map_err(|source| {
            PrepareError::Unsealable {
                listen: listen.clone(),
                source,
            }
        })?;
    }
    let user = User::current();
    // From here on a signal must not leave anything behind.
    let end_wanted = end_wanted()?;
    let instance = Instance::acquire(&user, &request.name)?;
    let mut settings = Settings {
        restart: request.restart,
        timeout_start: request.timeout_start,
        timeout_stop: request.timeout_stop,
        ..Settings::new(if request.notify {
            Kind::Notify
        } else {
            Kind::Exec
        })
    };
    let mut oci_runtime = None;
    let mut container_id_file = None;
    match &request.workload {
        Workload::Command(_) if request.seal.level >= Level::Strict => {
            return Err(PrepareError::NoContainer);
        }
        Workload::Command(command) => {
            let program = command.first().map_or("", String::as_str);
            if command::find(program).is_none() {
                return Err(PrepareError::CommandNotFound {
                    program: program.to_owned(),
                });
            }
            settings.start = vec![Command::new(command.clone())];
        }
        Workload::Image(container) => {
            let path = instance.directory().join("cid");
            let choice = add_container(container, request, &user, &instance, &path, &mut settings)?;
            oci_runtime = Some(choice);
            container_id_file = Some(path.to_string_lossy().into_owned());
        }
    }
    let units = instance.directory().join("units");
    let [socket, service] =
        [UnitType::Socket, UnitType::Service].map(|unit_type| unit_name(&request.name, unit_type));
    let (socket, service) = (socket?, service?);
    write_unit(&units, &service, &settings.start, request)?;
    let start = if request.start_now {
        vec![socket.clone(), service.clone()]
    } else {
        vec![socket.clone()]
    };
    let socket_unit = SocketUnit {
        listen: request.listen.clone(),
        options: request.socket_options.clone(),
        names,
        settings: socket::Settings::default(),
        service: service.clone(),
    };
    let execution = Execution {
        seal: Some(request.seal.clone()),
        environment: BTreeMap::new(),
        environment_files: Vec::new(),
        working_directory: None,
        notify_access: NotifyAccess::All,
        kill_mode: KillMode::ControlGroup,
        kill_signal: 15,
        container_id_file,
    };
    let service_unit = ServiceUnit {
        settings,
        execution,
    };
    Ok(Prepared {
        supervised: Supervised {
            set: Set::pair((socket, socket_unit), (service, service_unit)),
            start,
            directory: instance.directory().to_owned(),
            units,
            reload: None,
            end_when_given_up: true,
            end_wanted,
        },
        units: None,
        oci_runtime,
        instance,
    })
}

/// Reads units from a directory and makes them ready, as [`prepare`] does for
/// a request. The run is called `name`, or as the first unit.
///
/// # Errors
/// See [`PrepareError`]; nothing is left behind.
pub fn prepare_units(
    directory: &Path,
    wanted: &[String],
    name: Option<&str>,
) -> Result<Prepared, PrepareError> {
    let wanted = unit_set::names(wanted)?;
    let units = unit_set::read(directory, &wanted)?;
    let name = match (name, wanted.first()) {
        (Some(name), _) => name.to_owned(),
        (None, Some(first)) if podseal_core::podman::is_valid_name(first.stem()) => {
            first.stem().to_owned()
        }
        (None, Some(first)) => {
            return Err(PrepareError::RunName {
                unit: first.clone(),
            });
        }
        (None, None) => String::new(),
    };
    let canonical = fs::canonicalize(directory).map_err(|source| PrepareError::Host { source })?;
    let end_wanted = end_wanted()?;
    let instance = Instance::acquire(&User::current(), &name)?;
    Ok(Prepared {
        supervised: Supervised {
            set: units.set.clone(),
            start: units.start.clone(),
            directory: instance.directory().to_owned(),
            units: canonical,
            reload: Some(reload(directory.to_owned(), wanted, units.clone())),
            end_when_given_up: false,
            end_wanted,
        },
        units: Some(units),
        oci_runtime: None,
        instance,
    })
}

/// Writes down what starts a service that comes from no file, as if it did.
fn write_unit(
    directory: &Path,
    unit: &UnitName,
    start: &[Command],
    request: &Request,
) -> Result<(), PrepareError> {
    let has_container = matches!(request.workload, Workload::Image(_));
    let path = directory.join(unit.as_str());
    let own = host::own_executable().map_err(|source| PrepareError::Host { source })?;
    let commands = start.iter().filter_map(|command| {
        let program = command::find(&command.program)?;
        let arguments = command.arguments.clone();
        let own = own.to_string_lossy();
        Some(launcher(&own, &request.seal, &program, arguments))
    });
    let text = commands
        .map(|words| unit_file(&words, has_container))
        .collect::<String>();
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(&path, text))
        .map_err(|source| PrepareError::Write { path, source })
}

fn reload(directory: PathBuf, wanted: Vec<UnitName>, mut last: UnitSet) -> Reload<'static> {
    Box::new(move || {
        let read = unit_set::read(&directory, &wanted)?;
        if read == last {
            return Ok(None);
        }
        last.clone_from(&read);
        Ok(Some(read))
    })
}

fn end_wanted() -> Result<[Caught; 3], PrepareError> {
    signals::end_wanted().map_err(|source| PrepareError::Host { source })
}

fn unit_name(name: &str, unit_type: UnitType) -> Result<UnitName, PrepareError> {
    let text = format!("{name}.{}", unit_type.name());
    text.parse().map_err(|source| PrepareError::Name {
        name: name.to_owned(),
        source,
    })
}

/// Makes `settings` those of a container, once Podman and this host are seen
/// to be ready for it.
fn add_container(
    container: &Image,
    request: &Request,
    user: &User,
    instance: &Instance,
    cid_file: &Path,
    settings: &mut Settings,
) -> Result<Choice, PrepareError> {
    check_options(&container.options)?;
    let wanted = container.oci_runtime.as_deref();
    let engine = Engine::prepare(user, instance, &request.seal, wanted)?;
    if container.pull == Pull::Never {
        engine.podman.require_image(&container.image)?;
    }
    let container = Container {
        podman: &engine.podman.word(),
        version: engine.version,
        oci_runtime: &engine.oci_runtime.path.to_string_lossy(),
        name: &format!("podseal-{}", request.name),
        image: &container.image,
        arguments: &container.arguments,
        options: &container.options,
        cid_file: &cid_file.to_string_lossy(),
        pull: container.pull,
        sdnotify: if request.notify {
            SdNotify::Container
        } else {
            SdNotify::Conmon
        },
        cgroups: cgroups(user),
        limits: engine.limits,
    };
    // One may live on from a supervisor that was killed, and `--replace` cannot
    // end it: under the seal, Podman signals nothing outside.
    engine
        .podman
        .remove_container(container.name)
        .map_err(PodmanError::from)?;
    settings.kind = Kind::Notify;
    let outside = |words| vec![Command::new(words).ignoring_failure().unrestricted()];
    let mut start = container.run();
    if let Some(profile) = &engine.profile {
        make_strict(&mut start, &engine.podman, &request.seal, profile, instance)?;
    }
    settings.start = vec![Command::new(start)];
    settings.stop = outside(container.stop());
    settings.stop_post = outside(container.remove());
    Ok(engine.oci_runtime)
}

/// Puts level strict's options into a `podman run`, and writes what they name.
fn make_strict(
    command: &mut Vec<String>,
    podman: &Podman,
    seal: &Seal,
    profile: &str,
    instance: &Instance,
) -> Result<(), PrepareError> {
    let words = Word::numbered(command.iter().map(String::as_str));
    let invocation = Invocation::parse(words.get(1..).unwrap_or_default());
    if let Some((_, message)) = invocation.unclear {
        let fix = "leave it out, or take --level=standard".to_owned();
        return Err(PrepareError::NotStrict { message, fix });
    }
    if let Some(found) = strict::contradictions(&invocation, Stage::Written)
        .into_iter()
        .next()
    {
        let pinned = found.image.and_then(|image| podman.pinned(&image).ok());
        return Err(PrepareError::NotStrict {
            message: found.message,
            fix: pinned.map_or_else(|| found.fix.to_owned(), |image| format!("name it {image}")),
        });
    }
    let profile = container_profile::write(profile, instance.directory())?;
    let options = strict::options(&seal.mechanisms(), &profile.to_string_lossy());
    if let Some(at) = invocation.behind_run() {
        command.splice(at..at, options);
    }
    Ok(())
}

fn socket_names(request: &Request) -> Result<Vec<String>, PrepareError> {
    let sockets = request.listen.len();
    match request.names.as_slice() {
        [] => Ok(vec![request.name.clone(); sockets]),
        [name] => Ok(vec![name.clone(); sockets]),
        names if names.len() == sockets => Ok(names.to_vec()),
        names => Err(PrepareError::NameCount {
            names: names.len(),
            sockets,
        }),
    }
}

/// A container gets a cgroup wherever Podman can make one. For root on a host
/// whose cgroup file system is read-only (itself a container, say) it cannot.
fn cgroups(user: &User) -> Cgroups {
    let read_only = rustix::fs::statvfs("/sys/fs/cgroup")
        .is_ok_and(|fs| fs.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
    if !user.is_rootless() && read_only {
        Cgroups::Disabled
    } else {
        Cgroups::NoConmon
    }
}
