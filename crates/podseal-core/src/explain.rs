//! Why a service does not work: signatures of failures, held against what is
//! known about a service.
//!
//! A [`Signature`] is a row of a table in [`signatures`]. [`explain`] holds a
//! [`Case`] – the state of the units, the log of the last start, and facts about
//! units and host – against all of them. The first answer is the most likely
//! one. Where none fits, that is said, with the lines that look relevant.

pub mod case;
pub mod document;
pub mod journal;
pub mod short;
pub mod signature;
pub mod signatures;
pub mod state;

#[cfg(test)]
mod tests;

use case::Case;
use journal::{Entry, Log, Speaker, message_id};
use signature::{Line, Shows, Signature};

/// How many lines are quoted for an answer.
const QUOTED: usize = 3;

/// How many lines are shown where nothing is known.
const RELEVANT: usize = 8;

/// A known failure, and what speaks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The failure.
    pub signature: &'static Signature,
    /// Lines of the log and facts.
    pub evidence: Vec<String>,
    /// Whether the cause is gone by now, where that can be looked at.
    pub is_gone: Option<bool>,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is wrong.
    Healthy,
    /// The cause is known: the first of the answers.
    Explained,
    /// Something is wrong, and podseal does not know why.
    Unknown,
}

/// The answer to why a service does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Whether it is known.
    pub verdict: Verdict,
    /// Most likely first; with [`Verdict::Unknown`], what follows from the
    /// failure.
    pub answers: Vec<Answer>,
    /// Where the cause is not known, lines that may tell somebody else.
    pub relevant: Vec<String>,
}

/// Looks for the cause of what is wrong with a service.
#[must_use]
pub fn explain(case: &Case) -> Explanation {
    let mut answers: Vec<Answer> = Vec::new();
    for signature in signatures::all() {
        let Some(evidence) = evidence(signature, case) else {
            continue;
        };
        let told = |line: &String| answers.iter().any(|a| a.evidence.contains(line));
        if evidence.iter().all(told) {
            continue;
        }
        let still = signature.still.and_then(|still| still(case));
        answers.push(Answer {
            signature,
            evidence,
            is_gone: still.map(|facts| facts.is_empty()),
        });
    }
    let is_cause = |answer: &Answer| !answer.signature.is_consequence || !case.has_own_failure();
    let verdict = match answers.first() {
        Some(first) if is_cause(first) => Verdict::Explained,
        None if !case.is_troubled() => Verdict::Healthy,
        _ => Verdict::Unknown,
    };
    let mut relevant = match verdict {
        Verdict::Unknown => relevant(&case.log),
        Verdict::Healthy | Verdict::Explained => Vec::new(),
    };
    if case.run.is_some() {
        let lines = answers.iter_mut().flat_map(|answer| &mut answer.evidence);
        lines.chain(&mut relevant).for_each(by_run);
    }
    Explanation {
        verdict,
        answers,
        relevant,
    }
}

/// The most likely cause of a failure of which only a log is known: see
/// [`Log::of_output`] and [`Log::said_by`]. None means that podseal does not
/// know.
#[must_use]
pub fn first_answer(log: Log) -> Option<Answer> {
    let explanation = explain(&Case::of_log(log));
    let mut answers = explanation.answers.into_iter();
    let first = answers.next();
    first.filter(|_| explanation.verdict == Verdict::Explained)
}

/// What in the case speaks for a signature.
fn evidence(signature: &Signature, case: &Case) -> Option<Vec<String>> {
    let facts = |look: signature::Look| Some(look(case)).filter(|facts| !facts.is_empty());
    match signature.shows {
        Shows::Says(lines) => said(lines, case),
        Shows::Fact(look) => facts(look),
        Shows::SaysAnd(lines, look) => {
            let mut evidence = said(lines, case)?;
            evidence.extend(facts(look)?);
            Some(evidence)
        }
    }
}

/// What systemd says of its units, a `podseal run` says of its own.
fn by_run(line: &mut String) {
    if let Some(said) = line.strip_prefix("systemd: ") {
        *line = format!("podseal run: {said}");
    }
}

/// The lines of the log that a signature looks for. Where nothing is wrong, a
/// log proves nothing.
fn said(lines: &[Line], case: &Case) -> Option<Vec<String>> {
    if !case.is_troubled() {
        return None;
    }
    let mut found: Vec<String> = Vec::new();
    for line in lines {
        for entry in candidates(line, &case.log) {
            let quote = quote(entry);
            if line.matches(entry) && !found.contains(&quote) {
                found.push(quote);
            }
        }
    }
    let first = found.len().saturating_sub(QUOTED);
    let found = found.split_off(first);
    (!found.is_empty()).then_some(found)
}

/// A server may quote anything while it runs. What it ended of, it says last;
/// the frames of a stack may follow.
fn candidates<'a>(line: &Line, log: &'a Log) -> Vec<&'a Entry> {
    let said = log.entries.iter().filter(|e| e.speaker == line.by);
    if line.by != Speaker::Service || line.anywhere {
        return said.collect();
    }
    let said: Vec<&Entry> = said.filter(|e| e.event.is_none()).collect();
    let is_frame = |entry: &&&Entry| {
        let text = &entry.message;
        text.is_empty() || text.starts_with(char::is_whitespace)
    };
    said.iter()
        .rev()
        .find(|e| !is_frame(e))
        .copied()
        .into_iter()
        .collect()
}

/// An entry as it is shown.
fn quote(entry: &Entry) -> String {
    let who = match entry.speaker {
        Speaker::Systemd => "systemd",
        Speaker::Podman => "podman",
        Speaker::Conmon => "conmon",
        Speaker::Podseal => "podseal",
        Speaker::Quadlet => "quadlet",
        Speaker::Kernel => "kernel",
        Speaker::Service => "service",
    };
    format!("{who}: {}", entry.message.trim_end())
}

/// The last lines, without what systemd says of every failure and Podman of
/// every container.
fn relevant(log: &Log) -> Vec<String> {
    const NOISE: &[&str] = &[
        "Failed to open cgroups file",
        "Failed to add inotify watch",
        "Start request repeated too quickly",
    ];
    let is_noise = |entry: &&Entry| {
        entry.event.is_some()
            || entry.is(message_id::STARTED)
            || entry.is(message_id::STARTING)
            || entry.message.is_empty()
            || NOISE.iter().any(|noise| entry.message.contains(noise))
    };
    let mut lines: Vec<String> = Vec::new();
    for entry in log.entries.iter().rev().filter(|e| !is_noise(e)) {
        let line = quote(entry);
        if !lines.contains(&line) {
            lines.push(line);
        }
        if lines.len() == RELEVANT {
            break;
        }
    }
    lines.reverse();
    lines
}
