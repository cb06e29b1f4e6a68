//! Arguments of the verbs that units and other programs use.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use podseal_runtime::probe::HostFile;

use super::{Seal, duration};

/// Seal this process and become COMMAND.
///
/// Joins rootless Podman's namespaces where needed, sets no-new-privileges,
/// installs the system-call filter, and executes COMMAND in place: the process
/// id stays, and with it LISTEN_PID.
///
/// A step that fails ends with systemd's own status for it: 200 working
/// directory, 203 executing, 226 namespaces, 227 no-new-privileges, 228
/// seccomp, 232 socket families (systemd.exec(5)).
#[derive(Debug, Args)]
pub(crate) struct Enter {
    #[command(flatten)]
    pub(crate) seal: Seal,

    /// Whether to join Podman's user and mount namespaces.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) join: Join,

    /// Have Podman make its pause process where it is not running. Where
    /// no-new-privileges is set already, as in a sealed unit, the user's service
    /// manager is asked to start `podseal pause ensure` (systemd-run(1)).
    #[arg(long)]
    pub(crate) make_pause: bool,

    /// Leave out a part of the seal, for a unit that does not ask for it. May be
    /// given more than once.
    #[arg(long, value_name = "WHAT")]
    pub(crate) without: Vec<Without>,

    /// Zeroth argument of COMMAND, where it is not COMMAND itself.
    #[arg(long, value_name = "NAME")]
    pub(crate) argv0: Option<OsString>,

    /// The command, looked up in PATH.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Without {
    /// The list of socket families.
    Families,
    /// That system calls through a foreign ABI kill the process.
    Abi,
    /// That io_uring looks absent.
    IoUring,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Join {
    /// When COMMAND is podman and the user is not root.
    Auto,
    /// When the user is not root.
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Pause {
    /// Have Podman make its pause process, unless a living one is there.
    Ensure {
        /// Say nothing but errors.
        #[arg(long, short)]
        quiet: bool,

        /// As root, do so for a user: everything that the user does not have is
        /// given up first. For services with User=, where ExecStartPre=+ is
        /// started as root.
        #[arg(long, value_name = "USER")]
        run_as: Option<String>,
    },
}

/// Say which OCI runtime works here under the seal, as JSON.
///
/// Podman is made to keep its pause process first, where the user is not root.
#[derive(Debug, Args)]
pub(crate) struct ChooseRuntime {
    #[command(flatten)]
    pub(crate) seal: Seal,

    /// The one that is tried first.
    #[arg(value_name = "RUNTIME")]
    pub(crate) default: PathBuf,
}

/// Try every known way out of a seal.
///
/// Ways that need a socket to sacrifice are tried on the one that is handed
/// over (LISTEN_FDS) under the way's name, and those that lead somewhere when
/// it is said where.
#[derive(Debug, Args)]
pub(crate) struct Probe {
    /// Who listens at 127.0.0.1, and should not hear from here.
    #[arg(long, value_name = "ADDRESS", requires = "token")]
    pub(crate) victim: Option<SocketAddr>,

    /// Who listens at ::1, and should not hear from here.
    #[arg(long, value_name = "ADDRESS", requires = "token")]
    pub(crate) victim_ipv6: Option<SocketAddr>,

    /// Who waits for datagrams at 127.0.0.1, and should not hear from here.
    #[arg(long, value_name = "ADDRESS", requires = "token")]
    pub(crate) victim_datagram: Option<SocketAddr>,

    /// An abstract UNIX socket that somebody outside listens on.
    #[arg(long, value_name = "NAME", requires = "token")]
    pub(crate) victim_abstract: Option<String>,

    /// A process outside that minds nothing.
    #[arg(long, value_name = "PID")]
    pub(crate) victim_process: Option<i32>,

    /// The address at which the program of that process begins in its memory.
    #[arg(long, value_name = "ADDRESS", requires = "victim_process")]
    pub(crate) victim_memory: Option<usize>,

    /// A file of the host that a way is about. May be given more than once.
    #[arg(long, value_name = "WAY:DEVICE:INODE:PATH")]
    pub(crate) file: Vec<HostFile>,

    /// Only say which files of the host the ways of this user are about, one a
    /// line.
    #[arg(long, exclusive = true)]
    pub(crate) list_files: bool,

    /// What to write to whoever is reached, before the way's name.
    #[arg(long, value_name = "TEXT")]
    pub(crate) token: Option<String>,

    /// A Podman command that runs this program in a container with the host's
    /// network, which is one of the ways.
    #[arg(value_name = "COMMAND", last = true)]
    pub(crate) host_network: Vec<String>,
}

/// Echo whatever arrives on the sockets handed over.
#[derive(Debug, Args)]
pub(crate) struct Echo {
    /// Tell the supervisor when ready (READY=1, sd_notify(3)).
    #[arg(long)]
    pub(crate) sdnotify: bool,

    /// Wait so long before serving, to play a slow start.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "0s")]
    pub(crate) start_sleep: Duration,

    /// Say what happens on standard error.
    #[arg(long)]
    pub(crate) debug: bool,
}
