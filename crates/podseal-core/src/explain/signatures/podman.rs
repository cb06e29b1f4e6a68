//! What Podman, the OCI runtimes and the host say.

use super::{ROW, found, holds, kernel, podman, problem, service, systemd};
use crate::explain::case::Case;
use crate::explain::signature::{Shows, Signature};

fn image_missing(case: &Case) -> Option<Vec<String>> {
    let image = case.facts.image.as_deref()?;
    let exists = case.facts.image_exists?;
    Some(holds(
        !exists,
        format!("podman: there is no image {image} in this user's storage"),
    ))
}

/// An image that is there is still asked for with --pull=always.
fn still_pulls(case: &Case) -> Option<Vec<String>> {
    let mut evidence = image_missing(case)?;
    evidence.extend(found(case, "pull-not-never")?);
    Some(evidence)
}

pub(super) const IMAGES: &[Signature] = &[
    Signature {
        id: "pull-under-seal",
        title: "Podman wants to pull under the seal",
        cause: "Podman tried to reach a registry, and the seal keeps it from making an internet socket",
        wanted: "Podman's message of a registry for which it can make no socket",
        fix: "pull the image beforehand, as the same user, and start with --pull=never",
        next: "podman pull {image}",
        link: Some("docs/rules.md#pull-not-never"),
        // "dial tcp: lookup H: dial udp …: socket: …" or "dial tcp …: socket: …",
        // according to how far it gets.
        shows: Shows::Says(&[podman(&[
            "dial ",
            "socket: address family not supported by protocol",
        ])]),
        still: Some(still_pulls),
        ..ROW
    },
    Signature {
        id: "short-name",
        title: "an image name without a registry",
        cause: "the image's name has no registry, and nothing says which one is meant",
        wanted: "Podman's message about a short name",
        fix: "write the whole name, such as docker.io/library/NAME or localhost/NAME",
        next: "podman images",
        link: Some("containers-registries.conf(5)"),
        shows: Shows::Says(&[
            podman(&["short-name", "did not resolve to an alias"]),
            podman(&["short-name resolution enforced but cannot prompt"]),
        ]),
        ..ROW
    },
    Signature {
        id: "image-missing",
        title: "the image is not there",
        cause: "the image is not in this user's storage, and the seal does not let it be pulled at start",
        wanted: "Podman's \"image not known\"",
        fix: "pull it beforehand, as the same user",
        next: "podman pull {image}",
        link: Some("podman-run(1), --pull"),
        shows: Shows::Says(&[podman(&["image not known"])]),
        still: Some(image_missing),
        ..ROW
    },
    Signature {
        id: "registry-denied",
        title: "the registry wants a login",
        cause: "the registry does not give the image to this user",
        wanted: "Podman's message of the registry's refusal",
        fix: "log in with `podman login REGISTRY`, check the name, and pull the image beforehand",
        next: "podman pull {image}",
        link: Some("podman-login(1)"),
        shows: Shows::Says(&[
            podman(&["docker://", "unauthorized"]),
            podman(&["docker://", "authentication required"]),
            podman(&["docker://", "denied: "]),
        ]),
        still: Some(image_missing),
        ..ROW
    },
    Signature {
        id: "registry-without-image",
        title: "the registry does not have the image",
        cause: "the registry was reached, and has no image of this name and tag",
        wanted: "Podman's message of an unknown name or manifest",
        fix: "check name and tag, and pull the image beforehand",
        next: "podman pull {image}",
        shows: Shows::Says(&[
            podman(&["docker://", "manifest unknown"]),
            podman(&["docker://", "name unknown"]),
            podman(&["docker://", "reading manifest", "not found"]),
        ]),
        still: Some(image_missing),
        ..ROW
    },
    Signature {
        id: "registry-unreachable",
        title: "the registry cannot be reached",
        cause: "Podman wants to pull the image, and the registry does not answer",
        wanted: "Podman's message of a registry that it cannot connect to",
        fix: "pull the image beforehand, when the registry can be reached, and start with --pull=never",
        next: "podman pull {image}",
        link: Some("docs/rules.md#pull-not-never"),
        shows: Shows::Says(&[
            podman(&["docker://", "dial ", "connection refused"]),
            podman(&["docker://", "dial ", "no such host"]),
            podman(&["docker://", "dial ", "i/o timeout"]),
            podman(&["docker://", "dial ", "is unreachable"]),
            podman(&["docker://", "dial ", "no route to host"]),
        ]),
        still: Some(image_missing),
        ..ROW
    },
];

const CRUN: &str = "https://github.com/containers/crun/issues/1828";
const RUNC_INSTEAD: &str = "use runc, or crun 1.23 or later: --runtime=runc";

pub(super) const HOST: &[Signature] = &[
    Signature {
        id: "crun-netlink",
        title: "a crun that fails under the seal",
        versions: Some("crun 1.17 to 1.22"),
        cause: "this version of crun (1.17 to 1.22) cannot set up an empty network namespace under the seal",
        wanted: "crun's message about PF_NETLINK",
        fix: RUNC_INSTEAD,
        next: "podseal doctor",
        link: Some(CRUN),
        shows: Shows::Says(&[podman(&["recvfrom", "PF_NETLINK"])]),
        ..ROW
    },
    Signature {
        id: "crun-socket",
        title: "an old crun that fails under the seal",
        versions: Some("crun before 1.5"),
        cause: "this version of crun (before 1.5) needs an internet socket to set up the network namespace",
        wanted: "crun's message about socket",
        fix: "use runc, or crun 1.5 or later: --runtime=runc",
        next: "podseal doctor",
        link: Some("https://github.com/containers/crun/issues/929"),
        shows: Shows::Says(&[podman(&[
            "crun",
            "socket",
            "ddress family not supported by protocol",
        ])]),
        ..ROW
    },
    Signature {
        id: "crun-hybrid-cgroups",
        title: "crun on mixed cgroups",
        cause: "crun does not run where cgroup v1 and v2 are mixed",
        wanted: "crun's message about hybrid mode",
        fix: "use runc (--runtime=runc), or boot with systemd.unified_cgroup_hierarchy=1",
        next: "podseal doctor",
        link: Some("cgroups(7)"),
        shows: Shows::Says(&[podman(&["cgroups in hybrid mode not supported"])]),
        ..ROW
    },
    Signature {
        id: "pids-controller-missing",
        title: "the cgroup controller pids is missing",
        cause: "the OCI runtime is to limit the number of processes, and this user has no cgroup controller \"pids\"",
        wanted: "the OCI runtime's message about pids",
        fix: "set pids_limit = 0 under [containers] in containers.conf, give --pids-limit=0, or have systemd delegate the controller (Delegate=pids)",
        next: "cat /sys/fs/cgroup/cgroup.controllers",
        link: Some("containers.conf(5)"),
        shows: Shows::Says(&[
            podman(&["controller `pids` is not available"]),
            podman(&[
                "setting cgroup config",
                "/pids.max: no such file or directory",
            ]),
        ]),
        ..ROW
    },
    Signature {
        id: "rlimit",
        title: "a resource limit that cannot be raised",
        cause: "the OCI runtime may not raise a resource limit (CAP_SYS_RESOURCE is missing)",
        wanted: "the OCI runtime's message about a resource limit",
        fix: "pass limits that are not above the present hard ones, for example --ulimit=nofile=1024:1024",
        next: "ulimit -Hn -Hu",
        link: Some("getrlimit(2)"),
        shows: Shows::Says(&[
            podman(&["error setting rlimit"]),
            podman(&["setrlimit `RLIMIT_", "Operation not permitted"]),
        ]),
        ..ROW
    },
    Signature {
        id: "runc-three-sockets",
        title: "a runc that fails with three sockets",
        versions: Some("runc before 1.1.3"),
        cause: "this version of runc (before 1.1.3) cannot hand over three or more sockets",
        wanted: "runc's message about _LIBCONTAINER_LOGPIPE",
        fix: "use crun, or runc 1.1.3 or later",
        next: "podseal doctor",
        link: Some("https://github.com/opencontainers/runc/issues/3488"),
        shows: Shows::Says(&[podman(&["bad value for _LIBCONTAINER_LOGPIPE"])]),
        ..ROW
    },
    Signature {
        id: "disk-full",
        title: "no space left",
        cause: "the file system of Podman's storage or run-time directory is full",
        wanted: "Podman's or systemd's message of a full disk",
        fix: "make room, for example with `podman system prune`, which removes what no container uses",
        next: "df -h ~/.local/share/containers \"$XDG_RUNTIME_DIR\"",
        shows: Shows::Says(&[
            podman(&["no space left on device"]),
            podman(&["No space left on device"]),
            podman(&["database or disk is full"]),
            systemd(&["No space left on device"]),
        ]),
        ..ROW
    },
    Signature {
        id: "container-name-in-use",
        title: "a container of that name is there",
        cause: "another container has the name that the service gives its own: one that was left over, or was started by hand",
        wanted: "Podman's message about the name",
        fix: "remove the other one (`podman rm --force NAME`), or start with --replace",
        next: "podman ps --all",
        link: Some("podman-run(1), --replace"),
        shows: Shows::Says(&[podman(&["the container name", "is already in use"])]),
        ..ROW
    },
    Signature {
        id: "preserve-fds",
        title: "--preserve-fds in place of the sockets",
        cause: "Podman does not hand the sockets of LISTEN_FDS over as usual, because of --preserve-fds",
        wanted: "Podman's message about its option",
        fix: "leave --preserve-fds out: Podman hands over the sockets by itself",
        next: "podseal check{scope} {service}",
        link: Some("docs/rules.md#preserve-fds"),
        shows: Shows::Says(&[
            podman(&["the preserve-fds option requires"]),
            podman(&["Ignoring LISTEN_FDS to preserve"]),
        ]),
        still: Some(|case| found(case, "preserve-fds")),
        ..ROW
    },
    Signature {
        id: "environment-host",
        title: "LISTEN_PID of Podman's environment",
        cause: "the container has Podman's environment (EnvironmentHost=, --env-host), whose LISTEN_PID names another process",
        wanted: "the server's last words about LISTEN_FDS or LISTEN_PID, and the setting in the unit",
        fix: "leave EnvironmentHost= or --env-host out",
        next: "podseal check{scope} {service}",
        link: Some("docs/rules.md#environment-host"),
        shows: Shows::SaysAnd(
            &[service(&["LISTEN_PID"]), service(&["LISTEN_FDS"])],
            |case| found(case, "environment-host").unwrap_or_default(),
        ),
        still: Some(|case| found(case, "environment-host")),
        ..ROW
    },
    Signature {
        id: "selinux-denied",
        title: "SELinux refuses something",
        cause: "SELinux refuses the container something that it needs",
        wanted: "a denial in the kernel's audit log",
        fix: "update container-selinux (2.183.0 or later), and label volumes with :z or :Z",
        next: "sudo ausearch -m avc -ts recent",
        link: Some("podman-run(1), --volume"),
        shows: Shows::Says(&[
            kernel(&["avc:", "denied", "scontext=", ":container_t:"]),
            kernel(&["avc:", "denied", "scontext=", ":container_runtime_t:"]),
            kernel(&["AVC", "denied", "scontext=", ":container_t:"]),
        ]),
        still: Some(|case| problem(case, "selinux").filter(|found| !found.is_empty())),
        ..ROW
    },
];
