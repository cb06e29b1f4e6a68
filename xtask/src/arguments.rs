//! The command line of `cargo xtask`.

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand};

use crate::lab::Release;

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
    Lab(Lab),
    /// Start a machine of the lab and hold its console.
    #[command(hide = true)]
    LabConsole {
        machine: String,
    },
    /// Become the first process of a machine, in its namespaces.
    #[command(hide = true)]
    LabInit {
        machine: String,
    },
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
/// tests, in this order; the tests on real systemd last, where this is root.
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

/// Run machines with real systemd and real Podman, in namespaces of this host.
///
/// A machine has a Debian of its own, a user "lab" whose manager runs from boot
/// on, a network of its own with nothing but a loopback interface, a registry
/// at localhost:5000, and podseal as it was built last. It shares the kernel:
/// its root is root here too, so this is no place for what you do not trust.
/// Needs root, and the network when the first machine of a release is made.
#[derive(Debug, Args)]
pub(crate) struct Lab {
    #[command(subcommand)]
    pub(crate) task: LabTask,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LabTask {
    Up(LabUp),
    /// Start a shell in a machine.
    Shell(LabShell),
    Run(LabRun),
    /// Shut a machine down and boot the same disk again.
    Reboot(Which),
    /// Stop a machine and remove it, in whatever state it is.
    Down(LabDown),
    /// List the machines of this checkout.
    List,
    Test(LabTest),
}

/// Build podseal, make a machine and boot it.
///
/// One that runs gets podseal anew; one that stopped is booted again.
#[derive(Debug, Args)]
pub(crate) struct LabUp {
    #[command(flatten)]
    pub(crate) install: Install,
    #[command(flatten)]
    pub(crate) which: Which,
}

#[derive(Debug, Args)]
pub(crate) struct LabShell {
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) who: Who,
}

/// Run a command in a machine.
///
/// Input, output, Ctrl-C and the exit status are the command's own.
#[derive(Debug, Args)]
pub(crate) struct LabRun {
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) who: Who,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct LabDown {
    #[command(flatten)]
    pub(crate) which: Which,
    /// All machines of this checkout.
    #[arg(long, conflicts_with_all = ["release", "name"])]
    pub(crate) all: bool,
}

/// Make a machine, run the tests of podseal-lab in it and remove it.
#[derive(Debug, Args)]
pub(crate) struct LabTest {
    #[command(flatten)]
    pub(crate) install: Install,
    /// The Debian release.
    #[arg(long, value_enum, default_value_t = Release::Trixie)]
    pub(crate) release: Release,
    /// Leave the machine running afterwards.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Run only the tests with this in their name.
    pub(crate) filter: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The Debian release.
    #[arg(long, value_enum, default_value_t = Release::Trixie)]
    pub(crate) release: Release,
    /// The machine's name: that of its release by default.
    #[arg(long, value_parser = machine_name)]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Who {
    /// As the user "lab" instead of root.
    #[arg(long)]
    pub(crate) user: bool,
}

/// A name that can be a file's and a host's.
fn machine_name(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=40).contains(&text.len()) && text.bytes().all(allowed) && !text.starts_with('-') {
        Ok(text.to_owned())
    } else {
        Err("lower-case letters, digits and dashes make a name".to_owned())
    }
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
