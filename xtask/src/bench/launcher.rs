//! What `podseal enter` adds to starting a program.

use super::report::{Row, Section, Target};
use super::site::Site;
use super::statistics::{milliseconds, pairs};
use super::{BenchError, attempt, interrupt};
use crate::command::Command;

/// Milliseconds that `podseal enter` may add.
const LIMIT: f64 = 3.0;

pub(crate) fn section() -> Section {
    Section {
        title: "Launcher",
        method: "From fork(2) to the program's end. `podman ps` by itself joins the namespaces of its\n\
                 pause process, too, where it can without running itself a second time; after\n\
                 `podseal enter` it need not.",
        ..Section::default()
    }
}

pub(crate) fn measure(site: &Site, launches: usize, podman: usize, section: &mut Section) {
    let label = site.label();
    attempt(section, &format!("launcher, {label}"), |section| {
        let join: &[&str] = if site.is_rootless() {
            &["--join=always"]
        } else {
            &[]
        };
        let pairs = pairs(
            launches,
            || {
                let enter = site.podseal(["enter"]).with(join);
                time(&enter.with(["--", "/bin/true"]))
            },
            || time(&site.command("/bin/true", [""; 0])),
        )?;
        let nothing = || BenchError::Nothing("launch");
        let added = pairs.difference().ok_or_else(nothing)?;
        let joined = if site.is_rootless() {
            ", joining Podman's namespaces"
        } else {
            ""
        };
        section.rows.push(Row {
            measured: format!("`podseal enter -- /bin/true`{joined}, {label}"),
            podseal: format!("{} ms", pairs.first().ok_or_else(nothing)?.display(2)),
            alternative: "`/bin/true`".into(),
            other: format!("{} ms", pairs.second().ok_or_else(nothing)?.display(2)),
            result: format!("adds {} ms", added.display(2)),
            target: Target::at_most(added.median, LIMIT, " ms"),
        });
        Ok(())
    });
    if !site.is_rootless() {
        return;
    }
    attempt(section, &format!("podman ps, {label}"), |section| {
        let pairs = pairs(
            podman,
            || time(&site.podseal(["enter", "--", "podman", "ps"])),
            || time(&site.podman(["ps"])),
        )?;
        let nothing = || BenchError::Nothing("launch of Podman");
        let added = pairs.difference().ok_or_else(nothing)?;
        let ratio = pairs.ratio().ok_or_else(nothing)?;
        section.rows.push(Row {
            measured: format!("`podseal enter -- podman ps`, {label}"),
            podseal: format!("{} ms", pairs.first().ok_or_else(nothing)?.display(1)),
            alternative: "`podman ps`, which joins by itself".into(),
            other: format!("{} ms", pairs.second().ok_or_else(nothing)?.display(1)),
            result: format!("ratio {}, adds {:.1} ms", ratio.display(2), added.median),
            target: Target::at_most(added.median, LIMIT, " ms"),
        });
        Ok(())
    });
}

fn time(command: &Command) -> Result<f64, BenchError> {
    interrupt::check()?;
    Ok(milliseconds(command.time()?))
}
