//! The first answer in short, for a command that met a failure.

use std::fmt;

use serde::Serialize;

use super::case::Case;
use super::document::{template, typed};
use super::journal::Log;
use super::{Explanation, Verdict, explain};

/// How many lines are shown where nothing is known.
const LINES: usize = 3;

/// What a command says beneath the failure that it met: the cause, what speaks
/// for it, and what to type next; or that the cause is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Short {
    /// Its name in docs/troubleshooting.md; null where it is not known.
    pub id: Option<&'static str>,
    /// What happened.
    pub cause: Option<&'static str>,
    /// Lines of the log and facts that speak for it; where it is not known,
    /// those that look relevant.
    pub seen: Vec<String>,
    /// What to do.
    pub fix: Option<&'static str>,
    /// Whether the cause is gone by now; null where that cannot be told.
    pub gone: Option<bool>,
    /// What to type next; null where that names a unit and none is known.
    pub next: Option<String>,
    /// Whether that names a unit.
    #[serde(skip)]
    is_about_unit: bool,
}

impl Short {
    /// The short form of an explanation. None where nothing is wrong.
    #[must_use]
    pub fn new(case: &Case, explanation: &Explanation) -> Option<Self> {
        let first = explanation.answers.first();
        let first = match explanation.verdict {
            Verdict::Healthy => return None,
            Verdict::Explained => first,
            Verdict::Unknown => None,
        };
        let seen = first.map_or_else(
            || {
                let skipped = explanation.relevant.len().saturating_sub(LINES);
                explanation.relevant.iter().skip(skipped).cloned().collect()
            },
            |answer| answer.evidence.clone(),
        );
        let template = template(case, explanation);
        let is_about_unit = is_about_unit(template);
        let is_known = !is_about_unit || !case.service.name.is_empty();
        Some(Self {
            id: first.map(|answer| answer.signature.id),
            cause: first.map(|answer| answer.signature.cause),
            seen,
            fix: first.map(|answer| answer.signature.fix),
            gone: first.and_then(|answer| answer.is_gone),
            next: is_known.then(|| typed(template, case)),
            is_about_unit,
        })
    }

    /// What is to be said of a service. None where nothing is wrong.
    #[must_use]
    pub fn of(case: &Case) -> Option<Self> {
        Self::new(case, &explain(case))
    }

    /// What is to be said of a failure of which only a log is known. None where
    /// the cause is not known.
    #[must_use]
    pub fn of_log(log: Log) -> Option<Self> {
        Self::of(&Case::of_log(log)).filter(|short| short.id.is_some())
    }

    /// Without what to type next, if that is about a unit, which is to be no more.
    #[must_use]
    pub fn without_unit(mut self) -> Self {
        self.next = self.next.filter(|_| !self.is_about_unit);
        self
    }
}

/// Whether it names a unit.
fn is_about_unit(template: &str) -> bool {
    ["{service}", "{socket}"]
        .iter()
        .any(|name| template.contains(name))
}

/// Lines, without a line break at the end.
impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.cause, self.id) {
            (Some(cause), Some(id)) => write!(f, "{cause} [{id}]")?,
            _ if self.seen.is_empty() => write!(f, "podseal does not know why")?,
            _ => write!(f, "podseal does not know why; what was said last:")?,
        }
        for line in &self.seen {
            write!(f, "\n  {line}")?;
        }
        if self.gone == Some(true) {
            write!(f, "\n  the cause is gone by now")?;
        } else if let Some(fix) = self.fix {
            write!(f, "\n  fix: {fix}")?;
        }
        if let Some(next) = &self.next {
            write!(f, "\n  next: {next}")?;
        }
        Ok(())
    }
}
