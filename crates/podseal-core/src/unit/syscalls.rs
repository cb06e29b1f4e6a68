//! `SystemCallFilter=` and `SystemCallArchitectures=`, as far as the question
//! "is io_uring reachable" needs them.
//!
//! Follows `systemd.exec(5)`, systemd's `config_parse_syscall_filter()` and the
//! groups of `seccomp-util.c` (`systemd-analyze syscall-filter`).

use serde::Serialize;

use super::families::FilterMode;
use super::words::{Flags, each_word};
use super::{Problem, WHITESPACE};

/// The system calls of io_uring, see `io_uring(7)`. The first makes a ring.
const IO_URING: [&str; 3] = ["io_uring_setup", "io_uring_enter", "io_uring_register"];

/// A group of system calls.
struct Group {
    name: &'static str,
    has_io_uring: bool,
}

const fn group(name: &'static str) -> Group {
    Group {
        name,
        has_io_uring: false,
    }
}

const fn group_with_io_uring(name: &'static str) -> Group {
    Group {
        name,
        has_io_uring: true,
    }
}

/// The groups of systemd 252 to 262. `@service` is none, although often written.
const GROUPS: &[Group] = &[
    // What an allow list always has.
    group("@default"),
    // Asynchronous input and output: the three calls are listed here.
    group_with_io_uring("@aio"),
    group("@basic-io"),
    group("@chown"),
    group("@clock"),
    group("@cpu-emulation"),
    group("@debug"),
    group("@file-system"),
    // epoll, poll, select, and not io_uring.
    group("@io-event"),
    group("@ipc"),
    group("@keyring"),
    group("@memlock"),
    group("@module"),
    group("@mount"),
    group("@network-io"),
    group("@obsolete"),
    group("@pkey"),
    group("@privileged"),
    group("@process"),
    group("@raw-io"),
    group("@reboot"),
    group("@resources"),
    // Landlock and seccomp; not in 252.
    group("@sandbox"),
    group("@setuid"),
    group("@signal"),
    group("@swap"),
    group("@sync"),
    // Includes @aio.
    group_with_io_uring("@system-service"),
    group("@timer"),
    // Every call that systemd knows.
    group_with_io_uring("@known"),
];

/// What the lines of `SystemCallFilter=` add up to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SyscallFilter {
    /// Whether the filter lists what is allowed or what is denied.
    pub mode: FilterMode,
    /// What happens to each call of io_uring.
    pub io_uring: IoUring,
}

/// What a filter lets through of io_uring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IoUring {
    /// Whether a ring can be made: `io_uring_setup` passes.
    pub reachable: bool,
    /// The calls that pass.
    pub allowed: Vec<&'static str>,
}

/// Reads one line of `SystemCallFilter=` after another.
#[derive(Clone, Debug, Default)]
pub struct SyscallFilterReader {
    /// Whether the list allows; `None` before the first line fixes it.
    allow: Option<bool>,
    /// Whether each call of [`IO_URING`] is in the list.
    listed: [bool; 3],
    /// Whether anything else was put on it; taking off is not followed.
    others: bool,
}

impl SyscallFilterReader {
    /// Reads the value of one line and says what is odd about it.
    pub fn line(&mut self, value: &str) -> Vec<Problem> {
        if value.is_empty() {
            *self = Self::default();
            return Vec::new();
        }
        let (invert, names) = match value.strip_prefix('~') {
            Some(names) => (true, names),
            None => (false, value),
        };
        let allow = *self.allow.get_or_insert(!invert);
        // A line of the other polarity takes off the list.
        let list = allow != invert;
        each_word(value, names, Flags::NONE, |word| {
            self.word(word, invert, list)
        })
    }

    fn word(&mut self, word: &str, invert: bool, list: bool) -> Result<(), String> {
        let (name, action) = match word.split_once(':') {
            Some((name, action)) => (name, Some(action)),
            None => (word, None),
        };
        if action.is_some() && !invert {
            return Err(format!(
                "allowed system calls take no error number: {word:?}"
            ));
        }
        if action.is_some_and(|action| !is_action(action)) {
            return Err(format!("unknown error name in {word:?}"));
        }
        if name.starts_with('@') {
            let group = GROUPS
                .iter()
                .find(|group| group.name == name)
                .ok_or_else(|| format!("unknown system call group {name:?} is ignored"))?;
            if group.has_io_uring {
                self.listed = [list; 3];
            }
            self.others |= list;
        } else if let Some(index) = IO_URING.iter().position(|call| *call == name) {
            self.listed[index] = list;
        } else {
            self.others |= list;
        }
        Ok(())
    }

    /// What the lines so far add up to.
    #[must_use]
    pub fn finish(&self) -> SyscallFilter {
        let empty = !self.others && self.listed == [false; 3];
        let mode = match self.allow {
            Some(true) => FilterMode::Allow,
            Some(false) if !empty => FilterMode::Deny,
            _ => FilterMode::Unrestricted,
        };
        let allowed: Vec<&str> = IO_URING
            .into_iter()
            .zip(self.listed)
            .filter(|(_, listed)| match mode {
                FilterMode::Unrestricted => true,
                FilterMode::Allow => *listed,
                FilterMode::Deny => !listed,
            })
            .map(|(call, _)| call)
            .collect();
        SyscallFilter {
            mode,
            io_uring: IoUring {
                reachable: allowed.contains(&IO_URING[0]),
                allowed,
            },
        }
    }
}

/// Whether a line of `SystemCallFilter=` refuses system calls of io_uring and
/// nothing else.
#[must_use]
pub fn is_io_uring_only(value: &str) -> bool {
    let Some(names) = value.strip_prefix('~') else {
        return false;
    };
    let mut names = names.split(WHITESPACE).filter(|name| !name.is_empty());
    names.all(|word| {
        let (name, action) = word.split_once(':').unwrap_or((word, "kill"));
        IO_URING.contains(&name) && is_action(action)
    })
}

/// `kill`, an error's name such as `ENOSYS`, or its number. Names are not
/// looked up: an unknown one needs only to look like one.
fn is_action(action: &str) -> bool {
    action == "kill"
        || action.strip_prefix('E').is_some_and(|rest| {
            !rest.is_empty()
                && rest
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        })
        || action.parse().is_ok_and(|number: u16| number <= 4095)
}

/// Architectures that `SystemCallArchitectures=` knows (`seccomp_arch_from_string()`).
const ARCHITECTURES: &[&str] = &[
    "native",
    "x86",
    "x86-64",
    "x32",
    "arm",
    "arm64",
    "loongarch64",
    "mips",
    "mips64",
    "mips64-n32",
    "mips-le",
    "mips64-le",
    "mips64-le-n32",
    "parisc",
    "parisc64",
    "ppc",
    "ppc64",
    "ppc64-le",
    "riscv64",
    "s390",
    "s390x",
];

/// Whether `SystemCallArchitectures=` takes this word.
#[must_use]
pub fn is_architecture(word: &str) -> bool {
    ARCHITECTURES.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> (SyscallFilter, usize) {
        let mut reader = SyscallFilterReader::default();
        let problems = lines.iter().map(|line| reader.line(line).len()).sum();
        (reader.finish(), problems)
    }

    #[test]
    fn io_uring_through_groups_and_polarities() {
        let all = "~io_uring_setup io_uring_enter io_uring_register";
        let cases: &[(&[&str], FilterMode, bool)] = &[
            (&[], FilterMode::Unrestricted, true),
            (&["~"], FilterMode::Unrestricted, true),
            (&["@system-service"], FilterMode::Allow, true),
            (&["@aio"], FilterMode::Allow, true),
            (&["@known"], FilterMode::Allow, true),
            (&["@default"], FilterMode::Allow, false),
            (&["@basic-io @io-event"], FilterMode::Allow, false),
            (&["read write"], FilterMode::Allow, false),
            (&["@system-service", all], FilterMode::Allow, false),
            (&["@system-service", "~@aio"], FilterMode::Allow, false),
            (
                &["@system-service", "~@aio", "@system-service"],
                FilterMode::Allow,
                true,
            ),
            (&[all], FilterMode::Deny, false),
            (&["~io_uring_setup:ENOSYS"], FilterMode::Deny, false),
            (&["~io_uring_setup:kill"], FilterMode::Deny, false),
            (&["~@privileged"], FilterMode::Deny, true),
            (&["~@aio", "@aio"], FilterMode::Deny, true),
            (&[all, ""], FilterMode::Unrestricted, true),
            (&["@system-service", "", all], FilterMode::Deny, false),
        ];
        for (lines, mode, reachable) in cases {
            let (filter, problems) = read(lines);
            assert_eq!(filter.mode, *mode, "{lines:?}");
            assert_eq!(filter.io_uring.reachable, *reachable, "{lines:?}");
            assert_eq!(problems, 0, "{lines:?}");
        }
    }

    #[test]
    fn lines_about_io_uring_alone() {
        for (line, expected) in [
            ("~io_uring_setup io_uring_enter io_uring_register", true),
            ("~io_uring_setup:ENOSYS", true),
            ("io_uring_setup", false),
            ("~io_uring_setup read", false),
            ("~@aio", false),
        ] {
            assert_eq!(is_io_uring_only(line), expected, "{line}");
        }
    }

    #[test]
    fn odd_words_are_reported() {
        for line in [
            "@service",
            "io_uring_setup:ENOSYS",
            "~a:b",
            "~a:",
            "read \"a\\",
        ] {
            assert_eq!(read(&[line]).1, 1, "{line}");
        }
        // An unknown group leaves an allow list with the default calls only.
        let (filter, _) = read(&["@service"]);
        assert_eq!(filter.mode, FilterMode::Allow);
        assert!(!filter.io_uring.reachable);
    }
}
