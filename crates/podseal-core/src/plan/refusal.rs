//! What a seal is not put on.

use super::mend::{self, Edit};
use super::{COPIED, Sealing};
use crate::audit::command::{Command, Program};
use crate::audit::{Finding, Severity, rules};
use crate::podman::invocation::Verb;
use crate::podman::strict::{self, Stage};
use crate::policy::level::Level;
use crate::socket_address::{SocketAddress, SocketKind};
use crate::unit::Effect;
use crate::unit::effective::service::Service;
use crate::unit::effective::socket::{Listen, Socket};
use crate::unit::effective::{Located, Origin};
use crate::unit::exec::{ExecCommand, raw_commands};
use crate::unit::name::UnitName;

/// A reason for which a service cannot be sealed: data, not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The name of the rule, which stays.
    pub id: &'static str,
    /// The unit that has it.
    pub unit: UnitName,
    /// Where.
    pub origin: Option<Origin>,
    /// What was found, a lowercase fragment.
    pub message: String,
    /// What to do about it.
    pub fix: String,
    /// What to change in the user's file, to the letter, where that is known.
    pub edit: Option<Edit>,
    /// The image, where it is that which is not pinned.
    pub image: Option<String>,
}

const NOT_SEALABLE: &str = "socket-not-sealable";

/// Rules of `podseal check` that stand against a seal, and from which level on.
/// Those that find errors do so at every level, unless they are here: an error
/// is a seal that is not there, or is open.
const AGAINST: &[(&str, Level)] = &[
    // podseal cannot tell what would be sealed.
    ("command-unclear", Level::Families),
    ("no-podman", Level::Families),
    ("unit-masked", Level::Families),
    // The container's options are elsewhere, and can change there.
    ("container-made-elsewhere", Level::Families),
    ("kube-play", Level::Families),
    // It would not start, or not once the image is gone.
    ("pull-not-never", Level::Families),
    // It would not start, or leave the service.
    ("user-directive", Level::Families),
    // Level families promises nothing about what is handed over.
    (NOT_SEALABLE, Level::Standard),
    ("open-file", Level::Standard),
    ("fd-store", Level::Standard),
    ("preserve-fds", Level::Standard),
    // What runs in the container beside the launcher can be handed such a socket.
    ("health-check", Level::Standard),
];

/// What findings are judged by.
#[derive(Clone, Debug)]
pub struct Judge {
    /// The level of the seal.
    pub level: Level,
    /// Where UDP sockets are opened that are accepted.
    pub accepted_udp: Vec<Origin>,
}

impl Judge {
    /// Whether a finding stands against the seal.
    #[must_use]
    pub fn is_against(&self, finding: &Finding) -> bool {
        if finding.rule.id == NOT_SEALABLE
            && let Some(span) = &finding.span
            && self.accepted_udp.contains(&span.origin)
        {
            return false;
        }
        let row = AGAINST.iter().find(|(id, _)| *id == finding.rule.id);
        row.map_or(finding.rule.severity == Severity::Error, |(_, from)| {
            self.level >= *from
        })
    }
}

/// Where a socket unit opens UDP sockets.
pub fn udp_sockets(socket: &Socket) -> impl Iterator<Item = &Origin> {
    let is_udp = |listen: &&Located<Listen>| match &listen.value {
        Listen::Socket { kind, address, .. } => {
            *kind == SocketKind::Datagram
                && matches!(
                    address,
                    SocketAddress::Inet { .. } | SocketAddress::Inet6 { .. }
                )
        }
        _ => false,
    };
    socket
        .listen
        .iter()
        .filter(is_udp)
        .map(|listen| &listen.origin)
}

/// Those findings that stand against a seal, whatever a comment says: a comment
/// seals nothing.
#[must_use]
pub fn of_findings(findings: &[Finding], judge: &Judge) -> Vec<Refusal> {
    let against = findings.iter().filter(|finding| judge.is_against(finding));
    against
        .map(|finding| Refusal {
            id: finding.rule.id,
            unit: finding.unit.clone(),
            origin: finding.span.as_ref().map(|span| span.origin.clone()),
            message: finding.message.clone(),
            fix: finding.fix.clone(),
            edit: mend::edit(finding),
            image: None,
        })
        .collect()
}

/// A command that the launcher cannot be put before, or what it starts would
/// not be under it.
struct Rule {
    id: &'static str,
    applies: fn(&'static str, &Located<ExecCommand>) -> bool,
    message: &'static str,
    fix: &'static str,
}

/// What stands against level standard in a command.
const OF_COMMANDS: &[Rule] = &[
    Rule {
        id: "launcher-in-command",
        applies: |key, command| {
            let mut words = command.value.argv.iter().map(String::as_str);
            key == "ExecStart"
                && command.value.path.rsplit('/').next() == Some("podseal")
                && words.nth(1) == Some("enter")
        },
        message: "the command is behind a launcher already, and cannot join Podman's namespaces from behind two",
        fix: "write the podman command itself; the drop-in puts the launcher before it",
    },
    Rule {
        id: "container-outside-launcher",
        applies: |key, command| {
            let command = Command::new(key, command, None);
            key != "ExecStart"
                && matches!(
                    command.program,
                    Program::Podman(podman)
                        if matches!(podman.verb, Verb::Run | Verb::Start | Verb::KubePlay | Verb::Unknown)
                )
        },
        message: "only what ExecStart= starts is behind the launcher",
        fix: "start the container in ExecStart=, or seal with --level=families",
    },
];

/// What stands against writing the drop-in at all.
pub(super) fn of_commands(sealing: &Sealing<'_>) -> Vec<Refusal> {
    let mut refusals = of_lines(sealing.service);
    refusals.extend(no_podman(sealing.service));
    if sealing.level < Level::Standard {
        return refusals;
    }
    refusals.extend(prefixes(sealing.service));
    for (key, commands) in &sealing.service.commands {
        for command in commands {
            let rules = OF_COMMANDS.iter();
            refusals.extend(
                rules
                    .filter(|rule| (rule.applies)(key, command))
                    .map(|rule| Refusal {
                        id: rule.id,
                        unit: sealing.service.unit.clone(),
                        origin: Some(command.origin.clone()),
                        message: rule.message.to_owned(),
                        fix: rule.fix.to_owned(),
                        edit: None,
                        image: None,
                    }),
            );
        }
    }
    refusals
}

/// What of a container's own options contradicts the level.
#[must_use]
pub fn of_container(sealing: &Sealing<'_>) -> Vec<Refusal> {
    if sealing.level < Level::Strict {
        return Vec::new();
    }
    let service = sealing.service;
    let commands = service.commands_of("ExecStart").iter();
    let podman = commands.filter_map(|command| {
        let command = Command::new("ExecStart", command, None);
        let podman = command.podman().cloned();
        podman.filter(|podman| podman.verb == Verb::Run)
    });
    podman
        .flat_map(|podman| strict::contradictions(&podman, Stage::Written))
        .map(|found| Refusal {
            id: found.id,
            unit: service.unit.clone(),
            origin: found.word.map(|word| word.place),
            message: found.message,
            fix: found.fix.to_owned(),
            edit: None,
            image: found.image,
        })
        .collect()
}

/// The rule of this name looks at all commands, and is content with one that
/// makes the pause process, as the drop-in has it.
fn no_podman(service: &Service) -> Option<Refusal> {
    let commands = service.commands_of("ExecStart");
    let is_podman =
        |command: &Located<ExecCommand>| match Command::new("ExecStart", command, None).program {
            Program::Podman(podman) => podman.starts_container(),
            Program::Unclear { .. } => true,
            Program::PauseEnsure { .. } | Program::Other => false,
        };
    if !service.loads || commands.iter().any(is_podman) {
        return None;
    }
    let rule = rules::find("no-podman")?;
    Some(Refusal {
        id: rule.id,
        unit: service.unit.clone(),
        origin: commands.first().map(|command| command.origin.clone()),
        message: "ExecStart= does not start a container with Podman, as far as podseal can see"
            .to_owned(),
        fix: rule.fix.to_owned(),
        edit: None,
        image: None,
    })
}

/// Prefixes behind which the launcher cannot be put: prefix, id, message, fix.
const PREFIXES: &[(char, &str, &str, &str)] = &[
    // It gives a command its path as zeroth argument.
    (
        '@',
        "zeroth-argument",
        "the launcher cannot give a command another name than its path",
        "remove the @ and the word behind the path",
    ),
    // A shell would take its words apart once more.
    (
        '|',
        "command-by-shell",
        "the launcher would be given to the user's shell, with the rest of the line",
        "remove the | and write the podman command itself",
    ),
];

fn prefixes(service: &Service) -> Vec<Refusal> {
    let lines = service.settings.list("Service", "ExecStart").into_iter();
    lines
        .flat_map(|line| {
            let commands = raw_commands(&line.value).unwrap_or_default();
            let found = PREFIXES.iter().filter(move |(prefix, ..)| {
                let mut commands = commands.iter();
                commands.any(|command| command.prefixes.contains(*prefix))
            });
            found.map(|(_, id, message, fix)| Refusal {
                id,
                unit: service.unit.clone(),
                origin: Some(line.origin.clone()),
                message: (*message).to_owned(),
                fix: (*fix).to_owned(),
                edit: None,
                image: None,
            })
        })
        .collect()
}

/// Lines that the drop-in would repeat, and of which systemd passes over a part.
fn of_lines(service: &Service) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for key in COPIED {
        for setting in service.settings.list("Service", key) {
            let noted = service.diagnostics.iter().find(|diagnostic| {
                diagnostic.origin.as_ref() == Some(&setting.origin)
                    && diagnostic.effect == Effect::Ignored
            });
            let message = match (noted, raw_commands(&setting.value)) {
                (Some(noted), _) => noted.message.clone(),
                (None, Err(error)) => format!("{error} in {:?}", setting.value),
                (None, Ok(_)) => continue,
            };
            refusals.push(Refusal {
                id: "setting-ignored",
                unit: service.unit.clone(),
                origin: Some(setting.origin.clone()),
                message,
                fix: "correct the line, or remove it".to_owned(),
                edit: None,
                image: None,
            });
        }
    }
    refusals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_are_there() {
        for (id, _) in AGAINST {
            assert!(rules::find(id).is_some(), "{id}");
        }
    }
}
