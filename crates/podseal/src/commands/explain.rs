//! `podseal explain`

use std::fmt::Write as _;

use podseal_core::explain::case::Case;
use podseal_core::explain::document::{Document, next};
use podseal_core::explain::{Answer, Explanation, Verdict, explain};
use podseal_runtime::explain::{ExplainError, Host, look, look_at_saved, look_in_runs, recover};

use crate::cli::{Explain, ExplainFormat};
use crate::{exit, output};

pub(super) fn run(arguments: &Explain) -> u8 {
    let scope = super::scope(arguments.system);
    let case = match (&arguments.journal, arguments.unit.as_deref()) {
        (Some(path), unit) => look_at_saved(scope, path, unit),
        (None, unit) => find(arguments, unit.unwrap_or_default()),
    };
    let case = match case {
        Ok(case) => case,
        Err(error) => return not_looked(&error),
    };
    let explanation = explain(&case);
    let written = match arguments.format {
        ExplainFormat::Json => output::json_pretty(&Document::new(&case, &explanation)),
        ExplainFormat::Human if arguments.apply => output::text(&report(&case, &explanation)),
        ExplainFormat::Human => output::text(&format!(
            "{}\n\n{}",
            report(&case, &explanation),
            next(&case, &explanation)
        )),
    };
    if written != exit::SUCCESS {
        return written;
    }
    if arguments.apply {
        return apply(&case, &explanation);
    }
    match explanation.verdict {
        Verdict::Healthy | Verdict::Explained => exit::SUCCESS,
        Verdict::Unknown => exit::FAILURE,
    }
}

/// A unit of a run, unless a manager is asked for, or else of the manager.
fn find(arguments: &Explain, name: &str) -> Result<Case, ExplainError> {
    let host = Host::default();
    if !arguments.user
        && !arguments.system
        && let Some(case) = look_in_runs(name, &host)?
    {
        return Ok(case);
    }
    look(super::scope(arguments.system), name, &host)
}

fn not_looked(error: &ExplainError) -> u8 {
    output::error(error, error.hint().as_deref());
    exit::NOT_LOOKED
}

/// What is said, without what to type next.
fn report(case: &Case, explanation: &Explanation) -> String {
    let name = &case.service.name;
    let mut text = match explanation.verdict {
        Verdict::Healthy => format!("{name}: nothing is wrong{}", state(case)),
        Verdict::Explained => name.clone(),
        Verdict::Unknown => format!("{name}: it failed, and podseal does not know why"),
    };
    for (index, answer) in explanation.answers.iter().enumerate() {
        let lead = match (explanation.verdict, index) {
            (Verdict::Explained, 0) => "cause",
            (Verdict::Explained, _) => "also",
            _ => "followed by",
        };
        entry(&mut text, lead, answer);
    }
    if !explanation.relevant.is_empty() {
        text.push_str("\n  lines that look relevant:");
        for line in &explanation.relevant {
            text.extend(["\n    ", line]);
        }
    }
    text
}

/// In what way nothing is wrong.
fn state(case: &Case) -> String {
    let units = case.units().filter(|unit| !unit.active.is_empty());
    let states: Vec<String> = units
        .map(|unit| format!("{} is {}", unit.name, unit.active))
        .collect();
    if states.is_empty() {
        String::new()
    } else {
        format!(" ({})", states.join(", "))
    }
}

fn entry(text: &mut String, lead: &str, answer: &Answer) {
    let signature = answer.signature;
    // Writing to a string cannot fail.
    let _ = write!(text, "\n  {lead}: {} [{}]", signature.cause, signature.id);
    if answer.is_gone == Some(true) {
        text.push_str("\n    the cause is gone by now");
    }
    for line in &answer.evidence {
        text.extend(["\n    ", line]);
    }
    text.extend(["\n    fix: ", signature.fix]);
    if let Some(link) = signature.link {
        text.extend(["\n    see: ", link]);
    }
}

fn apply(case: &Case, explanation: &Explanation) -> u8 {
    let causes = || {
        explanation
            .answers
            .iter()
            .filter(|a| !a.signature.is_consequence)
    };
    if explanation.verdict == Verdict::Healthy {
        output::note("nothing is done: nothing is wrong");
        return exit::SUCCESS;
    }
    if let Some(answer) = causes().find(|answer| answer.is_gone == Some(false)) {
        output::note(format_args!(
            "nothing is done: the cause is still there ({}); next: {}",
            answer.signature.id,
            next(case, explanation)
        ));
        return exit::FAILURE;
    }
    match recover(case) {
        Ok(started) => {
            output::note(format_args!("started {}", started.join(", ")));
            exit::SUCCESS
        }
        Err(error) => {
            output::error(&error, error.hint().as_deref());
            exit::FAILURE
        }
    }
}
