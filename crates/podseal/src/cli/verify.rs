//! Arguments of `podseal verify` and of what it puts into units.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Level;

/// Prove that a service's seal holds.
///
/// Makes copies of the service, with everything that seals it, and tries every
/// known way out in them: where Podman runs, where the OCI runtime runs, and in
/// the container, with the service's own image and options. Whether something
/// got out is asked of who would have been reached, and what does not work
/// without a seal either shows nothing. The service itself, its sockets and its
/// container are left alone; the copies are removed. Where the service runs, its
/// processes are looked at from outside: whether each has what those of the
/// copies had, and no internet sockets but the service's.
///
/// Exit status: 0 everything that the level promises was seen, 1 something that
/// it promises is open, what runs has less than the copies, or nothing could be
/// shown, 3 something that it promises could not be tried or seen.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// A service of the user's manager. By default it is one of a `podseal run`
    /// of this user, or else of this manager.
    #[arg(long)]
    pub(crate) user: bool,

    /// A service of the system's manager.
    #[arg(long, conflicts_with = "user")]
    pub(crate) system: bool,

    /// A service whose file is in this directory, as `podseal run --units DIR`
    /// runs it or would.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["user", "system"])]
    pub(crate) units: Option<PathBuf>,

    /// Hold it to this level, and not to the one that it is sealed at.
    #[arg(long, value_name = "LEVEL")]
    pub(crate) level: Option<Level>,

    /// How to write it.
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(crate) format: VerifyFormat,

    /// Also write it to this file, as a page to look at and to print.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// The service (.service may be left out).
    #[arg(value_name = "NAME")]
    pub(crate) unit: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerifyFormat {
    Human,
    Json,
}

/// Get sockets and output from another process, and run COMMAND with them.
///
/// `podseal verify` puts it into the units that it makes.
#[derive(Debug, Args)]
pub(crate) struct Receive {
    /// The UNIX socket on which the other process listens.
    pub(crate) socket: PathBuf,

    /// The command, looked up in PATH.
    #[arg(required = true, last = true)]
    pub(crate) command: Vec<String>,
}
