//! Commands of which podseal cannot tell what they start, or that start it
//! elsewhere.

use super::container::{at, at_word};
use crate::audit::Severity::{Error, Note, Warning};
use crate::audit::command::Program;
use crate::audit::place::Place;
use crate::audit::rule::{Check, Example, Fault, Rule, when};
use crate::audit::subject::{Container, Set, Subject};
use crate::podman::invocation::Verb;
use crate::unit::effective::view::View;

const GOOD: Example = Example {
    unit: "web.service",
    lines: "[Service]\nExecStart=/usr/bin/podman run --rm --network=none --pull=never localhost/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "command-unclear",
        severity: Warning,
        title: "podseal cannot tell what is started",
        why: "A shell, a wrapper or a variable stands between the unit and Podman. Whether the container has a network, and what else it is given, is not to be seen in the unit.",
        fix: "write the podman command itself into the unit, with its options as they are",
        references: &["systemd.service(5)", "podman-run(1)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nExecStart=/bin/sh -c 'exec podman run --network=none localhost/web'\n",
        },
        good: GOOD,
        check: Check::Container(unclear),
    },
    Rule {
        id: "no-podman",
        severity: Warning,
        title: "podseal sees no Podman in the service",
        why: "podseal was asked about this service, or a socket starts it, and none of its commands is Podman's. A script that starts Podman looks the same. Nothing of the service was checked.",
        fix: "write the podman command itself into the unit; a service without Podman is not podseal's",
        references: &["systemd.service(5)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nExecStartPre=\nExecStart=/usr/local/bin/start-web\n",
        },
        good: GOOD,
        check: Check::Unit(no_podman),
    },
    Rule {
        id: "container-made-elsewhere",
        severity: Warning,
        title: "a container that was made elsewhere",
        why: "podman start starts a container with the network, image and options that it was made with. The unit does not tell them, and they may have changed since somebody looked.",
        fix: "start it with podman run, as a .container file or `podman generate systemd --new` does",
        references: &["podman-start(1)", "podman-systemd.unit(5)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nExecStart=/usr/bin/podman start --attach web\n",
        },
        good: GOOD,
        check: Check::Container(made_elsewhere),
    },
    Rule {
        id: "kube-play",
        severity: Warning,
        title: "containers of a Kubernetes file",
        why: "What podman kube play starts is in another file: images, pull policy, host namespaces, mounts, health checks. It starts a service container besides, and activated sockets do not reach the containers of the pod.",
        fix: "write a .container file for each container",
        references: &["podman-kube-play(1)", "podman-systemd.unit(5)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nExecStart=/usr/bin/podman kube play --network=none /srv/web.yaml\n",
        },
        good: GOOD,
        check: Check::Container(kube_play),
    },
    Rule {
        id: "podman-remote",
        severity: Error,
        title: "another process starts the container",
        why: "With --remote, --connection or --url Podman only asks a Podman service, which is no part of this unit and not under its seal. The same holds for CONTAINER_HOST.",
        fix: "let Podman start the container itself",
        references: &["podman(1)", "podman-system-service(1)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nEnvironment=CONTAINER_HOST=unix:///run/user/1000/podman/podman.sock\n",
        },
        good: Example {
            unit: "web.service",
            lines: "[Service]\nEnvironment=PODMAN_SYSTEMD_UNIT=%n\n",
        },
        check: Check::Container(remote),
    },
    Rule {
        id: "environment-not-seen",
        severity: Note,
        title: "variables that podseal does not see",
        why: "CONTAINER_HOST, CONTAINERS_CONF and the like decide what Podman does as much as its options. podseal does not read files of variables, those of the manager, or another configuration of Podman's.",
        fix: "see to it that none of them changes what Podman does, or set the variables by Environment=",
        references: &["systemd.exec(5)", "podman(1)", "containers.conf(5)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nEnvironmentFile=/etc/web.env\n",
        },
        good: Example {
            unit: "web.service",
            lines: "[Service]\nEnvironment=PODMAN_SYSTEMD_UNIT=%n\n",
        },
        check: Check::Container(environment),
    },
    Rule {
        id: "preserve-fds",
        severity: Warning,
        title: "more file descriptors are handed to the container",
        why: "Podman passes the activated sockets on by itself. --preserve-fds passes on further descriptors, which may be sockets that nobody looked at.",
        fix: "remove the option",
        references: &["podman-run(1)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nExecStart=/usr/bin/podman run --rm --network=none --pull=never --preserve-fds=2 localhost/web\n",
        },
        good: GOOD,
        check: Check::Container(preserve_fds),
    },
    Rule {
        id: "environment-host",
        severity: Warning,
        title: "the container gets Podman's environment",
        why: "Podman's environment has the paths of the user's D-Bus, agents and notification socket, and whatever secrets the manager was given.",
        fix: "name the variables that are needed: --env=NAME=VALUE",
        references: &["podman-run(1)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nExecStart=/usr/bin/podman run --rm --network=none --pull=never --env-host localhost/web\n",
        },
        good: GOOD,
        check: Check::Container(environment_host),
    },
];

fn unclear(container: &Container<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for command in container.subject.commands() {
        let place = Place::word(&command.origin, &command.path);
        match &command.program {
            Program::Unclear { why } => faults.push(Fault::at(place, why.clone())),
            Program::Podman(podman) => {
                if let Some((word, why)) = &podman.unclear {
                    faults.push(Fault::at(at_word(word), why.clone()));
                } else if podman.verb == Verb::Unknown {
                    let message = match &podman.verb_word {
                        Some(word) => {
                            format!("podseal does not know what podman {} does", word.text)
                        }
                        None => "podman is started without a command".to_owned(),
                    };
                    let place = podman.verb_word.as_ref().map_or(place, at_word);
                    faults.push(Fault::at(place, message));
                }
            }
            Program::PauseEnsure { .. } | Program::Other => {}
        }
    }
    faults
}

fn no_podman(_: &Set, subject: &Subject) -> Vec<Fault> {
    let View::Service(service) = subject.view() else {
        return Vec::new();
    };
    let is_known = subject.starts_container() || subject.keeps_pause_process();
    when(subject.is_named() && service.loads && !is_known, || {
        let command = subject.commands().iter().find(|c| c.key == "ExecStart");
        let place = command.or(subject.commands().first());
        let place = place.map(|command| Place::word(&command.origin, &command.path));
        Fault::at(
            place,
            "nothing here starts Podman, as far as podseal can see",
        )
    })
}

fn of_verb(container: &Container<'_>, verb: Verb, message: &str) -> Vec<Fault> {
    let found = container.invocations().filter(|podman| podman.verb == verb);
    found
        .map(|podman| Fault::at(podman.verb_word.as_ref().map(at_word), message))
        .collect()
}

fn made_elsewhere(container: &Container<'_>) -> Vec<Fault> {
    let message = "the container's options are not in this unit";
    of_verb(container, Verb::Start, message)
}

fn kube_play(container: &Container<'_>) -> Vec<Fault> {
    let message = "what this starts is in another file";
    of_verb(container, Verb::KubePlay, message)
}

fn remote(container: &Container<'_>) -> Vec<Fault> {
    const OPTIONS: &[&str] = &["connection", "context", "host", "url"];
    const VARIABLES: &[&str] = &["CONTAINER_CONNECTION", "CONTAINER_HOST", "DOCKER_HOST"];
    let message = "a Podman service starts the container, outside the seal";
    let mut faults = Vec::new();
    for podman in container.invocations() {
        let valued = OPTIONS.iter().flat_map(|name| podman.all(name));
        let option = podman.flag("remote").into_iter().chain(valued).next();
        faults.extend(option.map(|option| Fault::at(at(option), message)));
    }
    for name in VARIABLES {
        if container.service.environment.contains_key(*name) {
            faults.push(Fault::at(variable(container, name), message));
        }
    }
    faults
}

fn environment(container: &Container<'_>) -> Vec<Fault> {
    const VARIABLES: &[&str] = &["CONTAINERS_CONF", "CONTAINERS_CONF_OVERRIDE"];
    let message = "this may change what Podman does";
    let keys = ["EnvironmentFile", "PassEnvironment"];
    let lines = keys.iter().flat_map(|key| container.lines(key));
    let lines = lines.map(|line| Fault::at(Place::whole(&line.origin), message));
    let variables = &container.service.environment;
    let set = VARIABLES
        .iter()
        .filter(|name| variables.contains_key(**name));
    let set = set.map(|name| Fault::at(variable(container, name), message));
    lines.chain(set).collect()
}

/// Where a variable of `Environment=` is set.
pub(super) fn variable(container: &Container<'_>, name: &str) -> Option<Place> {
    let lines = container.lines("Environment");
    let line = lines.iter().rfind(|line| line.value.contains(name))?;
    Some(Place::word(&line.origin, name))
}

fn preserve_fds(container: &Container<'_>) -> Vec<Fault> {
    let runs = container.runs();
    let options =
        runs.flat_map(|podman| podman.all("preserve-fds").chain(podman.all("preserve-fd")));
    options
        .filter(|option| option.value.as_deref() != Some("0"))
        .map(|option| {
            Fault::at(
                at(option),
                "descriptors beyond the activated sockets are passed on",
            )
        })
        .collect()
}

fn environment_host(container: &Container<'_>) -> Vec<Fault> {
    let flags = container
        .runs()
        .filter_map(|podman| podman.flag("env-host"));
    flags
        .map(|flag| Fault::at(at(flag), "all variables of Podman's are passed on"))
        .collect()
}
