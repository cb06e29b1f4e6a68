//! Services of the system's manager whose Podman runs as another user.

use super::container::at;
use crate::audit::Severity::Warning;
use crate::audit::place::Place;
use crate::audit::rule::{Check, Example, Fault, Rule};
use crate::audit::subject::{Container, depends};
use crate::unit::boolean::parse_boolean;
use crate::unit::effective::Scope;
use crate::unit::exec::ExecPrivileges;
use crate::unit::name::UnitName;

const COMPLETE: Example = Example {
    unit: "/etc/systemd/system/web.service",
    lines: "[Unit]\nAfter=web.socket systemd-logind.service user@1000.service\n[Service]\nUser=web\nDelegate=yes\nEnvironment=XDG_RUNTIME_DIR=/run/user/1000\n",
};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "user-directive",
        severity: Warning,
        title: "rootless Podman does not work like this as another user",
        why: "User= in a system service makes Podman rootless. That needs a user of the host with ranges of ids, a control group of its own – without Delegate=yes Podman moves itself and the container out of the service – and files where the user may write, which is not /run. Podman does not support .container files with User=, and a user's manager cannot change the user.",
        fix: "see what is said of the line; `podseal up --system --run-as USER` writes such a service",
        references: &[
            "systemd.exec(5)",
            "systemd.resource-control(5)",
            "podman-systemd.unit(5)",
        ],
        bad: Example {
            unit: "/etc/systemd/system/web.service",
            lines: "[Service]\nUser=web\n",
        },
        good: COMPLETE,
        check: Check::Container(user_directive),
    },
    Rule {
        id: "user-runtime",
        severity: Warning,
        title: "rootless Podman may not find its user's run-time directory",
        why: "Podman's pause process and its state are in XDG_RUNTIME_DIR, /run/user/UID, which systemd does not set for a service with User=. The directory is there while the user's manager runs: at boot, if the user lingers, and once user@UID.service has been started. A service that does not wait for it fails.",
        fix: "set Environment=XDG_RUNTIME_DIR=/run/user/UID and After=systemd-logind.service user@UID.service, with the user's number, and run `loginctl enable-linger USER`",
        references: &["pam_systemd(8)", "user@.service(5)", "loginctl(1)"],
        bad: Example {
            unit: "/etc/systemd/system/web.service",
            lines: "[Service]\nUser=web\nDelegate=yes\n",
        },
        good: COMPLETE,
        check: Check::Container(user_runtime),
    },
];

fn user_directive(container: &Container<'_>) -> Vec<Fault> {
    let service = container.service;
    let place = container.setting("User");
    if service.scope == Scope::User {
        let user = service.sandbox.user.as_deref();
        let message = |user| format!("a user's manager cannot start this as {user}");
        let fix = "remove User=, or make it a service of the system's manager";
        let fault = |user| Fault::at(place, message(user)).fix(fix);
        return user.map(fault).into_iter().collect();
    }
    let mut faults = Vec::new();
    if is_on(container, "DynamicUser") {
        let place = container.setting("DynamicUser");
        let message = "a user that systemd makes up has no ranges of ids";
        faults.push(Fault::at(place, message).fix("give a user of the host with User="));
    }
    let Some(user) = service.run_as() else {
        return faults;
    };
    let mut fault = |message: &str, fix: &str| {
        faults.push(Fault::at(place.clone(), message).fix(fix));
    };
    if user.bytes().all(|byte| byte.is_ascii_digit()) {
        fault("this is a number", "write the user's name");
    }
    if service.quadlet.is_some() {
        fault(
            "Podman's generator does not make this work",
            "write a .service: `podseal up --system --run-as USER` does",
        );
    }
    if !is_delegated(container) {
        let message = "Podman moves out of the service, which has no control group of the user's";
        let fault = Fault::at(place, message).fix("add Delegate=yes");
        faults.push(fault.set("Service", "Delegate", "yes"));
    }
    let commands = service.commands.values().flatten();
    let as_root = commands.filter(|command| {
        use ExecPrivileges::{AmbientMagic, NoSetuid};
        matches!(command.value.prefixes.privileges, NoSetuid | AmbientMagic)
    });
    faults.extend(as_root.map(|command| {
        let place = Place::word(&command.origin, &command.value.path);
        Fault::at(
            place,
            "! may have this started as root, whose Podman is another one",
        )
        .fix("remove the !")
    }));
    let options = container.runs().flat_map(|podman| podman.all("cidfile"));
    let in_run = options.filter(|option| {
        let path = option
            .value
            .as_deref()
            .and_then(|v| v.strip_prefix("/run/"));
        path.is_some_and(|name| !name.contains('/'))
    });
    faults.extend(in_run.map(|option| {
        Fault::at(at(option), format!("{user} may not write to /run"))
            .fix("write /run/user/UID, with the user's number, for %t in every command")
    }));
    faults
}

/// Whether `Delegate=` is on: as a boolean, as a list of controllers, or empty.
fn is_delegated(container: &Container<'_>) -> bool {
    let last = container.service.settings.last("Service", "Delegate");
    last.is_some_and(|last| parse_boolean(&last.value) != Some(false))
}

fn is_on(container: &Container<'_>, key: &str) -> bool {
    let last = container.service.settings.last("Service", key);
    last.is_some_and(|last| parse_boolean(&last.value) == Some(true))
}

const VARIABLE: &str = "XDG_RUNTIME_DIR";

fn user_runtime(container: &Container<'_>) -> Vec<Fault> {
    let service = container.service;
    let Some(user) = service.run_as() else {
        return Vec::new();
    };
    // These may set it, and pam_systemd(8) does.
    let is_elsewhere = !service.environment_files.is_empty()
        || ["PAMName", "PassEnvironment"].iter().any(|key| {
            let last = service.settings.last("Service", key);
            last.is_some_and(|last| !last.value.is_empty())
        });
    let place = || container.setting("User");
    let Some(directory) = service.environment.get(VARIABLE) else {
        let message = format!("{VARIABLE} is not set for {user}");
        let fault = || Fault::at(place(), message);
        return (!is_elsewhere).then(fault).into_iter().collect();
    };
    let number = directory.strip_prefix("/run/user/");
    let number = number.filter(|number| {
        *number != "0" && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    let Some(number) = number else {
        // %U, say, is the number of the manager's user: 0.
        let message = format!("{VARIABLE} is {directory}, which logind does not make for {user}");
        return vec![Fault::at(
            super::podman::variable(container, VARIABLE),
            message,
        )];
    };
    let after: Result<UnitName, _> = format!("user@{number}.service").parse();
    let is_after = |on: &UnitName| depends(&service.dependencies, &["After"], on);
    match after {
        Ok(on) if !is_after(&on) => {
            let message = format!("at boot it may be started before {on}");
            let value = format!("systemd-logind.service {on}");
            vec![Fault::at(place(), message).set("Unit", "After", &value)]
        }
        _ => Vec::new(),
    }
}
