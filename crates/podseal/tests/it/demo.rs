//! `podseal demo`, as root and as a normal user.

use rustix::process::Signal;

use crate::container::{Lab, as_root, as_user};
use crate::fixture::{Running, output};

/// A row of the table: its title, and its cells on the host and in the
/// container, unsealed and sealed each.
fn row<'a>(said: &'a str, title: &str) -> Vec<&'a str> {
    let line = said
        .lines()
        .find(|line| line.contains(&format!(" {title}  ")))
        .unwrap_or_else(|| panic!("no row {title:?} in {said}"));
    line.trim_matches(|c: char| c == '│' || c.is_whitespace())
        .split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .skip(1)
        .collect()
}

fn tells_the_truth(lab: &Lab) {
    let ended = output(&mut lab.place.command(&["demo"]));
    ended.expect(0, &[]);
    let said = &ended.stdout;
    assert!(said.contains("said: hello, heard: hello"), "{said}");
    assert!(
        said.contains("socket: address family not supported by protocol"),
        "{said}"
    );
    for title in [
        "socket(AF_INET)",
        "socket(AF_INET6)",
        "socket(AF_INET) with upper bits set",
    ] {
        let closed = "closed (EAFNOSUPPORT)";
        assert_eq!(row(said, title), ["open", closed, "open", closed]);
    }
    // What a kernel has and a user may do varies; what the seal promises not.
    for title in [
        "socket(AF_PACKET)",
        "socket(AF_VSOCK)",
        "socket(AF_INET) as an i386 call",
        "AF_INET socket through io_uring",
    ] {
        let cells = row(said, title);
        assert_eq!(cells.len(), 4, "{said}");
        for sealed in [cells[1], cells[3]] {
            assert!(
                sealed.starts_with("closed (") || sealed.starts_with("n/a ("),
                "{title}: {sealed}"
            );
        }
    }
    // The way that this level leaves open is shown as such.
    assert_eq!(
        row(said, "activated socket turned outward"),
        ["open", "OPEN", "open", "OPEN"]
    );
    assert_eq!(lab.images_of_the_demo(), "");
    lab.expect_nothing_left();
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
