//! Health checks: commands that Podman has a timer of systemd's run in a
//! container. They are no descendants of the service, and so not under its seal;
//! what is in the container can hand them its sockets over a UNIX socket, and
//! be the very program that they run.

use super::invocation::{CommandOption, Invocation};

/// Switches off the check that an image brings.
pub const OFF: &str = "--no-healthcheck";

/// Who has a container checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthCheck<'a, P> {
    /// Nobody.
    Off,
    /// The image, if it says how.
    OfImage,
    /// This option.
    Own(&'a CommandOption<P>),
}

/// Who has the container of a `podman run` checked.
#[must_use]
pub fn check<P: Clone>(invocation: &Invocation<P>) -> HealthCheck<'_, P> {
    if invocation.flag("no-healthcheck").is_some() {
        return HealthCheck::Off;
    }
    // Of options that are given twice Podman takes the last.
    let last = |name| invocation.all(name).next_back();
    let is_command =
        |option: &&CommandOption<P>| !matches!(option.value.as_deref(), None | Some("" | "none"));
    let is_healthy = |option: &&CommandOption<P>| option.value.as_deref() == Some("healthy");
    let own = last("health-cmd")
        .filter(is_command)
        .or_else(|| last("health-startup-cmd").filter(is_command))
        .or_else(|| last("sdnotify").filter(is_healthy));
    match own {
        Some(option) => HealthCheck::Own(option),
        None if last("health-cmd").is_some_and(|o| o.value.as_deref() == Some("none")) => {
            HealthCheck::Off
        }
        None => HealthCheck::OfImage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::podman::invocation::Word;

    #[test]
    fn who_checks() {
        for (options, expected) in [
            ("", None),
            ("--health-interval=1s", None),
            ("--health-cmd=", None),
            ("--no-healthcheck", Some("")),
            ("--no-healthcheck=false", None),
            ("--health-cmd=none", Some("")),
            ("--health-cmd=/check --health-cmd=none", Some("")),
            ("--healthcheck-command /check", Some("health-cmd")),
            ("--health-cmd=none --health-cmd=/check", Some("health-cmd")),
            (
                "--health-cmd=none --health-startup-cmd=/check",
                Some("health-startup-cmd"),
            ),
            ("--sdnotify=healthy", Some("sdnotify")),
            ("--sdnotify=conmon", None),
        ] {
            let words = format!("run {options} localhost/web --health-cmd=/of-the-program");
            let invocation = Invocation::parse(&Word::numbered(words.split_whitespace()));
            let found = match check(&invocation) {
                HealthCheck::OfImage => None,
                HealthCheck::Off => Some(""),
                HealthCheck::Own(option) => Some(option.name),
            };
            assert_eq!(found, expected, "{options}");
        }
    }
}
