//! The ways out that only a machine with systemd has.

use crate::machine::Machine;

/// A row of the table that `podseal demo` prints: its cells.
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

/// Each level says that they are open, and they are: on the host, where Podman
/// runs, and not in a container.
#[test]
fn services_of_the_user_are_in_reach_of_podman_and_not_of_a_container() {
    let Some(machine) = Machine::alone("services in reach") else {
        return;
    };
    let listed = || {
        let files = machine.user("ls -A ~/.ssh ~/.config/containers/systemd 2>/dev/null; true");
        files.text().to_owned()
    };
    let before = listed();
    let demo = "systemctl --user start podman.socket && podseal demo --all; status=$?; \
                systemctl --user stop podman.socket podman.service; exit $status";
    let ended = machine.user(demo);
    let said = ended.text();
    for title in [
        "the user's D-Bus",
        "the user's systemd, private socket",
        "podman.sock",
        "the system's D-Bus",
        "writes the user's units",
        "writes the user's .container files",
        "writes the user's .bashrc",
        "writes the user's authorized_keys",
    ] {
        let expected = ["open", "OPEN", "OPEN", "n/a", "n/a", "n/a", "n/a"];
        assert_eq!(row(said, title), expected, "{title}: {said}");
    }
    // What tries to leave nothing behind leaves nothing behind.
    assert_eq!(listed(), before);
}
