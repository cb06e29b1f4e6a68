//! SARIF 2.1.0, for code scanners
//! (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>).

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::path::Path;

use podseal_core::audit::Finding;
use podseal_core::audit::rule::Rule;
use podseal_core::audit::rules;
use serde_json::{Value, json};

use super::{Report, human};

pub(super) fn document(report: &Report<'_>) -> Value {
    let rules: Vec<&'static Rule> = rules::all().collect();
    let places = rules.iter().enumerate().map(|(at, rule)| (rule.id, at));
    let places: BTreeMap<&str, usize> = places.collect();
    let here = env::current_dir().unwrap_or_default();
    let results: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| result(finding, places.get(finding.rule.id).copied(), &here))
        .collect();
    let notifications: Vec<Value> = report
        .errors
        .iter()
        .map(|error| json!({"level": "error", "message": {"text": error}}))
        .collect();
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "podseal",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|rule| descriptor(rule)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": report.errors.is_empty(),
                "toolExecutionNotifications": notifications,
            }],
            "results": results,
        }],
    })
}

fn descriptor(rule: &Rule) -> Value {
    json!({
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": format!("{}. See {}#{}.", rule.fix, human::RULES, rule.id)},
        "defaultConfiguration": {"level": rule.severity.name()},
    })
}

fn result(finding: &Finding, rule_index: Option<usize>, here: &Path) -> Value {
    let mut result = json!({
        "ruleId": finding.rule.id,
        "level": finding.rule.severity.name(),
        "message": {"text": format!("{}: {}. {}.", finding.unit, finding.message, finding.fix)},
        "suppressions": finding.ignored.iter().map(|ignored| json!({
            "kind": "inSource",
            "justification": ignored.reason,
        })).collect::<Vec<_>>(),
    });
    if let Some(index) = rule_index {
        result["ruleIndex"] = json!(index);
    }
    if let Some(span) = &finding.span {
        result["locations"] = json!([{"physicalLocation": {
            "artifactLocation": {"uri": uri(&span.origin.file, here)},
            "region": {
                "startLine": span.origin.line,
                "startColumn": span.column,
                "endColumn": span.end_column,
            },
        }}]);
    }
    result
}

/// A path below the working directory as it is seen from there, as scanners
/// want it; any other as a URI of a file.
fn uri(path: &str, here: &Path) -> String {
    let relative = Path::new(path).strip_prefix(here).ok();
    let (prefix, path) = match relative.and_then(Path::to_str) {
        Some(relative) => ("", relative),
        None => ("file://", path),
    };
    let mut uri = prefix.to_owned();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/@".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris() {
        let here = Path::new("/home/a");
        for (path, expected) in [
            ("/home/a/web.service", "web.service"),
            ("/home/a/x y/web@.service", "x%20y/web@.service"),
            ("/etc/\u{e4}#.service", "file:///etc/%C3%A4%23.service"),
        ] {
            assert_eq!(uri(path, here), expected);
        }
    }
}
