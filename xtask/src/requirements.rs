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
    /// Programs any one of which will do; none for a package of data.
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
    // Kills podseal at each step of changing files.
    Requirement {
        package: "strace",
        programs: &["strace"],
    },
    // A server and client at UNIX sockets.
    Requirement {
        package: "socat",
        programs: &["socat"],
    },
    // Unpacks servers that people run, to see them serve sealed.
    Requirement {
        package: "mmdebstrap",
        programs: &["mmdebstrap"],
    },
    Requirement {
        package: "debian-archive-keyring",
        programs: &[],
    },
];

/// What a test needs that is left out without it, unless nothing may be left out:
/// it is 300 MB.
const BROWSER: &[Requirement] = &[Requirement {
    package: "chromium",
    programs: &["chromium"],
}];

/// What the benchmarks need beside what the tests do.
const BENCHMARKS: &[Requirement] = &[
    // Builds systemd's own filter with libseccomp, which Podman's OCI runtimes
    // bring along.
    Requirement {
        package: "python3",
        programs: &["python3"],
    },
];

/// What the lab needs.
const LAB: &[Requirement] = &[
    // Makes the machine's disk from Debian packages.
    Requirement {
        package: "mmdebstrap",
        programs: &["mmdebstrap"],
    },
    // The keys those packages are signed with; Ubuntu does not have them.
    Requirement {
        package: "debian-archive-keyring",
        programs: &[],
    },
    Requirement {
        package: "util-linux",
        programs: &["unshare"],
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
    #[error(
        "Debian packages are missing, and neither root nor `sudo -n` is there to install them; \
         run this as root:\n    {}", .commands.join("\n    ")
    )]
    NotPermitted { commands: [String; 2] },
    #[error("`{command}` failed with exit status {status}")]
    Install { command: String, status: u8 },
    #[error("programs missing from PATH: {}; install them and try again", .0.join(", "))]
    NoPrograms(Vec<String>),
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Makes sure that what `podseal demo` needs is there.
pub(crate) fn for_demo(install: &Install) -> Result<(), RequirementError> {
    provide(install, PODMAN.iter())
}

/// Makes sure that what the tests need is there, what some of them can be left out
/// without only if they must `all` run.
pub(crate) fn for_tests(install: &Install, all: bool) -> Result<(), RequirementError> {
    let browser = if all { BROWSER } else { &[] };
    provide(install, PODMAN.iter().chain(TESTS).chain(browser))
}

/// Makes sure that what the benchmarks need is there.
pub(crate) fn for_benchmarks(install: &Install) -> Result<(), RequirementError> {
    provide(install, PODMAN.iter().chain(TESTS).chain(BENCHMARKS))
}

/// Makes sure that what the lab needs is there.
pub(crate) fn for_lab(install: &Install) -> Result<(), RequirementError> {
    provide(install, LAB.iter())
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
    if sudo && !Command::new("sudo", ["-n", "true"]).works() {
        let commands = installation(false, &missing).map(|command| command.to_string());
        return Err(RequirementError::NotPermitted { commands });
    }
    let [update, install] = installation(sudo, &missing);
    output::heading(&update);
    if update.run()? != 0 {
        // One broken third-party repository is enough for this.
        output::note("going on with the package lists that are there");
    }
    output::heading(&install);
    match install.run()? {
        0 => Ok(()),
        status => Err(RequirementError::Install {
            command: install.to_string(),
            status,
        }),
    }
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
        .filter(|requirement| {
            let programs = requirement.programs;
            !programs.is_empty() && !programs.iter().any(|program| is_there(program))
        })
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

/// The commands that fetch the package lists and install `packages`.
fn installation(sudo: bool, packages: &[&str]) -> [Command; 2] {
    let apt_get = if sudo {
        Command::new("sudo", ["-n", "env"])
    } else {
        Command::new("env", [""; 0])
    };
    // apt-get asks no questions, and waits for another one (a new machine often
    // upgrades itself) instead of failing.
    let apt_get = apt_get
        .with(["DEBIAN_FRONTEND=noninteractive", "apt-get"])
        .with(["-o", "DPkg::Lock::Timeout=300"]);
    [
        apt_get.clone().with(["update"]),
        apt_get
            .with(["install", "--yes", "--no-install-recommends"])
            .with(packages),
    ]
}

/// Whether this process runs as root: its own directory in /proc belongs to its
/// effective user (proc_pid(5)).
pub(crate) fn is_root() -> bool {
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
    fn the_installation_can_be_typed() {
        let apt_get = "env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300";
        for (sudo, before) in [(false, ""), (true, "sudo -n ")] {
            assert_eq!(
                installation(sudo, &["podman", "runc"]).map(|command| command.to_string()),
                [
                    format!("{before}{apt_get} update"),
                    format!("{before}{apt_get} install --yes --no-install-recommends podman runc"),
                ]
            );
        }
    }
}
