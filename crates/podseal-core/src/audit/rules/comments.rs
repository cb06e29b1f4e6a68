//! Comments for podseal in unit files; see [`crate::audit::ignore`].

use crate::audit::Severity::Warning;
use crate::audit::rule::{Check, Example, Rule};

const GOOD: Example = Example {
    unit: "web.service",
    lines: "# podseal: ignore image-not-pinned built on this host by web-build.service\n[Service]\n",
};

pub(super) const RULES: &[Rule] = &[UNKNOWN, NO_REASON];

pub(in crate::audit) static UNKNOWN_RULE: &Rule = &RULES[0];
pub(in crate::audit) static NO_REASON_RULE: &Rule = &RULES[1];

const UNKNOWN: Rule = Rule {
    id: "ignore-unknown-rule",
    severity: Warning,
    title: "a comment that ignores a rule that is not there",
    why: "The comment does nothing: the rule is misspelt, or no longer exists.",
    fix: "correct the name, or remove the comment",
    references: &[],
    bad: Example {
        unit: "web.service",
        lines: "# podseal: ignore image-not-pined built on this host by web-build.service\n[Service]\n",
    },
    good: GOOD,
    check: Check::Comment,
};

const NO_REASON: Rule = Rule {
    id: "ignore-without-reason",
    severity: Warning,
    title: "a comment that ignores a rule and does not say why",
    why: "Whoever reads the unit next has to know why the finding does not matter here. Without a reason the finding still counts.",
    fix: "write the reason behind the rule's name",
    references: &[],
    bad: Example {
        unit: "web.service",
        lines: "# podseal: ignore image-not-pinned\n[Service]\n",
    },
    good: GOOD,
    check: Check::Comment,
};
