//! `podseal demo`, as root and as a normal user.

use podseal_core::policy::level::Level;
use podseal_core::probe::PROBES;
use rustix::process::Signal;

use crate::container::{Lab, as_root, as_user};
use crate::fixture::{Running, output};

/// A row of the table: its cells on the host and in the container, unsealed and
/// under each level.
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
    // On the host there is no level strict.
    let with_levels = |cells: [&'static str; 4]| [&cells[..3], &cells].concat();
    let always = ["open", "closed", "closed", "closed"];
    let by_standard = ["open", "OPEN", "closed", "closed"];
    let by_strict = ["open", "OPEN", "OPEN", "closed"];
    for (title, cells) in [
        ("socket(AF_INET)", always),
        ("socket(AF_INET6)", always),
        ("socket(AF_INET), upper bits set", always),
        ("listener: AF_UNSPEC, connect", by_standard),
        ("accepted: AF_UNSPEC, connect", by_standard),
        ("accepted: sendto(MSG_FASTOPEN)", by_standard),
        ("listener: sendmsg(MSG_FASTOPEN)", by_standard),
        ("listener: sendmmsg(MSG_FASTOPEN)", by_standard),
        ("listener: TCP_FASTOPEN_CONNECT", by_standard),
        ("listener: shutdown, connect", by_standard),
        ("listener: bound to another port", by_standard),
        ("accepted: listens on a random port", by_strict),
        ("connect(2) of a UNIX socket", by_strict),
        ("bind(2) of a UNIX socket", by_strict),
    ] {
        assert_eq!(row(said, title), with_levels(cells), "{title}: {said}");
    }
    // What a kernel has and a user may do varies; what the seal promises not.
    for probe in PROBES {
        let cells = row(said, probe.title);
        let [_, host @ .., _, families, standard, strict] = &cells[..] else {
            panic!("{}: {said}", probe.title);
        };
        assert_eq!(host.len(), 2, "{}: {said}", probe.title);
        let on_host = Level::ALL.into_iter().zip(host);
        let container = Level::ALL.into_iter().zip([families, standard, strict]);
        for (level, cell) in on_host.chain(container) {
            let expected: &[&str] = if probe.is_closed_by(level) {
                &["closed", "n/a"]
            } else {
                &["OPEN", "n/a"]
            };
            assert!(expected.contains(cell), "{}: {cell}: {said}", probe.title);
        }
    }
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
