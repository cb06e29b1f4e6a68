//! What systemd makes of the files as such.

use crate::audit::Severity::{Error, Note, Warning};
use crate::audit::place::Place;
use crate::audit::rule::{Check, Example, Fault, Rule};
use crate::audit::subject::{Set, Subject};
use crate::unit::Effect;
use crate::unit::effective::Diagnostic;
use crate::unit::effective::view::View;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "unit-refused",
        severity: Error,
        title: "systemd does not load the unit",
        why: "A unit with such a setting is not loaded at all, and what podseal says about the rest of it is not what runs.",
        fix: "correct it; `systemd-analyze verify` says whether it is right",
        references: &["systemd.syntax(7)", "systemd.unit(5)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nExecStart=relative/podman run localhost/web\n",
        },
        good: Example {
            unit: "web.service",
            lines: "[Service]\nExecStart=podman run --network=none --pull=never localhost/web\n",
        },
        check: Check::Unit(refused),
    },
    Rule {
        id: "setting-ignored",
        severity: Warning,
        title: "systemd passes over a setting",
        why: "systemd warns in the journal and goes on without the setting or a part of it. The unit then does not do what it says.",
        fix: "correct the setting, or remove it",
        references: &["systemd.syntax(7)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nNoNewPrivileges=indeed\n",
        },
        good: Example {
            unit: "web.service",
            lines: "[Service]\nNoNewPrivileges=true\n",
        },
        check: Check::Unit(ignored),
    },
    Rule {
        id: "unit-masked",
        severity: Note,
        title: "the unit is masked",
        why: "A unit whose file is empty or a link to /dev/null cannot be started; its other files do not matter.",
        fix: "run `systemctl unmask` on it if it is to be started",
        references: &["systemctl(1)"],
        bad: Example {
            unit: "web.socket -> /dev/null",
            lines: "",
        },
        good: Example {
            unit: "web.socket",
            lines: "[Socket]\nListenStream=127.0.0.1:8080\n",
        },
        check: Check::Unit(masked),
    },
];

fn of_effect(subject: &Subject, effect: Effect) -> impl Iterator<Item = &Diagnostic> {
    let diagnostics = subject.view().diagnostics().iter();
    diagnostics.filter(move |diagnostic| diagnostic.effect == effect)
}

fn fault(diagnostic: &Diagnostic) -> Fault {
    let place = diagnostic.origin.as_ref().map(Place::whole);
    Fault::at(place, diagnostic.message.clone())
}

fn refused(_: &Set, subject: &Subject) -> Vec<Fault> {
    of_effect(subject, Effect::Refused).map(fault).collect()
}

fn ignored(_: &Set, subject: &Subject) -> Vec<Fault> {
    of_effect(subject, Effect::Ignored)
        // These have rules that say more.
        .filter(|diagnostic| !diagnostic.message.contains("address family"))
        .map(fault)
        .collect()
}

fn masked(_: &Set, subject: &Subject) -> Vec<Fault> {
    match subject.view() {
        View::Masked(masked) => {
            let message = format!("{} masks this unit", masked.fragment);
            vec![Fault::at(None, message)]
        }
        _ => Vec::new(),
    }
}
