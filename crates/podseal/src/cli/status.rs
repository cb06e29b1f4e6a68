//! Arguments of `podseal list` and `podseal status`.

use clap::{Args, ValueEnum};

/// List services that run Podman, how each is sealed and how it is.
///
/// These are the services among the units of the user's manager (or with
/// --system, the system's) that run Podman, and what `podseal run` runs. The
/// level is what their files say: that of podseal's drop-in; "by hand" where
/// settings of their own take the internet families away; "stale" where the
/// drop-in does not fit them any more; or "none".
///
/// Exit status: 0 everything could be looked at, 1 not.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) view: View,
}

/// Show how services are: their seal as promised and as seen on their
/// processes.
///
/// Looks at units that systemd runs and at those of every `podseal run`. What
/// seals a service by its files is shown beside what its processes show in
/// /proc: whether they can gain privileges, their seccomp filters, namespaces,
/// and the internet sockets they hold, which have to be from its socket units.
/// Nothing is disturbed. A Landlock domain, which level standard has, cannot be
/// seen from outside.
///
/// Exit status: 0 all is as promised, 1 a unit is not there, has failed, or
/// what runs is less than its seal promises.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) view: View,

    /// The units; what has no type, as in echo, is a service [default: all].
    #[arg(value_name = "UNIT")]
    pub(crate) units: Vec<String>,
}

/// Which units, and how they are written.
#[derive(Debug, Args)]
pub(crate) struct View {
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusFormat {
    Human,
    Json,
}
