//! The command line of `podseal doctor`.

use clap::{Args, ValueEnum};

use super::Level;

/// Say what this host can do, and what stands in the way.
///
/// Looks at the kernel, Podman, its OCI runtimes and systemd, as the user who
/// runs it, and tries what a version would only let one guess. Changes nothing:
/// what could not be tried without a change is said to be unknown.
///
/// Ends with status 0 when the level asked for is in reach, 1 when it is not,
/// and 2 when that could not be told.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The level that the exit status is about.
    #[arg(long, value_name = "LEVEL", default_value = "standard")]
    pub(crate) level: Level,

    /// How to write it.
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(crate) format: DoctorFormat,

    /// Print the commands that mend what was found, and run none of them.
    #[arg(long, conflicts_with = "format")]
    pub(crate) fix: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum DoctorFormat {
    Human,
    Json,
}
