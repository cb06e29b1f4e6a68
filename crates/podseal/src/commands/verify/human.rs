//! The report for people.

use std::fmt::Write as _;

use comfy_table::{Attribute, Cell, Color, Table};
use podseal_core::status::Problem;
use podseal_core::status::facts::Restrictions;
use podseal_core::verify::document::{Document, Finding, Row};
use podseal_core::verify::{Place, Verdict};

use crate::commands::status::processes;

pub(super) fn text(document: &Document) -> String {
    let mut text = format!("{}\n", headline(document));
    if !document.has_container() {
        text.push_str(NO_CONTAINER);
        text.push('\n');
    }
    let _ = write!(text, "\n{}\n", table(document));
    // Writing to a string does not fail.
    for stop in &document.places {
        if let Some(failure) = &stop.failure {
            let _ = write!(
                text,
                "\nNothing could be tried in the place of {}: {failure}\n",
                stop.place
            );
            if let Some(why) = &stop.why {
                let _ = writeln!(text, "  why: {}", why.to_string().replace('\n', "\n  "));
            }
        }
    }
    for verdict in [Verdict::Open, Verdict::Accepted, Verdict::Inconclusive] {
        let rows = document.probes.iter();
        let rows = rows.filter(|row| verdict != Verdict::Inconclusive || !row.is_absent);
        let lines: Vec<String> = rows
            .filter_map(|row| line(document, row, verdict))
            .collect();
        if !lines.is_empty() {
            let _ = write!(text, "\n{verdict}:\n{}\n", lines.join("\n"));
        }
    }
    let rows = document.probes.iter().filter(|row| row.is_absent);
    let lines: Vec<String> = rows
        .map(|row| format!("- {} ({}): {}", row.title, row.id, row.control.text))
        .collect();
    if !lines.is_empty() {
        let _ = write!(
            text,
            "\nnot possible on this machine without a seal either:\n{}\n",
            lines.join("\n")
        );
    }
    running(&mut text, document);
    let _ = write!(text, "\nWhat level {} leaves open:", document.level);
    for risk in &document.residual_risks {
        let _ = write!(text, "\n- {risk}");
    }
    text
}

/// What a program that runs no container is told.
pub(super) const NO_CONTAINER: &str =
    "it is a program that runs no container, so everything was tried in its own place";

/// What it comes to, in one line.
pub(super) fn headline(document: &Document) -> String {
    let Document { unit, level, .. } = document;
    let user = document.run_as.as_ref();
    let user = user.map_or(String::new(), |user| format!(" (as {user})"));
    let what = match document.verdict {
        Verdict::Open if !document.copies_are_open() => {
            format!("copies of it keep what level {level} promises, but what runs is LESS")
        }
        Verdict::Inconclusive if document.running.verdict == Some(Verdict::Inconclusive) => {
            format!(
                "nothing is open that level {level} promises to close, but not all of what runs \
                 could be seen"
            )
        }
        Verdict::Closed | Verdict::Accepted if document.given_up.is_empty() => {
            format!("everything that level {level} promises was seen")
        }
        Verdict::Closed | Verdict::Accepted => {
            let given_up = document.given_up.join(", ");
            format!(
                "everything that level {level} promises was seen, but for what was given up on \
                 purpose ({given_up})"
            )
        }
        Verdict::Open => format!("something that level {level} promises to close is OPEN"),
        Verdict::Inconclusive => {
            format!(
                "nothing is open that level {level} promises to close, but not all could be tried"
            )
        }
    };
    let reached = document.reached.as_ref();
    let reached = reached.map_or_else(|| "no level".to_owned(), |level| format!("level {level}"));
    format!("{unit}{user}: {what}; proven: {reached}")
}

/// The service itself.
fn running(text: &mut String, document: &Document) {
    let _ = write!(
        text,
        "\nThe running service: {}\n",
        running_headline(document)
    );
    let running = &document.running;
    for problem in &running.problems {
        let Problem {
            message, id, fix, ..
        } = problem;
        let _ = writeln!(text, "- {message} [{id}]; fix: {fix}");
    }
    if running.verdict.is_none() {
        return;
    }
    for (what, copy) in copies(document) {
        let _ = writeln!(
            text,
            "- {what}: {}",
            processes::restrictions(copy).join(", ")
        );
    }
    for process in &running.processes {
        let _ = writeln!(text, "- {}", processes::line(process, &running.sockets));
    }
}

/// What the service itself shows, in one line.
pub(super) const fn running_headline(document: &Document) -> &'static str {
    match document.running.verdict {
        None => "it does not run, so there was nothing to look at",
        Some(Verdict::Closed | Verdict::Accepted) => {
            "every process has what one of a copy had, and no internet sockets but the service's"
        }
        Some(Verdict::Open) => "it has LESS than a copy, or than its files say",
        Some(Verdict::Inconclusive) => "not all of it could be seen",
    }
}

/// What processes of copies were under.
pub(super) fn copies(document: &Document) -> impl Iterator<Item = (&'static str, &Restrictions)> {
    let copies = document.running.copies.as_ref();
    let host = copies.and_then(|copies| copies.host.as_ref());
    let container = copies.and_then(|copies| copies.container.as_ref());
    let of_host = if document.has_container() {
        "a copy, where Podman runs"
    } else {
        "a copy"
    };
    let named = [(of_host, host), ("a copy, in the container", container)];
    named
        .into_iter()
        .filter_map(|(what, copy)| Some((what, copy?)))
}

fn table(document: &Document) -> Table {
    let mut table = Table::new();
    // Whether colours are shown is decided where the table is printed.
    table.enforce_styling();
    table.load_style(comfy_table::presets::UTF8_BORDERS_ONLY);
    let places = document.places.iter().map(|stop| {
        if document.has_container() {
            stop.place.to_string()
        } else {
            "program".to_owned()
        }
    });
    let header = ["a way out".to_owned(), "without".to_owned()].into_iter();
    table.set_header(header.chain(places));
    for row in &document.probes {
        let control = match row.control.worked {
            Some(true) => "open",
            Some(false) => "refused",
            None => "n/a",
        };
        let mut cells = vec![Cell::new(&row.title), Cell::new(control)];
        cells.extend(row.findings.iter().map(cell));
        table.add_row(cells);
    }
    table
}

fn cell(finding: &Finding) -> Cell {
    match finding.verdict {
        Verdict::Closed => Cell::new("closed").fg(Color::Green),
        Verdict::Accepted => Cell::new("open").fg(Color::Yellow),
        Verdict::Open => Cell::new("OPEN")
            .fg(Color::Red)
            .add_attribute(Attribute::Bold),
        Verdict::Inconclusive => Cell::new("n/a"),
    }
}

/// Why a way is open that the level closes, where that was asked for.
pub(super) fn given_up(finding: &Finding) -> Option<String> {
    let option = finding.given_up_by.as_ref();
    let option = option.filter(|_| finding.verdict == Verdict::Accepted)?;
    Some(format!("given up on purpose ({option})"))
}

/// A probe with the places of one verdict, and what was seen there. Those where
/// nothing could be tried have a line of their own.
fn line(document: &Document, row: &Row, verdict: Verdict) -> Option<String> {
    let was_reached = |place: Place| {
        let mut stops = document.places.iter();
        stops.any(|stop| stop.place == place && stop.failure.is_none())
    };
    let found = row.findings.iter();
    let found: Vec<&Finding> = found
        .filter(|f| f.verdict == verdict && was_reached(f.place))
        .collect();
    let first = found.first()?;
    let is_everywhere = found.len() == document.places.len();
    let is_alike = found.iter().all(|f| f.evidence.text == first.evidence.text);
    let seen = if is_everywhere && is_alike {
        first.evidence.text.clone()
    } else {
        let parts = found
            .iter()
            .map(|f| format!("{}: {}", f.place, f.evidence.text));
        parts.collect::<Vec<_>>().join("; ")
    };
    let without = match (verdict, row.control.worked) {
        (Verdict::Inconclusive, Some(false) | None) => {
            format!("; without a seal: {}", row.control.text)
        }
        _ => String::new(),
    };
    let given_up = found.iter().find_map(|finding| given_up(finding));
    let given_up = given_up.map_or_else(String::new, |why| format!("; {why}"));
    let (title, id) = (&row.title, &row.id);
    Some(format!("- {title} ({id}): {seen}{without}{given_up}"))
}
