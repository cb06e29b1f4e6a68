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
    /// The `podseal run` that has it; null where systemd has.
    run: Option<String>,
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
            run: case.run.clone(),
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
    typed(template(case, explanation), case)
}

/// The same with placeholders, see [`typed`].
pub(super) fn template(case: &Case, explanation: &Explanation) -> &'static str {
    let mut sockets = case.sockets.iter();
    let is_down = sockets
        .next()
        .is_some_and(|socket| socket.active == "inactive");
    match (explanation.verdict, explanation.answers.first()) {
        (Verdict::Healthy, _) if is_down => "{systemctl} start {socket}",
        (Verdict::Healthy, _) => "{systemctl} status {service}",
        (Verdict::Explained, Some(answer)) if answer.is_gone != Some(true) => answer.signature.next,
        (Verdict::Explained, _) => "podseal explain{scope} {service} --apply",
        (Verdict::Unknown, _) => "journalctl{scope} -e -u {service}",
    }
}

/// A command with the names of the case: `{service}`, `{socket}`, `{image}`,
/// `{systemctl}`, and `{scope}` and `{run_as}` for an option where one is needed.
#[must_use]
pub fn typed(template: &str, case: &Case) -> String {
    let is_user = case.scope == Scope::User;
    let (template, option, systemctl) = match (&case.run, is_user) {
        (Some(_), _) => (of_run(template), "", "podseal"),
        (None, true) if template.starts_with("journalctl") => (template, " --user", ""),
        (None, true) => (template, "", "systemctl --user"),
        (None, false) => (template, " --system", "systemctl"),
    };
    let sockets: Vec<&str> = case.sockets.iter().map(|s| s.name.as_str()).collect();
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

/// What systemd has and a `podseal run` does not, it has to be asked about
/// otherwise.
fn of_run(template: &str) -> &str {
    const NOT_THERE: &[&str] = &[
        "daemon-reload",
        "unmask",
        "journalctl",
        "podseal show",
        "podseal check",
        "podseal seal",
    ];
    if NOT_THERE.iter().any(|words| template.contains(words)) {
        "podseal status {service}"
    } else {
        template
    }
}

const HEAD: &str = "\
# Troubleshooting

This file is made of the tables in `crates/podseal-core/src/explain/signatures/`.

`podseal explain NAME` looks at the state of a service and its sockets, at the
journal since the last start (of a unit of `podseal run`, at the last lines that
it said), and at the unit and the host, and says which of these failures it was. What it quotes are lines of those who can know: a message
of Podman's counts when Podman says it, not when a server writes the same words.
Where none of them fits, it says so.

`podseal explain NAME --apply` resets the service and its sockets and starts the
sockets, once the cause is gone. `podseal run`, `up`, `seal`, `status` and `verify`
say the first answer beneath a failure that they meet, with its name in brackets.
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
