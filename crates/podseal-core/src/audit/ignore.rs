//! `# podseal: ignore RULE reason`.
//!
//! Such a comment holds for the unit that its file belongs to, wherever in the
//! file it stands: many findings are about what is missing, and have no line
//! of their own. A drop-in can so ignore what is in a file that is not the
//! user's to edit.

use super::place::Place;
use super::rule::{Fault, Rule};
use super::rules::comments;
use super::subject::Subject;
use crate::unit::effective::Origin;

/// A comment that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ignore {
    pub(super) rule: &'static str,
    pub(super) reason: String,
    pub(super) origin: Origin,
}

/// The comments of a unit's files, and what is wrong with them.
pub(super) fn read(subject: &Subject) -> (Vec<Ignore>, Vec<(&'static Rule, Fault)>) {
    let mut ignores = Vec::new();
    let mut faults = Vec::new();
    for source in subject.files() {
        let bytes = source.file.as_bytes();
        for (at, range) in source.file.physical_lines().enumerate() {
            let Ok(line) = str::from_utf8(&bytes[range]) else {
                continue;
            };
            let Some(rest) = directive(line) else {
                continue;
            };
            let origin = Origin {
                file: source.path.as_str().into(),
                line: at + 1,
            };
            match parse(rest) {
                Ok((rule, reason)) => ignores.push(Ignore {
                    rule,
                    reason: reason.to_owned(),
                    origin,
                }),
                Err((rule, message)) => {
                    faults.push((rule, Fault::at(Place::whole(&origin), message)));
                }
            }
        }
    }
    (ignores, faults)
}

/// What follows `# podseal:`.
fn directive(line: &str) -> Option<&str> {
    let comment = line.trim_start().strip_prefix(['#', ';'])?.trim_start();
    comment.strip_prefix("podseal:").map(str::trim)
}

fn parse(text: &str) -> Result<(&'static str, &str), (&'static Rule, String)> {
    let (verb, rest) = split(text);
    if verb != "ignore" {
        let message = format!("podseal does not know the comment {verb:?}");
        return Err((comments::UNKNOWN_RULE, message));
    }
    let (id, reason) = split(rest);
    let Some(rule) = super::rules::find(id) else {
        return Err((comments::UNKNOWN_RULE, format!("there is no rule {id:?}")));
    };
    if reason.is_empty() {
        let message = format!("{id} is not ignored: no reason is given");
        return Err((comments::NO_REASON_RULE, message));
    }
    Ok((rule.id, reason))
}

fn split(text: &str) -> (&str, &str) {
    match text.split_once(char::is_whitespace) {
        Some((first, rest)) => (first, rest.trim()),
        None => (text, ""),
    }
}
