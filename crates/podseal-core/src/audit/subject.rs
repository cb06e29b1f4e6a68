//! The units of an audit, and how they belong together.

use std::collections::{BTreeMap, BTreeSet};

use super::command::{Command, Program};
use super::place::Place;
use crate::podman::invocation::{Invocation, Verb};
use crate::unit::effective::dependencies::Dependencies;
use crate::unit::effective::merge::{MergedSetting, Source};
use crate::unit::effective::service::Service;
use crate::unit::effective::socket::Socket;
use crate::unit::effective::view::View;
use crate::unit::effective::{Origin, Scope};
use crate::unit::name::UnitName;

/// A unit with the files it was read from.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    view: View,
    aliases: Vec<UnitName>,
    files: Vec<Source>,
    commands: Vec<Command>,
    is_named: bool,
}

impl Subject {
    /// A unit and its other names.
    #[must_use]
    pub fn new(view: View, aliases: Vec<UnitName>) -> Self {
        let commands = match &view {
            View::Service(service) => {
                let generated = service.quadlet.as_ref().map(|quadlet| &quadlet.podman);
                let commands = service.commands.iter();
                commands
                    .flat_map(|(key, commands)| commands.iter().map(move |c| (key, c)))
                    .map(|(key, command)| Command::new(key, command, generated))
                    .collect()
            }
            View::Socket(_) | View::Masked(_) | View::NotGenerated(_) => Vec::new(),
        };
        Self {
            view,
            aliases,
            files: Vec::new(),
            commands,
            is_named: false,
        }
    }

    /// The same with its files, which findings point into: the unit file first,
    /// then the drop-ins in their order.
    #[must_use]
    pub fn with_files(mut self, files: Vec<Source>) -> Self {
        self.files = files;
        self
    }

    /// The same, as one that was asked for: that it has nothing to do with
    /// Podman is then a finding.
    #[must_use]
    pub fn named(mut self) -> Self {
        self.is_named = true;
        self
    }

    pub(super) fn is_named(&self) -> bool {
        self.is_named
    }

    /// Its own name.
    #[must_use]
    pub fn unit(&self) -> &UnitName {
        self.view.unit()
    }

    /// What its files add up to.
    #[must_use]
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Its files.
    pub fn files(&self) -> impl Iterator<Item = &Source> {
        self.files.iter()
    }

    pub(super) fn file(&self, path: &str) -> Option<&Source> {
        self.files.iter().find(|source| source.path == path)
    }

    /// Its first line, for what has no other.
    pub(super) fn start(&self) -> Option<Place> {
        let file = self.files.first()?.path.as_str().into();
        Some(Place::whole(&Origin { file, line: 1 }))
    }

    /// Whether it has to do with Podman, so that it is to be looked at among
    /// others. A service that systemd refuses shows no commands.
    #[must_use]
    pub fn concerns_podman(&self) -> bool {
        let names_podman = |service: &Service| {
            let mut settings = service.settings.settings.iter();
            settings.any(|setting| setting.value.contains("podman"))
        };
        match &self.view {
            View::NotGenerated(_) => true,
            View::Service(service) if !service.loads => names_podman(service),
            _ => self.starts_container() || self.keeps_pause_process(),
        }
    }

    /// The commands of a service.
    #[must_use]
    pub fn commands(&self) -> &[Command] {
        &self.commands
    }

    /// Whether it is a service that starts a container, or may do so.
    #[must_use]
    pub fn starts_container(&self) -> bool {
        self.commands.iter().any(|command| match &command.program {
            Program::Podman(invocation) => invocation.starts_container(),
            Program::Unclear { .. } => true,
            Program::PauseEnsure { .. } | Program::Other => false,
        })
    }

    /// Whether it is a service that is there to make Podman's pause process.
    #[must_use]
    pub fn keeps_pause_process(&self) -> bool {
        !self.starts_container() && self.commands.iter().any(makes_pause_process)
    }

    /// The units that it names and that are looked at together with it: its
    /// service or sockets, and what may keep a pause process.
    #[must_use]
    pub fn partners(&self) -> Vec<UnitName> {
        match &self.view {
            View::Service(service) => {
                let mut names = vec![own_socket(&service.unit)];
                names.extend(service.sockets.iter().cloned());
                let needed = NEEDS.iter().chain(&["Wants", "After"]);
                let needed = needed.flat_map(|key| service.dependencies.of(key));
                names.extend(needed.map(|dependency| dependency.unit.clone()));
                names
            }
            View::Socket(socket) => vec![socket.service.clone()],
            View::Masked(_) | View::NotGenerated(_) => Vec::new(),
        }
    }
}

/// The dependencies without which a unit is not started.
pub(super) const NEEDS: &[&str] = &["Requires", "BindsTo", "Requisite"];

/// Whether a command leaves a pause process behind: it must not itself be under
/// the seal.
pub(super) fn makes_pause_process(command: &Command) -> bool {
    match &command.program {
        Program::PauseEnsure { .. } => true,
        Program::Podman(invocation) => invocation.verb == Verb::Unshare,
        Program::Unclear { .. } | Program::Other => false,
    }
}

/// `NAME.socket` of `NAME.service`.
fn own_socket(service: &UnitName) -> UnitName {
    let name = format!("{}.socket", service.stem());
    name.parse().unwrap_or_else(|_| service.clone())
}

/// All units of an audit.
#[derive(Clone, Debug)]
pub struct Set {
    subjects: Vec<Subject>,
    /// Whose units they are.
    pub scope: Scope,
    /// The architecture that systemd runs on, as Rust spells it.
    pub architecture: String,
    absent: BTreeSet<UnitName>,
    by_name: BTreeMap<UnitName, usize>,
    sockets: BTreeMap<UnitName, Vec<usize>>,
}

impl Set {
    /// Puts units together. `absent` are those that were looked for and are not
    /// there.
    #[must_use]
    pub fn new(
        subjects: Vec<Subject>,
        absent: BTreeSet<UnitName>,
        scope: Scope,
        architecture: &str,
    ) -> Self {
        let mut by_name = BTreeMap::new();
        let mut sockets: BTreeMap<UnitName, Vec<usize>> = BTreeMap::new();
        for (at, subject) in subjects.iter().enumerate() {
            for name in subject.aliases.iter().chain([subject.unit()]) {
                by_name.insert(name.clone(), at);
            }
            if let View::Socket(socket) = &subject.view {
                sockets.entry(socket.service.clone()).or_default().push(at);
            }
        }
        Self {
            subjects,
            scope,
            architecture: architecture.to_owned(),
            absent,
            by_name,
            sockets,
        }
    }

    /// The units.
    #[must_use]
    pub fn subjects(&self) -> &[Subject] {
        &self.subjects
    }

    /// The unit of this name.
    #[must_use]
    pub fn get(&self, name: &UnitName) -> Option<&Subject> {
        self.by_name.get(name).map(|at| &self.subjects[*at])
    }

    /// Whether a unit was looked for and is not there.
    #[must_use]
    pub fn is_absent(&self, name: &UnitName) -> bool {
        self.absent.contains(name)
    }

    /// The sockets that start a service.
    fn sockets_of<'a>(&'a self, service: &'a Subject) -> impl Iterator<Item = &'a Socket> {
        let names = service.aliases.iter().chain([service.unit()]);
        names
            .filter_map(|name| self.sockets.get(name))
            .flatten()
            .filter_map(|at| match &self.subjects[*at].view {
                View::Socket(socket) => Some(&**socket),
                _ => None,
            })
    }
}

/// A service that starts a container, with what belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct Container<'a> {
    /// All units.
    pub set: &'a Set,
    /// The unit.
    pub subject: &'a Subject,
    /// Its effective view.
    pub service: &'a Service,
}

impl<'a> Container<'a> {
    pub(super) fn new(set: &'a Set, subject: &'a Subject) -> Option<Self> {
        match &subject.view {
            View::Service(service) if subject.starts_container() => Some(Self {
                set,
                subject,
                service,
            }),
            _ => None,
        }
    }

    /// Its Podman commands that start or make a container.
    pub fn invocations(&self) -> impl Iterator<Item = &'a Invocation<Origin>> {
        self.subject
            .commands
            .iter()
            .filter_map(Command::podman)
            .filter(|invocation| invocation.starts_container())
    }

    /// Those of them whose container is made by its own options.
    pub fn runs(&self) -> impl Iterator<Item = &'a Invocation<Origin>> {
        self.invocations()
            .filter(|invocation| invocation.verb == Verb::Run)
    }

    /// The sockets that start it.
    pub fn sockets(&self) -> impl Iterator<Item = &'a Socket> {
        self.set.sockets_of(self.subject)
    }

    /// Whether it is a service of a user's manager.
    #[must_use]
    pub fn is_of_user(&self) -> bool {
        self.service.scope == Scope::User
    }

    /// The command that starts the container, for what has no line of its own.
    #[must_use]
    pub fn start(&self) -> Option<Place> {
        let commands = &self.subject.commands;
        let starts = |command: &&Command| command.key == "ExecStart";
        let command = commands.iter().find(starts).or(commands.first())?;
        Some(Place::word(&command.origin, &command.path))
    }

    /// The place of the last line of a setting, or of the command that starts
    /// the container where there is none.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<Place> {
        let origins = self.service.origins.get(&format!("Service.{key}"));
        match origins.and_then(|origins| origins.last()) {
            Some(origin) => Some(Place::whole(origin)),
            None => self.start(),
        }
    }

    /// The lines with a key of `[Service]` that no later empty one resets.
    #[must_use]
    pub fn lines(&self, key: &str) -> Vec<&'a MergedSetting> {
        self.service.settings.list("Service", key)
    }
}

/// A socket unit.
#[derive(Clone, Copy, Debug)]
pub struct SocketUnit<'a> {
    /// All units.
    pub set: &'a Set,
    /// Its effective view.
    pub socket: &'a Socket,
}

impl<'a> SocketUnit<'a> {
    pub(super) fn new(set: &'a Set, subject: &'a Subject) -> Option<Self> {
        match &subject.view {
            View::Socket(socket) => Some(Self { set, socket }),
            _ => None,
        }
    }

    /// The service that it starts.
    #[must_use]
    pub fn service(&self) -> Option<&'a Subject> {
        self.set.get(&self.socket.service)
    }

    /// What it listens on first, for what has no line of its own.
    #[must_use]
    pub fn start(&self) -> Option<Place> {
        let listen = self.socket.listen.first()?;
        Some(Place::whole(&listen.origin))
    }
}

/// Whether a unit depends on another in one of these ways.
pub(super) fn depends(dependencies: &Dependencies, keys: &[&str], on: &UnitName) -> bool {
    keys.iter()
        .flat_map(|key| dependencies.of(key))
        .any(|dependency| dependency.unit == *on)
}
