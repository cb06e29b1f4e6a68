//! What the tasks need on the machine, and how it gets there.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::arguments::Install;
use crate::command::{Command, StartError};
use crate::output;

/// A Debian package and what to look for where there are no Debian packages.
struct Requirement {
    package: &'static str,
    /// Programs any one of which will do.
    programs: &'static [&'static str],
}

/// Podman's recommended packages are left out (`--no-install-recommends`).
/// What Podman then cannot do, podseal does not ask of it: no network set-up
/// for rootless containers (slirp4netns, passt), no `--init` and no pods
/// (catatonit), no building through buildah. uidmap is the exception.
const PODMAN: &[Requirement] = &[
    Requirement {
        package: "podman",
        programs: &["podman"],
    },
    // Only podman's dependency, but it is one of the sealed processes.
    Requirement {
        package: "conmon",
        programs: &["conmon"],
    },
    // Debian's runc works sealed in every release that has a Podman new enough;
    // its crun does not (1.17 to 1.22 fail under the filter:
    // https://github.com/containers/crun/issues/1828) and refuses hosts that
    // mix cgroup v1 and v2.
    Requirement {
        package: "runc",
        programs: &["runc", "crun"],
    },
    // newuidmap and newgidmap: without them a user has no rootless Podman.
    Requirement {
        package: "uidmap",
        programs: &["newuidmap"],
    },
];

/// What the tests need beside Podman.
const TESTS: &[Requirement] = &[
    // The other OCI runtime: podseal has to find out which one works.
    Requirement {
        package: "crun",
        programs: &["crun"],
    },
    // systemd-socket-activate, the yardstick for `podseal run`. systemd itself
    // need not be running.
    Requirement {
        package: "systemd",
        programs: &["systemd-socket-activate"],
    },
];

/// Where programs are looked for after PATH: users often lack the sbin
/// directories, and the last two are where Podman looks for conmon
/// (containers.conf(5), conmon_path).
const BESIDE_PATH: &[&str] = &[
    "/usr/local/sbin",
    "/usr/sbin",
    "/sbin",
    "/usr/libexec/podman",
    "/usr/local/libexec/podman",
];

/// Something needed is not there and could not be installed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequirementError {
    #[error("missing Debian packages, and no right to install them; run this as root:\n    {0}")]
    NotPermitted(Command),
    #[error("`{command}` failed with exit status {status}")]
    Install { command: Command, status: u8 },
    #[error("programs missing from PATH: {}; install them and try again", .0.join(", "))]
    NoPrograms(Vec<String>),
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Makes sure that what `podseal demo` needs is there.
pub(crate) fn for_demo(install: &Install) -> Result<(), RequirementError> {
    provide(install, PODMAN.iter())
}

/// Makes sure that what the tests need is there.
pub(crate) fn for_tests(install: &Install) -> Result<(), RequirementError> {
    provide(install, PODMAN.iter().chain(TESTS))
}

fn provide<'a>(
    install: &Install,
    requirements: impl Iterator<Item = &'a Requirement> + Clone,
) -> Result<(), RequirementError> {
    // Every Debian and everything made from it has this file (base-files).
    if install.no_install || !Path::new("/etc/debian_version").exists() {
        let path = env::var_os("PATH").unwrap_or_default();
        let missing = missing_programs(requirements, |program| is_on(&path, program));
        return match missing.as_slice() {
            [] => Ok(()),
            _ => Err(RequirementError::NoPrograms(missing)),
        };
    }

    let packages = requirements.clone().map(|requirement| requirement.package);
    let query = [
        "--show",
        "--showformat",
        "${Package} ${db:Status-Status}\\n",
    ];
    let listing = Command::new("dpkg-query", query)
        .with(packages.clone())
        .stdout()?;
    let missing = missing_packages(packages, &listing);
    if missing.is_empty() {
        return Ok(());
    }

    let sudo = !is_root();
    let installation = install_command(sudo, &missing);
    if sudo && !Command::new("sudo", ["-n", "true"]).works() {
        let as_root = install_command(false, &missing);
        return Err(RequirementError::NotPermitted(as_root));
    }
    for command in [apt_get(sudo, ["update"]), installation] {
        output::heading(&command);
        match command.run()? {
            0 => {}
            status => return Err(RequirementError::Install { command, status }),
        }
    }
    Ok(())
}

/// The packages that `listing`, lines of "NAME STATUS", does not show as
/// installed. dpkg-query leaves out packages it has never heard of, and lists
/// removed ones with another status.
fn missing_packages<'a>(packages: impl Iterator<Item = &'a str>, listing: &str) -> Vec<&'a str> {
    let installed = |package: &&str| {
        listing
            .lines()
            .any(|line| line.split_once(' ') == Some((package, "installed")))
    };
    packages.filter(|package| !installed(package)).collect()
}

/// The requirements none of whose programs is there, as "A or B".
fn missing_programs<'a>(
    requirements: impl Iterator<Item = &'a Requirement>,
    is_there: impl Fn(&str) -> bool,
) -> Vec<String> {
    requirements
        .filter(|requirement| !requirement.programs.iter().any(|program| is_there(program)))
        .map(|requirement| requirement.programs.join(" or "))
        .collect()
}

/// Whether an executable file of this name is in PATH or beside it.
fn is_on(path: &OsStr, program: &str) -> bool {
    env::split_paths(path)
        .chain(BESIDE_PATH.iter().map(PathBuf::from))
        .any(|directory| {
            fs::metadata(directory.join(program))
                .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
        })
}

fn install_command(sudo: bool, packages: &[&str]) -> Command {
    apt_get(sudo, ["install", "--yes", "--no-install-recommends"]).with(packages)
}

/// apt-get that asks no questions and waits for another one (a new machine
/// often upgrades itself) instead of failing.
fn apt_get<const N: usize>(sudo: bool, arguments: [&str; N]) -> Command {
    let command = if sudo {
        Command::new("sudo", ["-n", "env"])
    } else {
        Command::new("env", [""; 0])
    };
    command
        .with(["DEBIAN_FRONTEND=noninteractive", "apt-get"])
        .with(["-o", "DPkg::Lock::Timeout=300"])
        .with(arguments)
}

/// Whether this process runs as root: its own directory in /proc belongs to its
/// effective user (proc_pid(5)).
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|directory| directory.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_installed_packages_are_not_missing() {
        let listing = "podman installed\n\
                       crun config-files\n\
                       conmon half-installed\n\
                       runc-doc installed\n\
                       uidmap not-installed\n\
                       libc6 installed\nlibc6 installed\n";
        let packages = ["podman", "crun", "conmon", "runc", "uidmap", "libc6"];
        assert_eq!(
            missing_packages(packages.into_iter(), listing),
            ["crun", "conmon", "runc", "uidmap"]
        );
    }

    #[test]
    fn without_a_listing_everything_is_missing() {
        assert_eq!(
            missing_packages(["podman", "runc"].into_iter(), ""),
            ["podman", "runc"]
        );
    }

    #[test]
    fn one_of_several_programs_is_enough() {
        let there = ["podman", "crun", "newuidmap"];
        let missing = missing_programs(PODMAN.iter(), |program| there.contains(&program));
        assert_eq!(missing, ["conmon"]);
        let missing = missing_programs(PODMAN.iter(), |program| program == "podman");
        assert_eq!(missing, ["conmon", "runc or crun", "newuidmap"]);
    }

    #[test]
    fn a_program_is_an_executable_file() {
        let path = OsStr::new("/nonexistent:/usr/bin:/bin:/etc");
        assert!(is_on(path, "sh"));
        assert!(!is_on(path, "passwd-no-such-program"));
        assert!(!is_on(OsStr::new("/etc"), "fstab"), "not executable");
        assert!(!is_on(OsStr::new("/usr"), "share"), "a directory");
    }

    #[test]
    fn the_command_to_install_can_be_typed() {
        assert_eq!(
            install_command(true, &["podman", "runc"]).to_string(),
            "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
             install --yes --no-install-recommends podman runc"
        );
        assert_eq!(
            install_command(false, &["podman"]).to_string(),
            "env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
             install --yes --no-install-recommends podman"
        );
    }
}
