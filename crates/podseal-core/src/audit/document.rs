//! `docs/rules.md`, made of the table of rules.

use super::Severity;
use super::rule::{Example, Rule};
use super::rules::FAMILIES;

const HEAD: &str = "\
# Rules of `podseal check`

This file is made of the table in `crates/podseal-core/src/audit/rules/`.

A finding is an **error** where the seal is not there or is open, a **warning**
where something weakens it, will break the service or cannot be told, and a
**note** where there is something to know and nothing need be wrong. The exit
status is 1 for warnings and errors; `--fail-on` changes that.

`podseal check` reads files. It does not look at what runs, and a rule that finds
nothing is no proof.

A comment in a unit file or drop-in

```ini
# podseal: ignore RULE reason
```

has findings of that rule ignored for the unit that the file belongs to, wherever
in the file it stands. It needs a reason. What is ignored is listed.

Examples are lines to be put into a unit that is otherwise sealed.
";

/// The whole file.
#[must_use]
pub fn markdown() -> String {
    let mut text = HEAD.to_owned();
    text.push_str("\n| rule | | |\n|---|---|---|\n");
    for rule in super::rules::all() {
        let Rule {
            id,
            severity,
            title,
            ..
        } = rule;
        text.extend(["| [", id, "](#", id, ") | ", severity.name(), " | ", title]);
        text.push_str(" |\n");
    }
    for family in FAMILIES {
        text.extend(["\n## ", family.title, "\n"]);
        for rule in family.rules {
            section(&mut text, rule);
        }
    }
    text
}

fn section(text: &mut String, rule: &Rule) {
    let effect = match rule.severity {
        Severity::Error => "Error",
        Severity::Warning => "Warning",
        Severity::Note => "Note",
    };
    text.extend(["\n### ", rule.id, "\n\n", effect, ": ", rule.title, ".\n\n"]);
    text.extend([rule.why, "\n\nWhat to do: ", rule.fix, ".\n"]);
    example(text, "Found", &rule.bad);
    example(text, "Not found", &rule.good);
    if !rule.references.is_empty() {
        text.extend(["\nSee ", &rule.references.join(", "), ".\n"]);
    }
}

fn example(text: &mut String, what: &str, example: &Example) {
    text.extend(["\n", what, " in `", example.unit, "`"]);
    if example.lines.is_empty() {
        text.push_str(".\n");
    } else {
        text.extend([":\n\n```ini\n", example.lines, "```\n"]);
    }
}
