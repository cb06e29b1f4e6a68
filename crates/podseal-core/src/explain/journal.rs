//! Lines of a log, and who said them: `journalctl --output=json`
//! (systemd.journal-fields(7)), or the output of a command.
//!
//! A text alone proves nothing, since a server may quote any message. Who wrote
//! an entry is therefore read from the fields that journald adds by itself.
//! Podman in the foreground passes on what its container says, and both come
//! from a process called "podman": see [`Log`].

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Deserialize;

use crate::lifecycle::Exit;

/// What systemd says about units, by its message ids (sd-messages.h).
pub mod message_id {
    /// A unit is being started.
    pub const STARTING: &str = "7d4958e842da4a758f6c1cdc7b36dcc5";
    /// A unit was started.
    pub const STARTED: &str = "39f53479d3a045ac8e11786248231fbf";
    /// A unit failed, with `UNIT_RESULT`.
    pub const FAILED: &str = "d9b373ed55a64feb8242e02dbe79a49c";
    /// A unit ended well.
    pub const SUCCEEDED: &str = "7ad2d189f7e94e70a38c781354912448";
    /// A unit is being stopped, since somebody wants it.
    pub const STOPPING: &str = "de5b426a63be47a7b6ac3eaac82e2f6f";
    /// A process of a unit ended, with `EXIT_CODE` and `EXIT_STATUS`.
    pub const PROCESS_EXIT: &str = "98e322203f7a4ed290d09fe03c09fe15";
}

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// systemd, about a unit.
    Systemd,
    /// Podman, the OCI runtime or a program that they call.
    Podman,
    /// conmon, which repeats what the OCI runtime says to Podman.
    Conmon,
    /// podseal.
    Podseal,
    /// Podman's generator of units.
    Quadlet,
    /// The kernel.
    Kernel,
    /// The service itself, or something that podseal does not know.
    Service,
}

/// How a process ended, as systemd tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// `exited`, `killed` or `dumped`.
    pub code: String,
    /// The status or the signal's number.
    pub status: i32,
}

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "BTreeMap<String, Field>")]
pub struct Entry {
    /// What was said.
    pub message: String,
    /// By whom.
    pub speaker: Speaker,
    /// Which kind of message of systemd's it is, see [`message_id`].
    pub message_id: Option<String>,
    /// The unit that said it, or that systemd speaks about.
    pub unit: Option<String>,
    /// Which start of that unit it belongs to.
    pub invocation: Option<String>,
    /// Microseconds since 1970.
    pub time: Option<u64>,
    /// The unit's result, where it failed.
    pub result: Option<String>,
    /// How a process ended.
    pub ended: Option<Ended>,
    /// The process that said it.
    pub pid: Option<u32>,
    /// What Podman tells of a container, such as `start`.
    pub event: Option<String>,
}

/// The value of a field as `journalctl` writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Field {
    Text(String),
    /// What is not UTF-8, or has control characters.
    Bytes(Vec<u8>),
    /// A field that an entry has more than once.
    Several(Vec<Field>),
    /// Too long to be shown.
    Null(()),
}

impl Field {
    fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Self::Several(fields) => fields.into_iter().find_map(Self::into_text),
            Self::Null(()) => None,
        }
    }
}

impl From<BTreeMap<String, Field>> for Entry {
    fn from(fields: BTreeMap<String, Field>) -> Self {
        let fields: BTreeMap<String, String> = fields
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.into_text()?)))
            // A unit that never started has an empty invocation.
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let get = |name: &str| fields.get(name).map(String::as_str);
        let speaker = speaker(&get);
        let first = |names: &[&str]| names.iter().find_map(|name| get(name)).map(str::to_owned);
        let message = plain(get("MESSAGE").unwrap_or_default());
        let (unit, invocation) = if speaker == Speaker::Systemd {
            (
                first(&["USER_UNIT", "UNIT"]),
                first(&["USER_INVOCATION_ID", "INVOCATION_ID"]),
            )
        } else {
            (
                first(&["_SYSTEMD_USER_UNIT", "_SYSTEMD_UNIT"]),
                first(&["_SYSTEMD_INVOCATION_ID"]),
            )
        };
        let is_systemd = speaker == Speaker::Systemd;
        let ended = || {
            Some(Ended {
                code: get("EXIT_CODE")?.to_owned(),
                status: status(get("EXIT_STATUS")?)?,
            })
        };
        Self {
            speaker: if speaker == Speaker::Podman && !is_podmans(&message) {
                Speaker::Service
            } else {
                speaker
            },
            pid: get("_PID").and_then(|pid| pid.parse().ok()),
            event: first(&["PODMAN_EVENT"]).filter(|_| get("_COMM") == Some("podman")),
            message_id: first(&["MESSAGE_ID"]).filter(|_| is_systemd),
            unit,
            invocation,
            time: get("__REALTIME_TIMESTAMP").and_then(|time| time.parse().ok()),
            result: first(&["UNIT_RESULT"]).filter(|_| is_systemd),
            ended: is_systemd.then(ended).flatten(),
            message,
        }
    }
}

impl Entry {
    /// A line that somebody said, of whom nothing else is known.
    #[must_use]
    pub fn line(speaker: Speaker, message: &str) -> Self {
        Self {
            message: plain(message),
            speaker,
            message_id: None,
            unit: None,
            invocation: None,
            time: None,
            result: None,
            ended: None,
            pid: None,
            event: None,
        }
    }

    /// Whether it is systemd's message of this kind.
    #[must_use]
    pub fn is(&self, message_id: &str) -> bool {
        self.message_id.as_deref() == Some(message_id)
    }
}

/// Fields that begin with `_` are journald's own, and cannot be forged.
fn speaker<'a>(get: &impl Fn(&str) -> Option<&'a str>) -> Speaker {
    match get("_TRANSPORT") {
        Some("kernel" | "audit") => return Speaker::Kernel,
        _ if get("_SYSTEMD_UNIT") == Some("auditd.service") => return Speaker::Kernel,
        _ => {}
    }
    let comm = get("_COMM").unwrap_or_default();
    let name = get("_EXE").map_or(comm, |path| path.rsplit('/').next().unwrap_or(path));
    let is_about_unit = get("UNIT").or(get("USER_UNIT")).is_some();
    let identifier = get("SYSLOG_IDENTIFIER").unwrap_or_default();
    if is_about_unit && get("_TRANSPORT") == Some("journal") && identifier.starts_with('(') {
        // systemd's child that is to become the command.
        return Speaker::Systemd;
    }
    match name {
        "systemd" | "systemd-executor" if is_about_unit => Speaker::Systemd,
        "quadlet" | "podman-user-gen" | "podman-system-g" => Speaker::Quadlet,
        "podman" | "crun" | "runc" | "newuidmap" | "newgidmap" => Speaker::Podman,
        // conmon speaks for the container, too.
        "conmon" if get("CONTAINER_ID").is_none() => Speaker::Conmon,
        "podseal" => Speaker::Podseal,
        // Gone before journald looked: the name is that of what systemd started.
        "" => match identifier {
            "podseal" if is_error(get("MESSAGE")) => Speaker::Podseal,
            // The launcher becomes Podman.
            "podman" | "podseal" => Speaker::Podman,
            _ => Speaker::Service,
        },
        _ => Speaker::Service,
    }
}

/// Whether a line has the form of podseal's own errors.
fn is_error(message: Option<&str>) -> bool {
    message.is_some_and(|message| plain(message).starts_with("error: "))
}

/// A status is a number, a signal also a name.
fn status(text: &str) -> Option<i32> {
    text.parse().ok().or(match text {
        "ABRT" => Some(6),
        "KILL" => Some(9),
        "SEGV" => Some(11),
        "TERM" => Some(15),
        "SYS" => Some(31),
        _ => None,
    })
}

/// Without the escape sequences of terminals, and without a line break at the
/// end.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.trim_end().chars();
    while let Some(char) = chars.next() {
        if char == '\u{1b}' {
            // CSI … final byte (ECMA-48)
            if chars.next() == Some('[') {
                let _ = chars.find(|c| ('@'..='~').contains(c));
            }
        } else {
            plain.push(char);
        }
    }
    plain
}

/// Whether a line of a process called "podman" has the form of Podman's own.
/// The rest is its container's.
fn is_podmans(line: &str) -> bool {
    const OWN: &[&str] = &[
        "Error: ",
        "time=\"",
        "Trying to pull ",
        "[conmon:",
        "conmon ",
    ];
    OWN.iter().any(|start| line.starts_with(start))
}

/// The statuses by which Podman says that it, and not the container, failed
/// (podman-run(1), "Exit Status").
const PODMANS_FAILURES: RangeInclusive<i32> = 125..=127;

/// The statuses by which `podseal enter` says that it could not seal, after
/// systemd.exec(5).
const LAUNCHERS_FAILURES: RangeInclusive<i32> = 200..=243;

/// The lines of one start of a service.
///
/// Podman in the foreground passes on what its container says. What has the
/// form of Podman's own words is taken for them only while no container runs,
/// or where Podman ended with a status that means it failed itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log {
    /// In their order.
    pub entries: Vec<Entry>,
}

impl Log {
    /// What a command said that ended like this. Who said a line is told from
    /// its form.
    #[must_use]
    pub fn of_output(text: &str, exit: Exit) -> Self {
        Self::of_lines(text.lines().map(|line| (None, line)), Some(exit))
    }

    /// The same of lines, with who said them where that is known, of a command
    /// that may be running.
    #[must_use]
    pub fn of_lines<'a>(
        lines: impl Iterator<Item = (Option<Speaker>, &'a str)>,
        exit: Option<Exit>,
    ) -> Self {
        let is_launchers =
            matches!(exit, Some(Exit::Code(status)) if LAUNCHERS_FAILURES.contains(&status));
        let entries = lines.map(|(speaker, line)| {
            let line = plain(line);
            let by_form = || {
                if is_launchers && line.starts_with("error: ") {
                    Speaker::Podseal
                } else if is_podmans(&line) {
                    Speaker::Podman
                } else {
                    Speaker::Service
                }
            };
            Entry::line(speaker.unwrap_or_else(by_form), &line)
        });
        let end = exit.map(|exit| {
            let (code, status) = match exit {
                Exit::Code(status) => ("exited", status),
                Exit::Signal(signal) => ("killed", signal),
            };
            Entry {
                ended: Some(Ended {
                    code: code.to_owned(),
                    status,
                }),
                ..Entry::line(Speaker::Systemd, &format!("main process {exit}"))
            }
        });
        Self::new(entries.chain(end).collect())
    }

    /// Lines of which it is known who said them.
    #[must_use]
    pub fn said_by(speaker: Speaker, text: &str) -> Self {
        let lines = text.lines();
        Self {
            entries: lines.map(|line| Entry::line(speaker, line)).collect(),
        }
    }

    /// The lines of one start.
    #[must_use]
    pub fn new(mut entries: Vec<Entry>) -> Self {
        let exits = entries.iter().filter_map(|entry| entry.ended.as_ref());
        let exited = exits.filter(|ended| ended.code == "exited");
        let mut statuses = exited.map(|ended| ended.status);
        let has_failed = statuses.any(|status| PODMANS_FAILURES.contains(&status));
        let mut runs = false;
        for entry in &mut entries {
            runs |= entry.event.as_deref() == Some("start");
            let is_error = entry.message.starts_with("Error: ");
            if entry.speaker == Speaker::Podman && !has_failed && (runs || is_error) {
                entry.speaker = Speaker::Service;
            }
        }
        Self { entries }
    }

    /// How the last process ended of which systemd tells.
    #[must_use]
    pub fn ended(&self) -> Option<&Ended> {
        let mut ended = self.entries.iter().rev();
        ended.find_map(|entry| entry.ended.as_ref())
    }
}
