//! What `podseal verify` reports.

use serde::Serialize;

use super::running::Running;
use super::{
    Goal, Place, Verdict, evidence, given_up_by, is_absent, is_made_at, is_promised, judge,
};
use crate::explain::short::Short;
use crate::policy::level::Level;
use crate::policy::seal::Seal;
use crate::probe::{self, Outcome, PROBES, Probe, ProbeReport};

/// The version of the JSON form, raised by incompatible changes.
pub const VERSION: u32 = 1;

/// The whole report.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Document {
    version: u32,
    /// The service.
    pub unit: String,
    /// The other user as whom it runs, and as whom everything was tried; null
    /// where that is who verified it.
    pub run_as: Option<String>,
    /// The level whose promises it is held to.
    pub level: String,
    /// The options that give up something of that level, on purpose.
    pub given_up: Vec<String>,
    /// The highest level whose every promise was seen to be kept, at every
    /// place; null where not even the lowest was, or the service runs with less
    /// than its copies.
    pub reached: Option<String>,
    /// What was found about the level's promises, in the copies and by the
    /// service itself: the worst of it.
    pub verdict: Verdict,
    /// Where the probes were made: of a program that runs no container, in its
    /// own place, which is called Podman's.
    pub places: Vec<Stop>,
    /// One row for each probe.
    pub probes: Vec<Row>,
    /// The service itself.
    pub running: Running,
    /// What the seal leaves open in any case: what was given up on purpose of its
    /// level, and what that leaves open anyway.
    pub residual_risks: Vec<String>,
}

/// A place, and whether the probes could be made there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stop {
    /// Which.
    pub place: Place,
    /// Why nothing was tried there; null where it was.
    pub failure: Option<String>,
    /// The first answer of `podseal explain` to that; null where it has none.
    pub why: Option<Short>,
}

/// One probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Row {
    /// Its stable name.
    pub id: String,
    /// What was tried, for people.
    pub title: String,
    /// Where it leads.
    pub leads_to: Goal,
    /// The first level that promises that it fails.
    pub closed_by: Option<String>,
    /// Whether this machine lacks what it needs, so that there is nothing to
    /// close: it is then not counted, unless it works under the seal.
    pub is_absent: bool,
    /// What came of it without a seal.
    pub control: Evidence,
    /// What came of it at each place where it is made.
    pub findings: Vec<Finding>,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Evidence {
    /// Whether it worked; null where it was not tried.
    pub worked: Option<bool>,
    /// errno(3), where a call was refused.
    pub errno: Option<i32>,
    /// signal(7), where the process was killed.
    pub signal: Option<i32>,
    /// The same in words, and what the victim saw.
    pub text: String,
}

/// A probe at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// Whether the level that the service is held to promises that it fails.
    pub is_promised: bool,
    /// The option that gives up what the level promises; null where none does.
    pub given_up_by: Option<String>,
    /// What it says.
    pub verdict: Verdict,
    /// What came of it.
    pub evidence: Evidence,
}

/// What the probes came to at one place, or why there was nothing.
pub type Reported = (Place, Result<ProbeReport, NotTried>);

/// Why nothing could be tried at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotTried {
    /// In one line.
    pub reason: String,
    /// The first answer of `podseal explain` to that.
    pub why: Option<Short>,
}

impl From<String> for NotTried {
    fn from(reason: String) -> Self {
        Self { reason, why: None }
    }
}

impl Document {
    /// Judges a service by what its probes came to, and by itself.
    #[must_use]
    pub fn new(
        unit: &str,
        seal: &Seal,
        control: &ProbeReport,
        reports: &[Reported],
        running: Running,
    ) -> Self {
        let level = seal.level;
        let rows = PROBES.iter().map(|probe| {
            let without = outcome(Ok(control), probe.id);
            let here = |(place, _): &&Reported| is_made_at(probe, *place);
            let findings = reports.iter().filter(here).map(|(place, report)| {
                let sealed = outcome(report.as_ref(), probe.id);
                Finding {
                    place: *place,
                    is_promised: is_promised(probe, seal, *place),
                    given_up_by: given_up_by(probe, seal, *place).map(str::to_owned),
                    verdict: judge(probe, seal, *place, &without, &sealed),
                    evidence: Evidence::new(probe, &sealed, report.as_ref().ok()),
                }
            });
            Row {
                id: probe.id.to_owned(),
                title: probe.title.to_owned(),
                leads_to: Goal::of(probe.attempt),
                closed_by: probe.closed_by.map(|level| level.to_string()),
                is_absent: is_absent(probe, &without),
                control: Evidence::new(probe, &without, Some(control)),
                findings: findings.collect(),
            }
        });
        let probes: Vec<Row> = rows.collect();
        Self {
            version: VERSION,
            unit: unit.to_owned(),
            run_as: None,
            level: level.to_string(),
            given_up: seal
                .given_up()
                .into_iter()
                .map(|part| part.option)
                .collect(),
            reached: reached(&probes)
                .filter(|_| matches!(running.verdict, None | Some(Verdict::Closed)))
                .map(|level| level.to_string()),
            verdict: running.and(worst(&probes)),
            places: reports
                .iter()
                .map(|(place, report)| Stop {
                    place: *place,
                    failure: report.as_ref().err().map(|not| not.reason.clone()),
                    why: report.as_ref().err().and_then(|not| not.why.clone()),
                })
                .collect(),
            probes,
            running,
            residual_risks: seal.residual_risks(),
        }
    }
}

impl Document {
    /// Whether the service runs a container, for all that is known.
    #[must_use]
    pub fn has_container(&self) -> bool {
        let mut places = self.places.iter();
        places.any(|stop| stop.place == Place::Container)
    }

    /// Whether something is open in the copies that the level promises to close.
    #[must_use]
    pub fn copies_are_open(&self) -> bool {
        worst(&self.probes) == Verdict::Open
    }

    /// What was found of all ways that lead from a place to a goal: the worst
    /// of it. None where none was tried.
    #[must_use]
    pub fn path(&self, place: Place, goal: Goal) -> Option<Verdict> {
        let rows = self.probes.iter().filter(|row| row.leads_to == goal);
        let found: Vec<Verdict> = rows
            .flat_map(|row| row.findings.iter().map(move |finding| (row, finding)))
            .filter(|(_, finding)| finding.place == place)
            // What this machine lacks is no way.
            .filter(|(row, finding)| !row.is_absent || finding.verdict != Verdict::Inconclusive)
            .map(|(_, finding)| finding.verdict)
            .collect();
        let worst = [
            Verdict::Open,
            Verdict::Accepted,
            Verdict::Inconclusive,
            Verdict::Closed,
        ];
        worst.into_iter().find(|verdict| found.contains(verdict))
    }
}

impl Evidence {
    fn new(probe: &Probe, outcome: &Outcome, report: Option<&ProbeReport>) -> Self {
        let mut text = evidence(probe, outcome);
        let results = report.into_iter().flat_map(|report| &report.results);
        let mut of_probe = results.filter(|result| result.id == probe.id);
        if let Some(more) = of_probe.find_map(|result| result.evidence.as_ref()) {
            text.extend(["; ", more]);
        }
        let mut evidence = Self {
            worked: Some(false),
            errno: None,
            signal: None,
            text,
        };
        match outcome {
            Outcome::Succeeded => evidence.worked = Some(true),
            Outcome::Refused { errno } => evidence.errno = Some(*errno),
            Outcome::Killed { signal } => evidence.signal = Some(*signal),
            Outcome::NotStarted { .. } => {}
            Outcome::NotTried { .. } => evidence.worked = None,
        }
        evidence
    }
}

fn outcome(report: Result<&ProbeReport, &NotTried>, id: &str) -> Outcome {
    let not_tried = |reason: &str| Outcome::NotTried {
        reason: reason.to_owned(),
    };
    match report {
        Ok(report) => report
            .outcome(id)
            .cloned()
            .unwrap_or_else(|| not_tried("what it needs is not here")),
        Err(not) => not_tried(&not.reason),
    }
}

/// Of promises only: what is not promised cannot be broken.
fn worst(rows: &[Row]) -> Verdict {
    let mut promised = rows
        .iter()
        .flat_map(|row| row.findings.iter().map(move |finding| (row, finding)))
        .filter(|(_, finding)| finding.is_promised)
        .peekable();
    if promised.peek().is_none() {
        return Verdict::Inconclusive;
    }
    let mut worst = Verdict::Closed;
    for (row, finding) in promised {
        match finding.verdict {
            Verdict::Open | Verdict::Accepted => return Verdict::Open,
            Verdict::Inconclusive if !row.is_absent => worst = Verdict::Inconclusive,
            Verdict::Inconclusive | Verdict::Closed => {}
        }
    }
    worst
}

/// The highest level whose every promise was seen to be kept at every place.
fn reached(rows: &[Row]) -> Option<Level> {
    let keeps = |row: &Row, level: Level| {
        let Some(probe) = probe::find(&row.id) else {
            return false;
        };
        let seal = Seal {
            level,
            ..Seal::default()
        };
        !row.findings.is_empty()
            && row.findings.iter().all(|finding| match finding.verdict {
                _ if !is_promised(probe, &seal, finding.place) => true,
                Verdict::Closed => true,
                Verdict::Inconclusive => row.is_absent,
                Verdict::Open | Verdict::Accepted => false,
            })
    };
    // Where no container was looked at, nothing is known of what is its own.
    let mut findings = rows.iter().flat_map(|row| &row.findings);
    let was_inside = findings.any(|finding| finding.place == Place::Container);
    let mut levels = Level::ALL.into_iter().rev();
    levels.find(|level| {
        (was_inside || level.on_host() == *level) && rows.iter().all(|row| keeps(row, *level))
    })
}

#[cfg(test)]
mod tests;
