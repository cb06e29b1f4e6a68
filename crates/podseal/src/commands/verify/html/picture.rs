//! Who may talk to whom, as SVG.

use std::fmt::Write as _;

use podseal_core::verify::document::Document;
use podseal_core::verify::{Goal, Place, Verdict};

use super::{anchor, class};

/// A box: where its upper edge is, and its two lines of text.
struct Node {
    y: i32,
    lines: [&'static str; 2],
}

const LEFT: i32 = 12;
const RIGHT: i32 = 238;
const WIDTH: i32 = 116;
const HEIGHT: i32 = 46;

/// The places, the one nearest to the clients first.
const PLACES: [(Place, Node); 3] = [
    (
        Place::Container,
        Node {
            y: 108,
            lines: ["the container", "its program"],
        },
    ),
    (
        Place::OciRuntime,
        Node {
            y: 208,
            lines: ["OCI runtime", "starts it"],
        },
    ),
    (
        Place::Podman,
        Node {
            y: 308,
            lines: ["Podman", "and conmon"],
        },
    ),
];

/// The place of a program that runs no container.
const PROGRAM: [(Place, Node); 1] = [(
    Place::Podman,
    Node {
        y: 108,
        lines: ["the program", "no container"],
    },
)];

const GOALS: [(Goal, Node); 5] = [
    (
        Goal::Network,
        Node {
            y: 84,
            lines: ["internet, host", "by its own socket"],
        },
    ),
    (
        Goal::Socket,
        Node {
            y: 146,
            lines: ["internet, host", "by the socket"],
        },
    ),
    (
        Goal::Kernel,
        Node {
            y: 208,
            lines: ["the kernel", "by netlink"],
        },
    ),
    (
        Goal::Processes,
        Node {
            y: 270,
            lines: ["other processes", "of the user"],
        },
    ),
    (
        Goal::Host,
        Node {
            y: 332,
            lines: ["bus, systemd,", "the user's files"],
        },
    ),
];

/// The picture; each path leads to its evidence in the page.
pub(super) fn picture(document: &Document) -> String {
    let mut svg = String::from(
        "<svg viewBox=\"0 0 360 400\" role=\"img\" aria-labelledby=\"picture\">\
         <title id=\"picture\">Who may talk to whom: clients reach the container through the \
         socket; paths out of the seal are drawn as they were found</title>\
         <rect class=\"seal\" x=\"6\" y=\"78\" width=\"128\" height=\"300\" rx=\"10\"/>\
         <text class=\"small\" x=\"70\" y=\"371\">under the seal</text>",
    );
    // Writing to a string does not fail.
    let places: &[_] = if document.has_container() {
        &PLACES
    } else {
        &PROGRAM
    };
    for (at, (place, from)) in places.iter().enumerate() {
        for (goal, to) in &GOALS {
            let path = document.path(*place, *goal);
            let offset = i32::try_from(at).unwrap_or_default() * 12 - 12;
            let (x1, y1) = (LEFT + WIDTH, from.y + HEIGHT / 2);
            let (x2, y2) = (RIGHT, to.y + HEIGHT / 2 + offset);
            let word = path.map_or("not tried", said);
            let _ = write!(
                svg,
                "<a href=\"#{}\"><g class=\"{}\"><title>{place}: {word}</title>{}</g></a>",
                anchor(*goal),
                path.map_or("inconclusive", class),
                line(path, [x1, y1], [x2, y2])
            );
        }
    }
    let _ = write!(
        svg,
        "<g class=\"closed\"><path class=\"path\" d=\"M118 30 H136\"/>{}\
         <path class=\"path\" d=\"M198 53 V66 H70 V104\"/>{}</g>",
        arrow([138, 30], [1.0, 0.0]),
        arrow([70, 107], [0.0, 1.0])
    );
    for (x, node) in [
        (
            2,
            Node {
                y: 7,
                lines: ["clients", "are let in"],
            },
        ),
        (
            140,
            Node {
                y: 7,
                lines: ["the socket", "handed over"],
            },
        ),
    ] {
        svg.push_str(&boxed(x, &node));
    }
    for (_, node) in places {
        svg.push_str(&boxed(LEFT, node));
    }
    for (_, node) in &GOALS {
        svg.push_str(&boxed(RIGHT, node));
    }
    svg.push_str("</svg>");
    svg
}

/// What the lines mean.
pub(super) fn key() -> String {
    let rows = [
        (Some(Verdict::Closed), "closed"),
        (Some(Verdict::Open), "OPEN"),
        (Some(Verdict::Accepted), "open, accepted at this level"),
        (None, "not shown"),
    ];
    let rows = rows.map(|(verdict, word)| {
        format!(
            "<li class=\"{}\"><svg viewBox=\"0 0 44 14\" aria-hidden=\"true\">{}</svg>{word}</li>",
            verdict.map_or("inconclusive", class),
            line(verdict, [2, 7], [42, 7])
        )
    });
    format!("<ul class=\"key\">{}</ul>", rows.concat())
}

fn said(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Closed => "closed",
        Verdict::Accepted => "open, accepted at this level",
        Verdict::Open => "OPEN",
        Verdict::Inconclusive => "not shown",
    }
}

fn boxed(x: i32, node: &Node) -> String {
    let Node { y, lines } = node;
    let middle = x + WIDTH / 2;
    format!(
        "<rect x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"6\"/>\
         <text x=\"{middle}\" y=\"{}\">{}</text><text class=\"small\" x=\"{middle}\" y=\"{}\">{}</text>",
        y + 20,
        lines[0],
        y + 36,
        lines[1]
    )
}

/// A line that ends in an arrow where it is open, at a bar where it is closed,
/// and nowhere in particular where that is not known.
fn line(verdict: Option<Verdict>, from: [i32; 2], to: [i32; 2]) -> String {
    let class = verdict.map_or("inconclusive", class);
    let [x1, y1] = from.map(f64::from);
    let [x2, y2] = to.map(f64::from);
    let length = (x2 - x1).hypot(y2 - y1);
    let direction = [(x2 - x1) / length, (y2 - y1) / length];
    // A closed way does not get there.
    let reach = match verdict {
        Some(Verdict::Closed) => 0.42,
        _ => 1.0,
    };
    let (x2, y2) = (x1 + (x2 - x1) * reach, y1 + (y2 - y1) * reach);
    let end = match verdict {
        Some(Verdict::Open | Verdict::Accepted) => arrow(to, direction),
        Some(Verdict::Closed) => {
            let [dx, dy] = [direction[1] * 6.0, direction[0] * 6.0];
            format!(
                "<path class=\"path\" d=\"M{:.1} {:.1} L{:.1} {:.1}\"/>",
                x2 - dx,
                y2 + dy,
                x2 + dx,
                y2 - dy
            )
        }
        Some(Verdict::Inconclusive) | None => String::new(),
    };
    format!("<path class=\"path {class}\" d=\"M{x1:.1} {y1:.1} L{x2:.1} {y2:.1}\"/>{end}")
}

/// The head of an arrow.
fn arrow(at: [i32; 2], direction: [f64; 2]) -> String {
    let [x, y] = at.map(f64::from);
    let [dx, dy] = direction;
    let (back_x, back_y) = (x - dx * 9.0, y - dy * 9.0);
    format!(
        "<path class=\"end\" d=\"M{x:.1} {y:.1} L{:.1} {:.1} L{:.1} {:.1} Z\"/>",
        back_x - dy * 4.0,
        back_y + dx * 4.0,
        back_x + dy * 4.0,
        back_y - dx * 4.0
    )
}
