//! Arguments of the verbs that look at units.

use clap::{Args, ValueEnum};

/// Show what a unit's file and drop-ins add up to.
///
/// Reads them as systemd does: search path, aliases, templates, masks, drop-ins
/// and their order, resets, specifiers, defaults. systemd is not asked, and need
/// not be there. Every value comes with the file and line it stands on, and
/// what systemd would ignore or refuse is listed.
///
/// A .container file is shown as the service that Quadlet makes of it: by
/// Podman's generator where that is installed, else by podseal's own
/// translation. Where the two differ, it says so. PODSEAL_QUADLET names another
/// generator to ask, or none where it is empty.
///
/// Ends with status 1 when a unit could not be read; the others are shown.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Units of the user's manager (the default).
    #[arg(long)]
    pub(crate) user: bool,

    /// Units of the system's manager.
    #[arg(long, conflicts_with = "user")]
    pub(crate) system: bool,

    /// How to write it.
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    pub(crate) format: ShowFormat,

    /// A unit, found where systemd finds it (.service is added where the type
    /// is missing), or with a slash in it the path of a unit file, read with
    /// the drop-ins beside it. A .container file is shown as the service that
    /// Quadlet makes of it.
    #[arg(required = true, value_name = "NAME|FILE")]
    pub(crate) units: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ShowFormat {
    Json,
}

/// Look for holes in the seal of units, and for what will break.
///
/// Reads units with their sockets and pause units as systemd does, and holds
/// them against the rules of docs/rules.md. Where it cannot tell what a unit
/// does it says so. Nothing is asked or started.
///
/// A comment `# podseal: ignore RULE reason` in a unit file or drop-in has a
/// rule ignored for its unit; what was ignored is listed.
///
/// Exit status: 0 nothing found, 1 findings at or above --fail-on, 2 a unit
/// could not be looked at; the others are reported all the same.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option")]
pub(crate) struct Check {
    /// Units of the user's manager (the default).
    #[arg(long)]
    pub(crate) user: bool,

    /// Units of the system's manager.
    #[arg(long, conflicts_with = "user")]
    pub(crate) system: bool,

    /// How to write it.
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(crate) format: CheckFormat,

    /// From which severity on findings make the exit status 1.
    #[arg(long, value_name = "SEVERITY", default_value = "warning")]
    pub(crate) fail_on: FailOn,

    /// Write a drop-in with the settings that take findings away and change
    /// nothing else, after showing it.
    #[arg(long)]
    pub(crate) fix: bool,

    /// With --fix: only show what would be written.
    #[arg(long, requires = "fix")]
    pub(crate) dry_run: bool,

    /// A unit, found where systemd finds it (.service is added where the type
    /// is missing), or with a slash in it the path of a unit file, read with
    /// what lies beside it, or of a directory of unit files [default: all units
    /// that run Podman].
    #[arg(value_name = "NAME|FILE|DIRECTORY")]
    pub(crate) units: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    Human,
    Json,
    /// SARIF 2.1.0, as code scanners read it.
    Sarif,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    Error,
    Warning,
    Note,
    Never,
}
