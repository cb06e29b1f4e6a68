//! The command line of `podseal explain`.

use clap::{Args, ValueEnum};

/// Say why a service does not work, and what to do.
///
/// Looks at the state of the service and its sockets, at the journal since the
/// last start – of a unit of `podseal run` at the last lines that it said – and at
/// units and host, and holds them against the failures of docs/troubleshooting.md. Quotes what speaks for an answer; the most likely
/// one comes first, and the last line is what to type next. Where podseal does
/// not know the cause, it says so and shows the lines that look relevant.
///
/// Ends with status 0 when the cause is known or nothing is wrong, 1 when it is
/// not known, and 2 when podseal could not look. With --apply: 0 when the
/// sockets, or the service without one, were started.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A service of the user's manager, and not of a `podseal run` (the default is
    /// either, a run first).
    #[arg(long)]
    pub(crate) user: bool,

    /// A service of the system's manager.
    #[arg(long, conflicts_with = "user")]
    pub(crate) system: bool,

    /// Look at what `journalctl --output=json` wrote, in a file or (-) on
    /// standard input, instead of at this host.
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<String>,

    /// How to write it.
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(crate) format: ExplainFormat,

    /// If the cause is gone: reset service and sockets, and start the sockets,
    /// or the service where it has none.
    ///
    /// Where podseal cannot tell whether the cause is gone, it tries.
    #[arg(long, conflicts_with = "journal")]
    pub(crate) apply: bool,

    /// The service, or its socket. May be left out with --journal where that
    /// has one service only.
    #[arg(value_name = "NAME", required_unless_present = "journal")]
    pub(crate) unit: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExplainFormat {
    Human,
    Json,
}
