//! `podseal check`

mod human;
mod json;

use podseal_core::audit::subject::Subject;
use podseal_core::audit::{Finding, Severity, audit};
use podseal_core::unit::effective::Scope;
use podseal_core::unit::name::UnitName;
use podseal_runtime::audit::{Collected, collect};
use podseal_runtime::units::Units;

use crate::cli::{Check, CheckFormat, FailOn};
use crate::{exit, output};

/// What the formats write.
struct Report<'a> {
    scope: Scope,
    units: Vec<&'a UnitName>,
    findings: &'a [Finding],
    passed_over: &'a [UnitName],
    /// What could not be looked at, in words.
    errors: Vec<String>,
}

pub(super) fn run(arguments: &Check) -> u8 {
    let scope = if arguments.system {
        Scope::System
    } else {
        Scope::User
    };
    let collected = collect(&Units::of(scope), &arguments.units);
    for error in &collected.errors {
        output::error(error, Some(&error.hint()));
    }
    report(arguments, scope, &collected)
}

fn report(arguments: &Check, scope: Scope, collected: &Collected) -> u8 {
    let findings = audit(&collected.set);
    let subjects = collected.set.subjects();
    let report = Report {
        scope,
        units: subjects.iter().map(Subject::unit).collect(),
        findings: &findings,
        passed_over: &collected.passed_over,
        errors: collected.errors.iter().map(|e| output::chain(e)).collect(),
    };
    let written = match arguments.format {
        CheckFormat::Human => output::text(&human::text(&report)),
        CheckFormat::Json => output::json_pretty(&json::document(&report)),
        CheckFormat::Sarif => exit::FAILURE,
    };
    let found = findings.iter().filter(|finding| finding.counts());
    let fails = found
        .map(|finding| finding.rule.severity)
        .any(|severity| is_reached(arguments.fail_on, severity));
    if !collected.errors.is_empty() {
        exit::NOT_LOOKED
    } else if fails {
        exit::FAILURE
    } else {
        written
    }
}

fn is_reached(fail_on: FailOn, severity: Severity) -> bool {
    match fail_on {
        FailOn::Error => severity >= Severity::Error,
        FailOn::Warning => severity >= Severity::Warning,
        FailOn::Note => severity >= Severity::Note,
        FailOn::Never => false,
    }
}
