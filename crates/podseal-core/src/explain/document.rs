//! What is printed: the JSON form, and docs/troubleshooting.md.

use serde::Serialize;

use super::case::Case;
use super::signature::Signature;
use super::signatures::FAMILIES;
use super::{Answer, Explanation, Verdict};
use crate::unit::effective::Scope;

/// Raised by incompatible changes.
const VERSION: u32 = 1;

/// What `podseal explain` prints with `--format json`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Document {
    /// Raised by incompatible changes.
    version: u32,
    /// The service.
    unit: String,
    /// Whose service it is.
    scope: Scope,
    /// `healthy`, `explained`, or `unknown`.
    verdict: &'static str,
    /// Most likely first. With the verdict `unknown`: what follows from the
    /// failure.
    answers: Vec<Explained>,
    /// Lines that may tell somebody else, where the cause is not known.
    relevant: Vec<String>,
    /// What to type next.
    next: String,
}

/// A known failure.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Explained {
    /// Its name in docs/troubleshooting.md.
    id: &'static str,
    title: &'static str,
    cause: &'static str,
    /// Lines of the log, with who said them, and facts.
    evidence: Vec<String>,
    fix: &'static str,
    /// The versions that have it, where not all do.
    versions: Option<&'static str>,
    link: Option<&'static str>,
    /// Whether the cause is gone; null where that cannot be told.
    gone: Option<bool>,
}

impl Document {
    /// The document of an explanation.
    #[must_use]
    pub fn new(case: &Case, explanation: &Explanation) -> Self {
        let explained = |answer: &Answer| Explained {
            id: answer.signature.id,
            title: answer.signature.title,
            cause: answer.signature.cause,
            evidence: answer.evidence.clone(),
            fix: answer.signature.fix,
            versions: answer.signature.versions,
            link: answer.signature.link,
            gone: answer.is_gone,
        };
        Self {
            version: VERSION,
            unit: case.service.name.clone(),
            scope: case.scope,
            verdict: match explanation.verdict {
                Verdict::Healthy => "healthy",
                Verdict::Explained => "explained",
                Verdict::Unknown => "unknown",
            },
            answers: explanation.answers.iter().map(explained).collect(),
            relevant: explanation.relevant.clone(),
            next: next(case, explanation),
        }
    }
}

/// What to type next.
#[must_use]
pub fn next(case: &Case, explanation: &Explanation) -> String {
    let mut sockets = case.sockets.iter();
    let is_down = sockets
        .next()
        .is_some_and(|socket| socket.active == "inactive");
    let template = match (explanation.verdict, explanation.answers.first()) {
        (Verdict::Healthy, _) if is_down => "{systemctl} start {socket}",
        (Verdict::Healthy, _) => "{systemctl} status {service}",
        (Verdict::Explained, Some(answer)) if answer.is_gone != Some(true) => answer.signature.next,
        (Verdict::Explained, _) => "podseal explain{scope} {service} --apply",
        (Verdict::Unknown, _) => "journalctl{scope} -e -u {service}",
    };
    typed(template, case)
}

/// A command with the names of the case: `{service}`, `{socket}`, `{image}`,
/// `{systemctl}`, and `{scope}` and `{run_as}` for an option where one is needed.
#[must_use]
pub fn typed(template: &str, case: &Case) -> String {
    let (option, systemctl) = match case.scope {
        Scope::User => ("", "systemctl --user"),
        Scope::System => (" --system", "systemctl"),
    };
    let sockets: Vec<&str> = case.sockets.iter().map(|s| s.name.as_str()).collect();
    let option = if template.starts_with("journalctl") && case.scope == Scope::User {
        " --user"
    } else {
        option
    };
    let run_as = case.facts.run_as.as_ref();
    let run_as = run_as.map_or(String::new(), |user| format!(" --run-as={user}"));
    let text = template
        .replace("{scope}", option)
        .replace("{systemctl}", systemctl)
        .replace("{run_as}", &run_as)
        .replace("{service}", &case.service.name)
        .replace("{socket}", &sockets.join(" "))
        .replace("{image}", case.facts.image.as_deref().unwrap_or("IMAGE"));
    text.trim_end().to_owned()
}

const HEAD: &str = "\
# Troubleshooting

This file is made of the tables in `crates/podseal-core/src/explain/signatures/`.

`podseal explain NAME` looks at the state of a service and its sockets, at the
journal since the last start, and at the unit and the host, and says which of
these failures it was. What it quotes are lines of those who can know: a message
of Podman's counts when Podman says it, not when a server writes the same words.
Where none of them fits, it says so.

`podseal explain NAME --apply` resets the service and its sockets and starts the
sockets, once the cause is gone.
";

/// docs/troubleshooting.md
#[must_use]
pub fn markdown() -> String {
    let mut text = HEAD.to_owned();
    for family in FAMILIES {
        text.extend([
            "\n## ",
            family.title,
            "\n\n| failure | first answer |\n|---|---|\n",
        ]);
        for Signature { id, title, .. } in family.signatures {
            text.extend(["| ", title, " | [", id, "](#", id, ") |\n"]);
        }
        for signature in family.signatures {
            section(&mut text, signature);
        }
    }
    text
}

fn section(text: &mut String, signature: &Signature) {
    let rows = [
        ("Cause", Some(signature.cause)),
        ("Evidence", Some(signature.wanted)),
        ("Fix", Some(signature.fix)),
        ("Versions", signature.versions),
        ("See", signature.link),
    ];
    text.extend(["\n### ", signature.id, "\n\n"]);
    for (what, words) in rows {
        if let Some(words) = words {
            text.extend(["- ", what, ": ", words, ".\n"]);
        }
    }
}
