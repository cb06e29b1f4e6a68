//! The JSON form.

use podseal_core::audit::place::Span;
use podseal_core::audit::{Ignored, Severity};
use podseal_core::unit::effective::Scope;
use podseal_core::unit::name::UnitName;
use serde::Serialize;

use super::{Report, human};

/// Raised by incompatible changes.
const VERSION: u32 = 1;

#[derive(Debug, Serialize)]
pub(super) struct Document<'a> {
    version: u32,
    scope: Scope,
    /// The units that were looked at.
    units: &'a [&'a UnitName],
    findings: Vec<Found<'a>>,
    /// Services without Podman that were not asked for by name.
    passed_over: &'a [UnitName],
    /// What could not be looked at.
    errors: &'a [String],
}

#[derive(Debug, Serialize)]
struct Found<'a> {
    rule: &'static str,
    severity: Severity,
    unit: &'a UnitName,
    title: &'static str,
    message: &'a str,
    why: &'static str,
    fix: &'a str,
    /// Where the rule is described.
    help: String,
    /// Columns count characters from 1; the end is behind the last.
    place: Option<&'a Span>,
    /// Settings of a drop-in that take the finding away.
    settings: Vec<Setting<'a>>,
    ignored: Option<&'a Ignored>,
}

#[derive(Debug, Serialize)]
struct Setting<'a> {
    section: &'a str,
    key: &'a str,
    value: &'a str,
}

pub(super) fn document<'a>(report: &'a Report<'_>) -> Document<'a> {
    let findings = report.findings.iter().map(|finding| Found {
        rule: finding.rule.id,
        severity: finding.rule.severity,
        unit: &finding.unit,
        title: finding.rule.title,
        message: &finding.message,
        why: finding.rule.why,
        fix: &finding.fix,
        help: format!("{}#{}", human::RULES, finding.rule.id),
        place: finding.span.as_ref(),
        settings: finding
            .settings
            .iter()
            .map(|setting| Setting {
                section: setting.section,
                key: setting.key,
                value: &setting.value,
            })
            .collect(),
        ignored: finding.ignored.as_ref(),
    });
    Document {
        version: VERSION,
        scope: report.scope,
        units: &report.units,
        findings: findings.collect(),
        passed_over: report.passed_over,
        errors: &report.errors,
    }
}
