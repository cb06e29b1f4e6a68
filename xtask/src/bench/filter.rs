//! What a system-call filter adds to a system call.

use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, socket};
use rustix::process::getppid;

use super::report::{Row, Section, Target};
use super::site::Site;
use super::statistics::Pairs;
use super::{BenchError, attempt, interrupt};
use crate::arguments::BenchLoop;
use crate::command::Command;
use crate::output;

/// Sockets and other calls of one child process: enough of them that what is
/// measured is neither the clock nor a cold cache.
const SOCKETS: &str = "100000";
const CALLS: &str = "1000000";

/// What a child finds out about internet sockets.
const ALLOWED: &str = "allowed";
const REFUSED: &str = "refused";

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
#[derive(Clone, Copy, Debug, PartialEq)]
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
            rounds.push((costs(&sealed(), REFUSED)?, costs(&bare(), ALLOWED)?));
        }
        push(section, "no filter", &rounds)
    });
    attempt(section, "systemd's filter", |section| {
        let mut rounds = Vec::new();
        for _ in 0..count {
            rounds.push((costs(&sealed(), REFUSED)?, costs(&systemd(), REFUSED)?));
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

/// Runs a child that must find internet sockets as `expected`: else it is not
/// under the filter that is measured.
fn costs(command: &Command, expected: &str) -> Result<Costs, BenchError> {
    interrupt::check()?;
    let text = command.results()?;
    parse(&text, expected).ok_or_else(|| BenchError::Unexpected {
        // Without the script that may be in it.
        command: command
            .to_string()
            .lines()
            .last()
            .unwrap_or_default()
            .into(),
        text: text.trim().into(),
        expected: format!("two numbers and {expected:?}"),
    })
}

fn parse(text: &str, expected: &str) -> Option<Costs> {
    let mut words = text.split_whitespace();
    let socket = words.next()?.parse().ok()?;
    let call = words.next()?.parse().ok()?;
    (words.next() == Some(expected) && words.next().is_none()).then_some(Costs { socket, call })
}

/// `cargo xtask bench-loop`: prints the nanoseconds of one call of each kind,
/// and whether internet sockets are allowed.
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
        "{} {} {}",
        each(sockets, count.sockets),
        each(calls, count.calls),
        match socket(AddressFamily::INET, SocketType::DGRAM, None) {
            Ok(_) => ALLOWED,
            Err(_) => REFUSED,
        }
    ));
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_under_another_filter_does_not_count() {
        let costs = Costs {
            socket: 1500.5,
            call: 90.0,
        };
        assert_eq!(parse("1500.5 90 refused\n", REFUSED), Some(costs));
        for text in ["1500.5 90 allowed\n", "1500.5 90\n", "x 90 refused", ""] {
            assert_eq!(parse(text, REFUSED), None, "{text:?}");
        }
    }
}
