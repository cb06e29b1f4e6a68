//! What the service's processes may gain or are handed.

use crate::audit::Severity::{Error, Warning};
use crate::audit::command::{Command, Program};
use crate::audit::place::Place;
use crate::audit::rule::{Check, Example, Fault, Rule, when};
use crate::audit::subject::Container;
use crate::podman::invocation::Verb;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "no-new-privileges",
        severity: Error,
        title: "set-user-ID programs still gain privileges",
        why: "Without no_new_privs a process of the service can start a set-user-ID program and leave the restrictions of the unit through it.",
        fix: "set NoNewPrivileges=yes",
        references: &["systemd.exec(5)", "PR_SET_NO_NEW_PRIVS(2const)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nNoNewPrivileges=no\nRestrictAddressFamilies=\nSystemCallArchitectures=\nSystemCallFilter=\n",
        },
        good: Example {
            unit: "web.service",
            lines: "[Service]\nNoNewPrivileges=yes\n",
        },
        check: Check::Container(no_new_privileges),
    },
    Rule {
        id: "plus-command",
        severity: Error,
        title: "a command outside the seal",
        why: "A command behind + is started without the unit's seccomp filters and NoNewPrivileges=, so it can do all that the seal is to prevent. Only making the pause process needs that.",
        fix: "remove the +, or start the command from a unit of its own",
        references: &["systemd.service(5)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nExecStartPost=+/usr/bin/curl https://example.com/started\n",
        },
        good: Example {
            unit: "web.service",
            lines: "[Service]\nExecStartPre=+/usr/bin/podman unshare /bin/true\n",
        },
        check: Check::Container(plus_command),
    },
    Rule {
        id: "open-file",
        severity: Warning,
        title: "files that systemd opens for the service",
        why: "OpenFile= hands over a file descriptor that the manager opened outside the seal. It may be a socket: a path of a UNIX socket is connected.",
        fix: "mount the file into the container instead, and remove OpenFile=",
        references: &["systemd.service(5)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nOpenFile=/run/user/1000/bus:bus\n",
        },
        good: Example {
            unit: "web.service",
            lines: "[Service]\nOpenFile=\n",
        },
        check: Check::Container(open_file),
    },
    Rule {
        id: "fd-store",
        severity: Warning,
        title: "a file descriptor store",
        why: "What a process of the service puts into the store is handed to the next start, and so outlives a restart: a socket that was turned outward stays.",
        fix: "remove FileDescriptorStoreMax=",
        references: &["systemd.service(5)", "sd_pid_notify_with_fds(3)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nFileDescriptorStoreMax=8\n",
        },
        good: Example {
            unit: "web.service",
            lines: "[Service]\nFileDescriptorStoreMax=0\n",
        },
        check: Check::Container(fd_store),
    },
];

fn no_new_privileges(container: &Container<'_>) -> Vec<Fault> {
    when(!container.service.sandbox.no_new_privileges, || {
        Fault::at(
            container.setting("NoNewPrivileges"),
            "what this starts can gain privileges",
        )
        .set("Service", "NoNewPrivileges", "yes")
    })
}

fn plus_command(container: &Container<'_>) -> Vec<Fault> {
    let outside = container.subject.commands().iter().filter(|c| c.is_outside);
    outside
        .filter(|command| !is_pause_command(command))
        .map(|command| {
            let message = format!("{}= runs this outside the seal", command.key);
            Fault::at(Place::word(&command.origin, &command.path), message)
        })
        .collect()
}

/// `podseal pause ensure`, or a `podman unshare` of nothing but `true`.
fn is_pause_command(command: &Command) -> bool {
    match &command.program {
        Program::PauseEnsure { .. } => true,
        Program::Podman(podman) if podman.verb == Verb::Unshare => {
            let words: Vec<&str> = podman.operands.iter().map(|w| &*w.text).collect();
            matches!(words[..], ["true" | "/bin/true" | "/usr/bin/true"])
        }
        _ => false,
    }
}

fn open_file(container: &Container<'_>) -> Vec<Fault> {
    let lines = container.lines("OpenFile").into_iter();
    lines
        .map(|line| {
            let place = Place::whole(&line.origin);
            Fault::at(
                place,
                "the service is handed a file opened outside the seal",
            )
        })
        .collect()
}

fn fd_store(container: &Container<'_>) -> Vec<Fault> {
    when(container.service.file_descriptor_store_max > 0, || {
        Fault::at(
            container.setting("FileDescriptorStoreMax"),
            "file descriptors of the service outlive its restart",
        )
    })
}
