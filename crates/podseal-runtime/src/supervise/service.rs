//! What runs of one service, and how its commands are started.

use std::collections::BTreeMap;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use podseal_core::lifecycle::{self, Command, Exit, Phase};
use podseal_core::policy::seal::Seal;
use podseal_core::status::facts::Promise;
use podseal_core::supervised::{Execution, Optional};
use podseal_core::unit::effective::service::{KillMode, NotifyAccess};
use podseal_core::unit::environment;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};

use super::history::History;
use super::notify_socket::NotifySocket;
use super::output::Output;
use super::processes::{self, Marks};
use super::report::{RunError, SuperviseError};
use crate::command::{self, CommandError, Start};
use crate::host::User;
use crate::pause;

/// What runs of a service.
pub(super) struct ServiceProcesses {
    pub(super) execution: Execution,
    pub(super) notify: NotifySocket,
    pub(super) stdout: Output,
    pub(super) stderr: Output,
    pub(super) main: Option<Main>,
    pub(super) control: Option<Pid>,
    /// Whether what runs was started sealed, whatever its unit says by now.
    pub(super) sealed: Option<bool>,
    /// What it was started with.
    pub(super) started_with: Option<Seal>,
    /// What is remembered of its starts.
    pub(super) history: History,
    mark: u64,
}

/// The main process. It may not be a child of ours (MAINPID=), hence the
/// descriptor.
pub(super) struct Main {
    pub(super) pid: Pid,
    pub(super) pidfd: Option<OwnedFd>,
}

impl Main {
    pub(super) fn new(pid: Pid) -> Self {
        Self {
            pid,
            pidfd: pidfd_open(pid, PidfdFlags::empty()).ok(),
        }
    }
}

/// What a command is started with, besides what the service has.
pub(super) struct Launch<'a> {
    /// This program's own file.
    pub(super) own: &'a str,
    /// The sockets, for the main process, and their names.
    pub(super) sockets: &'a [BorrowedFd<'a>],
    pub(super) names: String,
}

impl ServiceProcesses {
    pub(super) fn new(
        execution: Execution,
        notify_path: PathBuf,
        mark: u64,
    ) -> Result<Self, SuperviseError> {
        let set_up = |what| move |source| SuperviseError::SetUp { what, source };
        Ok(Self {
            execution,
            notify: NotifySocket::open(notify_path).map_err(set_up("notification socket"))?,
            stdout: Output::to(rustix::stdio::stdout()).map_err(set_up("standard output"))?,
            stderr: Output::to(rustix::stdio::stderr()).map_err(set_up("standard error"))?,
            main: None,
            control: None,
            sealed: None,
            started_with: None,
            history: History::default(),
            mark,
        })
    }

    /// Its living processes.
    pub(super) fn processes(&self, user: &User, marks: Marks) -> Vec<Pid> {
        processes::descendants(spared(user), marks)
            .into_iter()
            .filter(|(_, mark)| *mark == Some(self.mark))
            .map(|(pid, _)| pid)
            .collect()
    }

    /// What its seal promises: of what runs, else of what would be started. That
    /// something of it was given up is no reason to say nothing of the rest.
    pub(super) fn promise(&self, is_sealed: bool) -> Promise {
        let seal = self.started_with.as_ref().or(self.execution.seal.as_ref());
        let promise = Promise::of_seal(seal);
        if is_sealed || !promise.given_up.is_empty() {
            promise
        } else {
            Promise::default()
        }
    }

    /// Whether a process is left that its end waits for, by `KillMode=`.
    pub(super) fn waits(&self, user: &User, marks: Marks) -> bool {
        match self.execution.kill_mode {
            KillMode::ControlGroup | KillMode::Mixed => !self.processes(user, marks).is_empty(),
            KillMode::Process => self.main.is_some() || self.control.is_some(),
            KillMode::None => false,
        }
    }

    /// Asks to end, or kills, what `KillMode=` says.
    pub(super) fn end(&self, kill: bool, user: &User, marks: Marks) {
        let targets = match (self.execution.kill_mode, kill) {
            (KillMode::ControlGroup, _) | (KillMode::Mixed, true) => self.processes(user, marks),
            (KillMode::Mixed, false) | (KillMode::Process, _) => {
                let main = self.main.as_ref().map(|main| main.pid);
                main.into_iter().chain(self.control).collect()
            }
            (KillMode::None, _) => Vec::new(),
        };
        if kill {
            processes::signal(&targets, Signal::KILL);
        } else {
            let asked = Signal::from_named_raw(self.execution.kill_signal);
            processes::signal(&targets, asked.unwrap_or(Signal::TERM));
            processes::signal(&targets, Signal::CONT);
        }
    }

    /// Whether a notification of `sender` counts, by `NotifyAccess=`.
    pub(super) fn trusts(&self, sender: Pid, marks: Marks) -> bool {
        let is_main = self.main.as_ref().is_some_and(|main| main.pid == sender);
        match self.execution.notify_access {
            NotifyAccess::None => false,
            NotifyAccess::Main => is_main,
            NotifyAccess::Exec => is_main || self.control == Some(sender),
            NotifyAccess::All => processes::mark_of(sender, marks) == Some(self.mark),
        }
    }

    /// Starts a command and takes note of it.
    pub(super) fn spawn(
        &mut self,
        phase: Phase,
        command: &Command,
        machine: &lifecycle::Service,
        launch: &Launch<'_>,
    ) -> Result<(), RunError> {
        let main = phase == Phase::Start;
        let mut set = self.environment(phase, machine)?;
        if main && !launch.sockets.is_empty() {
            set.insert("LISTEN_FDNAMES".into(), launch.names.clone());
        }
        let arguments = if command.expand {
            let variable = |name: &str| set.get(name).cloned().or_else(|| std::env::var(name).ok());
            environment::expand(&command.arguments, &variable)
        } else {
            command.arguments.clone()
        };
        let seal = self.execution.seal.as_ref();
        let (program, arguments) = match seal.filter(|_| !command.unrestricted) {
            Some(seal) => {
                // So that what is missing is found out here, not by the launcher.
                let path = command::find(&command.program).ok_or_else(|| {
                    RunError::Command(CommandError::NotFound {
                        program: command.program.clone(),
                    })
                })?;
                let words = launcher(launch.own, seal, &path, arguments);
                (launch.own, words)
            }
            None => (command.program.as_str(), arguments),
        };
        let directory = working_directory(self.execution.working_directory.as_ref());
        let variables: Vec<(&str, Option<&str>)> = set
            .iter()
            .map(|(name, value)| (name.as_str(), Some(value.as_str())))
            .collect();
        let pid = command::start(&Start {
            program,
            arguments: &arguments,
            environment: &variables,
            directory,
            account: None,
            mark: Some(self.mark),
            // What `podman stop` says is no output of the service.
            stdout: if main {
                self.stdout.source()
            } else {
                self.stderr.source()
            },
            stderr: self.stderr.source(),
            sockets: if main { launch.sockets } else { &[] },
        })?;
        if main {
            self.main = Some(Main::new(pid));
        } else {
            self.control = Some(pid);
        }
        Ok(())
    }

    /// What is set on top of this process's own environment.
    fn environment(
        &self,
        phase: Phase,
        machine: &lifecycle::Service,
    ) -> Result<BTreeMap<String, String>, RunError> {
        let mut set = BTreeMap::new();
        let hears = match self.execution.notify_access {
            NotifyAccess::None => false,
            NotifyAccess::Main => phase == Phase::Start,
            NotifyAccess::Exec | NotifyAccess::All => true,
        };
        if hears {
            let path = self.notify.path().to_string_lossy().into_owned();
            set.insert("NOTIFY_SOCKET".to_owned(), path);
        }
        if let Some(main) = self.main.as_ref().filter(|_| phase != Phase::Start) {
            set.insert("MAINPID".to_owned(), main.pid.as_raw_nonzero().to_string());
        }
        if matches!(phase, Phase::Stop | Phase::StopPost) {
            set.insert("SERVICE_RESULT".to_owned(), machine.outcome().to_string());
            if let Some(exit) = machine.main_exit() {
                let (code, status) = match exit {
                    Exit::Code(code) => ("exited", code.to_string()),
                    Exit::Signal(signal) => ("killed", signal_name(signal)),
                };
                set.insert("EXIT_CODE".to_owned(), code.to_owned());
                set.insert("EXIT_STATUS".to_owned(), status);
            }
        }
        set.extend(self.execution.environment.clone());
        for file in &self.execution.environment_files {
            match std::fs::read_to_string(&file.path) {
                Ok(text) => set.extend(environment::parse_file(&text)),
                Err(error)
                    if file.may_be_missing && error.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => {
                    return Err(RunError::EnvironmentFile {
                        path: file.path.clone(),
                        source,
                    });
                }
            }
        }
        Ok(set)
    }
}

/// A signal's name without SIG, as systemd has it in EXIT_STATUS, or its number.
fn signal_name(number: i32) -> String {
    podseal_core::unit::effective::Signal::name_of(number)
        .map_or_else(|| number.to_string(), str::to_owned)
}

/// Podman's pause process, which belongs to all containers of the user and so
/// to no service.
pub(super) fn spared(user: &User) -> Option<Pid> {
    user.is_rootless()
        .then(|| pause::find(user).ok().flatten())
        .flatten()
        .map(|process| process.pid)
}

/// One that may be missing, and is, is left out.
fn working_directory(directory: Option<&Optional>) -> Option<&str> {
    directory
        .filter(|directory| !directory.may_be_missing || Path::new(&directory.path).is_dir())
        .map(|directory| directory.path.as_str())
}

/// The launcher before a command. Nothing is sealed around it, so it can have
/// a pause process made that has gone.
pub(crate) fn launcher(
    own: &str,
    seal: &Seal,
    program: &Path,
    arguments: Vec<String>,
) -> Vec<String> {
    let mut words: Vec<String> = [own, "enter", "--make-pause"].map(str::to_owned).into();
    words.extend(seal.options());
    let program = program.to_string_lossy().into_owned();
    let mut arguments = arguments.into_iter();
    if let Some(argv0) = arguments.next().filter(|argv0| *argv0 != program) {
        words.push(format!("--argv0={argv0}"));
    }
    words.extend(["--".to_owned(), program]);
    words.extend(arguments);
    words
}
