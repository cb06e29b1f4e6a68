//! The seccomp profile that a container gets at level strict: rows with a
//! reason each, and how they change the profile that the distribution has.
//!
//! The distribution's own profile is the base, so that system calls which it
//! comes to allow go on working. What a row names is taken out of it, and then
//! answered as the row says. The format is the one of `--security-opt=seccomp=`
//! in podman-run(1).

pub mod runtime_spec;

use serde_json::{Map, Value, json};

use super::mechanism::{self, Mechanism};

/// Some system calls, and what becomes of them in the container.
struct Row {
    /// The mechanism that it is a part of.
    mechanism: &'static Mechanism,
    calls: &'static [&'static str],
    answer: Answer,
    /// Why, also written into the profile.
    why: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// It fails, with an errno that the base does not answer with by itself: so
    /// that a refusal can be told from a call that nobody knows.
    Refused,
    /// It looks like a call that this kernel does not have (ENOSYS), and
    /// programs do without.
    Absent,
    /// It does nothing and returns 0.
    Nothing,
    /// It is refused with any of these bits in its first argument, and works
    /// without.
    RefusedWith(&'static [u32]),
}

/// `CLONE_NEWCGROUP`, `…UTS`, `…IPC`, `…USER`, `…PID`, `…NET`, `…NS` of clone(2)
const NEW_NAMESPACES: &[u32] = &[
    0x0200_0000,
    0x0400_0000,
    0x0800_0000,
    0x1000_0000,
    0x2000_0000,
    0x4000_0000,
    0x0002_0000,
];

const EPERM: u64 = 1;
const EACCES: u64 = 13;
const ENOSYS: u64 = 38;

const ROWS: &[Row] = &[
    Row {
        mechanism: &mechanism::NO_CONNECT,
        calls: &["connect"],
        answer: Answer::Refused,
        why: "a server answers; it calls nobody, and dissolves no socket that it was handed",
    },
    Row {
        mechanism: &mechanism::NO_BIND,
        calls: &["bind"],
        answer: Answer::Refused,
        why: "the sockets to serve are handed over, and bound already",
    },
    Row {
        mechanism: &mechanism::NO_LISTEN,
        calls: &["listen"],
        answer: Answer::Nothing,
        why: "what is handed over listens already, and servers call it nevertheless; on anything else it would choose a port",
    },
    Row {
        mechanism: &mechanism::FEWER_CALLS,
        calls: &["unshare", "setns"],
        answer: Answer::Refused,
        why: "in a user namespace of its own a process has all capabilities, and reaches more of the kernel",
    },
    Row {
        mechanism: &mechanism::FEWER_CALLS,
        calls: &["clone"],
        answer: Answer::RefusedWith(NEW_NAMESPACES),
        why: "namespaces as with unshare; without their flags it is fork(2), and makes threads",
    },
    Row {
        mechanism: &mechanism::FEWER_CALLS,
        calls: &["clone3"],
        answer: Answer::Absent,
        why: "its flags are in memory, where a filter cannot see them; the C library takes clone instead",
    },
    Row {
        mechanism: &mechanism::FEWER_CALLS,
        calls: &[
            "mount",
            "umount",
            "umount2",
            "pivot_root",
            "fsopen",
            "fsconfig",
            "fsmount",
            "fspick",
            "open_tree",
            "open_tree_attr",
            "move_mount",
            "mount_setattr",
        ],
        answer: Answer::Refused,
        why: "what is mounted was decided before the container started",
    },
    Row {
        mechanism: &mechanism::FEWER_CALLS,
        calls: &[
            "ptrace",
            "process_vm_readv",
            "process_vm_writev",
            "process_madvise",
            "pidfd_getfd",
            "kcmp",
        ],
        answer: Answer::Refused,
        why: "one process of the container taking over another",
    },
    Row {
        mechanism: &mechanism::FEWER_CALLS,
        calls: &["keyctl", "add_key", "request_key"],
        answer: Answer::Refused,
        why: "keyrings are not separated by all namespaces (keyrings(7))",
    },
    Row {
        mechanism: &mechanism::FEWER_CALLS,
        calls: &["bpf", "perf_event_open", "userfaultfd"],
        answer: Answer::Refused,
        why: "large parts of the kernel, of use to those who attack it",
    },
    Row {
        mechanism: &mechanism::FEWER_CALLS,
        calls: &["io_uring_setup", "io_uring_enter", "io_uring_register"],
        answer: Answer::Absent,
        why: "it makes calls that no filter sees",
    },
];

/// A profile that podseal cannot build on.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// It is not JSON.
    #[error("it is not JSON")]
    Json(#[from] serde_json::Error),
    /// It is something else than a profile.
    #[error("it has no {0}")]
    Lacks(&'static str),
    /// It allows what it does not name.
    #[error(
        "it answers {0} to system calls that it does not name, so it is no list of what is allowed"
    )]
    NotAnAllowList(String),
}

/// The profile for a container under `mechanisms`, made from `base`, the text
/// of the distribution's one.
///
/// # Errors
/// See [`ProfileError`].
pub fn profile(base: &str, mechanisms: &[&'static Mechanism]) -> Result<String, ProfileError> {
    let mut profile: Map<String, Value> = serde_json::from_str(base)?;
    let default = default_errno(&profile)?;
    let refused = if default == Some(EACCES) {
        EPERM
    } else {
        EACCES
    };
    let rows: Vec<&Row> = ROWS
        .iter()
        .filter(|row| mechanisms.contains(&row.mechanism))
        .collect();
    let is_ours = |name: &Value| {
        rows.iter()
            .any(|row| row.calls.iter().any(|call| *name == **call))
    };
    let Some(Value::Array(rules)) = profile.get_mut("syscalls") else {
        return Err(ProfileError::Lacks("\"syscalls\""));
    };
    for rule in rules.iter_mut() {
        if let Some(Value::Array(names)) = rule.get_mut("names") {
            names.retain(|name| !is_ours(name));
        }
    }
    rules.retain(|rule| match (rule.get("names"), rule.get("name")) {
        (Some(Value::Array(names)), _) => !names.is_empty(),
        (_, Some(name)) => !is_ours(name),
        _ => false,
    });
    rules.extend(rows.iter().flat_map(|row| row.rules(refused)));
    // Other ABIs have other numbers and arguments (socketcall(2)). The launcher
    // kills what comes through one.
    if let Some(Value::Array(architectures)) = profile.get_mut("archMap") {
        for architecture in architectures {
            if let Value::Object(architecture) = architecture {
                architecture.insert("subArchitectures".to_owned(), json!([]));
            }
        }
    }
    let mut text = serde_json::to_string_pretty(&profile)?;
    text.push('\n');
    Ok(text)
}

/// Whether `text` is such a profile: to make it once more changes nothing.
#[must_use]
pub fn is_made(text: &str, mechanisms: &[&'static Mechanism]) -> bool {
    profile(text, mechanisms).is_ok_and(|made| made == text)
}

/// What the profile answers to calls that it does not name, if it lets the
/// process live.
fn default_errno(profile: &Map<String, Value>) -> Result<Option<u64>, ProfileError> {
    let action = profile.get("defaultAction").and_then(Value::as_str);
    match action.ok_or(ProfileError::Lacks("\"defaultAction\""))? {
        "SCMP_ACT_ERRNO" => {
            let errno = profile.get("defaultErrnoRet").and_then(Value::as_u64);
            Ok(Some(errno.unwrap_or(EPERM)))
        }
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_PROCESS" | "SCMP_ACT_KILL_THREAD" | "SCMP_ACT_TRAP" => {
            Ok(None)
        }
        other => Err(ProfileError::NotAnAllowList(other.to_owned())),
    }
}

impl Row {
    /// The row in the profile's own words.
    fn rules(&self, refused: u64) -> Vec<Value> {
        let errno = |errno: u64, args: Value| {
            json!({
                "names": self.calls,
                "action": "SCMP_ACT_ERRNO",
                "errnoRet": errno,
                "args": args,
                "comment": self.why,
            })
        };
        match self.answer {
            Answer::Refused => vec![errno(refused, json!([]))],
            Answer::Absent => vec![errno(ENOSYS, json!([]))],
            Answer::Nothing => vec![errno(0, json!([]))],
            Answer::RefusedWith(bits) => {
                let masked = |mask: u32, value: u32| {
                    json!([{
                        "index": 0,
                        "value": mask,
                        "valueTwo": value,
                        "op": "SCMP_CMP_MASKED_EQ",
                    }])
                };
                let mut rules = vec![json!({
                    "names": self.calls,
                    "action": "SCMP_ACT_ALLOW",
                    "args": masked(bits.iter().fold(0, |all, bit| all | bit), 0),
                })];
                rules.extend(bits.iter().map(|bit| errno(refused, masked(*bit, *bit))));
                rules
            }
        }
    }
}

#[cfg(test)]
mod tests;
