//! `cargo xtask bench`: podseal's speed and memory against what it stands in
//! for, measured in turn in one run.

mod activation;
mod check;
mod filter;
mod idle;
mod launcher;
mod report;
mod site;
mod statistics;
mod systemd;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::thread;

pub(crate) use filter::system_calls;
use report::{Machine, Section};
use site::Site;

use crate::arguments::Bench;
use crate::command::{Command, RunError, StartError, workspace};
use crate::interrupt::{self, Interrupted};
use crate::lab::LabError;
use crate::output;
use crate::requirements::{self, RequirementError};

/// Where the results go, below the workspace.
const DOCUMENT: &str = "docs/benchmarks.md";

/// Something could not be measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    #[error(transparent)]
    Requirement(#[from] RequirementError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Lab(#[from] LabError),
    #[error("cannot {action} {}", path.display())]
    File {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{what} did not happen within {seconds} s{}", last_words(log))]
    TooLate {
        what: String,
        seconds: u64,
        log: String,
    },
    #[error("no {0} was measured")]
    Nothing(&'static str),
    #[error("{0} has no entry in /etc/passwd")]
    NoUser(&'static str),
    #[error("`{command}` printed {text:?} instead of {expected}")]
    Unexpected {
        command: String,
        text: String,
        expected: String,
    },
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    #[error("cannot catch signals")]
    Signals(#[source] io::Error),
    #[error(transparent)]
    SystemCall(#[from] rustix::io::Errno),
}

impl From<StartError> for BenchError {
    fn from(error: StartError) -> Self {
        Self::Run(error.into())
    }
}

fn last_words(log: &str) -> String {
    let last = log.trim();
    if last.is_empty() {
        String::new()
    } else {
        format!(": {last}")
    }
}

/// How often each thing is measured.
struct Counts {
    launches: usize,
    podman: usize,
    filter: usize,
    activations: usize,
    checks: usize,
    systemd: usize,
}

impl Counts {
    const FULL: Self = Self {
        launches: 300,
        podman: 40,
        filter: 21,
        activations: 41,
        checks: 7,
        systemd: 20,
    };
    const QUICK: Self = Self {
        launches: 50,
        podman: 5,
        filter: 5,
        activations: 3,
        checks: 1,
        systemd: 3,
    };
}

/// Measures everything that can be measured here.
pub(crate) fn run(bench: &Bench) -> Result<u8, BenchError> {
    requirements::for_benchmarks(&bench.install)?;
    let build = Command::new("cargo", ["build", "--release", "--package", "podseal"]);
    output::heading(&build);
    let status = build.run()?;
    if status != 0 {
        return Ok(status);
    }
    let counts = if bench.quick {
        &Counts::QUICK
    } else {
        &Counts::FULL
    };

    interrupt::watch().map_err(BenchError::Signals)?;
    let mut sections = measure(counts);
    if requirements::is_root() && interrupt::check().is_ok() {
        output::heading("services of systemd");
        let mut section = systemd::section();
        systemd::measure(&bench.install, counts, &mut section);
        sections.push(section);
    } else {
        output::note("services of systemd: SKIPPED, the lab needs root");
    }
    interrupt::check()?;
    let rows: Vec<_> = sections
        .iter()
        .flat_map(|section| section.rows.clone())
        .collect();
    output::data(report::table(&rows));
    for line in report::missed(&sections) {
        output::data(format_args!("MISSED: {line}"));
    }
    let left_out: Vec<_> = sections
        .iter()
        .flat_map(|section| &section.left_out)
        .collect();
    for reason in &left_out {
        output::data(format_args!("not measured: {reason}"));
    }
    if !bench.quick {
        let path = workspace().join(DOCUMENT);
        fs::write(&path, report::document(&machine()?, &sections)).map_err(|source| {
            BenchError::File {
                action: "write",
                path,
                source,
            }
        })?;
        output::note(format_args!("written to {DOCUMENT}"));
    }
    Ok(u8::from(!left_out.is_empty()))
}

/// All sections; what each site made is removed at the end.
fn measure(counts: &Counts) -> Vec<Section> {
    let mut sections = vec![
        launcher::section(),
        filter::section(),
        activation::section(),
        idle::section(),
        check::section(),
    ];
    for open in [Site::root, Site::rootless] {
        if interrupt::check().is_err() {
            break;
        }
        let site = match open() {
            Ok(Some(site)) => site,
            Ok(None) => continue,
            Err(error) => {
                sections[0].left_out.push(explain(&error));
                continue;
            }
        };
        output::heading(format_args!("launcher, {}", site.label()));
        launcher::measure(&site, counts.launches, counts.podman, &mut sections[0]);
        // Who asks makes no difference to a filter.
        if sections[1].rows.is_empty() {
            output::heading("filter");
            filter::measure(&site, counts.filter, &mut sections[1]);
        }
        output::heading(format_args!("activation, {}", site.label()));
        let resident = activation::measure(&site, counts.activations, &mut sections[2]);
        output::heading(format_args!("idle supervisor, {}", site.label()));
        idle::measure(&site, &resident, &mut sections[3]);
        // Nor who asks what files say.
        if sections[4].rows.is_empty() {
            output::heading("check");
            check::measure(&site, counts.checks, &mut sections[4]);
        }
    }
    sections
}

/// Runs one measurement; an error becomes a reason in the section.
fn attempt<T>(
    section: &mut Section,
    what: &str,
    measurement: impl FnOnce(&mut Section) -> Result<T, BenchError>,
) -> Option<T> {
    match interrupt::check()
        .map_err(Into::into)
        .and_then(|()| measurement(section))
    {
        Ok(value) => Some(value),
        Err(error) => {
            section
                .left_out
                .push(format!("{what}: {}", explain(&error)));
            None
        }
    }
}

/// The error with its causes, in one line.
fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn machine() -> Result<Machine, BenchError> {
    let path = PathBuf::from("/proc/sys/kernel/osrelease");
    let kernel = fs::read_to_string(&path).map_err(|source| BenchError::File {
        action: "read",
        path,
        source,
    })?;
    let podman = Command::new("podman", ["--version"]).stdout()?;
    let date = Command::new("date", ["--utc", "+%F"]).stdout()?;
    Ok(Machine {
        cores: thread::available_parallelism().map_or(0, usize::from),
        architecture: std::env::consts::ARCH,
        // What follows the numbers is a distributor's or somebody's own name.
        kernel: kernel.split('-').next().unwrap_or_default().trim().into(),
        podman: podman
            .split(' ')
            .next_back()
            .unwrap_or_default()
            .trim()
            .into(),
        date: date.trim().into(),
    })
}
