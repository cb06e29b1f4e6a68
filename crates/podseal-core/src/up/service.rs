//! `NAME.service`, as `podman generate systemd --new` writes it, with the
//! changes that a seal needs.

use super::socket::Group;
use super::value::{Unwritable, line, word};
use super::{RESTART, Wanted, dependencies};

/// The file that Podman writes the container's id into.
fn cid_file(wanted: &Wanted) -> String {
    match &wanted.run_as {
        // %t is the manager's.
        Some(user) => format!("/run/user/{}/%n.ctr-id", user.uid),
        None => "%t/%n.ctr-id".to_owned(),
    }
}

pub(super) fn body(wanted: &Wanted, groups: &[Group<'_>]) -> Result<String, Unwritable> {
    let description = wanted.description()?;
    let dependencies = dependencies(groups);
    let (unit, service) = of_user(wanted)?;
    let mut text = format!(
        "[Unit]\nDescription={description}\nDocumentation=man:podman-run(1)\n{unit}{dependencies}\n\
         [Service]\n{service}Type=notify\nNotifyAccess=all\nEnvironment=PODMAN_SYSTEMD_UNIT=%n\n\
         {RESTART}TimeoutStopSec=70\n",
    );
    let cid_file = cid_file(wanted);
    // Podman 4.3 wants to be the one that makes it.
    command(
        &mut text,
        "ExecStartPre",
        &[format!("/bin/rm -f {cid_file}")],
    );
    command(&mut text, "ExecStart", &run(wanted));
    let podman = podman(wanted);
    for (key, verb) in [("ExecStop", "stop"), ("ExecStopPost", "rm -f")] {
        let words = format!("{verb} -t 10 --ignore --cidfile={cid_file}");
        command(&mut text, key, &[podman.clone(), words]);
    }
    Ok(text)
}

/// What the user needs for Podman, in `[Unit]` and `[Service]`.
fn of_user(wanted: &Wanted) -> Result<(String, String), Unwritable> {
    let Some(user) = &wanted.run_as else {
        let unit = "RequiresMountsFor=%t/containers\n".to_owned();
        return Ok((unit, String::new()));
    };
    // The manager is logind's to start: started from here it would wait for
    // logind, and logind for this service, where the user does not linger.
    let manager = user.manager();
    let unit = format!("PartOf={manager}\nAfter=systemd-logind.service {manager}\n");
    let name = line("--run-as", &user.name)?;
    // Without a control group of its own Podman leaves the service.
    let service = format!(
        "User={name}\nDelegate=yes\nEnvironment=XDG_RUNTIME_DIR=/run/user/{}\n",
        user.uid
    );
    Ok((unit, service))
}

/// Podman with its own options.
fn podman(wanted: &Wanted) -> String {
    let podman = word(&wanted.podman);
    match &wanted.oci_runtime {
        Some(runtime) => format!("{podman} {}", word(&format!("--runtime={runtime}"))),
        None => podman,
    }
}

/// The parts of the command that starts the container, as they are written.
fn run(wanted: &Wanted) -> Vec<String> {
    let mut parts = vec![
        format!("{} run", podman(wanted)),
        format!("--cidfile={}", cid_file(wanted)),
    ];
    let cgroups = match wanted.run_as {
        // All of it in the service, and nothing to ask the user's manager for.
        Some(_) => "--cgroups=split",
        None => "--cgroups=no-conmon",
    };
    parts.extend(
        [
            cgroups,
            "--rm",
            "--sdnotify=conmon",
            "--replace",
            "--pull=never",
            "--network=none",
            "--no-healthcheck",
            "-d",
        ]
        .map(str::to_owned),
    );
    // The name that Quadlet gives, so that --replace meets none of the user's.
    parts.push(word(&format!("--name=systemd-{}", wanted.name)));
    let option = |name: &str, value: &String| word(&format!("--{name}={value}"));
    let environment = wanted.environment.iter();
    parts.extend(environment.map(|variable| option("env", variable)));
    let volumes = wanted.volumes.iter();
    parts.extend(volumes.map(|volume| option("volume", volume)));
    parts.extend(wanted.user.iter().map(|user| option("user", user)));
    parts.extend(wanted.memory.iter().map(|memory| option("memory", memory)));
    let words = std::iter::once(&wanted.image).chain(&wanted.arguments);
    let words: Vec<String> = words.map(|text| word(text)).collect();
    parts.push(words.join(" "));
    parts
}

fn command(text: &mut String, key: &str, parts: &[String]) {
    text.extend([key, "=", &parts.join(" \\\n\t"), "\n"]);
}
