//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};
use podseal_core::listen::{Listen, ListenError};
use podseal_core::plan;
use podseal_core::policy::families::FamilySet;
use podseal_core::policy::{level, seal};
use podseal_core::unit::time_span::{TimeSpan, TimeSpanError};

mod doctor;
mod explain;
mod look;
mod plumbing;
mod status;
mod up;
mod verify;

pub(crate) use doctor::{Doctor, DoctorFormat};
pub(crate) use explain::{Explain, ExplainFormat};
pub(crate) use look::{Check, CheckFormat, FailOn, Show, ShowFormat};
pub(crate) use plumbing::{ChooseRuntime, Echo, Enter, Join, Pause, Probe, Without};
pub(crate) use status::{List, Status, StatusFormat};
pub(crate) use up::{Down, Form, Up};
pub(crate) use verify::{Receive, Verify, VerifyFormat};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Cyan.on_default());

const EXIT_STATUS: &str = "\
Exit status: 0 what was asked for was done, 1 it was not, 2 the command line was wrong.
More commands, made for units and other programs: enter, pause, probe, echo (see `podseal help enter`).";

/// Seal rootless Podman services: reachable only through the sockets you give
/// them, unable to dial out, and proven so.
#[derive(Debug, Parser)]
#[command(name = "podseal", version, styles = STYLES, max_term_width = 100, after_help = EXIT_STATUS)]
pub(crate) struct Cli {
    /// When to use colour.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,

    /// Say what is done in detail, on standard error.
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a container a sealed service of systemd's, with its sockets.
    Up(Box<Up>),
    /// Stop a service that `podseal up` made, and remove its files.
    Down(Down),
    /// Run a sealed service in the foreground, without systemd.
    Run(Box<Run>),
    /// List the services that are sealed or run Podman.
    List(List),
    /// Show how services are, and what of their seal can be seen.
    Status(Status),
    /// Start units of a `podseal run`.
    Start(Units),
    /// Stop units of a `podseal run`.
    Stop(Units),
    /// Stop and start units of a `podseal run`.
    Restart(Units),
    /// Forget that units of a `podseal run` failed, and how often they were started.
    ResetFailed(Units),
    /// Show what a unit's file and drop-ins add up to.
    Show(Show),
    /// Seal services that systemd runs, each with one drop-in.
    Seal(SealUnits),
    /// Take the seal off again.
    Unseal(Unseal),
    /// Look for holes in the seal of units, and for what will break.
    Check(Check),
    /// Prove that a service's seal holds.
    Verify(Verify),
    /// Say what this host can do, and what stands in the way.
    Doctor(Doctor),
    /// Say why a service does not work, and what to do.
    Explain(Explain),
    /// Show the whole story on this machine in seconds.
    Demo(Demo),
    /// Seal this process and become COMMAND (plumbing).
    #[command(hide = true)]
    Enter(Enter),
    /// Look after rootless Podman's pause process (plumbing).
    #[command(hide = true, subcommand)]
    Pause(Pause),
    /// Say which OCI runtime works under the seal, as JSON (plumbing).
    #[command(hide = true)]
    ChooseRuntime(ChooseRuntime),
    /// Try every known way out of a seal, and say what came of each as JSON
    /// (plumbing).
    #[command(hide = true)]
    Probe(Probe),
    /// Get sockets and output from another process, and run COMMAND with them
    /// (plumbing).
    #[command(hide = true)]
    Receive(Receive),
    /// Echo whatever arrives on the sockets handed over (LISTEN_FDS): the
    /// demo's server.
    #[command(hide = true)]
    Echo(Echo),
}

/// Run a sealed service in the foreground, without systemd.
///
/// Opens the sockets, starts the service on the first traffic and hands the
/// sockets over as systemd does (LISTEN_FDS, sd_listen_fds(3)). The service,
/// and with --image Podman, conmon and the OCI runtime as well, can make no
/// internet socket of their own.
///
/// SIGINT, SIGTERM and SIGHUP stop the service, remove what it left, and end
/// with status 0; a second one kills it.
///
/// With --units, the units that are named and those that they need are run as
/// systemd would: sockets wait for traffic, services start at once. Their
/// files are read again before a unit is started. What restricts a service
/// and is not supported is an error; any other such setting a warning. A
/// socket that is given up does not end the run (see `podseal status`,
/// `podseal reset-failed` and `podseal start`); the run ends with status 1 if
/// a unit has failed by then.
#[derive(Debug, Args)]
#[command(
    override_usage = "podseal run [OPTIONS] --listen ADDRESS... --image IMAGE [-- PODMAN_OPTION... [-- ARGUMENT...]]\n       \
                            podseal run [OPTIONS] --listen ADDRESS... -- COMMAND...\n       \
                            podseal run [--name NAME] --units DIR UNIT..."
)]
pub(crate) struct Run {
    /// Run units whose files, and drop-ins, are in this directory.
    #[arg(
        long = "units",
        value_name = "DIR",
        requires = "units",
        conflicts_with_all = [
            "listen", "image", "fdname", "backlog", "socket_mode", "bind_to_device", "reuse_port",
            "start", "restart", "notify", "timeout_start", "timeout_stop", "level", "families",
            "allow_udp", "allow_connect", "best_effort", "runtime", "pull", "rest",
        ]
    )]
    pub(crate) directory: Option<PathBuf>,

    /// With --units: the sockets and services to start.
    #[arg(value_name = "UNIT", requires = "directory", conflicts_with_all = ["listen", "rest"])]
    pub(crate) units: Vec<String>,

    /// Name of the service [default: made of the image or command].
    #[arg(long, short, value_name = "NAME", value_parser = service_name)]
    pub(crate) name: Option<String>,

    /// Address to listen on; may be given more than once.
    ///
    /// PORT, IPV4:PORT or [IPV6]:PORT (TCP; with udp: before it UDP), /PATH or
    /// @NAME (a UNIX stream socket; unix-dgram: or unix-seqpacket: before it
    /// for other kinds), vsock:CID:PORT. A bare PORT is every address of this
    /// host.
    #[arg(
        long,
        short,
        value_name = "ADDRESS",
        required_unless_present = "directory",
        value_parser = listen
    )]
    pub(crate) listen: Vec<Listen>,

    /// Run a container of this image, which must have been pulled.
    #[arg(long, short, value_name = "IMAGE")]
    pub(crate) image: Option<String>,

    /// Name of the socket for the service (LISTEN_FDNAMES): once for all, or
    /// once for each --listen [default: the service's name].
    #[arg(long, value_name = "NAME", value_parser = socket_name)]
    pub(crate) fdname: Vec<String>,

    /// How many connections may wait to be accepted [default: as many as the
    /// kernel allows].
    #[arg(long, value_name = "N")]
    pub(crate) backlog: Option<u32>,

    /// Access mode of UNIX socket files, in octal [default: 0666].
    #[arg(long, value_name = "MODE", value_parser = octal_mode)]
    pub(crate) socket_mode: Option<u32>,

    /// Accept only what comes through this network interface.
    #[arg(long, value_name = "INTERFACE")]
    pub(crate) bind_to_device: Option<String>,

    /// Let other processes of this user listen on the same address.
    #[arg(long)]
    pub(crate) reuse_port: bool,

    /// When to start the service.
    #[arg(long, value_name = "WHEN", default_value = "traffic")]
    pub(crate) start: StartWhen,

    /// When to start it again after it has ended.
    #[arg(long, value_name = "WHEN", default_value = "on-failure")]
    pub(crate) restart: Restart,

    /// The service says itself when it is ready (READY=1, sd_notify(3)).
    #[arg(long)]
    pub(crate) notify: bool,

    /// How long it may take to start, for example 90s or "1min 30s", or
    /// infinity.
    #[arg(long, value_name = "TIME", default_value = "90s", value_parser = timeout)]
    pub(crate) timeout_start: Timeout,

    /// How long each step of stopping may take.
    #[arg(long, value_name = "TIME", default_value = "90s", value_parser = timeout)]
    pub(crate) timeout_stop: Timeout,

    #[command(flatten)]
    pub(crate) seal: Seal,

    /// OCI runtime for the container [default: one that is found to work
    /// here under the seal].
    #[arg(long, value_name = "RUNTIME", requires = "image")]
    pub(crate) runtime: Option<String>,

    /// Whether Podman asks a registry for the image at each start. Under the
    /// seal, "always" fails: it is there to see that.
    #[arg(
        long,
        value_name = "POLICY",
        default_value = "never",
        requires = "image"
    )]
    pub(crate) pull: Pull,

    /// Say nothing but errors.
    #[arg(long, short, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// With --image: options for `podman run`, then after a second -- arguments
    /// for the container. Without: the command to run.
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) rest: Vec<String>,
}

/// What of the seal can be chosen.
#[derive(Debug, Args)]
pub(crate) struct Seal {
    /// Level of the seal.
    #[arg(long, value_name = "LEVEL", default_value = "standard")]
    pub(crate) level: Level,

    /// Socket families that may still be used, by systemd's names, or none.
    #[arg(long, value_name = "FAMILIES", default_value_t)]
    pub(crate) families: FamilySet,

    /// Accept UDP sockets, which no level can seal: they send to any address.
    #[arg(long)]
    pub(crate) allow_udp: bool,

    /// At level strict, let the container call connect(2). It then reaches the
    /// UNIX sockets that are mounted into it, and those that it makes.
    #[arg(long)]
    pub(crate) allow_connect: bool,

    /// Do without what this kernel does not have, and say so each time, instead
    /// of not starting.
    #[arg(long)]
    pub(crate) best_effort: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Level {
    /// Socket families, no new privileges, native system calls only, no
    /// io_uring.
    Families,
    /// And sockets that are handed over cannot be turned outward (Linux 6.12
    /// or later, Landlock).
    Standard,
    /// And the container has no capabilities, a read-only root, an image pinned
    /// by digest, and fewer system calls: no connect(2), no bind(2), no
    /// namespaces, mounts, tracing or keys.
    Strict,
}

impl From<Level> for level::Level {
    fn from(level: Level) -> Self {
        match level {
            Level::Families => Self::Families,
            Level::Standard => Self::Standard,
            Level::Strict => Self::Strict,
        }
    }
}

impl From<Seal> for seal::Seal {
    fn from(arguments: Seal) -> Self {
        Self {
            level: arguments.level.into(),
            families: arguments.families,
            allow_udp: arguments.allow_udp,
            allow_connect: arguments.allow_connect,
            best_effort: arguments.best_effort,
            without: seal::Without::default(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StartWhen {
    /// On the first traffic.
    Traffic,
    /// At once.
    Now,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Restart {
    No,
    OnSuccess,
    OnFailure,
    OnAbnormal,
    OnAbort,
    Always,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Pull {
    Never,
    Always,
}

/// Units of a running `podseal run`.
///
/// Waits until it is done, and ends with status 1 where it was not: a unit that
/// is not there, a start that failed.
#[derive(Debug, Args)]
pub(crate) struct Units {
    /// The units; what has no type, as in echo, is a service.
    #[arg(required = true, value_name = "UNIT")]
    pub(crate) units: Vec<String>,
}

/// Seal services that systemd runs, each with one drop-in.
///
/// Writes NAME.service.d/50-podseal.conf and, without --fix, no file that is
/// not beside it: it restricts socket families, privileges and system calls, has
/// Podman's pause process made before the service starts, and from level standard
/// on puts `podseal enter` before the command. At level strict it also gives
/// `podman run` options, and a seccomp profile that is written beside it. It is
/// renewed in the same way when the service's commands or podseal
/// have changed.
///
/// A service that cannot be sealed, or would not be after all, is refused, with
/// the names of rules that `podseal check` explains. Of several services all are
/// sealed or none.
#[derive(Debug, Args)]
pub(crate) struct SealUnits {
    /// Level of the seal.
    #[arg(long, value_name = "LEVEL", default_value = "standard")]
    pub(crate) level: Level,

    #[command(flatten)]
    pub(crate) given_up: GivenUp,

    /// At level strict, let the container call connect(2). It then reaches the
    /// UNIX sockets that are mounted into it, and those that it makes.
    #[arg(long)]
    pub(crate) allow_connect: bool,

    /// Mend what stands against the seal of a .container file, as far as that
    /// makes the container more closed (Network=none, Pull=never), by a drop-in
    /// NAME.container.d/50-podseal.conf.
    ///
    /// What is to be changed in other files is said, to the letter.
    #[arg(long)]
    pub(crate) fix: bool,

    /// Write over a 50-podseal.conf that was edited or is not podseal's.
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) plan: Plan,
}

/// What of level standard may be given up.
#[derive(Debug, Args)]
pub(crate) struct GivenUp {
    /// Accept UDP sockets, which no level can seal: they send to any address.
    #[arg(long)]
    pub(crate) allow_udp: bool,

    /// Do without what the kernel does not have when the service starts, and say
    /// so each time, instead of not starting.
    #[arg(long)]
    pub(crate) best_effort: bool,
}

impl From<&GivenUp> for plan::GivenUp {
    fn from(arguments: &GivenUp) -> Self {
        Self {
            udp: arguments.allow_udp,
            best_effort: arguments.best_effort,
        }
    }
}

/// Take the seal off services.
///
/// Removes the drop-in that `podseal seal` wrote, with the profile that level
/// strict has beside it, and nothing else; and their directory if that is empty
/// then.
#[derive(Debug, Args)]
pub(crate) struct Unseal {
    /// Remove it even if it was edited.
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) plan: Plan,
}

/// Which services are changed, and whether.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// Services of the user's manager (the default).
    #[arg(long)]
    pub(crate) user: bool,

    /// Services of the system's manager.
    #[arg(long, conflicts_with = "user")]
    pub(crate) system: bool,

    /// Print what would be changed, as a diff, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// A service, found where systemd finds it (.service may be left out; a
    /// template is sealed for all of its instances), or with a slash in it the
    /// path of a service's file, whose drop-in is written beside it. A
    /// .container file, by its name or path, stands for the service that systemd
    /// has of it.
    #[arg(required = true, value_name = "NAME|FILE")]
    pub(crate) units: Vec<String>,
}

/// Show the whole story on this machine in seconds.
///
/// Makes an image of podseal's own executable, runs it sealed as an echo
/// server, talks to it, shows that it cannot pull, and tries every way to an
/// internet socket with and without the seal. Removes all of it again.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Keep the echo server running at the end, until Ctrl-C.
    #[arg(long)]
    pub(crate) keep: bool,

    /// Show all ways out, which makes a long table, not only the main ones.
    #[arg(long)]
    pub(crate) all: bool,
}

/// A time limit; none is forever.
pub(crate) type Timeout = Option<Duration>;

fn listen(text: &str) -> Result<Listen, String> {
    text.parse()
        .map_err(|error: ListenError| format!("{error}; {}", error.hint()))
}

fn service_name(text: &str) -> Result<String, &'static str> {
    if podseal_core::podman::is_valid_name(text) {
        Ok(text.to_owned())
    } else {
        Err(
            "a name has letters, digits, '_', '.' and '-', begins with a letter or digit, and is not longer than 64",
        )
    }
}

/// After `fdname_is_valid()` of systemd: printable ASCII without the colon
/// that separates names.
fn socket_name(text: &str) -> Result<String, &'static str> {
    let valid = (1..=255).contains(&text.len())
        && text.chars().all(|c| (' '..='~').contains(&c) && c != ':');
    if valid {
        Ok(text.to_owned())
    } else {
        Err("a socket name has printable ASCII characters other than ':', at most 255")
    }
}

fn octal_mode(text: &str) -> Result<u32, &'static str> {
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| *mode <= 0o777)
        .ok_or("a mode is an octal number up to 777, for example 0660")
}

fn timeout(text: &str) -> Result<Timeout, TimeSpanError> {
    Ok(match TimeSpan::parse_seconds(text)? {
        TimeSpan::Finite(span) => Some(span),
        TimeSpan::Infinity => None,
    })
}

fn duration(text: &str) -> Result<Duration, TimeSpanError> {
    timeout(text)?.ok_or_else(|| TimeSpanError::OutOfRange {
        value: text.to_owned(),
    })
}
