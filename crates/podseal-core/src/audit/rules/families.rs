//! `RestrictAddressFamilies=`: which sockets can be made.

use crate::audit::Severity::{Error, Warning};
use crate::audit::place::Place;
use crate::audit::rule::{Check, Example, Fault, Rule, when};
use crate::audit::subject::Container;
use crate::family::Family;
use crate::policy::families::FamilySet;
use crate::unit::families::{AddressFamiliesReader, FamilyFilter, FilterMode};

const KEY: &str = "RestrictAddressFamilies";
const GOOD: Example = Example {
    unit: "web.service",
    lines: "[Service]\nRestrictAddressFamilies=AF_UNIX AF_NETLINK\n",
};
const FIX: &str = "set RestrictAddressFamilies=AF_UNIX AF_NETLINK";

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "families-missing",
        severity: Error,
        title: "no restriction of socket families",
        why: "Podman, conmon, the OCI runtime and what runs in the container can all make internet sockets: --network=none is about the container's network only.",
        fix: FIX,
        references: &["systemd.exec(5)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nRestrictAddressFamilies=\n",
        },
        good: GOOD,
        check: Check::Container(missing),
    },
    Rule {
        id: "families-deny-list",
        severity: Error,
        title: "a list of forbidden socket families",
        why: "A deny list lets through every family that it does not name, those of later kernels included, and is passed by setting the upper 32 bits of the first argument of socket(2), which the kernel ignores and the filter compares.",
        fix: "list what is allowed instead: RestrictAddressFamilies=AF_UNIX AF_NETLINK",
        references: &["systemd.exec(5)", "socket(2)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nRestrictAddressFamilies=~AF_INET AF_INET6\n",
        },
        good: GOOD,
        check: Check::Container(deny_list),
    },
    Rule {
        id: "families-too-many",
        severity: Error,
        title: "more socket families than Podman needs",
        why: "Podman and the OCI runtimes need AF_UNIX to talk with one another and AF_NETLINK to set up the container's empty network. Every other family is a way out or an attack surface of the kernel.",
        fix: FIX,
        references: &["systemd.exec(5)", "address_families(7)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nRestrictAddressFamilies=AF_UNIX AF_NETLINK AF_INET\n",
        },
        good: GOOD,
        check: Check::Container(too_many),
    },
    Rule {
        id: "families-too-few",
        severity: Warning,
        title: "a socket family that Podman needs is forbidden",
        why: "Without AF_UNIX Podman cannot talk with conmon, and without AF_NETLINK the OCI runtime cannot bring up the loopback interface of the container: the service will not start.",
        fix: FIX,
        references: &["systemd.exec(5)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nRestrictAddressFamilies=AF_UNIX\n",
        },
        good: GOOD,
        check: Check::Container(too_few),
    },
    Rule {
        id: "families-unknown-word",
        severity: Warning,
        title: "a word that names no socket family",
        why: "systemd up to version 260 passes over such a word with a warning in the journal, and from version 261 on over the rest of its line as well. What the line means then is not what it says.",
        fix: "remove the word, or correct it: families are written AF_UNIX, without commas, numbers or comments behind them",
        references: &["systemd.exec(5)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nRestrictAddressFamilies=AF_UNIX AF_NETLINK AF_NONSENSE\n",
        },
        good: GOOD,
        check: Check::Container(unknown_word),
    },
    Rule {
        id: "families-mixed-polarity",
        severity: Warning,
        title: "allowed and forbidden socket families mixed",
        why: "The first line decides whether the list allows or forbids; lines of the other kind only take names off it. The result depends on the order of files that different people may own.",
        fix: "write one line, with an empty RestrictAddressFamilies= before it in a drop-in",
        references: &["systemd.exec(5)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nRestrictAddressFamilies=AF_UNIX AF_NETLINK AF_INET\nRestrictAddressFamilies=~AF_INET\n",
        },
        good: Example {
            unit: "web.service",
            lines: "[Service]\nRestrictAddressFamilies=AF_UNIX\nRestrictAddressFamilies=AF_NETLINK\n",
        },
        check: Check::Container(mixed_polarity),
    },
    Rule {
        id: "families-version-divergent",
        severity: Error,
        title: "socket families that depend on the version of systemd",
        why: "systemd from version 261 on ends a line at a word that it does not know, older versions go on behind it. An upgrade would change what the service may do.",
        fix: "remove the word that no version knows",
        references: &["systemd.exec(5)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nRestrictAddressFamilies=AF_UNIX # AF_NETLINK\n",
        },
        good: GOOD,
        check: Check::Container(version_divergent),
    },
];

fn readings<'a>(container: &Container<'a>) -> [&'a FamilyFilter; 2] {
    let families = &container.service.sandbox.families;
    [&families.le_v260, &families.ge_v261]
}

fn corrected(fault: Fault) -> Vec<Fault> {
    let fault = fault.set("Service", KEY, "");
    vec![fault.set("Service", KEY, &FamilySet::default().to_string())]
}

fn missing(container: &Container<'_>) -> Vec<Fault> {
    let is_open = |filter: &&FamilyFilter| filter.mode == FilterMode::Unrestricted;
    if !readings(container).iter().any(is_open) {
        return Vec::new();
    }
    corrected(Fault::at(
        container.setting(KEY),
        "what this starts can make sockets of every family",
    ))
}

fn deny_list(container: &Container<'_>) -> Vec<Fault> {
    let denies = |filter: &&FamilyFilter| filter.mode == FilterMode::Deny;
    if !readings(container).iter().any(denies) {
        return Vec::new();
    }
    let lines = container.lines(KEY);
    let place = lines.first().map(|line| Place::whole(&line.origin));
    corrected(Fault::at(
        place.or(container.start()),
        "this forbids some socket families and allows all others",
    ))
}

fn names(families: &[Family]) -> String {
    let names: Vec<String> = families.iter().map(Family::to_string).collect();
    names.join(", ")
}

fn too_many(container: &Container<'_>) -> Vec<Fault> {
    let needed = FamilySet::default();
    let mut extra: Vec<Family> = readings(container)
        .into_iter()
        .filter(|filter| filter.mode == FilterMode::Allow)
        .flat_map(|filter| filter.set.iter().copied())
        .filter(|family| !needed.contains(*family))
        .collect();
    extra.sort_unstable();
    extra.dedup();
    if extra.is_empty() {
        return Vec::new();
    }
    let lines = container.lines(KEY);
    let named = lines.iter().rev().find_map(|line| {
        let word = line.value.split_whitespace().find(|word| {
            let word = word.trim_matches(['"', '\'']);
            Family::from_name(word).is_some_and(|family| extra.contains(&family))
        })?;
        Some(Place::word(&line.origin, word))
    });
    let message = format!("{} may be used as well", names(&extra));
    corrected(Fault::at(named.or(container.setting(KEY)), message))
}

fn too_few(container: &Container<'_>) -> Vec<Fault> {
    let mut lacking: Vec<Family> = FamilySet::default()
        .iter()
        .filter(|family| readings(container).iter().any(|f| !f.permits(*family)))
        .collect();
    lacking.sort_unstable();
    if lacking.is_empty() {
        return Vec::new();
    }
    let message = format!("{} is forbidden, and Podman needs it", names(&lacking));
    corrected(Fault::at(container.setting(KEY), message))
}

fn unknown_word(container: &Container<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for line in container.lines(KEY) {
        // What is wrong with a line does not depend on those before it.
        for problem in AddressFamiliesReader::default().line(&line.value) {
            let mut words = line.value.trim_start_matches('~').split_whitespace();
            let unknown = words.find(|word| problem.message.contains(&format!("{word:?}")));
            let place = match unknown {
                Some(word) => Place::word(&line.origin, word),
                None => Place::whole(&line.origin),
            };
            faults.push(Fault::at(place, problem.message));
        }
    }
    faults
}

fn mixed_polarity(container: &Container<'_>) -> Vec<Fault> {
    let lines = container.lines(KEY);
    let denies = |value: &str| value.starts_with('~');
    let Some(first) = lines.first() else {
        return Vec::new();
    };
    let other = lines
        .iter()
        .find(|line| denies(&line.value) != denies(&first.value) && line.value != "none");
    match other {
        Some(line) if first.value != "none" => corrected(Fault::at(
            Place::whole(&line.origin),
            format!(
                "this line takes names off the list that line {} of {} began",
                first.origin.line, first.origin.file
            ),
        )),
        _ => Vec::new(),
    }
}

fn version_divergent(container: &Container<'_>) -> Vec<Fault> {
    let families = &container.service.sandbox.families;
    let show = |filter: &FamilyFilter| {
        let set: Vec<Family> = filter.set.iter().copied().collect();
        match filter.mode {
            FilterMode::Unrestricted => "everything".to_owned(),
            FilterMode::Allow if set.is_empty() => "nothing".to_owned(),
            FilterMode::Allow => names(&set),
            FilterMode::Deny => format!("everything but {}", names(&set)),
        }
    };
    when(families.divergent, || {
        let message = format!(
            "systemd up to 260 allows {}, from 261 on {}",
            show(&families.le_v260),
            show(&families.ge_v261)
        );
        Fault::at(container.setting(KEY), message)
    })
}
