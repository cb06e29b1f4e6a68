//! The command line of `podseal status` and `podseal list`.

use clap::{Args, ValueEnum};

/// Show how services are, and what of their seal can be seen.
///
/// Looks for each UNIT among those of systemd and of every `podseal run` of this
/// user. Compares what files say of the seal with the living processes: whether
/// each has no_new_privs and the filters, was started after the seal was
/// written, and has no internet sockets but the service's own. That can show
/// that a seal is missing, and not prove that it is complete: a Landlock domain,
/// and what a filter does, cannot be seen from outside. Beneath a service that
/// fails stands why, as `podseal explain` says it.
///
/// Exit status: 0 every UNIT runs or waits for traffic, 1 less is enforced than
/// its files say or something could not be asked, 3 one is not active, 4 one is
/// not there.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) what: What,

    /// The units; what has no type, as in echo, is a service [default: all].
    #[arg(value_name = "UNIT")]
    pub(crate) units: Vec<String>,
}

/// List the services that are sealed or run Podman.
///
/// Those of systemd's manager and of every `podseal run` of this user, with
/// their level, their sockets and what they are doing. A level is shown where
/// the living processes do not speak against it; `podseal status` says more.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) what: What,
}

/// Whose units, and how to write them.
#[derive(Debug, Args)]
pub(crate) struct What {
    /// Units of the user's manager (the default).
    #[arg(long)]
    pub(crate) user: bool,

    /// Units of the system's manager.
    #[arg(long, conflicts_with = "user")]
    pub(crate) system: bool,

    /// How to write it.
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(crate) format: StatusFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum StatusFormat {
    Human,
    Json,
}
