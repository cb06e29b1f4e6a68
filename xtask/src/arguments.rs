//! The command line of `cargo xtask`.

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand};

/// Development tasks of podseal.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) task: Task,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    Demo(Demo),
    Test(Test),
    Bench(Bench),
    /// Make system calls, and print how many nanoseconds each took: what
    /// `bench` runs under each filter.
    #[command(hide = true)]
    BenchLoop(BenchLoop),
    Deny(Deny),
    Docs(Docs),
}

/// Install what the demo needs, build podseal and run `podseal demo`.
///
/// Missing Debian packages are installed as root or where `sudo -n` works;
/// otherwise the command to install them is printed and nothing is done. The
/// exit status is that of `podseal demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    #[command(flatten)]
    pub(crate) install: Install,
    /// Arguments for `podseal demo`.
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) arguments: Vec<OsString>,
}

/// Install what the tests need, then check formatting, lints, dependencies and
/// tests, in this order.
///
/// The first step that fails ends the run with its exit status. Where the
/// environment variable CI is set, a test that cannot run on this machine fails
/// instead of being skipped (PODSEAL_TEST_REQUIRE=all).
#[derive(Debug, Args)]
pub(crate) struct Test {
    #[command(flatten)]
    pub(crate) install: Install,
    /// Run only the tests with this in their name; the other steps run in full.
    pub(crate) filter: Option<String>,
}

/// Install what the benchmarks need, build podseal in release and measure it
/// against what it stands in for.
///
/// Prints a table and writes docs/benchmarks.md. A missed target is a result,
/// said plainly; the exit status is 1 when something could not be measured.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    #[command(flatten)]
    pub(crate) install: Install,
    /// Measure less often, and leave docs/benchmarks.md as it is.
    #[arg(long)]
    pub(crate) quick: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BenchLoop {
    /// How often to make and close a UNIX socket.
    pub(crate) sockets: u32,
    /// How often to call getppid(2).
    pub(crate) calls: u32,
}

/// Check licences, sources and duplicates of all dependencies with cargo-deny,
/// installing it when it is missing.
#[derive(Debug, Args)]
pub(crate) struct Deny {
    /// Also look for known vulnerabilities; fetches the RustSec database.
    #[arg(long)]
    pub(crate) advisories: bool,
}

/// Write the files that are generated from the code.
#[derive(Debug, Args)]
pub(crate) struct Docs {
    /// Write nothing; name the files that are not up to date, and end with
    /// status 1 if there are any.
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Install {
    /// Install no Debian packages: take the programs that are there.
    #[arg(long)]
    pub(crate) no_install: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_demo_gets_what_follows_the_dashes() {
        let Task::Demo(demo) =
            Arguments::parse_from(["xtask", "demo", "--", "--keep", "--", "x"]).task
        else {
            panic!("parsed as another task");
        };
        assert_eq!(demo.arguments, ["--keep", "--", "x"]);
        assert!(!demo.install.no_install);
    }
}
