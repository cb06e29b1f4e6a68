//! Ways around a filter of socket(2).

use crate::audit::Severity::Error;
use crate::audit::rule::{Check, Example, Fault, Rule, when};
use crate::audit::subject::Container;
use crate::unit::families::FilterMode;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "native-abi",
        severity: Error,
        title: "foreign system-call ABIs are allowed",
        why: "On x86-64 a program can make its calls as an i386 one does (int 0x80), or as x32. systemd cannot filter the i386 socketcall(2), so internet sockets can be made that way.",
        fix: "set SystemCallArchitectures=native",
        references: &["systemd.exec(5)", "socketcall(2)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nSystemCallArchitectures=native x86\n",
        },
        good: Example {
            unit: "web.service",
            lines: "[Service]\nSystemCallArchitectures=native\n",
        },
        check: Check::Container(native_abi),
    },
    Rule {
        id: "io-uring-reachable",
        severity: Error,
        title: "io_uring makes sockets that no filter sees",
        why: "An io_uring makes sockets and connects them (IORING_OP_SOCKET, IORING_OP_CONNECT) without calling socket(2), so RestrictAddressFamilies= does not see it. @system-service and @aio allow io_uring.",
        fix: "set SystemCallFilter=~io_uring_setup io_uring_enter io_uring_register with :ENOSYS behind each",
        references: &["io_uring_enter(2)", "systemd.exec(5)"],
        bad: Example {
            unit: "web.service",
            lines: "[Service]\nSystemCallFilter=@system-service\n",
        },
        good: Example {
            unit: "web.service",
            lines: "[Service]\nSystemCallFilter=~io_uring_setup:ENOSYS io_uring_enter:ENOSYS io_uring_register:ENOSYS\n",
        },
        check: Check::Container(io_uring),
    },
    Rule {
        id: "architecture-without-families",
        severity: Error,
        title: "RestrictAddressFamilies= does nothing on this architecture",
        why: "Where the kernel multiplexes socket(2) through socketcall(2), as on 32-bit x86, s390x and 64-bit PowerPC, systemd ignores RestrictAddressFamilies= without a word.",
        fix: "run the service on another architecture; podseal's own filter is for x86-64 and aarch64",
        references: &["systemd.exec(5)"],
        bad: Example {
            unit: "web.service on s390x",
            lines: "[Service]\nRestrictAddressFamilies=AF_UNIX AF_NETLINK\n",
        },
        good: Example {
            unit: "web.service",
            lines: "[Service]\nRestrictAddressFamilies=AF_UNIX AF_NETLINK\n",
        },
        check: Check::Container(architecture),
    },
];

fn native_abi(container: &Container<'_>) -> Vec<Fault> {
    let key = "SystemCallArchitectures";
    let allowed = &container.service.sandbox.syscall_architectures;
    let own = match container.set.architecture.as_str() {
        "x86_64" => "x86-64",
        "aarch64" => "arm64",
        _ => "native",
    };
    let is_native = |word: &String| word == "native" || word == own;
    when(allowed.is_empty() || !allowed.iter().all(is_native), || {
        let message = if allowed.is_empty() {
            "system calls of every ABI are allowed".to_owned()
        } else {
            format!(
                "system calls of these ABIs are allowed: {}",
                allowed.join(", ")
            )
        };
        Fault::at(container.setting(key), message)
            .set("Service", key, "")
            .set("Service", key, "native")
    })
}

fn io_uring(container: &Container<'_>) -> Vec<Fault> {
    let filter = &container.service.sandbox.syscall_filter;
    when(!filter.io_uring.allowed.is_empty(), || {
        let calls = filter.io_uring.allowed.join(", ");
        let message = match filter.mode {
            FilterMode::Unrestricted => "no filter keeps this from using io_uring".to_owned(),
            FilterMode::Allow | FilterMode::Deny => format!("the filter lets through {calls}"),
        };
        Fault::at(container.setting("SystemCallFilter"), message).set(
            "Service",
            "SystemCallFilter",
            "~io_uring_setup:ENOSYS io_uring_enter:ENOSYS io_uring_register:ENOSYS",
        )
    })
}

/// Where `seccomp_restrict_address_families()` has nothing to filter.
const MULTIPLEXED: &[&str] = &["x86", "s390x", "powerpc", "powerpc64"];

fn architecture(container: &Container<'_>) -> Vec<Fault> {
    let architecture = &container.set.architecture;
    when(MULTIPLEXED.contains(&architecture.as_str()), || {
        let message = format!("systemd on {architecture} ignores this");
        Fault::at(container.setting("RestrictAddressFamilies"), message)
    })
}
