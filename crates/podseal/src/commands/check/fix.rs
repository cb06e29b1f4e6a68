//! `podseal check --fix`

use std::fmt::Write as _;

use podseal_core::audit::Finding;
use podseal_core::audit::fix::{DROP_IN, drop_in};
use podseal_runtime::audit::Collected;
use podseal_runtime::audit::drop_in::{DropIn, DropInError, existing};
use similar::TextDiff;

/// The drop-ins that take findings away.
pub(super) fn plan(
    collected: &Collected,
    findings: &[Finding],
) -> Result<Vec<DropIn>, DropInError> {
    let mut drop_ins = Vec::new();
    for subject in collected.set.subjects() {
        let Some(directory) = collected.dropin_directories.get(subject.unit()) else {
            continue;
        };
        let of_unit: Vec<&Finding> = findings
            .iter()
            .filter(|finding| finding.unit == *subject.unit() && !finding.settings.is_empty())
            .collect();
        if of_unit.is_empty() {
            continue;
        }
        let path = directory.join(DROP_IN);
        let before = existing(&path)?;
        if let Some(after) = drop_in(before.as_deref(), &of_unit) {
            drop_ins.push(DropIn {
                path,
                before,
                after,
            });
        }
    }
    Ok(drop_ins)
}

/// What would change, as `diff -u` writes it.
pub(super) fn diff(drop_ins: &[DropIn]) -> String {
    let mut text = String::new();
    for DropIn {
        path,
        before,
        after,
    } in drop_ins
    {
        let path = path.display().to_string();
        let old = match before {
            Some(_) => path.as_str(),
            None => "/dev/null",
        };
        let diff = TextDiff::from_lines(before.as_deref().unwrap_or_default(), after);
        // Writing to a string does not fail.
        let _ = write!(text, "{}", diff.unified_diff().header(old, &path));
    }
    text.truncate(text.trim_end().len());
    text
}
