//! The commands of the documentation, followed to the letter.

use crate::machine::{Ended, Machine};

/// Pages whose services have the same names: one after the other.
const PAGES: &[(&str, &str)] = &[
    (
        "migrating.md",
        include_str!("../../../../docs/migrating.md"),
    ),
    (
        "quick-start.md",
        include_str!("../../../../docs/quick-start.md"),
    ),
];

/// What a page's commands are about, fetched from the machine's registry in place
/// of the real one.
const IMAGE: &str = "eriksjolund/socket-activate-echo";
const REGISTRIES: &str = "[[registry]]\nprefix = \"ghcr.io/eriksjolund\"\n\
                          location = \"localhost:5000/eriksjolund\"\ninsecure = true\n";

/// Commands of a page, and what it says that they print.
struct Block {
    line: usize,
    commands: String,
    expected: Vec<String>,
}

/// The blocks of shell commands of a page, each with the text that follows.
fn blocks(page: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            continue;
        };
        let text = lines.by_ref().map(|(_, line)| line);
        let text: Vec<String> = text
            .take_while(|line| *line != "```")
            .map(str::to_owned)
            .collect();
        match (language, found.last_mut()) {
            ("sh", _) => found.push(Block {
                line: at + 1,
                commands: text.join("\n") + "\n",
                expected: Vec::new(),
            }),
            ("text", Some(block)) => block.expected = text,
            _ => panic!("line {}: what is this block?", at + 1),
        }
    }
    found
}

/// Whether a line of the page is among what was said; "…" is for anything.
fn is_said(expected: &str, ended: &Ended) -> bool {
    let said = ended.stdout.lines().chain(ended.stderr.lines());
    let mut said = said.map(str::trim_end);
    said.any(|line| {
        let mut parts = expected.split('…');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = line.strip_prefix(first) else {
            return false;
        };
        let mut is_open = false;
        for part in parts {
            let Some(at) = rest.find(part) else {
                return false;
            };
            rest = &rest[at + part.len()..];
            is_open = part.is_empty();
        }
        is_open || rest.is_empty()
    })
}

#[test]
fn blocks_have_what_follows_them() {
    let page = "a\n```sh\nb\nc\n```\nd\n```text\ne\n```\n```sh\nf\n```\n";
    let found = blocks(page);
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].line, found[0].commands.as_str()), (2, "b\nc\n"));
    assert_eq!(found[0].expected, ["e"]);
    assert!(found[1].expected.is_empty());
}

#[test]
fn what_is_said() {
    let ended = Ended {
        code: Some(0),
        stdout: "one line\n".into(),
        stderr: "sealed a: /x/y\n".into(),
    };
    for (expected, is) in [
        ("one line", true),
        ("one", false),
        ("line", false),
        ("sealed a: …/y", true),
        ("sealed …", true),
        ("sealed …/z", false),
    ] {
        assert_eq!(is_said(expected, &ended), is, "{expected}");
    }
}

#[test]
fn pages_are_followed_to_the_letter() {
    let Some(machine) = Machine::shared("the pages of the documentation") else {
        return;
    };
    if !machine.has_quadlet("the pages of the documentation") {
        return;
    }
    machine.write(&[(
        ".config/containers/registries.conf.d/pages.conf",
        REGISTRIES,
    )]);
    let push = format!(
        "tar -C /usr/bin -c podseal | podman import --quiet --change 'ENTRYPOINT [\"/podseal\"]' \
         --change 'CMD [\"echo\"]' - localhost:5000/{IMAGE} && \
         podman push --quiet localhost:5000/{IMAGE} && podman rmi localhost:5000/{IMAGE}"
    );
    machine.user(&push).text();
    for (page, text) in PAGES {
        for block in blocks(text) {
            machine.write(&[("page.sh", block.commands.as_str())]);
            let ended = machine.user("exec bash -e page.sh");
            let place = format!("docs/{page}:{}", block.line);
            let journal = || machine.journal("echo.service");
            assert_eq!(ended.code, Some(0), "{place}: {ended:?}\n{}", journal());
            for line in &block.expected {
                assert!(is_said(line, &ended), "{place}: no {line:?} in {ended:?}");
            }
        }
    }
    let left = machine.user("ls .config/systemd/user/echo* .config/containers/systemd/echo*");
    assert_eq!(left.stdout, "");
    machine
        .user("rm -r page.sh .config/containers/registries.conf.d")
        .text();
}
