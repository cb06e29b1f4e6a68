//! Whether the seal does what it is for, as seen by a probe under it.

use super::facts::Facts;
use super::fix::Fix;
use super::{Judgement, Status};
use crate::policy::level::Level;
use crate::probe::{PROBES, ProbeReport, Verdict, verdict};

/// Only ways that need nobody outside are tried here; `podseal demo` has the
/// others.
pub(super) fn judge(facts: &Facts) -> Judgement {
    let unsealed = match &facts.seals.unsealed {
        Err(why) => return Judgement::unknown(why),
        Ok(Err(said)) => {
            return Judgement::new(
                Status::Unknown,
                format!("the probe does not run without a seal: {said}"),
            );
        }
        Ok(Ok(report)) => report,
    };
    let mut judgement = Judgement::ok(String::new());
    judgement.found.clear();
    let mut levels = Vec::new();
    let mut closed = Vec::new();
    let mut impossible: Vec<&str> = Vec::new();
    for level in Level::ALL {
        let sealed = facts.seals.sealed.iter().find(|(tried, _)| *tried == level);
        let seen = match sealed.map(|(_, sealed)| sealed) {
            None => Err((Status::Unknown, "not tried".to_owned())),
            Some(Err(why)) => Err((Status::Unknown, format!("not tried: {}", why.reason))),
            Some(Ok(Err(said))) => Err((Status::Problem, format!("does not hold: {said}"))),
            Some(Ok(Ok(report))) => compare(level, unsealed, report),
        };
        match seen {
            Ok(seen) => {
                closed.push(format!("{} at {level}", seen.closed));
                impossible.extend(seen.impossible);
            }
            Err((status, found)) => {
                levels.push(level);
                judgement.status = judgement.status.max(status);
                judgement.found.push(format!("{level}: {found}"));
            }
        }
    }
    if !closed.is_empty() {
        let closed = format!("ways out closed on the host's side: {}", closed.join(", "));
        judgement.found.push(closed);
    }
    impossible.sort_unstable();
    impossible.dedup();
    if !impossible.is_empty() {
        let ids = impossible.join(", ");
        let found = format!("not possible here without a seal either: {ids}");
        judgement.found.push(found);
    }
    if judgement.status == Status::Problem {
        judgement = judgement.fix(Fix::advice(
            "see `podseal enter --level=LEVEL -- podseal probe`; a way that is open is a bug of podseal: report it",
        ));
    }
    judgement.levels(levels)
}

/// What came of a level that holds.
struct Seen {
    /// How many ways out it closes.
    closed: usize,
    /// Those that do not work without it.
    impossible: Vec<&'static str>,
}

fn compare(
    level: Level,
    unsealed: &ProbeReport,
    sealed: &ProbeReport,
) -> Result<Seen, (Status, String)> {
    let verdicts: Vec<(&str, Verdict)> = PROBES
        .iter()
        .filter(|probe| probe.is_closed_by(level.on_host()))
        .filter_map(|probe| {
            let (unsealed, sealed) = (unsealed.outcome(probe.id)?, sealed.outcome(probe.id)?);
            Some((probe.id, verdict(unsealed, sealed)))
        })
        .collect();
    let with = |wanted| {
        let ids = verdicts
            .iter()
            .filter(move |(_, verdict)| *verdict == wanted);
        ids.map(|(id, _)| *id).collect::<Vec<_>>()
    };
    let (open, closed) = (with(Verdict::Open), with(Verdict::Closed));
    if !open.is_empty() {
        let found = format!("OPEN under the seal: {}", open.join(", "));
        return Err((Status::Problem, found));
    }
    if closed.is_empty() {
        let found = "nothing works without the seal either, so nothing was shown";
        return Err((Status::Unknown, found.to_owned()));
    }
    Ok(Seen {
        closed: closed.len(),
        impossible: with(Verdict::Inconclusive),
    })
}
