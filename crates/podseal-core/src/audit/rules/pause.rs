//! Podman's pause process: what keeps the user namespace of a rootless user.

use super::podman::variable;
use crate::audit::Severity::{Note, Warning};
use crate::audit::command::{Command, Program, RUN_AS};
use crate::audit::place::Place;
use crate::audit::rule::{Check, Example, Fault, Rule, when};
use crate::audit::subject::{Container, NEEDS, Set, Subject, depends, makes_pause_process};
use crate::unit::boolean::parse_boolean;
use crate::unit::effective::dependencies::Dependency;
use crate::unit::effective::service::ServiceType;
use crate::unit::effective::view::View;
use crate::unit::name::UnitName;

const WITH_COMMAND: Example = Example {
    unit: "web.service",
    lines: "[Service]\nExecStartPre=+/usr/bin/podseal pause ensure\n",
};
const WITH_UNIT: Example = Example {
    unit: "web.service",
    lines: "[Unit]\nRequires=web.socket podman-pause-process.service\nAfter=web.socket podman-pause-process.service\n[Service]\nExecStartPre=\n",
};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "pause-missing",
        severity: Warning,
        title: "nothing makes Podman's user namespace",
        why: "The seal implies no-new-privileges, and that stops newuidmap, with which rootless Podman makes its user namespace. The service starts as long as another Podman command of the user has made it before: not after a reboot, and not after `podman system migrate`.",
        fix: "run `podseal seal`, or add ExecStartPre=+/usr/bin/podseal pause ensure, or ExecStartPre=+/usr/bin/podman unshare /bin/true",
        references: &["podman(1)", "newuidmap(1)", "systemd.service(5)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nExecStartPre=\n",
        },
        good: WITH_COMMAND,
        check: Check::Container(missing),
    },
    Rule {
        id: "pause-inside-seal",
        severity: Warning,
        title: "the pause process is made under the seal",
        why: "Under no-new-privileges newuidmap does not work, so a command of the sealed service can only find a pause process, and not make one.",
        fix: "put a + before the command",
        references: &["systemd.service(5)", "newuidmap(1)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nExecStartPre=/usr/bin/podman unshare /bin/true\n",
        },
        good: WITH_COMMAND,
        check: Check::Container(inside),
    },
    Rule {
        id: "pause-order",
        severity: Warning,
        title: "the service does not wait for its pause process",
        why: "Requires=, BindsTo= and Wants= start the other unit, but not before this one: that is what After= does. At boot it is then a matter of luck which comes first.",
        fix: "add After= with the unit that makes the pause process",
        references: &["systemd.unit(5)"],
        bad: Example {
            unit: "web.service",
            lines: "[Unit]\nRequires=web.socket podman-pause-process.service\nAfter=web.socket\n[Service]\nExecStartPre=\n",
        },
        good: WITH_UNIT,
        check: Check::Container(order),
    },
    Rule {
        id: "pause-not-noticed",
        severity: Note,
        title: "the end of the pause process goes unnoticed",
        why: "A oneshot unit with RemainAfterExit=yes stays active when the pause process that it made ends, as after `podman system migrate`. BindsTo= does not help, and the next start of the service fails.",
        fix: "add ExecStartPre=+/usr/bin/podseal pause ensure to the service: it looks at every start",
        references: &["systemd.service(5)", "podman-system-migrate(1)"],
        bad: WITH_UNIT,
        good: WITH_COMMAND,
        check: Check::Container(not_noticed),
    },
    Rule {
        id: "bind-to-spelling",
        severity: Note,
        title: "BindTo= is an old spelling",
        why: "systemd still reads BindTo= as BindsTo=, but documents only the latter.",
        fix: "write BindsTo=",
        references: &["systemd.unit(5)"],
        bad: Example {
            unit: "web.service",
            lines: "[Unit]\nBindTo=web.socket\n",
        },
        good: Example {
            unit: "web.service",
            lines: "[Unit]\nBindsTo=web.socket\n",
        },
        check: Check::Unit(bind_to),
    },
    Rule {
        id: "no-pause-process",
        severity: Warning,
        title: "Podman is told to keep no pause process",
        why: "With PODMAN_NO_PAUSE_PROCESS set, Podman 6 keeps no process that holds its user namespace, and each command has to make it anew: a sealed one cannot.",
        fix: "remove the variable",
        references: &["podman(1)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nEnvironment=PODMAN_NO_PAUSE_PROCESS=1\n",
        },
        good: Example {
            unit: "web.service",
            lines: "[Service]\nEnvironment=PODMAN_SYSTEMD_UNIT=%n\n",
        },
        check: Check::Container(no_pause_process),
    },
];

/// Names under which the unit of the recipe is known, for when its file was not
/// among those that were looked at.
const KNOWN: &[&str] = &[
    "podman-pause-process.service",
    "podman-usernamespace.service",
];

fn is_keeper(set: &Set, name: &UnitName) -> bool {
    match set.get(name) {
        Some(subject) => subject.keeps_pause_process(),
        None => KNOWN.contains(&name.as_str()) && !set.is_absent(name),
    }
}

/// The dependencies that have a pause process made.
fn keepers<'a>(container: &Container<'a>) -> Vec<&'a Dependency> {
    let keys = NEEDS.iter().chain(&["Wants"]);
    let service = container.service;
    keys.flat_map(|key| service.dependencies.of(key))
        .filter(|dependency| is_keeper(container.set, &dependency.unit))
        .filter(|dependency| is_of_same_user(container, &dependency.unit))
        .collect()
}

/// Whether another unit's Podman is that of the same user. What was not looked
/// at is believed to be.
fn is_of_same_user(container: &Container<'_>, other: &UnitName) -> bool {
    match container.set.get(other).map(Subject::view) {
        Some(View::Service(other)) => other.run_as() == container.service.run_as(),
        _ => true,
    }
}

/// Whether each start of the service sees to it.
fn is_made(container: &Container<'_>) -> bool {
    has_command(container) || has_launcher(container)
}

/// Whether the launcher has it made, by the user's manager, before anything in
/// the service needs it.
pub(super) fn has_launcher(container: &Container<'_>) -> bool {
    let commands = container.subject.commands();
    let of = |keys: &'static [&str]| commands.iter().filter(|c| keys.contains(&c.key));
    let needs = |command: &Command| {
        let is_podman = matches!(
            command.program,
            Program::Podman(_) | Program::Unclear { .. }
        );
        is_podman && !command.is_outside
    };
    container.service.run_as().is_none()
        && of(&["ExecStart"]).count() > 0
        && of(&["ExecStart"]).all(|command| command.makes_pause)
        && !of(&["ExecCondition", "ExecStartPre"]).any(needs)
}

fn has_command(container: &Container<'_>) -> bool {
    let commands = container.subject.commands().iter();
    let wanted = container.service.run_as();
    commands
        .filter(|command| matches!(command.key, "ExecCondition" | "ExecStartPre"))
        .filter(|command| command.is_outside)
        .any(|command| match (&command.program, wanted) {
            // Outside the seal of a system service is as root.
            (Program::PauseEnsure { run_as }, wanted) => run_as.as_deref() == wanted,
            (_, Some(_)) => false,
            (_, None) => makes_pause_process(command),
        })
}

fn missing(container: &Container<'_>) -> Vec<Fault> {
    // Also where nothing is sealed yet: the seal would break the service.
    let is_provided = is_made(container) || !keepers(container).is_empty();
    when(container.service.is_rootless() && !is_provided, || {
        let message = "nothing makes sure that rootless Podman's user namespace exists before";
        let fault = Fault::at(container.start(), message);
        match container.service.run_as() {
            Some(user) => {
                let command = format!("+/usr/bin/podseal pause ensure {RUN_AS}={user}");
                fault.fix(format!("add ExecStartPre={command}"))
            }
            None => fault.set(
                "Service",
                "ExecStartPre",
                "+/usr/bin/podman unshare /bin/true",
            ),
        }
    })
}

fn inside(container: &Container<'_>) -> Vec<Fault> {
    if !container.service.is_rootless() || !container.service.sandbox.no_new_privileges {
        return Vec::new();
    }
    let commands = container.subject.commands().iter();
    commands
        .filter(|command| !command.is_outside && makes_pause_process(command))
        .map(|command| {
            let place = Place::word(&command.origin, &command.path);
            Fault::at(place, "this cannot make the pause process")
        })
        .collect()
}

fn order(container: &Container<'_>) -> Vec<Fault> {
    if is_made(container) {
        return Vec::new();
    }
    let dependencies = &container.service.dependencies;
    let keepers = keepers(container);
    let is_after = |on: &&Dependency| depends(dependencies, &["After"], &on.unit);
    if keepers.iter().any(is_after) {
        return Vec::new();
    }
    let first = keepers.first();
    first
        .map(|keeper| {
            let name = keeper.unit.as_str();
            let place = keeper.origin.as_ref().map(|o| Place::word(o, name));
            let message = format!("{name} may be started after this service");
            Fault::at(place, message).set("Unit", "After", name)
        })
        .into_iter()
        .collect()
}

fn not_noticed(container: &Container<'_>) -> Vec<Fault> {
    if is_made(container) {
        return Vec::new();
    }
    let forgets = |name: &UnitName| match container.set.get(name).map(Subject::view) {
        Some(View::Service(keeper)) => {
            keeper.service_type == ServiceType::Oneshot && keeper.remain_after_exit
        }
        _ => false,
    };
    let mut keepers = keepers(container).into_iter();
    let keeper = keepers.find(|keeper| forgets(&keeper.unit));
    keeper
        .map(|keeper| {
            let name = keeper.unit.as_str();
            let place = keeper.origin.as_ref().map(|o| Place::word(o, name));
            Fault::at(
                place,
                format!("{name} stays active when its pause process ends"),
            )
        })
        .into_iter()
        .collect()
}

fn bind_to(_: &Set, subject: &Subject) -> Vec<Fault> {
    let mut faults = Vec::new();
    for source in subject.files() {
        for setting in source.file.values("Unit", "BindTo") {
            let origin = crate::unit::effective::Origin {
                file: source.path.as_str().into(),
                line: setting.line,
            };
            faults.push(Fault::at(Place::whole(&origin), "this is BindsTo= today"));
        }
    }
    faults
}

fn no_pause_process(container: &Container<'_>) -> Vec<Fault> {
    const NAME: &str = "PODMAN_NO_PAUSE_PROCESS";
    let value = container.service.environment.get(NAME);
    let is_set = value.is_some_and(|value| parse_boolean(value) != Some(false));
    let mut faults = when(is_set, || {
        Fault::at(variable(container, NAME), "Podman 6 keeps no pause process")
    });
    // The unit that makes it matters as much.
    for keeper in keepers(container) {
        let Some(View::Service(service)) = container.set.get(&keeper.unit).map(Subject::view)
        else {
            continue;
        };
        let value = service.environment.get(NAME);
        if value.is_some_and(|value| parse_boolean(value) != Some(false)) {
            let place = keeper.origin.as_ref();
            let place = place.map(|origin| Place::word(origin, keeper.unit.as_str()));
            let message = format!("{} sets {NAME}", keeper.unit);
            faults.push(Fault::at(place, message));
        }
    }
    faults
}
