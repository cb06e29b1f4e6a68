//! Level strict's options of podman-run(1), and what of somebody's own options
//! contradicts them.

use super::invocation::{CommandOption, Invocation, Word};
use crate::policy::mechanism::{self, Mechanism};

const NO_NEW_PRIVILEGES: &str = "--security-opt=no-new-privileges";
const PROFILE: &str = "--security-opt=seccomp=";

/// The options that give a container what of `mechanisms` is the container's,
/// with the seccomp profile at `profile`. They come right behind `podman run`.
#[must_use]
pub fn options(mechanisms: &[&'static Mechanism], profile: &str) -> Vec<String> {
    let has = |mechanism| mechanisms.contains(&mechanism);
    let mut options = Vec::new();
    if has(&mechanism::NO_CAPABILITIES) {
        options.push("--cap-drop=all".to_owned());
    }
    options.push(NO_NEW_PRIVILEGES.to_owned());
    if has(&mechanism::READ_ONLY) {
        options.push("--read-only".to_owned());
    }
    options.push(format!("{PROFILE}{profile}"));
    options
}

/// Whose command a contradiction is looked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// As a user wrote it, before [`options`] are put in.
    Written,
    /// As it is started, with them.
    Started,
}

/// Something that contradicts level strict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction<P> {
    /// Stable kebab-case name.
    pub id: &'static str,
    /// The word that has it, if there is one.
    pub word: Option<Word<P>>,
    /// What was found, a lowercase fragment.
    pub message: String,
    /// What to do about it.
    pub fix: &'static str,
    /// The image, where it is that which is not pinned.
    pub image: Option<String>,
}

/// An option that contradicts the level.
struct Row {
    name: &'static str,
    applies: fn(&str, Stage) -> bool,
    why: &'static str,
    fix: &'static str,
}

const ROWS: &[Row] = &[
    Row {
        name: "privileged",
        applies: |value, _| !is_false(value),
        why: "it gives the container all capabilities and no seccomp profile",
        fix: "remove it, or take --level=standard",
    },
    Row {
        name: "cap-add",
        applies: |_, _| true,
        why: "the level leaves no capabilities",
        fix: "remove it, or take --level=standard",
    },
    Row {
        name: "read-only",
        applies: |value, _| is_false(value),
        why: "the level has a read-only root",
        fix: "remove it and give what is written a volume or --tmpfs, or take --level=standard",
    },
    // The last profile counts, and podseal's comes first.
    Row {
        name: "security-opt",
        applies: |value, stage| stage == Stage::Written && value.starts_with("seccomp"),
        why: "the level brings its own seccomp profile",
        fix: "remove it, or take --level=standard",
    },
    Row {
        name: "security-opt",
        applies: |value, _| {
            value
                .strip_prefix("no-new-privileges")
                .is_some_and(|rest| rest.strip_prefix([':', '=']).is_some_and(is_false))
        },
        why: "the level lets nothing gain privileges",
        fix: "remove it, or take --level=standard",
    },
    // With "image" a label of the image is the profile.
    Row {
        name: "seccomp-policy",
        applies: |_, _| true,
        why: "it can put another seccomp profile in the place of the level's",
        fix: "remove it, or take --level=standard",
    },
    // run.oci.seccomp_bpf_data and others of crun(1).
    Row {
        name: "annotation",
        applies: |value, _| value.starts_with("run.oci."),
        why: "such annotations change what the OCI runtime does, the seccomp profile included",
        fix: "remove it, or take --level=standard",
    },
    Row {
        name: "rootfs",
        applies: |value, _| !is_false(value),
        why: "a directory cannot be pinned by digest",
        fix: "make an image of it (podman-import(1)), or take --level=standard",
    },
];

/// As Go's `strconv.ParseBool` has it; an option without a value is on.
fn is_false(value: &str) -> bool {
    matches!(value, "false" | "False" | "FALSE" | "f" | "F" | "0")
}

/// What contradicts the level in a `podman run`.
#[must_use]
pub fn contradictions<P: Clone>(invocation: &Invocation<P>, stage: Stage) -> Vec<Contradiction<P>> {
    let mut found: Vec<Contradiction<P>> = invocation
        .options
        .iter()
        .flat_map(|option| {
            let rows = ROWS
                .iter()
                .filter(move |row| row.contradicts(option, stage));
            rows.map(move |row| Contradiction {
                id: "not-strict",
                word: Some(option.word.clone()),
                message: format!("--{}: {}", option.name, row.why),
                fix: row.fix,
                image: None,
            })
        })
        .collect();
    found.extend(not_pinned(invocation));
    found
}

impl Row {
    fn contradicts<P>(&self, option: &CommandOption<P>, stage: Stage) -> bool {
        // What is known only when the command is started may be anything.
        let value = option.value.as_deref().unwrap_or_default();
        option.name == self.name && (option.is_open || (self.applies)(value, stage))
    }
}

fn not_pinned<P: Clone>(invocation: &Invocation<P>) -> Option<Contradiction<P>> {
    let word = invocation.image();
    if word.is_some_and(|word| !word.is_open && is_pinned(&word.text)) {
        return None;
    }
    let image = word.filter(|word| !word.is_open);
    Some(Contradiction {
        id: "image-not-pinned",
        word: word.cloned(),
        message: match word {
            Some(word) => format!("the image {} is not named by digest", word.text),
            None => "no image is named".to_owned(),
        },
        fix: "name the image as NAME@sha256:DIGEST, with what `podman image inspect --format '{{.Digest}}' NAME` says",
        image: image.map(|word| word.text.to_string()),
    })
}

/// Whether an image is named by digest.
#[must_use]
pub fn is_pinned(image: &str) -> bool {
    image.rsplit_once("@sha256:").is_some_and(|(name, digest)| {
        !name.is_empty()
            && digest.len() == 64
            && digest
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// An image by digest, such as `sha256:…`: without a tag, which Podman takes no
/// notice of then, or refuses.
#[must_use]
pub fn pinned(image: &str, digest: &str) -> String {
    let name = image.split('@').next().unwrap_or(image);
    // A colon before a slash is that of a registry's port.
    let name = match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    };
    format!("{name}@{digest}")
}

/// What a `podman run` lacks of the level, if anything: it is about to be
/// started.
#[must_use]
pub fn lacks<P: Clone>(
    invocation: &Invocation<P>,
    mechanisms: &[&'static Mechanism],
) -> Option<String> {
    if let Some((_, why)) = &invocation.unclear {
        return Some(why.clone());
    }
    if let Some(found) = contradictions(invocation, Stage::Started).first() {
        return Some(found.message.clone());
    }
    let values = |name| invocation.all(name).filter_map(|o| o.value.as_deref());
    let wanted = [
        (
            profile(invocation).is_some(),
            &mechanism::FEWER_CALLS,
            "one --security-opt=seccomp=/PROFILE",
        ),
        (
            values("security-opt").any(|value| value == "no-new-privileges"),
            &mechanism::NO_CAPABILITIES,
            NO_NEW_PRIVILEGES,
        ),
        (
            values("cap-drop").any(|value| value.eq_ignore_ascii_case("all")),
            &mechanism::NO_CAPABILITIES,
            "--cap-drop=all",
        ),
        (
            invocation.flag("read-only").is_some(),
            &mechanism::READ_ONLY,
            "--read-only",
        ),
    ];
    let mut lacking = wanted
        .into_iter()
        .filter(|(is_there, mechanism, _)| !is_there && mechanisms.contains(mechanism));
    let (_, _, option) = lacking.next()?;
    Some(format!("it has no {option}"))
}

/// The path of the container's seccomp profile, where it has exactly one.
#[must_use]
pub fn profile<P: Clone>(invocation: &Invocation<P>) -> Option<&str> {
    let values = invocation.all("security-opt");
    let mut profiles = values
        .filter_map(|option| option.value.as_deref())
        .filter(|value| value.starts_with("seccomp"));
    let path = profiles.next()?.strip_prefix("seccomp=")?;
    (path.starts_with('/') && profiles.next().is_none()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::level::Level;
    use crate::policy::seal::Seal;

    const IMAGE: &str = "x@sha256:458c97e0eeb0ebf72181a074ef479436f07ee48a1b833cdcff30a4f12785727e";

    fn parse(words: &str) -> Invocation<()> {
        let words = words.split_whitespace().map(|word| Word {
            text: word.into(),
            is_open: word.contains('$'),
            place: (),
        });
        Invocation::parse(&words.collect::<Vec<_>>())
    }

    fn mechanisms() -> Vec<&'static Mechanism> {
        let seal = Seal {
            level: Level::Strict,
            ..Seal::default()
        };
        seal.mechanisms()
    }

    #[test]
    fn what_contradicts_the_level_is_found() {
        for (options, is_fine) in [
            ("", true),
            ("--cap-drop=NET_RAW --read-only --tmpfs=/x", true),
            ("--security-opt=label=disable", true),
            ("--security-opt=no-new-privileges", true),
            ("--security-opt=no-new-privileges:true", true),
            ("--privileged=false", true),
            ("--read-only-tmpfs=false", true),
            ("--annotation=a=b", true),
            ("--privileged", false),
            ("--privileged=1", false),
            ("--cap-add=NET_RAW", false),
            ("--cap-add NET_RAW", false),
            ("--read-only=false", false),
            ("--security-opt=seccomp=unconfined", false),
            ("--security-opt seccomp=/p.json", false),
            ("--security-opt=no-new-privileges:false", false),
            ("--security-opt=no-new-privileges=false", false),
            ("--security-opt=${OPTION}", false),
            ("--seccomp-policy=image", false),
            ("--annotation=run.oci.seccomp_bpf_data=x", false),
            ("--rootfs", false),
        ] {
            let invocation = parse(&format!("run --network=none {options} {IMAGE}"));
            let found = contradictions(&invocation, Stage::Written);
            assert_eq!(found.is_empty(), is_fine, "{options}: {found:?}");
            assert!(found.iter().all(|f| f.id == "not-strict"), "{found:?}");
        }
    }

    #[test]
    fn only_a_digest_pins_an_image() {
        for (image, is_fine) in [
            (IMAGE, true),
            ("x", false),
            ("x:1", false),
            ("x@sha256:00", false),
            ("${IMAGE}", false),
            (
                "@sha256:458c97e0eeb0ebf72181a074ef479436f07ee48a1b833cdcff30a4f12785727e",
                false,
            ),
        ] {
            let found = contradictions(&parse(&format!("run {image}")), Stage::Written);
            assert_eq!(found.is_empty(), is_fine, "{image}");
        }
        for (image, expected) in [
            ("localhost/x", "localhost/x@sha256:1"),
            ("localhost/x:1", "localhost/x@sha256:1"),
            ("registry:5000/x", "registry:5000/x@sha256:1"),
            ("registry:5000/x:1@sha256:2", "registry:5000/x@sha256:1"),
        ] {
            assert_eq!(pinned(image, "sha256:1"), expected);
        }
    }

    #[test]
    fn a_command_with_the_options_lacks_nothing() {
        let mechanisms = mechanisms();
        let options = options(&mechanisms, "/p.json");
        let whole = format!(
            "--log-level=info container run {} --rm {IMAGE}",
            options.join(" ")
        );
        assert_eq!(lacks(&parse(&whole), &mechanisms), None);
        for option in &options {
            let less = parse(&whole.replace(option, ""));
            let lacking = lacks(&less, &mechanisms).expect("lacks it");
            assert!(lacking.starts_with("it has no "), "{lacking}");
        }
        for more in [
            "--security-opt=seccomp=unconfined",
            "--read-only=false",
            "$OPTIONS",
        ] {
            let undone = parse(&whole.replace("--rm", more));
            assert!(lacks(&undone, &mechanisms).is_some(), "{more}");
        }
    }
}
