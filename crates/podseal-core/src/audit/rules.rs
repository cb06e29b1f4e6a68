//! The rules, one module per family of them.

pub(super) mod comments;
mod container;
mod families;
mod limits;
mod mounts;
mod outside;
mod pause;
mod podman;
mod privileges;
mod run_as;
mod sandboxing;
mod seal;
mod sockets;
mod system_calls;
mod units;

use super::rule::Rule;

/// A family of rules.
#[derive(Debug)]
pub struct Family {
    /// What its rules are about.
    pub title: &'static str,
    /// Its rules.
    pub rules: &'static [Rule],
}

/// All rules, in the order of the documentation.
pub static FAMILIES: &[Family] = &[
    Family {
        title: "Socket families",
        rules: families::RULES,
    },
    Family {
        title: "Privileges",
        rules: privileges::RULES,
    },
    Family {
        title: "Podman as another user",
        rules: run_as::RULES,
    },
    Family {
        title: "System calls",
        rules: system_calls::RULES,
    },
    Family {
        title: "The container",
        rules: container::RULES,
    },
    Family {
        title: "What is mounted",
        rules: mounts::RULES,
    },
    Family {
        title: "The Podman command",
        rules: podman::RULES,
    },
    Family {
        title: "Processes outside the seal",
        rules: outside::RULES,
    },
    Family {
        title: "Sockets",
        rules: sockets::RULES,
    },
    Family {
        title: "The pause process",
        rules: pause::RULES,
    },
    Family {
        title: "Sandboxing that does not fit",
        rules: sandboxing::RULES,
    },
    Family {
        title: "Limits and dependencies",
        rules: limits::RULES,
    },
    Family {
        title: "podseal's own drop-in",
        rules: seal::RULES,
    },
    Family {
        title: "Units",
        rules: units::RULES,
    },
    Family {
        title: "Comments",
        rules: comments::RULES,
    },
];

/// Every rule.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    FAMILIES.iter().flat_map(|family| family.rules)
}

/// The rule of this name.
#[must_use]
pub fn find(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id == id)
}
