//! Checks of systemd. None of them stands in a level's way: `podseal run`
//! needs no systemd.

use super::facts::Facts;
use super::fix::Fix;
use super::{Check, Group, Judgement, Rule};

/// From this version on an unknown word ends a `RestrictAddressFamilies=` line
/// ([`crate::unit::families`]).
const STOPS_AT_UNKNOWN: u32 = 261;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "systemd",
        title: "systemd",
        group: Group::Systemd,
        looked_at: "systemctl show --property=Version, systemctl --version",
        carries: None,
        rule: Rule::Always(version),
    },
    Check {
        id: "service-manager",
        title: "service manager",
        group: Group::Systemd,
        looked_at: "systemctl show",
        carries: None,
        rule: Rule::Where(manager),
    },
    Check {
        id: "lingering",
        title: "lingering",
        group: Group::Systemd,
        looked_at: "/var/lib/systemd/linger",
        carries: None,
        rule: Rule::Where(lingering),
    },
];

fn version(facts: &Facts) -> Judgement {
    match &facts.systemd.version {
        Err(why) => Judgement::unknown(why),
        Ok(None) => Judgement::note("none", "use `podseal run`, which needs no systemd"),
        Ok(Some(version)) => Judgement::ok(format!(
            "version {version}: an unknown word in RestrictAddressFamilies= {}",
            if *version < STOPS_AT_UNKNOWN {
                "is passed over"
            } else {
                "ends the line"
            }
        )),
    }
}

fn manager(facts: &Facts) -> Option<Judgement> {
    if facts.systemd.version == Ok(None) {
        return None;
    }
    Some(match &facts.systemd.manager {
        Err(why) => Judgement::unknown(why),
        Ok(Ok(())) => Judgement::ok("answers"),
        Ok(Err(said)) => {
            let judgement = Judgement::note(
                format!("does not answer: {said}"),
                "it can run no services for you; `podseal run` can",
            );
            if facts.user.is_rootless {
                judgement.fix(Fix::advice(
                    "log in (not by su or sudo), with XDG_RUNTIME_DIR set as it then is",
                ))
            } else {
                judgement
            }
        }
    })
}

fn lingering(facts: &Facts) -> Option<Judgement> {
    let manager_answers = matches!(facts.systemd.manager, Ok(Ok(())));
    if !facts.user.is_rootless || !manager_answers {
        return None;
    }
    Some(match &facts.systemd.lingers {
        Err(why) => Judgement::unknown(why),
        Ok(true) => Judgement::ok("on"),
        Ok(false) => Judgement::note(
            "off",
            "your services start when you log in and end when you log out",
        )
        .fix(Fix::advice("let them run from boot on").user("loginctl enable-linger")),
    })
}
