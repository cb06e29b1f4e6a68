//! What a system-call filter adds to a system call.

use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, socket};
use rustix::process::getppid;

use super::report::{Row, Section, Target};
use super::site::Site;
use super::statistics::Pairs;
use super::{BenchError, attempt};
use crate::arguments::BenchLoop;
use crate::command::Command;
use crate::output;

/// Sockets and other calls of one child process: enough of them that what is
/// measured is neither the clock nor a cold cache.
const SOCKETS: &str = "100000";
const CALLS: &str = "1000000";

const SYSTEMD_FILTER: &str = include_str!("systemd_filter.py");

pub(crate) fn section() -> Section {
    Section {
        title: "Filter",
        method: "Loops of system calls in child processes. systemd's filters are what libseccomp makes\n\
                 of the rules of RestrictAddressFamilies=AF_UNIX AF_NETLINK alone; podseal's filter has\n\
                 in it also what SystemCallArchitectures=native does, and refuses io_uring.",
        ..Section::default()
    }
}

/// Nanoseconds of a call of each kind.
#[derive(Clone, Copy)]
struct Costs {
    socket: f64,
    call: f64,
}

pub(crate) fn measure(site: &Site, count: usize, section: &mut Section) {
    let bare = || site.command(site.xtask(), ["bench-loop", SOCKETS, CALLS]);
    let sealed = || {
        let enter = site.podseal(["enter", "--join=never", "--"]);
        enter
            .with([site.xtask()])
            .with(["bench-loop", SOCKETS, CALLS])
    };
    let systemd = || {
        site.command("/usr/bin/env", ["python3", "-c", SYSTEMD_FILTER])
            .with([site.xtask()])
            .with(["bench-loop", SOCKETS, CALLS])
    };
    attempt(section, "filter", |section| {
        let mut rounds = Vec::new();
        for _ in 0..count {
            rounds.push((costs(&sealed())?, costs(&bare())?));
        }
        push(section, "no filter", &rounds)
    });
    attempt(section, "systemd's filter", |section| {
        let mut rounds = Vec::new();
        for _ in 0..count {
            rounds.push((costs(&sealed())?, costs(&systemd())?));
        }
        push(section, "systemd's filters", &rounds)
    });
}

fn push(
    section: &mut Section,
    alternative: &str,
    rounds: &[(Costs, Costs)],
) -> Result<(), BenchError> {
    type Cost = fn(&Costs) -> f64;
    let kinds: [(&str, Cost); 2] = [
        ("socket(AF_UNIX) and close", |costs| costs.socket),
        ("getppid", |costs| costs.call),
    ];
    for (measured, cost) in kinds {
        let pairs = Pairs(rounds.iter().map(|(a, b)| (cost(a), cost(b))).collect());
        let nothing = || BenchError::Nothing("system call");
        section.rows.push(Row {
            measured: measured.into(),
            podseal: format!("{} ns", pairs.first().ok_or_else(nothing)?.display(0)),
            alternative: alternative.into(),
            other: format!("{} ns", pairs.second().ok_or_else(nothing)?.display(0)),
            result: format!("ratio {}", pairs.ratio().ok_or_else(nothing)?.display(2)),
            target: Target::None,
        });
    }
    Ok(())
}

fn costs(command: &Command) -> Result<Costs, BenchError> {
    let text = command.results()?;
    let mut numbers = text.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(socket)), Some(Ok(call)), None) => Ok(Costs { socket, call }),
        _ => Err(BenchError::NoNumbers {
            command: command.to_string(),
            text,
        }),
    }
}

/// `cargo xtask bench-loop`: prints the nanoseconds of one call of each kind.
pub(crate) fn system_calls(count: &BenchLoop) -> Result<u8, BenchError> {
    let begun = Instant::now();
    for _ in 0..count.sockets {
        drop(socket(AddressFamily::UNIX, SocketType::DGRAM, None)?);
    }
    let sockets = begun.elapsed();
    let begun = Instant::now();
    for _ in 0..count.calls {
        std::hint::black_box(getppid());
    }
    let calls = begun.elapsed();
    let each = |duration: Duration, count: u32| duration.as_secs_f64() * 1e9 / f64::from(count);
    output::data(format_args!(
        "{} {}",
        each(sockets, count.sockets),
        each(calls, count.calls)
    ));
    Ok(0)
}
