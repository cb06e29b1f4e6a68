//! What `podseal seal --fix` does about refusals: a drop-in for a `.container`
//! file, or the words to change in a file that the user wrote.

use crate::audit::Finding;
use crate::unit::effective::Origin;

/// The name of the drop-in in the directory `NAME.container.d`.
pub const DROP_IN: &str = "50-podseal.conf";

/// A refusal that another setting takes away.
struct Mendable {
    /// Its name.
    id: &'static str,
    /// The option of Podman's, without its value.
    option: &'static str,
    value: &'static str,
    /// The lines for `[Container]`.
    lines: &'static str,
}

/// Each makes the container more closed, and the seal possible.
const MENDABLE: &[Mendable] = &[
    Mendable {
        id: "network-not-none",
        option: "--network",
        value: "none",
        // Networks add up; an empty one resets them.
        lines: "Network=\nNetwork=none\n",
    },
    Mendable {
        id: "pull-not-never",
        option: "--pull",
        value: "never",
        lines: "Pull=never\n",
    },
];

/// How the drop-in begins.
const MARK: &str = "# Written by podseal seal --fix. `podseal unseal` removes it, but not once it was edited.\n\
                    [Container]\n";

/// The drop-in for a `.container` file whose service is refused for these
/// reasons, with what an earlier one has. `None` where one of the reasons is not
/// mended by it.
#[must_use]
pub fn quadlet(earlier: Option<&str>, refusals: &[&str]) -> Option<String> {
    let is_mendable = |id: &&str| MENDABLE.iter().any(|mendable| mendable.id == *id);
    if refusals.is_empty() || !refusals.iter().all(is_mendable) {
        return None;
    }
    let is_there = |row: &Mendable| earlier.is_some_and(|text| text.contains(row.lines));
    let wanted = MENDABLE.iter();
    Some(text(
        wanted.filter(|row| refusals.contains(&row.id) || is_there(row)),
    ))
}

fn text<'a>(mendable: impl Iterator<Item = &'a Mendable>) -> String {
    MARK.chars()
        .chain(mendable.flat_map(|mendable| mendable.lines.chars()))
        .collect()
}

/// Whether a text is such a drop-in, as it was written.
#[must_use]
pub fn is_ours(found: &str) -> bool {
    let mut subsets = 1..1_usize << MENDABLE.len();
    subsets.any(|subset| {
        let rows = MENDABLE.iter().enumerate();
        let rows = rows.filter(|(at, _)| subset >> at & 1 == 1);
        text(rows.map(|(_, row)| row)) == found
    })
}

/// A change of some words of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The line.
    pub origin: Origin,
    /// What is there.
    pub old: String,
    /// What it is to be.
    pub new: String,
}

/// The words to change in the file that a finding points into, where they are
/// plain: an option and its value on one line, or the verb where the option is
/// missing.
pub(super) fn edit(finding: &Finding) -> Option<Edit> {
    let Mendable { option, value, .. } = MENDABLE.iter().find(|m| m.id == finding.rule.id)?;
    let span = finding.span.as_ref()?;
    let (from, to) = (span.column.checked_sub(1)?, span.end_column.checked_sub(1)?);
    let found: String = span.text.chars().take(to).skip(from).collect();
    let behind: String = span.text.chars().skip(to).collect();
    let wanted = format!("{option}={value}");
    let (old, new) = if matches!(found.as_str(), "run" | "create") {
        (found.clone(), format!("{found} {wanted}"))
    } else {
        let is_it = |name: &str| name == *option || (name == "--net" && *option == "--network");
        match found.split_once('=') {
            Some((name, _)) if is_it(name) => (found.clone(), wanted),
            None if is_it(&found) => {
                let other = behind.split_whitespace().next()?;
                (!other.starts_with(['\\', '"', '\'', '-'])).then_some(())?;
                (format!("{found} {other}"), wanted)
            }
            _ => return None,
        }
    };
    Some(Edit {
        origin: span.origin.clone(),
        old,
        new,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::place::Span;
    use crate::audit::rules;

    #[test]
    fn what_a_drop_in_mends() {
        let both = quadlet(None, &["pull-not-never", "network-not-none"]).expect("mended");
        assert!(both.ends_with("[Container]\nNetwork=\nNetwork=none\nPull=never\n"));
        for ids in [&["network-not-none"][..], &["pull-not-never"]] {
            let text = quadlet(None, ids).expect("mended");
            assert!(is_ours(&text), "{text}");
            assert!(!is_ours(&format!("{text}\n")), "{text}");
            assert_ne!(text, both);
        }
        assert!(is_ours(&both));
        let pull = quadlet(None, &["pull-not-never"]);
        assert_eq!(
            quadlet(pull.as_deref(), &["network-not-none"]),
            Some(both.clone())
        );
        for ids in [&[][..], &["pull-not-never", "plus-command"]] {
            assert_eq!(quadlet(None, ids), None);
        }
        assert!(!is_ours(MARK));
    }

    #[test]
    fn every_id_is_a_rule() {
        for Mendable { id, .. } in MENDABLE {
            assert!(rules::find(id).is_some(), "{id}");
        }
    }

    #[test]
    fn words_to_change() {
        let network = "network-not-none";
        for (id, line, word, expected) in [
            (
                network,
                "ExecStart=podman run x",
                "run",
                Some(("run", "run --network=none")),
            ),
            (
                network,
                "ExecStart=podman run --network=host x",
                "--network=host",
                Some(("--network=host", "--network=none")),
            ),
            (
                network,
                "\t--net  bridge x \\",
                "--net",
                Some(("--net bridge", "--network=none")),
            ),
            (
                "pull-not-never",
                "--pull always",
                "--pull",
                Some(("--pull always", "--pull=never")),
            ),
            ("pull-not-never", "--pull \\", "--pull", None),
            (network, "--pod x", "--pod", None),
            ("plus-command", "ExecStart=podman run x", "run", None),
        ] {
            let column = line.find(word).expect("is there") + 1;
            let finding = Finding {
                rule: rules::find(id).expect("is there"),
                unit: "web.service".parse().expect("valid"),
                span: Some(Span {
                    origin: Origin {
                        file: "/x".into(),
                        line: 3,
                    },
                    column,
                    end_column: column + word.len(),
                    text: line.to_owned(),
                }),
                message: String::new(),
                fix: String::new(),
                settings: Vec::new(),
                ignored: None,
            };
            let found = edit(&finding);
            let found = found.as_ref().map(|e| (e.old.as_str(), e.new.as_str()));
            assert_eq!(found, expected, "{line}");
        }
    }
}
