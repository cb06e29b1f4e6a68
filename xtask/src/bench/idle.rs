//! What a waiting supervisor takes: memory, and wake-ups.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::activation;
use super::report::{Row, Section, Target};
use super::site::{Site, file};
use super::statistics::Summary;
use super::{BenchError, attempt};
use crate::command::Running;

/// MB (of 10^6 bytes) that it may have in memory.
const LIMIT: f64 = 4.0;

/// How long wake-ups are counted.
const WATCHED: Duration = Duration::from_secs(5);

pub(crate) fn section() -> Section {
    Section {
        title: "Idle supervisor",
        method: "`podseal run` waiting for its first connection, by /proc/PID/status: VmRSS, of which\n\
                 RssAnon is its own and the rest pages of its executable file; and how often it slept\n\
                 and woke in five seconds (voluntary_ctxt_switches).",
        ..Section::default()
    }
}

/// Memory in kB (of 1024 bytes), and wake-ups so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Resident {
    total: f64,
    own: f64,
    wake_ups: f64,
}

/// Looks at a process.
pub(crate) fn resident(process: &Running) -> Result<Resident, BenchError> {
    let path = format!("/proc/{}/status", process.id());
    let path = Path::new(&path);
    let status = fs::read_to_string(path).map_err(|source| file("read", path, source))?;
    parse(&status).ok_or(BenchError::Nothing("memory"))
}

fn parse(status: &str) -> Option<Resident> {
    let value = |name: &str| {
        let mut fields = status.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = fields.find(|(field, _)| *field == name)?;
        value.split_whitespace().next()?.parse().ok()
    };
    Some(Resident {
        total: value("VmRSS")?,
        own: value("RssAnon")?,
        wake_ups: value("voluntary_ctxt_switches")?,
    })
}

/// Reports the memory of supervisors seen `waiting`, and counts wake-ups of
/// one more.
pub(crate) fn measure(site: &Site, waiting: &[Resident], section: &mut Section) {
    let label = site.label();
    attempt(section, &format!("idle memory, {label}"), |section| {
        let megabytes = |kilobytes: f64| kilobytes * 1024.0 / 1e6;
        let nothing = || BenchError::Nothing("waiting supervisor");
        let total = Summary::of(waiting.iter().map(|seen| megabytes(seen.total)));
        let own = Summary::of(waiting.iter().map(|seen| megabytes(seen.own)));
        let total = total.ok_or_else(nothing)?;
        section.rows.push(Row {
            measured: format!("resident memory, {label}"),
            podseal: format!("{} MB", total.display(2)),
            alternative: String::new(),
            other: String::new(),
            result: format!("of it its own {} MB", own.ok_or_else(nothing)?.display(2)),
            target: Target::at_most(total.median, LIMIT, " MB"),
        });
        Ok(())
    });
    attempt(section, &format!("wake-ups, {label}"), |section| {
        let socket = site.run_time_directory().join("idle.sock");
        let supervisor = activation::podseal(site, &socket)?;
        let before = resident(&supervisor)?;
        thread::sleep(WATCHED);
        let wake_ups = resident(&supervisor)?.wake_ups - before.wake_ups;
        section.rows.push(Row {
            measured: format!("wake-ups in {} s, {label}", WATCHED.as_secs()),
            podseal: format!("{wake_ups}"),
            alternative: String::new(),
            other: String::new(),
            result: String::new(),
            target: Target::at_most(wake_ups, 0.0, ""),
        });
        Ok(())
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found() {
        let status = "Name:\tpodseal\nVmRSS:\t    2048 kB\nRssAnon:\t     312 kB\n\
                      voluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t900\n";
        let expected = Resident {
            total: 2048.0,
            own: 312.0,
            wake_ups: 7.0,
        };
        assert_eq!(parse(status), Some(expected));
        assert_eq!(parse("VmRSS:\t1 kB\n"), None);
    }
}
