//! Known failures: what their messages look like, what causes them, what to do.

/// One known failure.
#[derive(Debug, PartialEq, Eq)]
pub struct Signature {
    /// Stable kebab-case name.
    pub id: &'static str,
    /// Texts that must all stand in one line of the log.
    needles: &'static [&'static str],
    /// What happened, for people.
    pub cause: &'static str,
    /// What to do.
    pub fix: &'static str,
}

/// Most specific first: the first that matches is the answer.
const SIGNATURES: &[Signature] = &[
    // Podman's registry client. "dial tcp: lookup H: dial udp …: socket: …"
    // or "dial tcp …: socket: …", according to how far it gets.
    Signature {
        id: "pull-under-seal",
        needles: &["dial ", "socket: address family not supported by protocol"],
        cause: "Podman tried to reach a registry, and the seal keeps it from making an internet socket",
        fix: "pull the image beforehand with `podman pull IMAGE`, and start with --pull=never",
    },
    // containers/crun issues 929 and 1828; versions 1.17 to 1.22.
    Signature {
        id: "crun-netlink",
        needles: &["recvfrom", "PF_NETLINK"],
        cause: "this version of crun (1.17 to 1.22) cannot set up an empty network namespace under the seal",
        fix: "use runc, or crun 1.23 or later: --runtime=runc",
    },
    Signature {
        id: "crun-socket",
        needles: &["crun", "socket", "Address family not supported by protocol"],
        cause: "this version of crun (before 1.5) needs an internet socket to set up the network namespace",
        fix: "use runc, or crun 1.5 or later: --runtime=runc",
    },
    Signature {
        id: "crun-hybrid-cgroups",
        needles: &["cgroups in hybrid mode not supported"],
        cause: "crun does not run where cgroup v1 and v2 are mixed",
        fix: "use runc: --runtime=runc",
    },
    Signature {
        id: "pause-process-gone",
        needles: &["cannot re-exec process"],
        cause: "Podman's pause process is gone, and under the seal Podman cannot make another",
        fix: "run `podseal pause ensure` outside the seal, then start again",
    },
    Signature {
        id: "newuidmap",
        needles: &["newuidmap", "uid_map"],
        cause: "newuidmap may not map user ids here: no-new-privileges is set, or it has no setuid bit or capability",
        fix: "run `podseal pause ensure` outside the seal, and see /etc/subuid and the permissions of newuidmap",
    },
    Signature {
        id: "rlimit",
        needles: &["error setting rlimit"],
        cause: "the OCI runtime may not raise a resource limit (CAP_SYS_RESOURCE is missing)",
        fix: "pass limits that are not above the present hard ones, for example --ulimit=nofile=1024:1024",
    },
    Signature {
        id: "rlimit-crun",
        needles: &["setrlimit `RLIMIT_", "Operation not permitted"],
        cause: "the OCI runtime may not raise a resource limit (CAP_SYS_RESOURCE is missing)",
        fix: "pass limits that are not above the present hard ones, for example --ulimit=nofile=1024:1024",
    },
    Signature {
        id: "image-missing",
        needles: &["image not known"],
        cause: "the image is not in this user's storage, and the seal does not let it be pulled at start",
        fix: "pull it beforehand with `podman pull IMAGE`, as the same user",
    },
    // strerror(EAFNOSUPPORT) of glibc and of Go, from whatever the container runs.
    Signature {
        id: "listens-itself",
        needles: &["ddress family not supported by protocol"],
        cause: "a program inside the seal tried to make an internet socket of its own",
        fix: "use a server that takes the socket it is handed (LISTEN_FDS, sd_listen_fds(3))",
    },
];

/// A known failure and the line that shows it.
#[derive(Debug, PartialEq, Eq)]
pub struct Diagnosis<'a> {
    /// The failure.
    pub signature: &'static Signature,
    /// The line of the log that speaks for it.
    pub evidence: &'a str,
}

/// Looks for a known failure in `log`. None means that podseal does not know.
#[must_use]
pub fn diagnose(log: &str) -> Option<Diagnosis<'_>> {
    SIGNATURES.iter().find_map(|signature| {
        let evidence = log
            .lines()
            .rev()
            .find(|line| signature.needles.iter().all(|needle| line.contains(needle)))?;
        Some(Diagnosis {
            signature,
            evidence,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_shows_the_failure_is_quoted() {
        let log = "time=… level=warning msg=x\nError: recvfrom(PF_NETLINK) failed\nbye";
        let diagnosis = diagnose(log).unwrap();
        assert_eq!(diagnosis.signature.id, "crun-netlink");
        assert_eq!(diagnosis.evidence, "Error: recvfrom(PF_NETLINK) failed");
    }

    #[test]
    fn an_unknown_failure_gets_no_answer() {
        for log in ["", "Error: something else", "dial plan\nsocket: broken"] {
            assert_eq!(diagnose(log), None, "{log}");
        }
    }

    #[test]
    fn ids_are_unique() {
        for (index, row) in SIGNATURES.iter().enumerate() {
            assert!(SIGNATURES[..index].iter().all(|other| other.id != row.id));
        }
    }
}
