use super::*;
use crate::probe::ProbeResult;

/// A report in which every probe has the outcome that is asked for.
fn report(of: impl Fn(&str) -> Option<Outcome>) -> ProbeReport {
    ProbeReport {
        version: ProbeReport::VERSION,
        results: PROBES
            .iter()
            .filter_map(|probe| {
                Some(ProbeResult {
                    id: probe.id.to_owned(),
                    outcome: of(probe.id)?,
                    evidence: None,
                })
            })
            .collect(),
        process: None,
    }
}

fn seal(level: Level) -> Seal {
    Seal {
        level,
        ..Seal::default()
    }
}

fn everywhere(sealed: &ProbeReport) -> Vec<Reported> {
    let everywhere = Place::ALL.into_iter();
    everywhere
        .map(|place| (place, Ok(sealed.clone())))
        .collect()
}

#[test]
fn a_level_is_reached_when_every_promise_of_it_was_seen() {
    let works = report(|_| Some(Outcome::Succeeded));
    let refused = Outcome::Refused { errno: 13 };
    let closed = report(|_| Some(refused.clone()));
    let but = |id: &'static str, outcome: Option<Outcome>| {
        let refused = refused.clone();
        report(move |probe| {
            if probe == id {
                outcome.clone()
            } else {
                Some(refused.clone())
            }
        })
    };
    // A kernel without it, or with it switched off.
    let all_but = |id: &'static str| {
        report(move |probe| {
            Some(if probe == id {
                Outcome::Refused { errno: 38 }
            } else {
                Outcome::Succeeded
            })
        })
    };
    let open = |id| but(id, Some(Outcome::Succeeded));
    let highest = Level::ALL.last().map(ToString::to_string);
    let families = Some("families".to_owned());
    for (control, sealed, level, reached, verdict) in [
        (&works, &closed, Level::Families, &highest, Verdict::Closed),
        (
            &works,
            &open("turn-outward"),
            Level::Standard,
            &families,
            Verdict::Open,
        ),
        (
            &works,
            &open("turn-outward"),
            Level::Families,
            &families,
            Verdict::Closed,
        ),
        (
            &works,
            &open("io-uring"),
            Level::Families,
            &None,
            Verdict::Open,
        ),
        (
            &works,
            &but("io-uring", None),
            Level::Families,
            &None,
            Verdict::Inconclusive,
        ),
        (
            &but("io-uring", Some(Outcome::Succeeded)),
            &closed,
            Level::Families,
            &None,
            Verdict::Inconclusive,
        ),
        (
            &all_but("io-uring"),
            &closed,
            Level::Families,
            &highest,
            Verdict::Closed,
        ),
        (
            &all_but("io-uring"),
            &open("io-uring"),
            Level::Families,
            &None,
            Verdict::Open,
        ),
    ] {
        let document = Document::new(
            "a.service",
            &seal(level),
            control,
            &everywhere(sealed),
            Running::default(),
        );
        assert_eq!(&document.reached, reached, "{level}");
        assert_eq!(document.verdict, verdict, "{level}");
    }
}

/// What is a container's own was not looked at then.
#[test]
fn without_a_container_level_strict_is_not_reached() {
    let works = report(|_| Some(Outcome::Succeeded));
    let closed = report(|_| Some(Outcome::Refused { errno: 13 }));
    let reports = [(Place::Podman, Ok(closed))];
    let seal = seal(Level::Standard);
    let document = Document::new("x", &seal, &works, &reports, Running::default());
    assert_eq!(document.reached.as_deref(), Some("standard"));
    assert_eq!(document.verdict, Verdict::Closed);
    assert!(!document.has_container());
}

#[test]
fn the_running_service_counts() {
    let works = report(|_| Some(Outcome::Succeeded));
    let closed = report(|_| Some(Outcome::Refused { errno: 13 }));
    let open = report(|_| Some(Outcome::Succeeded));
    for (sealed, seen, verdict, is_reached) in [
        (&closed, None, Verdict::Closed, true),
        (&closed, Some(Verdict::Closed), Verdict::Closed, true),
        (
            &closed,
            Some(Verdict::Inconclusive),
            Verdict::Inconclusive,
            false,
        ),
        (&closed, Some(Verdict::Open), Verdict::Open, false),
        (&open, Some(Verdict::Closed), Verdict::Open, false),
        (&open, Some(Verdict::Inconclusive), Verdict::Open, false),
    ] {
        let running = Running {
            verdict: seen,
            ..Running::default()
        };
        let seal = seal(Level::Standard);
        let document = Document::new("a.service", &seal, &works, &everywhere(sealed), running);
        assert_eq!(document.verdict, verdict, "{seen:?}");
        assert_eq!(document.reached.is_some(), is_reached, "{seen:?}");
    }
}

#[test]
fn a_path_is_as_open_as_the_most_open_way() {
    let works = report(|_| Some(Outcome::Succeeded));
    let sealed = report(|id| {
        let is_open = matches!(id, "relisten" | "io-uring");
        Some(if is_open {
            Outcome::Succeeded
        } else {
            Outcome::Refused { errno: 13 }
        })
    });
    let mut reports = everywhere(&sealed);
    reports[2].1 = Err("no image".to_owned().into());
    let document = Document::new(
        "a.service",
        &seal(Level::Standard),
        &works,
        &reports,
        Running::default(),
    );
    for (place, goal, path) in [
        (Place::Podman, Goal::Network, Some(Verdict::Open)),
        (Place::Podman, Goal::Socket, Some(Verdict::Accepted)),
        (Place::Podman, Goal::Processes, Some(Verdict::Closed)),
        (Place::Container, Goal::Network, Some(Verdict::Inconclusive)),
    ] {
        assert_eq!(document.path(place, goal), path, "{place} {goal:?}");
    }
    let nowhere = Document::new(
        "a.service",
        &seal(Level::Standard),
        &works,
        &[],
        Running::default(),
    );
    assert_eq!(nowhere.path(Place::Podman, Goal::Network), None);
}

#[test]
fn a_place_without_a_report_shows_nothing() {
    let works = report(|_| Some(Outcome::Succeeded));
    let closed = report(|_| Some(Outcome::Refused { errno: 13 }));
    let mut reports = everywhere(&closed);
    reports[2].1 = Err("no image".to_owned().into());
    let document = Document::new(
        "a.service",
        &seal(Level::Standard),
        &works,
        &reports,
        Running::default(),
    );
    assert_eq!(document.verdict, Verdict::Inconclusive);
    assert_eq!(document.reached, None);
    assert_eq!(document.places[2].failure.as_deref(), Some("no image"));
    let row = &document.probes[0];
    assert_eq!(row.findings[2].verdict, Verdict::Inconclusive);
    assert_eq!(row.findings[2].evidence.text, "not tried: no image");
    let nowhere = Document::new(
        "a.service",
        &seal(Level::Standard),
        &works,
        &[],
        Running::default(),
    );
    assert_eq!(nowhere.verdict, Verdict::Inconclusive);
    assert_eq!(nowhere.reached, None);
}
