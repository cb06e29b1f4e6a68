//! The failures that podseal knows, as data.
//!
//! The order is that of likelihood where several fit: what is most specific
//! comes first, and what follows from another failure last. Texts are those of
//! the programs named; the tests in podseal-lab bring out most of them for real.

mod container;
mod pause;
mod podman;
mod systemd;

use super::case::{Case, Finding};
use super::journal::{Ended, Speaker};
use super::signature::{Line, Look, Signature};

/// Signatures that are about the same.
#[derive(Debug)]
pub struct Family {
    /// For people.
    pub title: &'static str,
    /// Its signatures.
    pub signatures: &'static [Signature],
}

/// All of them, most likely first.
pub const FAMILIES: &[Family] = &[
    Family {
        title: "Units",
        signatures: systemd::UNITS,
    },
    Family {
        title: "Podman's namespaces",
        signatures: pause::SIGNATURES,
    },
    Family {
        title: "Images",
        signatures: podman::IMAGES,
    },
    Family {
        title: "OCI runtimes and the host",
        signatures: podman::HOST,
    },
    Family {
        title: "The server in the container",
        signatures: container::SIGNATURES,
    },
    Family {
        title: "Starting",
        signatures: systemd::STARTING,
    },
    Family {
        title: "What follows from other failures",
        signatures: systemd::CONSEQUENCES,
    },
];

/// Every signature.
pub fn all() -> impl Iterator<Item = &'static Signature> {
    FAMILIES.iter().flat_map(|family| family.signatures)
}

/// A row with what most have.
const ROW: Signature = Signature {
    id: "",
    title: "",
    versions: None,
    cause: "",
    wanted: "",
    fix: "",
    next: "podseal explain{scope} {service} --apply",
    link: None,
    is_consequence: false,
    shows: super::signature::Shows::Says(&[]),
    still: None,
};

const fn podman(words: &'static [&'static str]) -> Line {
    Line::new(Speaker::Podman, words)
}

const fn podseal(words: &'static [&'static str]) -> Line {
    Line::new(Speaker::Podseal, words)
}

const fn systemd(words: &'static [&'static str]) -> Line {
    Line::new(Speaker::Systemd, words)
}

const fn service(words: &'static [&'static str]) -> Line {
    Line::new(Speaker::Service, words)
}

const fn kernel(words: &'static [&'static str]) -> Line {
    Line::new(Speaker::Kernel, words)
}

fn with_id(findings: Option<&Vec<Finding>>, id: &str, by: &str) -> Option<Vec<String>> {
    let found = findings?.iter().filter(|finding| finding.id == id);
    Some(
        found
            .map(|finding| format!("{by}: {}", finding.message))
            .collect(),
    )
}

/// Findings of a rule of `podseal check`.
fn found(case: &Case, rule: &str) -> Option<Vec<String>> {
    with_id(case.facts.findings.as_ref(), rule, "podseal check")
}

/// Problems that a check of `podseal doctor` found.
fn problem(case: &Case, check: &str) -> Option<Vec<String>> {
    with_id(case.facts.problems.as_ref(), check, "podseal doctor")
}

/// What is still to be seen on a host that was looked at. A journal shows what
/// was once.
fn still(case: &Case, look: Look) -> Option<Vec<String>> {
    case.facts.findings.as_ref()?;
    Some(look(case))
}

/// How the service's main process, or else the last of its processes, ended.
fn ended(case: &Case) -> Option<&Ended> {
    case.log.ended().or(case.service.ended.as_ref())
}

/// A fact that holds or does not, in these words.
fn holds(is: bool, words: impl Into<String>) -> Vec<String> {
    if is { vec![words.into()] } else { Vec::new() }
}

/// The units of the case in this state, in words.
fn units_with_result(case: &Case, result: &str) -> Vec<String> {
    let units = case.units().filter(|unit| unit.result == result);
    units
        .map(|unit| format!("systemd: {} failed with result '{result}'", unit.name))
        .collect()
}
