//! The service that is verified: what it starts, and how it claims to be
//! sealed.

use std::collections::BTreeSet;

use super::Place;
use crate::audit::command::{file_name, has_variable, wrapped};
use crate::family::Family;
use crate::podman::invocation::{Invocation, Verb, Word};
use crate::policy::families::FamilySet;
use crate::policy::level::Level;
use crate::policy::seal::Seal;
use crate::unit::effective::Scope;
use crate::unit::effective::service::Service;
use crate::unit::exec::{ExecPrefixes, ExecPrivileges};
use crate::unit::families::{FamilyFilter, FilterMode};

/// A service, and the command of it that starts the container.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// The service.
    pub service: &'a Service,
    /// The words of its command, the program's path first. Specifiers have
    /// their values; variables are as written.
    pub words: Vec<String>,
    /// Where the command begins that the launcher, or env(1), becomes.
    pub command: usize,
    /// What is before the path.
    pub prefixes: ExecPrefixes,
    /// Whether a percent sign in the words is one: where not, it belongs to a
    /// specifier that only systemd has a value for.
    pub has_percent: bool,
}

/// Why a service cannot be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoSubject {
    /// systemd does not load it.
    #[error("systemd does not load it")]
    NotLoaded,
    /// It starts nothing.
    #[error("it has no ExecStart=")]
    NoCommand,
    /// What it starts is a shell's to tell.
    #[error("its command is given to a shell (the prefix |)")]
    Shell,
}

impl<'a> Subject<'a> {
    /// Takes the command that runs a container, or else the first.
    ///
    /// # Errors
    /// There is none that could be copied.
    pub fn new(service: &'a Service) -> Result<Self, NoSubject> {
        if !service.loads {
            return Err(NoSubject::NotLoaded);
        }
        let lines = service.settings.list("Service", "ExecStart");
        let has_percent = lines.iter().any(|line| line.value.contains("%%"));
        let commands = service.commands_of("ExecStart").iter().map(|located| {
            let command = &located.value;
            let rest = command.argv.iter().skip(1);
            let words: Vec<String> = std::iter::once(&command.path)
                .chain(rest)
                .cloned()
                .collect();
            Self {
                service,
                command: command_at(&words, !command.prefixes.no_env_expand),
                words,
                prefixes: command.prefixes,
                has_percent,
            }
        });
        let commands: Vec<Self> = commands.collect();
        let runs = |subject: &&Self| matches!(subject.run(), Some(Ok(_)));
        let subject = commands
            .iter()
            .find(runs)
            .or(commands.first())
            .ok_or(NoSubject::NoCommand)?;
        if subject.prefixes.via_shell {
            return Err(NoSubject::Shell);
        }
        Ok(subject.clone())
    }

    /// The user other than root as whom the system's manager starts the command.
    #[must_use]
    pub fn run_as(&self) -> Option<&str> {
        let stays_root = [ExecPrivileges::Full, ExecPrivileges::NoSetuid];
        let user = self.service.run_as();
        user.filter(|_| !stays_root.contains(&self.prefixes.privileges))
    }

    /// Whether a Podman that it starts is rootless, and so needs its pause process.
    #[must_use]
    pub fn is_rootless(&self) -> bool {
        self.service.scope == Scope::User || self.run_as().is_some()
    }

    /// Whether variables in the command are replaced.
    #[must_use]
    pub const fn expands(&self) -> bool {
        !self.prefixes.no_env_expand
    }

    /// The Podman that it starts, if it does.
    #[must_use]
    pub fn podman(&self) -> Option<&str> {
        let program = self.words.get(self.command)?;
        (file_name(program) == "podman").then_some(program)
    }

    /// Where its probes are made: all places, but where it was given to `podseal
    /// run` as a program that runs no container the one that it has, unless its
    /// level promises something of a container.
    #[must_use]
    pub fn places(&self, seal: &Seal) -> &'static [Place] {
        let says = self.service.settings.last("Service", "X-Podseal-Container");
        let has_none = says.is_some_and(|setting| setting.value == "no");
        let is_of_container = seal.level.on_host() != seal.level;
        if has_none && self.podman().is_none() && !is_of_container {
            &[Place::Podman]
        } else {
            &Place::ALL
        }
    }

    /// The image that its container is made of.
    #[must_use]
    pub fn image(&self) -> Option<String> {
        let run = self.run()?.ok()?;
        run.image().map(|image| image.text.to_string())
    }

    /// The name of the OCI runtime that it asks for, or else of Podman's own
    /// first choice: from the name Podman tells what a runtime can do.
    #[must_use]
    pub fn oci_runtime(&self) -> String {
        let run = self.run().and_then(Result::ok);
        let value = run.as_ref().and_then(|run| {
            let option = run.all("runtime").next_back()?;
            option.value.as_deref().map(file_name)
        });
        value.unwrap_or("crun").to_owned()
    }

    /// What it asks of Podman; the places of the words are their numbers. None
    /// where it starts no Podman.
    pub(super) fn run(&self) -> Option<Result<Invocation<usize>, String>> {
        self.podman()?;
        let words = words(&self.words, self.expands());
        let invocation = Invocation::parse(words.get(self.command + 1..).unwrap_or_default());
        let verb = invocation.verb_word.as_ref().map(|word| &*word.text);
        let refused = match invocation.verb {
            Verb::Run if verb == Some("create") => {
                Some("a container that is made and not run cannot be copied".to_owned())
            }
            Verb::Run => invocation.unclear.as_ref().map(|(_, why)| why.clone()),
            _ => {
                let verb = verb.unwrap_or("no verb");
                Some(format!("the container of podman {verb} cannot be copied"))
            }
        };
        let in_pod = ["pod", "pod-id-file"]
            .into_iter()
            .find(|name| invocation.all(name).next().is_some());
        let refused = refused.or_else(|| {
            in_pod.map(|name| format!("a copy would join the service's own pod (--{name})"))
        });
        Some(match refused {
            Some(why) => Err(why),
            None if invocation.image().is_none() => Err("podman run has no image".to_owned()),
            None => Ok(invocation),
        })
    }

    /// The seal to hold it to: of the level that is asked for, or else that it
    /// claims, and with what its launcher is told to let be. None without a seal.
    #[must_use]
    pub fn seal(&self, level: Option<Level>) -> Option<Seal> {
        let before = self.words.get(..self.command).unwrap_or_default();
        let has = |option: &str| before.iter().any(|word| word == option);
        // Of two lists, only what is in both can be made.
        let families = value_of(before, "--families")
            .filter(|_| !self.is_local())
            .and_then(|families| FamilySet::parse(families).ok());
        Some(Seal {
            level: level.or_else(|| self.level())?,
            families: families.unwrap_or_default(),
            allow_udp: has("--allow-udp"),
            allow_connect: has("--allow-connect"),
            best_effort: has("--best-effort"),
            ..Seal::default()
        })
    }

    /// The level that it claims: the launcher's, or `families` where systemd
    /// leaves no families but those that Podman needs. None without a seal.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        let before = self.words.get(..self.command).unwrap_or_default();
        let launcher = before
            .windows(2)
            .position(|pair| file_name(&pair[0]) == "podseal" && pair[1] == "enter");
        if let Some(at) = launcher {
            return match value_of(&before[at + 2..], "--level") {
                None => Some(Level::default()),
                Some(name) => Level::ALL.into_iter().find(|l| l.to_string() == name),
            };
        }
        self.is_local().then_some(Level::Families)
    }

    /// Whether systemd leaves no families but those that Podman needs.
    fn is_local(&self) -> bool {
        let families = &self.service.sandbox.families;
        [&families.le_v260, &families.ge_v261]
            .into_iter()
            .all(leaves_local_families)
    }
}

/// The value of a launcher's option.
fn value_of<'a>(options: &'a [String], name: &str) -> Option<&'a str> {
    options.iter().enumerate().find_map(|(at, option)| {
        let value = option.strip_prefix(name)?;
        match value.strip_prefix('=') {
            Some(value) => Some(value),
            None if value.is_empty() => options.get(at + 1).map(String::as_str),
            None => None,
        }
    })
}

fn leaves_local_families(filter: &FamilyFilter) -> bool {
    let local: BTreeSet<Family> = FamilySet::default().iter().collect();
    filter.mode == FilterMode::Allow && filter.set.iter().all(|family| local.contains(family))
}

fn words(texts: &[String], expands: bool) -> Vec<Word<usize>> {
    let numbered = texts.iter().enumerate();
    numbered
        .map(|(place, text)| Word {
            text: text.as_str().into(),
            is_open: expands && place > 0 && has_variable(text),
            place,
        })
        .collect()
}

/// The number of the word where the command begins.
fn command_at(texts: &[String], expands: bool) -> usize {
    let words = words(texts, expands);
    let mut at = 0;
    while let Some(rest) = words.get(at + 1..)
        && let Some((command, _)) = wrapped(&words[at].text, rest)
    {
        at = command.place;
    }
    at
}
