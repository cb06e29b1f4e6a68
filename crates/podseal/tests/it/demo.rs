//! `podseal demo`, as root and as a normal user.

use podseal_core::policy::level::Level;
use podseal_core::probe::{PROBES, find};
use rustix::process::Signal;

use crate::container::{Lab, as_root, as_user};
use crate::fixture::Running;

/// What is expected of each probe, see the file.
const EXPECTED: &str = include_str!("expected-verdicts.tsv");

/// Seven cells a probe: on the host and in the container, unsealed and under each
/// level that makes a difference there.
fn expected() -> Vec<(&'static str, Vec<&'static str>)> {
    let lines = EXPECTED.lines().filter(|line| !line.starts_with('#'));
    let rows = lines.map(|line| {
        let mut cells = line.split('\t');
        (cells.next().unwrap(), cells.collect())
    });
    rows.collect()
}

/// Whether a cell of the demo's table is the expected one.
fn is_expected(cell: &str, expected: &str) -> bool {
    let nothing = ["n/a", "refused"].contains(&cell);
    match expected.strip_suffix('?') {
        Some(expected) => nothing || is_expected(cell, expected),
        None if expected == "none" => nothing,
        None => expected.split('|').any(|expected| expected == cell),
    }
}

/// A row of the demo's table.
fn row<'a>(said: &'a str, title: &str) -> Vec<&'a str> {
    let line = said
        .lines()
        .find(|line| line.contains(&format!("│ {title}  ")))
        .unwrap_or_else(|| panic!("no row {title:?} in {said}"));
    line.trim_matches(|c: char| c == '│' || c.is_whitespace())
        .split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .skip(1)
        .collect()
}

fn tells_the_truth(lab: &Lab) {
    let demo = Running::start(&mut lab.place.command(&["demo", "--all"]));
    // There is a time for what comes before, and one for the rest.
    demo.wait_for_output("4. try");
    let ended = demo.end();
    ended.expect(0, &[]);
    let said = &ended.stdout;
    assert!(said.contains("said: hello, heard: hello"), "{said}");
    assert!(
        said.contains("socket: address family not supported by protocol"),
        "{said}"
    );
    let mut surprises = Vec::new();
    for (id, expected) in expected() {
        let cells = row(said, find(id).unwrap().title);
        assert_eq!(cells.len(), expected.len(), "{id}: {said}");
        let mut pairs = cells.iter().zip(&expected);
        if !pairs.all(|(cell, expected)| is_expected(cell, expected)) {
            surprises.push(format!("{id}: {cells:?}, not {expected:?}"));
        }
    }
    assert!(surprises.is_empty(), "{surprises:#?}\n{said}");
    assert_eq!(lab.images_of_the_demo(), "");
    lab.expect_nothing_left();
}

/// The table of what is expected agrees with what the levels promise.
#[test]
fn every_probe_has_an_expected_verdict_that_its_level_promises() {
    let rows = expected();
    let ids: Vec<&str> = rows.iter().map(|(id, _)| *id).collect();
    let all: Vec<&str> = PROBES.iter().map(|probe| probe.id).collect();
    assert_eq!(ids, all);
    for (id, cells) in rows {
        let probe = find(id).unwrap();
        // On the host there is no level strict.
        let (host, container) = cells.split_at(Level::ALL.len());
        for place in [host, container] {
            for (level, cell) in Level::ALL.into_iter().zip(&place[1..]) {
                let is_promised = probe.is_closed_by(level);
                let word = if is_promised { "closed" } else { "OPEN" };
                assert!(
                    *cell == "none" || cell.starts_with(word),
                    "{id}, {level}: {cell}"
                );
            }
        }
    }
    assert!(is_expected("open", "open?") && is_expected("n/a", "open?"));
    assert!(!is_expected("OPEN", "closed?") && !is_expected("n/a", "closed"));
}

fn an_interruption_leaves_nothing(lab: &Lab) {
    for moment in ["1. make", "2. run it", "3. let", "4. try"] {
        let demo = Running::start(&mut lab.place.command(&["demo"]));
        demo.wait_for_output(moment);
        demo.signal(Signal::INT);
        demo.end().expect(1, &["interrupted"]);
        assert_eq!(lab.images_of_the_demo(), "", "{moment}");
    }
    lab.expect_nothing_left();
}

#[test]
fn tells_the_truth_to_root() {
    as_root("demo", tells_the_truth);
}

#[test]
fn tells_the_truth_to_a_user() {
    as_user("demo", tells_the_truth);
}

#[test]
fn an_interruption_by_root_leaves_nothing() {
    as_root("interrupted demo", an_interruption_leaves_nothing);
}

#[test]
fn an_interruption_by_a_user_leaves_nothing() {
    as_user("interrupted demo", an_interruption_leaves_nothing);
}
