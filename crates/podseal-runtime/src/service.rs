//! From what a user asks `podseal run` for to something to supervise: checks
//! everything that can be checked before a socket is opened.

use std::io;
use std::path::Path;
use std::time::Duration;

use podseal_core::lifecycle::{Command, Kind, Restart, Settings};
use podseal_core::listen::Listen;
use podseal_core::podman::{Cgroups, Container, Pull, RefusedOption, SdNotify, check_options};
use podseal_core::policy::inherited::{self, Unsealable};
use podseal_core::policy::seal::Seal;
use podseal_core::rate_limit::Limit;

use crate::command;
use crate::engine::{Engine, EngineError};
use crate::host::{self, User};
use crate::instance::{Instance, InstanceError};
use crate::oci_runtime::Choice;
use crate::podman::PodmanError;
use crate::signals;
use crate::sockets::{ServiceSocket, SocketError, SocketOptions};
use crate::supervise::Supervised;

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

/// A service that is ready to be supervised. Its name is taken as long as this
/// lives.
#[derive(Debug)]
pub struct Prepared {
    /// For the supervisor.
    pub service: Supervised,
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
    /// The name is taken.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// Podman cannot run a sealed container here.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The image is not here.
    #[error(transparent)]
    Image(#[from] PodmanError),
    /// A socket cannot be opened.
    #[error(transparent)]
    Socket(#[from] SocketError),
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
            Self::NameCount { .. } | Self::Host { .. } => None,
            Self::Option(error) => error.hint().map(str::to_owned),
            Self::Unsealable { source, .. } => Some(source.hint().into()),
            Self::CommandNotFound { .. } => Some("check the command's name and PATH".into()),
            Self::Instance(error) => Some(error.hint()),
            Self::Engine(error) => Some(error.hint()),
            Self::Image(error) => Some(error.hint()),
            Self::Socket(error) => error.hint(),
        }
    }
}

/// Checks `request` and this host, then opens the sockets, last. SIGINT,
/// SIGTERM and SIGHUP are caught from then on and end the supervision at its
/// first look.
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
    let host_error = |source| PrepareError::Host { source };
    let own = host::own_executable().map_err(host_error)?;
    let own = own.to_string_lossy().into_owned();
    // From here on a signal must not leave anything behind.
    let end_wanted = signals::end_wanted().map_err(host_error)?;
    let instance = Instance::acquire(&user, &request.name)?;
    let mut settings = Settings {
        kind: if request.notify {
            Kind::Notify
        } else {
            Kind::Exec
        },
        start_pre: Vec::new(),
        start: Vec::new(),
        start_post: Vec::new(),
        stop: Vec::new(),
        stop_post: Vec::new(),
        remain_after_exit: false,
        restart: request.restart,
        restart_delay: Settings::RESTART_DELAY,
        start_limit: Limit::START,
        timeout_start: request.timeout_start,
        timeout_stop: request.timeout_stop,
    };
    let mut oci_runtime = None;
    let mut cid_file = None;
    match &request.workload {
        Workload::Command(command) => {
            let program = command.first().map_or("", String::as_str);
            if command::find(program).is_none() {
                return Err(PrepareError::CommandNotFound {
                    program: program.to_owned(),
                });
            }
            settings.start = vec![launcher(&own, request, command.clone())];
        }
        Workload::Image(container) => {
            let path = instance.directory().join("cid");
            oci_runtime = Some(add_container(
                container,
                request,
                &user,
                &own,
                &instance,
                &path,
                &mut settings,
            )?);
            cid_file = Some(path);
        }
    }
    let sockets = request
        .listen
        .iter()
        .map(|listen| ServiceSocket::open(listen, &request.socket_options))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Prepared {
        service: Supervised {
            settings,
            sockets,
            names,
            start_now: request.start_now,
            notify_path: instance.directory().join("notify"),
            cid_file,
            end_wanted,
        },
        oci_runtime,
        instance,
    })
}

/// The launcher with the seal of `request`, before `command`. Nothing is
/// sealed around it, so it can have a pause process made that has gone.
fn launcher(own: &str, request: &Request, command: Vec<String>) -> Command {
    let mut words: Vec<String> = [own, "enter", "--make-pause"].map(str::to_owned).into();
    words.extend(request.seal.options());
    words.push("--".into());
    words.extend(command);
    Command::new(words)
}

/// Makes `settings` those of a container, once Podman and this host are seen
/// to be ready for it.
fn add_container(
    container: &Image,
    request: &Request,
    user: &User,
    own: &str,
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
    settings.start = vec![launcher(own, request, container.run())];
    settings.stop = vec![Command::new(container.stop()).ignoring_failure()];
    settings.stop_post = vec![Command::new(container.remove()).ignoring_failure()];
    Ok(engine.oci_runtime)
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
