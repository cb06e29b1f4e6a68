//! `podseal check`

mod fix;
mod human;
mod json;
mod sarif;

use podseal_core::audit::subject::Subject;
use podseal_core::audit::{Finding, Severity};
use podseal_core::unit::effective::Scope;
use podseal_core::unit::name::UnitName;
use podseal_runtime::audit::drop_in::{self, DropInError};
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

/// Memory for about a thousand units.
const MEMORY: i32 = 16 << 20;

pub(super) fn run(arguments: &Check) -> u8 {
    podseal_sys::memory::ask_for(MEMORY);
    let scope = super::scope(arguments.system);
    let mut collected = look(scope, arguments);
    if arguments.fix {
        match fix(arguments, &collected) {
            // What is left of the findings is looked at afresh.
            Ok(true) => collected = look(scope, arguments),
            Ok(false) => {}
            Err(status) => return status,
        }
        if arguments.dry_run {
            return status(arguments, &collected, &collected.findings());
        }
    }
    let status = report(arguments, scope, &collected);
    // The process ends: taking thousands of units apart would be in vain.
    std::mem::forget(collected);
    status
}

fn look(scope: Scope, arguments: &Check) -> Collected {
    let collected = collect(&Units::of(scope), &arguments.units);
    for error in &collected.errors {
        output::error(error, Some(&error.hint()));
    }
    collected
}

/// Whether anything was written, or the exit status where that failed.
fn fix(arguments: &Check, collected: &Collected) -> Result<bool, u8> {
    if !collected.errors.is_empty() {
        output::warning("nothing is fixed, since not everything could be looked at");
        return Ok(false);
    }
    let failed = |error: DropInError| {
        output::error(&error, Some(error.hint()));
        exit::NOT_LOOKED
    };
    let drop_ins = fix::plan(collected).map_err(failed)?;
    if drop_ins.is_empty() {
        output::note("no finding can be taken away by a drop-in");
        return Ok(false);
    }
    let diff = fix::diff(&drop_ins);
    let shown = if arguments.dry_run || arguments.format == CheckFormat::Human {
        output::text(&diff)
    } else {
        output::note(&diff);
        exit::SUCCESS
    };
    if shown != exit::SUCCESS {
        return Err(shown);
    }
    if arguments.dry_run {
        return Ok(false);
    }
    drop_in::write(&drop_ins).map_err(failed)?;
    for drop_in in &drop_ins {
        output::note(format_args!("wrote {}", drop_in.path.display()));
    }
    Ok(true)
}

fn report(arguments: &Check, scope: Scope, collected: &Collected) -> u8 {
    let findings = collected.findings();
    let subjects = collected
        .groups
        .iter()
        .flat_map(|group| group.set.subjects());
    let report = Report {
        scope,
        units: subjects.map(Subject::unit).collect(),
        findings: &findings,
        passed_over: &collected.passed_over,
        errors: collected.errors.iter().map(|e| output::chain(e)).collect(),
    };
    let written = match arguments.format {
        CheckFormat::Human => output::text(&human::text(&report)),
        CheckFormat::Json => output::json_pretty(&json::document(&report)),
        CheckFormat::Sarif => output::json_pretty(&sarif::document(&report)),
    };
    written.max(status(arguments, collected, &findings))
}

fn status(arguments: &Check, collected: &Collected, findings: &[Finding]) -> u8 {
    let mut found = findings.iter().filter(|finding| finding.counts());
    if !collected.errors.is_empty() {
        exit::NOT_LOOKED
    } else if found.any(|finding| is_reached(arguments.fail_on, finding.rule.severity)) {
        exit::FAILURE
    } else {
        exit::SUCCESS
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
