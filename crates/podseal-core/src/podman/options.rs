//! Options of podman-run(1) that would undo the seal or contradict podseal.

/// One option that is refused.
struct Row {
    long: &'static [&'static str],
    short: Option<char>,
    why: &'static str,
}

const REFUSED: &[Row] = &[
    Row {
        long: &["network", "net"],
        short: None,
        why: "a sealed container has no network; it is reached through --listen",
    },
    Row {
        long: &["publish"],
        short: Some('p'),
        why: "a sealed container has no network to publish a port of; use --listen",
    },
    Row {
        long: &["publish-all"],
        short: Some('P'),
        why: "a sealed container has no network to publish a port of; use --listen",
    },
    Row {
        long: &["pod", "pod-id-file"],
        short: None,
        why: "in a pod it would share the pod's network",
    },
    Row {
        long: &["preserve-fds", "preserve-fd"],
        short: None,
        why: "it hands over descriptors that podseal does not know; use --listen",
    },
    Row {
        long: &["pull"],
        short: None,
        why: "give --pull to podseal, before the --",
    },
    Row {
        long: &["name"],
        short: None,
        why: "give --name to podseal, before the --",
    },
    Row {
        long: &["sdnotify"],
        short: None,
        why: "podseal waits for readiness itself; see --notify",
    },
    Row {
        long: &["detach"],
        short: Some('d'),
        why: "podseal supervises the container in the background and shows its output",
    },
    Row {
        long: &["interactive"],
        short: Some('i'),
        why: "a service has no terminal",
    },
    Row {
        long: &["tty"],
        short: Some('t'),
        why: "a service has no terminal",
    },
    Row {
        long: &["attach"],
        short: Some('a'),
        why: "podseal shows the container's output itself",
    },
    Row {
        long: &["rm", "replace", "cidfile", "cgroups", "log-driver"],
        short: None,
        why: "podseal sets it",
    },
    Row {
        long: &["help"],
        short: Some('h'),
        why: "see podman-run(1)",
    },
];

/// Why an option of the user's is not passed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefusedOption {
    /// It would undo the seal or contradict podseal.
    #[error("the Podman option {option} cannot be used here: {why}")]
    Conflicts {
        /// As given.
        option: String,
        /// What to do instead.
        why: &'static str,
    },
    /// It is no option, so Podman would take it for the image.
    #[error("\"{word}\" is not a Podman option")]
    NotAnOption {
        /// As given.
        word: String,
    },
}

impl RefusedOption {
    /// What to write instead.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Conflicts { .. } => None,
            Self::NotAnOption { .. } => Some(
                "write an option's value behind an equals sign (--env=A=1), \
                 and arguments for the container after a second --",
            ),
        }
    }
}

/// Checks the options a user wants passed to `podman run`.
///
/// # Errors
/// The first that cannot be passed on.
pub fn check_options(options: &[String]) -> Result<(), RefusedOption> {
    for option in options {
        let conflict = if let Some(long) = option.strip_prefix("--") {
            let name = long.split('=').next().unwrap_or_default();
            if name.is_empty() {
                return Err(not_an_option(option));
            }
            REFUSED.iter().find(|row| row.long.contains(&name))
        } else if let Some(cluster) = option.strip_prefix('-').filter(|c| !c.is_empty()) {
            cluster
                .chars()
                // Flags may be joined; what follows any other letter is its value.
                .scan(true, |more, letter| {
                    let seen = *more;
                    *more = matches!(letter, 'd' | 'i' | 't' | 'P' | 'q');
                    seen.then_some(letter)
                })
                .find_map(|letter| REFUSED.iter().find(|row| row.short == Some(letter)))
        } else {
            return Err(not_an_option(option));
        };
        if let Some(row) = conflict {
            return Err(RefusedOption::Conflicts {
                option: option.clone(),
                why: row.why,
            });
        }
    }
    Ok(())
}

fn not_an_option(word: &str) -> RefusedOption {
    RefusedOption::NotAnOption {
        word: word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_undo_the_seal_is_refused() {
        for option in [
            "--network=host",
            "--net=host",
            "-p8080:80",
            "-p",
            "-P",
            "--publish=80",
            "--pull=always",
            "-d",
            "-it",
            "-qP",
            "-ti",
            "--pod=x",
            "--preserve-fds=3",
            "--sdnotify=ignore",
            "--name=x",
            "--rm=false",
            "--cidfile=/x",
            "--log-driver=none",
            "-h",
            "value",
            "",
            "-",
            "--",
            "--=x",
        ] {
            assert!(check_options(&[option.to_owned()]).is_err(), "{option}");
        }
    }

    #[test]
    fn other_options_pass() {
        let options: Vec<String> = [
            "--env=A=1",
            "-eA=d",
            "--volume=/a:/b:ro",
            "-v/p:/i",
            "--read-only",
            "--cap-drop=all",
            "-q",
            "--user=1000",
            "-w/dir",
            "--memory=64m",
            "--network-alias=x",
        ]
        .map(str::to_owned)
        .into();
        assert_eq!(check_options(&options), Ok(()));
    }
}
