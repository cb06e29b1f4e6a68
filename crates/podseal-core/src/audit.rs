//! `podseal check`: rules about units, and what they find.
//!
//! A [`Rule`] is a row of a table in [`rules`]: what it is about, why, what to
//! do, and a function that looks at a unit. [`audit`] holds every unit of a
//! [`Set`] against every rule. A finding is data; that a unit could not be read
//! is an error, and the caller's.
//!
//! Where podseal cannot tell what a unit does, that is a finding as well: a
//! unit without findings is one that was understood.

pub mod command;
pub mod document;
pub mod fix;
pub mod ignore;
pub mod place;
pub mod rule;
pub mod rules;
pub mod subject;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::unit::effective::Origin;
use crate::unit::name::UnitName;

use fix::FixSetting;
use ignore::Ignore;
use place::{LineIndex, Span};
use rule::{Check, Fault, Rule};
use subject::{Container, Set, SocketUnit, Subject};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing need be wrong.
    Note,
    /// Weakens the seal, will break the service, or podseal cannot tell.
    Warning,
    /// The seal is not there, or is open.
    Error,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Something that a rule found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// The unit.
    pub unit: UnitName,
    /// Where; `None` where the unit has no file to point into.
    pub span: Option<Span>,
    /// What was found, a lowercase fragment.
    pub message: String,
    /// What to do about it.
    pub fix: String,
    /// Settings of a drop-in that do it without changing what the service is.
    pub settings: Vec<FixSetting>,
    /// The comment that has the finding ignored.
    pub ignored: Option<Ignored>,
}

/// Why a finding does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ignored {
    /// As its author wrote it.
    pub reason: String,
    /// Where the comment stands.
    pub origin: Origin,
}

impl Finding {
    /// Whether it counts: no comment has it ignored.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.ignored.is_none()
    }
}

/// Holds every unit against every rule. The findings come in the order of the
/// units, and within a unit in the order of their places.
#[must_use]
pub fn audit(set: &Set) -> Vec<Finding> {
    let mut findings = Vec::new();
    for subject in set.subjects() {
        findings.extend(audit_unit(set, subject));
    }
    findings
}

/// Holds one unit of a set against every rule. The findings come in the order of
/// their places.
#[must_use]
pub fn audit_unit(set: &Set, subject: &Subject) -> Vec<Finding> {
    let container = Container::new(set, subject);
    let socket = SocketUnit::new(set, subject);
    let mut found: Vec<(&'static Rule, Fault)> = Vec::new();
    for rule in rules::all() {
        let faults = match (rule.check, &container, &socket) {
            (Check::Container(check), Some(container), _) => check(container),
            (Check::Socket(check), _, Some(socket)) => check(socket),
            (Check::Unit(check), ..) => check(set, subject),
            _ => Vec::new(),
        };
        found.extend(faults.into_iter().map(|fault| (rule, fault)));
    }
    let (ignores, faults) = ignore::read(subject);
    found.extend(faults);

    let mut indices: BTreeMap<&str, LineIndex<'_>> = BTreeMap::new();
    let mut findings: Vec<Finding> = found
        .into_iter()
        .map(|(rule, fault)| Finding {
            span: fault.place.or_else(|| subject.start()).and_then(|place| {
                let source = subject.file(&place.origin.file)?;
                let index = indices
                    .entry(&source.path)
                    .or_insert_with(|| LineIndex::new(&source.file));
                Some(index.span(&place))
            }),
            rule,
            unit: subject.unit().clone(),
            message: fault.message,
            fix: fault.fix.unwrap_or_else(|| rule.fix.to_owned()),
            settings: fault.settings,
            ignored: ignored(&ignores, rule),
        })
        .collect();
    let files: BTreeMap<&str, usize> = subject
        .files()
        .enumerate()
        .map(|(at, source)| (source.path.as_str(), at))
        .collect();
    findings.sort_by_key(|finding| {
        let place = finding.span.as_ref().map(|span| {
            let file = files.get(&*span.origin.file).copied();
            (file, span.origin.line, span.column)
        });
        (place, std::cmp::Reverse(finding.rule.severity))
    });
    findings
}

fn ignored(ignores: &[Ignore], rule: &Rule) -> Option<Ignored> {
    let ignore = ignores.iter().find(|ignore| ignore.rule == rule.id)?;
    Some(Ignored {
        reason: ignore.reason.clone(),
        origin: ignore.origin.clone(),
    })
}

#[cfg(test)]
mod tests;
