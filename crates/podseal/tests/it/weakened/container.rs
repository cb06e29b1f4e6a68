//! The same for the container's side of level strict.

use std::fs;

use podseal_core::podman::{HardLimits, strict};
use podseal_core::policy::container::profile;
use podseal_core::policy::mechanism::{self, MECHANISMS, Mechanism, Need};
use podseal_core::probe::{PROBES, ProbeReport, find};
use podseal_runtime::host::{User, limits_without_sys_resource};
use podseal_runtime::proof::Trial;

use super::open;
use crate::account::lacking_here;
use crate::container::{IMAGE, Lab};

const CALLS: &[&str] = &[
    "user-namespace",
    "user-namespace-clone",
    "user-namespace-clone3",
    "mount",
    "trace-me",
    "keyring",
];

/// What the probes say in a container under `mechanisms` of its own, with Podman
/// under level standard; or without any seal.
fn probe(lab: &Lab, runtime: &str, mechanisms: Option<&[&'static Mechanism]>) -> ProbeReport {
    let mut command = Vec::new();
    let mut options = Vec::new();
    if let Some(mechanisms) = mechanisms {
        let path = lab.podman(&["info", "--format={{.Host.Security.SECCOMPProfilePath}}"]);
        let text = profile(&fs::read_to_string(path).unwrap(), mechanisms).unwrap();
        fs::write(lab.place.path("seccomp.json"), text).unwrap();
        options = strict::options(mechanisms, &lab.place.text("seccomp.json"));
        let launcher = [
            &lab.place.podseal(),
            "enter",
            "--join=always",
            "--make-pause",
            "--",
        ];
        command.extend(launcher.map(str::to_owned));
    }
    command.push("env".to_owned());
    for (name, value) in lab.place.program("podman").get_envs() {
        if let Some(value) = value {
            command.push(format!("{}={}", name.display(), value.display()));
        }
    }
    let runtime = format!("--runtime={runtime}");
    let podman = [
        "podman",
        &runtime,
        "run",
        "--rm",
        "--network=none",
        "--pull=never",
    ];
    command.extend(podman.map(str::to_owned));
    command.extend(options);
    let limits = limits_without_sys_resource(&User::current()).unwrap();
    command.extend(limits.iter().flat_map(HardLimits::options));
    command.push(IMAGE.to_owned());
    Trial::new().unwrap().run(command).unwrap()
}

/// One that works here under the seal.
fn oci_runtime(lab: &Lab) -> String {
    let run = lab.run(&[]);
    let said = run.stderr();
    let line = said
        .lines()
        .find_map(|line| line.strip_prefix("it: using "));
    let path = line
        .unwrap_or_else(|| panic!("no runtime in {said}"))
        .to_owned();
    run.stop().expect(0, &[]);
    path
}

#[test]
fn each_mechanism_of_the_container_closes_what_nothing_else_does() {
    if std::process::Command::new("podman")
        .arg("--version")
        .output()
        .is_err()
    {
        return lacking_here("weakened containers", "there is no podman");
    }
    let lab = Lab::new(None, "vfs");
    let runtime = oci_runtime(&lab);
    let unsealed = probe(&lab, &runtime, None);
    let possible = open(&unsealed);
    let container: Vec<&'static Mechanism> = MECHANISMS
        .iter()
        .copied()
        .filter(|mechanism| mechanism.need == Need::Container)
        .collect();
    for row in PROBES {
        let is_of_container = row.closed_by == Some(mechanism::NO_BIND.level);
        if is_of_container && !possible.contains(&row.id) {
            lacking_here(row.id, "it does not work without a seal either");
        }
    }
    for (left_out, opened) in [
        (&[][..], &[][..]),
        (&[&mechanism::NO_CAPABILITIES], &["chroot"]),
        (&[&mechanism::READ_ONLY], &["write-root"]),
        (&[&mechanism::NO_CONNECT], &["connect"]),
        (&[&mechanism::NO_BIND], &["bind"]),
        // An accepted connection has to be dissolved first.
        (&[&mechanism::NO_LISTEN], &[]),
        (
            &[&mechanism::NO_CONNECT, &mechanism::NO_LISTEN],
            &["connect", "relisten", "relisten-listener"],
        ),
        (&[&mechanism::FEWER_CALLS], CALLS),
    ] {
        let rest = container.iter().copied();
        let rest: Vec<_> = rest.filter(|m| !left_out.contains(m)).collect();
        let report = probe(&lab, &runtime, Some(&rest));
        let is_never_closed = |id| find(id).is_some_and(|row| row.closed_by.is_none());
        let expected = possible
            .iter()
            .filter(|id| opened.contains(id) || is_never_closed(id));
        let expected: Vec<&str> = expected.copied().collect();
        let ids: Vec<&str> = left_out.iter().map(|mechanism| mechanism.id).collect();
        assert_eq!(open(&report), expected, "without {ids:?}: {report:?}");
    }
}
