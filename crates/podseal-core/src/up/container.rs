//! `NAME.container`, podman-systemd.unit(5).

use super::socket::Group;
use super::value::{Unwritable, command_line, quadlet_word};
use super::{RESTART, Wanted, dependencies};

pub(super) fn body(wanted: &Wanted, groups: &[Group<'_>]) -> Result<String, Unwritable> {
    let mut text = format!(
        "[Unit]\nDescription={}\n{}\n[Container]\n",
        wanted.description()?,
        dependencies(groups)
    );
    let mut line = |key: &str, value: &str| text.extend([key, "=", value, "\n"]);
    line("Image", &command_line("--image", &wanted.image)?);
    line("Network", "none");
    line("Pull", "never");
    for variable in &wanted.environment {
        line("Environment", &quadlet_word("--env", variable)?);
    }
    for volume in &wanted.volumes {
        line("Volume", &command_line("--volume", volume)?);
    }
    if let Some(user) = &wanted.user {
        line("User", &command_line("--user", user)?);
    }
    if let Some(runtime) = &wanted.oci_runtime {
        let option = format!("--runtime={runtime}");
        line("GlobalArgs", &quadlet_word("--runtime", &option)?);
    }
    // A health check would run outside the seal.
    line("PodmanArgs", "--no-healthcheck");
    if let Some(memory) = &wanted.memory {
        let option = format!("--memory={memory}");
        line("PodmanArgs", &quadlet_word("--memory", &option)?);
    }
    if !wanted.arguments.is_empty() {
        let words = wanted.arguments.iter();
        let words: Result<Vec<_>, _> = words
            .map(|word| quadlet_word("the argument", word))
            .collect();
        line("Exec", &words?.join(" "));
    }
    text.extend(["\n[Service]\n", RESTART]);
    // Without network there is no reason to wait for one.
    text.push_str("\n[Quadlet]\nDefaultDependencies=false\n");
    Ok(text)
}
