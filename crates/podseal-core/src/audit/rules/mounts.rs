//! What of the host is mounted into the container.

use super::container::{at, each, run};
use crate::audit::Severity::Error;
use crate::audit::rule::{Check, Example, Fault, Rule};
use crate::audit::subject::Container;
use crate::podman::invocation::CommandOption;
use crate::unit::effective::Origin;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "socket-mounted",
        severity: Error,
        title: "a socket of the host is mounted into the container",
        why: "A program in the container can ask what listens behind the socket to do something for it. Podman's, Docker's, D-Bus' and systemd's will start processes outside the seal.",
        fix: "remove the mount",
        references: &["podman-run(1)", "podman-system-service(1)"],
        bad: run!(
            "--network=none --pull=never --volume=/run/user/1000/podman/podman.sock:/podman.sock"
        ),
        good: run!("--network=none --pull=never --volume=web-data:/data"),
        check: Check::Container(socket_mounted),
    },
    Rule {
        id: "autostart-mounted",
        severity: Error,
        title: "the container can write what starts outside the seal",
        why: "Units, a shell's start files, SSH keys and programs in a home directory are started by others than this service: a program in the container that can write them runs outside the seal at the next login or boot.",
        fix: "mount only the directory that has the data, or mount it read-only (:ro)",
        references: &["podman-run(1)", "systemd.unit(5)"],
        bad: run!("--network=none --pull=never --volume=/home/web:/data"),
        good: run!("--network=none --pull=never --volume=/home/web/data:/data"),
        check: Check::Container(autostart_mounted),
    },
];

/// The faults of each mount: `fault` is given the option, its value, and what of
/// the host is mounted.
fn mounts(
    container: &Container<'_>,
    fault: impl Fn(&CommandOption<Origin>, &str, &str) -> Option<String>,
) -> Vec<Fault> {
    each(container, |podman| {
        let mounts = podman.all("volume").chain(podman.all("mount"));
        mounts
            .filter_map(|option| {
                let value = option.value.as_deref()?;
                let source = mount_source(option.name, value)?;
                Some(Fault::at(at(option), fault(option, value, source)?))
            })
            .collect()
    })
}

fn socket_mounted(container: &Container<'_>) -> Vec<Fault> {
    mounts(container, |option, _, source| {
        if reaches_socket(source) {
            Some(format!("{source} has sockets of services of the host"))
        } else if option.is_open {
            Some(format!("podseal cannot tell what {source} is"))
        } else {
            None
        }
    })
}

/// What of the host is mounted: `SOURCE:TARGET`, or `source=` among the words of
/// `--mount`.
fn mount_source<'a>(option: &str, value: &'a str) -> Option<&'a str> {
    if option == "volume" {
        return value.split_once(':').map(|(source, _)| source);
    }
    value.split(',').find_map(|part| {
        let (key, source) = part.split_once('=')?;
        matches!(key, "source" | "src").then_some(source)
    })
}

/// Whether a path is a socket of a service that starts processes, or a
/// directory in which such sockets are.
fn reaches_socket(source: &str) -> bool {
    const DIRECTORIES: &[&str] = &[
        "/",
        "/run",
        "/var/run",
        "/run/user",
        "/run/dbus",
        "/run/systemd",
    ];
    let path = source.trim_end_matches('/');
    let path = if path.is_empty() && source.starts_with('/') {
        "/"
    } else {
        path
    };
    let below = |directory: &str| {
        let rest = path.strip_prefix(directory)?.strip_prefix('/')?;
        Some(rest.to_owned())
    };
    let is_runtime_directory = below("/run/user").is_some_and(|rest| !rest.contains('/'));
    let is_specifier = matches!(path, "%t");
    let name = path.rsplit('/').next().unwrap_or(path);
    DIRECTORIES.contains(&path)
        || is_runtime_directory
        || is_specifier
        || below("/run/dbus").is_some()
        || below("/run/systemd").is_some()
        || path.strip_suffix(".sock").is_some()
        || path.ends_with("/bus")
        || matches!(name, "podman" | "systemd" if path.contains("/run/user/") || path.starts_with("%t"))
}

/// Directories and files below a home directory out of which things are started.
const OF_HOME: &[&str] = &[
    ".bash_login",
    ".bash_profile",
    ".bashrc",
    ".config/autostart",
    ".config/containers",
    ".config/environment.d",
    ".config/fish",
    ".config/systemd",
    ".local/bin",
    ".local/share/containers",
    ".local/share/systemd",
    ".pam_environment",
    ".profile",
    ".ssh",
    ".zprofile",
    ".zshenv",
    ".zshrc",
    "bin",
];

/// The same of the system, which root in the container of root's Podman can write.
const OF_SYSTEM: &[&str] = &[
    "etc/containers",
    "etc/cron.d",
    "etc/crontab",
    "etc/init.d",
    "etc/ld.so.preload",
    "etc/pam.d",
    "etc/profile.d",
    "etc/ssh",
    "etc/systemd",
    "etc/udev",
    "usr/bin",
    "usr/lib",
    "usr/libexec",
    "usr/local/bin",
    "usr/local/sbin",
    "usr/sbin",
    "var/lib/containers",
    "var/spool/cron",
];

fn autostart_mounted(container: &Container<'_>) -> Vec<Fault> {
    let is_root = !container.service.is_rootless();
    mounts(container, |option, value, source| {
        let starts = !is_read_only(option.name, value) && has_autostart(source, is_root);
        starts.then(|| format!("what is written to {source} is started by others"))
    })
}

/// Whether what the container writes there is gone with it, or cannot be written.
fn is_read_only(option: &str, value: &str) -> bool {
    if option == "volume" {
        let options = value.splitn(3, ':').nth(2).unwrap_or_default();
        return options
            .split(',')
            .any(|option| matches!(option, "ro" | "O"));
    }
    let mut parts = value.split(',');
    parts.any(|part| matches!(part, "ro" | "readonly" | "ro=true" | "readonly=true"))
}

/// Whether a path has, or is in, something out of which programs are started.
fn has_autostart(source: &str, is_root: bool) -> bool {
    let path = source.trim_matches('/');
    let is_absolute = source.starts_with(['/', '%']);
    let meets = |path: &str, list: &[&str]| {
        let is_in = |one: &str, other: &str| {
            one.is_empty() || other == one || other.starts_with(&format!("{one}/"))
        };
        let mut list = list.iter();
        list.any(|entry| is_in(path, entry) || is_in(entry, path))
    };
    let below_home = match path.split_once('/').unwrap_or((path, "")) {
        ("%h" | "root", rest) => Some(rest),
        ("%E", rest) => return meets(format!(".config/{rest}").trim_end_matches('/'), OF_HOME),
        ("home", rest) => Some(rest.split_once('/').map_or("", |(_, rest)| rest)),
        _ => None,
    };
    is_absolute
        && (path.is_empty()
            || below_home.is_some_and(|path| meets(path, OF_HOME))
            || is_root && meets(path, OF_SYSTEM))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_of_the_host() {
        for path in [
            "/run/user/1000/podman/podman.sock",
            "/run/user/1000/podman",
            "/run/user/1000",
            "/run/user/1000/bus",
            "/run/user/1000/systemd",
            "/var/run/docker.sock",
            "/run",
            "/run/",
            "/",
            "%t",
            "/run/dbus/system_bus_socket",
            "/run/systemd/private",
        ] {
            assert!(reaches_socket(path), "{path}");
        }
        for path in [
            "web-data",
            "/srv/web",
            "/run/user/1000/web",
            "/home/a/sockets",
            "",
        ] {
            assert!(!reaches_socket(path), "{path}");
        }
    }

    #[test]
    fn what_starts_outside() {
        for (source, is_root, expected) in [
            ("/", false, true),
            ("/home", false, true),
            ("/home/web", false, true),
            ("/home/web/", false, true),
            ("%h", false, true),
            ("%h/.config", false, true),
            ("%E", false, true),
            ("%E/systemd/user", false, true),
            ("%E/web", false, false),
            (
                "/home/web/.config/systemd/user/default.target.wants",
                false,
                true,
            ),
            ("/home/web/.ssh/authorized_keys", false, true),
            ("/home/web/.local/share", false, true),
            ("/home/web/.local/share/web", false, false),
            ("/home/web/data", false, false),
            ("/home/web/binary", false, false),
            ("/root/data", false, false),
            ("/srv/web", true, false),
            ("/etc", false, false),
            ("/etc", true, true),
            ("/etc/systemd/system", true, true),
            ("/etc/nginx", true, false),
            ("/root", true, true),
            ("/usr/local", true, true),
            ("web-data", true, false),
            ("home", false, false),
        ] {
            assert_eq!(
                has_autostart(source, is_root),
                expected,
                "{source} {is_root}"
            );
        }
        for (option, value, expected) in [
            ("volume", "/home/web:/data", false),
            ("volume", "/home/web:/data:z", false),
            ("volume", "/home/web:/data:ro,z", true),
            ("volume", "/home/web:/data:O", true),
            ("mount", "type=bind,source=/home/web,target=/ro", false),
            ("mount", "type=bind,source=/home/web,target=/data,ro", true),
            (
                "mount",
                "type=bind,src=/home/web,dst=/data,readonly=true",
                true,
            ),
            ("mount", "type=bind,src=/home/web,dst=/data,ro=false", false),
        ] {
            assert_eq!(is_read_only(option, value), expected, "{value}");
        }
    }
}
