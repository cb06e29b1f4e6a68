//! `podseal check --fix`

use std::collections::BTreeMap;
use std::fmt::Write as _;

use podseal_core::audit::fix::{DROP_IN, drop_in};
use podseal_core::audit::{Finding, audit};
use podseal_core::unit::name::UnitName;
use podseal_runtime::audit::drop_in::{DropIn, DropInError, existing};
use podseal_runtime::audit::{Collected, Group};
use similar::TextDiff;

/// The drop-ins that take findings away.
pub(super) fn plan(collected: &Collected) -> Result<Vec<DropIn>, DropInError> {
    let mut drop_ins = Vec::new();
    for Group { set, directory } in &collected.groups {
        let mut of_units: BTreeMap<UnitName, Vec<Finding>> = BTreeMap::new();
        for finding in audit(set).into_iter().filter(|f| !f.settings.is_empty()) {
            of_units
                .entry(finding.unit.clone())
                .or_default()
                .push(finding);
        }
        for (unit, findings) in of_units {
            let path = directory.join(format!("{unit}.d")).join(DROP_IN);
            let before = existing(&path)?;
            if let Some(after) = drop_in(before.as_deref(), &findings) {
                drop_ins.push(DropIn {
                    path,
                    before,
                    after,
                });
            }
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
