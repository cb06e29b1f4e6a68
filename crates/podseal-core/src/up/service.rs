//! `NAME.service`, as `podman generate systemd --new` writes it, with the
//! changes that a seal needs.

use super::socket::Group;
use super::value::{Unwritable, word};
use super::{RESTART, Wanted, dependencies};

/// Where Podman writes the container's id.
const CID_FILE: &str = "--cidfile=%t/%n.ctr-id";

pub(super) fn body(wanted: &Wanted, groups: &[Group<'_>]) -> Result<String, Unwritable> {
    let mut text = format!(
        "[Unit]\nDescription={}\nDocumentation=man:podman-run(1)\nRequiresMountsFor=%t/containers\n{}\n\
         [Service]\nType=notify\nNotifyAccess=all\nEnvironment=PODMAN_SYSTEMD_UNIT=%n\n\
         {RESTART}TimeoutStopSec=70\n",
        wanted.description()?,
        dependencies(groups),
    );
    command(&mut text, "ExecStart", &run(wanted));
    let podman = podman(wanted);
    for (key, verb) in [("ExecStop", "stop"), ("ExecStopPost", "rm -f")] {
        let words = format!("{verb} -t 10 --ignore {CID_FILE}");
        command(&mut text, key, &[podman.clone(), words]);
    }
    Ok(text)
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
    let mut parts = vec![format!("{} run", podman(wanted))];
    parts.extend(
        [
            CID_FILE,
            "--cgroups=no-conmon",
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
