//! What the container itself is given.

use crate::audit::Severity::{Error, Note, Warning};
use crate::audit::place::Place;
use crate::audit::rule::{Check, Example, Fault, Rule};
use crate::audit::subject::Container;
use crate::podman::invocation::{CommandOption, Invocation, Word};
use crate::unit::effective::Origin;

/// The command of the example, with other options.
macro_rules! run {
    ($options:literal) => {
        Example {
            unit: "web.service",
            lines: concat!(
                "[Service]\nExecStart=/usr/bin/podman run --rm ",
                $options,
                " localhost/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
            ),
        }
    };
}

pub(super) use run;

const GOOD: Example = run!("--network=none --pull=never");

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "network-not-none",
        severity: Error,
        title: "the container has a network",
        why: "With any network but none the container can open connections of its own, and so can whoever takes it over. A container that serves activated sockets needs no network.",
        fix: "use --network=none (Network=none in a .container file)",
        references: &["podman-run(1)"],
        bad: run!("--pull=never"),
        good: GOOD,
        check: Check::Container(network),
    },
    Rule {
        id: "network-options-with-none",
        severity: Warning,
        title: "options for a network that is not there",
        why: "A container without a network has no port to publish and no address to set. Podman ignores some of these options and refuses others; whoever wrote them expects something else than what happens.",
        fix: "remove the option; the service is reached through its socket unit",
        references: &["podman-run(1)", "systemd.socket(5)"],
        bad: run!("--network=none --pull=never --publish=8080:80"),
        good: GOOD,
        check: Check::Container(network_options),
    },
    Rule {
        id: "pull-not-never",
        severity: Warning,
        title: "Podman may ask a registry for the image",
        why: "Under the seal Podman cannot reach a registry: with --pull=always or newer the service does not start, and without --pull it does not once the image is missing. A start that depends on the network is also a way for another image to get in.",
        fix: "use --pull=never (Pull=never in a .container file), and pull the image beforehand",
        references: &["podman-run(1)"],
        bad: run!("--network=none --pull=always"),
        good: GOOD,
        check: Check::Container(pull),
    },
    Rule {
        id: "image-not-pinned",
        severity: Note,
        title: "the image may change under the same name",
        why: "A tag names another image after the next pull. A digest names this one.",
        fix: "append the digest, as in NAME@sha256:…; `podman image inspect --format '{{.Digest}}' NAME` prints it",
        references: &["podman-image-inspect(1)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nExecStart=/usr/bin/podman run --rm --network=none --pull=never localhost/web:latest\n",
        },
        good: GOOD,
        check: Check::Container(image),
    },
    Rule {
        id: "privileged-container",
        severity: Error,
        title: "the container has all privileges of the user",
        why: "--privileged takes away the container's seccomp profile, its masked paths and its limits of capabilities and devices: what is left is the user namespace.",
        fix: "remove --privileged, and give the one device, mount or capability that is needed",
        references: &["podman-run(1)"],
        bad: run!("--network=none --pull=never --privileged"),
        good: GOOD,
        check: Check::Container(privileged),
    },
    Rule {
        id: "unconfined-container",
        severity: Warning,
        title: "a protection of the container is switched off",
        why: "The container's own seccomp profile refuses what the unit's filters do not look at, and SELinux or AppArmor keep it from files and sockets of the user.",
        fix: "remove the --security-opt, or give a profile that allows what is needed",
        references: &["podman-run(1)"],
        bad: run!("--network=none --pull=never --security-opt=seccomp=unconfined"),
        good: run!("--network=none --pull=never --security-opt=no-new-privileges"),
        check: Check::Container(unconfined),
    },
    Rule {
        id: "host-namespace",
        severity: Warning,
        title: "the container shares a namespace with the host",
        why: "In the host's process namespace the container sees the user's other processes and can signal them; in its IPC namespace it shares their memory. Neither is needed to serve a socket.",
        fix: "remove the option",
        references: &["podman-run(1)"],
        bad: run!("--network=none --pull=never --pid=host"),
        good: run!("--network=none --pull=never --pid=private"),
        check: Check::Container(host_namespace),
    },
];

/// Where an option is: its word, or its value in a file that has only that.
pub(super) fn at(option: &CommandOption<Origin>) -> Place {
    let mut place = at_word(&option.word);
    place
        .words
        .extend(option.value.as_deref().map(str::to_owned));
    place
}

pub(super) fn at_word(word: &Word<Origin>) -> Place {
    Place::word(&word.place, &word.text)
}

/// The faults of each command that makes a container.
pub(super) fn each(
    container: &Container<'_>,
    check: impl Fn(&Invocation<Origin>) -> Vec<Fault>,
) -> Vec<Fault> {
    container.runs().flat_map(check).collect()
}

/// The place of the verb, for options that are not there.
fn at_verb(podman: &Invocation<Origin>) -> Option<Place> {
    podman.verb_word.as_ref().map(at_word)
}

fn network(container: &Container<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for podman in container.runs() {
        let mut networks = podman.all("network").peekable();
        if let Some(pod) = podman.all("pod").chain(podman.all("pod-id-file")).next() {
            let fault = Fault::at(at(pod), "the container shares the network of its pod");
            faults.push(fault.fix("run the container without a pod, with --network=none"));
        } else if networks.peek().is_none() {
            let message = "without --network the container gets a network of its own";
            faults.push(Fault::at(at_verb(podman), message));
        }
        for network in networks {
            let value = network.value.as_deref().unwrap_or_default();
            if network.is_open {
                let message = format!("podseal cannot tell which network {value} is");
                faults.push(Fault::at(at(network), message));
            } else if value != "none" {
                let message = format!("the container's network is {value:?}, not none");
                faults.push(Fault::at(at(network), message));
            }
        }
    }
    for podman in container.invocations() {
        if podman.verb == crate::podman::invocation::Verb::KubePlay
            && !podman
                .all("network")
                .any(|n| n.value.as_deref() == Some("none") && !n.is_open)
        {
            let message = "without --network=none the pod gets a network of its own";
            faults.push(Fault::at(at_verb(podman), message));
        }
    }
    faults
}

/// Options that need a network.
const NETWORK_OPTIONS: &[&str] = &[
    "dns",
    "dns-option",
    "dns-search",
    "ip",
    "ip6",
    "mac-address",
    "network-alias",
    "publish",
    "publish-all",
];

fn network_options(container: &Container<'_>) -> Vec<Fault> {
    each(container, |podman| {
        let has_none = podman
            .all("network")
            .any(|network| network.value.as_deref() == Some("none"));
        NETWORK_OPTIONS
            .iter()
            .filter(|_| has_none)
            .flat_map(|name| podman.all(name))
            .map(|option| {
                let message = format!("--{} has no effect without a network", option.name);
                Fault::at(at(option), message)
            })
            .collect()
    })
}

fn pull(container: &Container<'_>) -> Vec<Fault> {
    each(container, |podman| {
        // Podman builds nothing and asks nobody for a root directory.
        if podman.flag("rootfs").is_some() {
            return Vec::new();
        }
        let Some(pull) = podman.all("pull").next_back() else {
            let message = "without --pull=never Podman asks a registry when the image is missing";
            return vec![Fault::at(at_verb(podman), message)];
        };
        let value = pull.value.as_deref().unwrap_or_default();
        let message = match value {
            _ if pull.is_open => format!("podseal cannot tell what --pull={value} is"),
            "never" | "false" => return Vec::new(),
            "missing" | "true" | "ifmissing" | "ifnotpresent" => {
                format!("with --pull={value} Podman asks a registry when the image is missing")
            }
            _ => format!("with --pull={value} Podman asks a registry, and fails under the seal"),
        };
        vec![Fault::at(at(pull), message)]
    })
}

fn image(container: &Container<'_>) -> Vec<Fault> {
    each(container, |podman| {
        let Some(image) = podman.image() else {
            return Vec::new();
        };
        let is_path = podman.flag("rootfs").is_some();
        if is_path || (!image.is_open && is_pinned(&image.text)) {
            return Vec::new();
        }
        let message = if image.is_open {
            format!("podseal cannot tell which image {} is", image.text)
        } else {
            format!("{} is no image by digest", image.text)
        };
        vec![Fault::at(at_word(image), message)]
    })
}

/// `NAME@sha256:DIGEST` or an image's identifier.
fn is_pinned(image: &str) -> bool {
    let digest = match image.rsplit_once("@sha256:") {
        Some((_, digest)) => digest,
        None => image.strip_prefix("sha256:").unwrap_or(image),
    };
    digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit())
}

fn privileged(container: &Container<'_>) -> Vec<Fault> {
    each(container, |podman| {
        let flag = podman.flag("privileged");
        flag.map(|flag| Fault::at(at(flag), "the container is privileged"))
            .into_iter()
            .collect()
    })
}

fn unconfined(container: &Container<'_>) -> Vec<Fault> {
    const OFF: &[(&str, &str)] = &[
        ("seccomp", "unconfined"),
        ("apparmor", "unconfined"),
        ("label", "disable"),
        ("mask", "none"),
        ("unmask", "ALL"),
    ];
    each(container, |podman| {
        let options = podman.all("security-opt").filter_map(|option| {
            let value = option.value.as_deref()?;
            let (key, setting) = value.split_once(['=', ':'])?;
            let is_off = OFF
                .iter()
                .any(|(k, v)| *k == key && v.eq_ignore_ascii_case(setting));
            (option.is_open || is_off).then(|| {
                let message = if option.is_open {
                    format!("podseal cannot tell what {value} switches off")
                } else {
                    format!("{value} switches a protection off")
                };
                Fault::at(at(option), message)
            })
        });
        options.collect()
    })
}

fn host_namespace(container: &Container<'_>) -> Vec<Fault> {
    const SHARED: &[&str] = &["cgroupns", "ipc", "pid", "uts"];
    each(container, |podman| {
        let options = SHARED.iter().flat_map(|name| podman.all(name));
        options
            .filter(|option| {
                let value = option.value.as_deref().unwrap_or_default();
                option.is_open || value == "host" || value.starts_with("ns:")
            })
            .map(|option| {
                let value = option.value.as_deref().unwrap_or_default();
                let message = format!("the container's --{} is {value:?}", option.name);
                Fault::at(at(option), message)
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinned_images() {
        let digest = "0123456789abcdef".repeat(4);
        for image in [
            format!("localhost/web@sha256:{digest}"),
            format!("docker.io/library/web:1.2@sha256:{digest}"),
            digest.clone(),
            format!("sha256:{digest}"),
        ] {
            assert!(is_pinned(&image), "{image}");
        }
        for image in ["web", "web:1.2", "web@sha256:01", "", &digest[1..]] {
            assert!(!is_pinned(image), "{image}");
        }
    }
}
