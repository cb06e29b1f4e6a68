//! The embedded supervisor: listens, starts services on the first traffic, and
//! leads their lives as systemd would, in one thread and one process.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::Instant;

use podseal_core::jobs::{Effect, Event, JobKind, JobResult, Jobs, Now, Unit};
use podseal_core::lifecycle::{self, Action, Outcome, Phase, socket};
use podseal_core::supervised::{Kind, Set};
use podseal_core::unit::name::UnitName;
use rustix::process::{Pid, Signal};

use crate::chain::chain;
use crate::control;
use crate::host::{self, User};
use crate::signals::{self, Caught};
use crate::sockets::{ServiceSocket, SocketError};
use crate::unit_set::{SetError, UnitSet};

mod answer;
mod child;
mod control_socket;
mod explained;
mod history;
mod lines;
mod notify_socket;
mod output;
mod processes;
mod report;
mod service;
mod wait;

pub use report::{Finish, Notice, RunError, SuperviseError};
pub(crate) use service::launcher;

use control_socket::ControlSocket;
use processes::Marks;
use service::{Launch, ServiceProcesses};
use wait::Source;

/// Reads units again; none where they are what they were.
pub type Reload<'a> = Box<dyn FnMut() -> Result<Option<UnitSet>, SetError> + 'a>;

/// What to supervise.
pub struct Supervised<'a> {
    /// The units.
    pub set: Set,
    /// What to start at once.
    pub start: Vec<UnitName>,
    /// A directory private to the user, for sockets.
    pub directory: PathBuf,
    /// Where the units' files are.
    pub units: PathBuf,
    /// Reads the units again, before one is started.
    pub reload: Option<Reload<'a>>,
    /// Whether to end once a socket unit is given up.
    pub end_when_given_up: bool,
    /// What asks to end, from [`signals::end_wanted`].
    pub end_wanted: [Caught; 3],
}

/// Who is told what happens: to a unit, or to all.
pub type Observer<'a> = dyn FnMut(Option<&UnitName>, Notice<'_>) + 'a;

/// Supervises units until a signal asks to end, or a socket is given up where
/// that is the end.
///
/// Adopts orphans and catches SIGCHLD from now on.
/// Waiting costs nothing: without traffic, messages or a deadline the process
/// does not wake up.
///
/// # Errors
/// See [`SuperviseError`]; what was started is ended before.
pub fn run(what: Supervised<'_>, observe: &mut Observer<'_>) -> Result<Finish, SuperviseError> {
    let mut supervisor = Supervisor::new(what, observe)?;
    let result = supervisor.run();
    // What KillMode= left, or what is left of a failure.
    supervisor.kill_everything();
    result
}

struct Supervisor<'a, 'o> {
    observe: &'a mut Observer<'o>,
    jobs: Jobs,
    set: Set,
    services: BTreeMap<UnitName, ServiceProcesses>,
    sockets: BTreeMap<UnitName, Vec<ServiceSocket>>,
    /// Why sockets could not be opened.
    not_opened: BTreeMap<UnitName, String>,
    marks: Marks,
    directory: PathBuf,
    units: PathBuf,
    reload: Option<Reload<'a>>,
    control: ControlSocket,
    child_ended: Caught,
    end_wanted: [Caught; 3],
    end_when_given_up: bool,
    given_up: Option<socket::Outcome>,
    failed: Vec<String>,
    /// Whether what was to be started at once has been.
    has_begun: bool,
    /// What kept that from being done.
    failure: Option<SocketError>,
    own: String,
    user: User,
    clock: Instant,
}

impl<'a, 'o> Supervisor<'a, 'o> {
    fn new(what: Supervised<'a>, observe: &'a mut Observer<'o>) -> Result<Self, SuperviseError> {
        let set_up = |what| move |source| SuperviseError::SetUp { what, source };
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(|errno| set_up("adopting orphans")(errno.into()))?;
        let own = host::own_executable().map_err(set_up("podseal's own file"))?;
        let control = what.directory.join(control::SOCKET);
        let mut supervisor = Self {
            observe,
            jobs: Jobs::default(),
            set: Set::default(),
            services: BTreeMap::new(),
            sockets: BTreeMap::new(),
            not_opened: BTreeMap::new(),
            marks: Marks::new(),
            directory: what.directory,
            units: what.units,
            reload: what.reload,
            control: ControlSocket::open(control).map_err(set_up("control socket"))?,
            child_ended: signals::child_ended().map_err(set_up("signals"))?,
            end_wanted: what.end_wanted,
            end_when_given_up: what.end_when_given_up,
            given_up: None,
            failed: Vec::new(),
            has_begun: false,
            failure: None,
            own: own.to_string_lossy().into_owned(),
            user: User::current(),
            clock: Instant::now(),
        };
        supervisor.load(what.set)?;
        for unit in what.start {
            supervisor.feed(Event::Wanted(JobKind::Start, unit));
        }
        supervisor.has_begun = true;
        if supervisor.failure.is_some() {
            supervisor.feed(Event::StopAll);
        }
        Ok(supervisor)
    }

    fn run(&mut self) -> Result<Finish, SuperviseError> {
        loop {
            let units = self.jobs.units();
            let has_job =
                |unit: &UnitName| units.get(unit).is_some_and(|unit| unit.job().is_some());
            self.control.answer_waiting(self.jobs.is_ending(), has_job);
            if self.jobs.is_ending() && self.jobs.is_down() {
                return match self.failure.take() {
                    Some(error) => Err(error.into()),
                    None => Ok(self.finish()),
                };
            }
            self.turn()?;
        }
    }

    fn finish(&mut self) -> Finish {
        match self.given_up {
            Some(outcome) => Finish::GivenUp(outcome),
            None => Finish::Stopped {
                failed: std::mem::take(&mut self.failed),
            },
        }
    }

    /// Waits for events and takes them in.
    fn turn(&mut self) -> Result<(), SuperviseError> {
        let ready = self.wait()?;
        for source in &ready {
            if let Source::Notify(name) = source {
                self.read_notifications(name)?;
            }
        }
        let ended: Vec<(UnitName, Pid)> = ready
            .iter()
            .filter_map(|source| match source {
                Source::Main(name, pid) => Some((name.clone(), *pid)),
                _ => None,
            })
            .collect();
        self.reap(&ended)?;
        self.take_signals();
        for source in &ready {
            match source {
                Source::Stdout(name) => {
                    if let Some(service) = self.services.get_mut(name) {
                        service.stdout.advance();
                    }
                }
                Source::Stderr(name) => {
                    if let Some(service) = self.services.get_mut(name) {
                        service.stderr.advance();
                    }
                }
                Source::Traffic(name, index) => self.traffic(name, *index),
                _ => {}
            }
        }
        // The last first: answered ones are taken out.
        for source in ready.iter().rev() {
            if let Source::Client(index) = source {
                self.answer_client(*index);
            }
        }
        if ready.contains(&Source::Control) {
            let user = &self.user;
            self.control.accept(user);
        }
        let time = self.clock.elapsed();
        if self.jobs.deadline(time).is_some_and(|at| time >= at) {
            self.feed(Event::Tick);
        }
        Ok(())
    }

    /// Takes units in, at the beginning or again.
    fn load(&mut self, set: Set) -> Result<(), SuperviseError> {
        self.jobs.load(set.definitions());
        let jobs = &self.jobs;
        self.services
            .retain(|name, _| jobs.units().contains_key(name));
        for (name, kind) in set.units() {
            let Kind::Service(unit) = kind else {
                continue;
            };
            if let Some(service) = self.services.get_mut(name) {
                service.execution.clone_from(&unit.execution);
            } else {
                let mark = self.marks.give();
                // A short name: the path of a socket cannot be long.
                let path = self.directory.join(format!("notify-{mark:x}"));
                let service = ServiceProcesses::new(unit.execution.clone(), path, mark)?;
                self.services.insert(name.clone(), service);
            }
        }
        self.set = set;
        Ok(())
    }

    /// Reads the units again before somebody starts one.
    fn reload(&mut self) {
        let Some(reload) = &mut self.reload else {
            return;
        };
        match reload() {
            Ok(None) => {}
            Ok(Some(units)) => match self.load(units.set.clone()) {
                Ok(()) => (self.observe)(None, Notice::Reloaded(&units)),
                Err(error) => tracing::warn!(%error, "cannot take changed units in"),
            },
            Err(error) => (self.observe)(None, Notice::CannotReload(error)),
        }
    }

    fn traffic(&mut self, name: &UnitName, index: usize) {
        if !self.jobs.listens(name, self.clock.elapsed()) {
            return;
        }
        if let Some(socket) = self.sockets.get(name).and_then(|s| s.get(index)) {
            (self.observe)(Some(name), Notice::Traffic(socket));
        }
        self.reload();
        self.feed(Event::Traffic(name.clone()));
    }

    /// Tells the units what happened and does what they say.
    fn feed(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let (services, user, marks) = (&self.services, &self.user, self.marks);
            let processes = |name: &UnitName| {
                services
                    .get(name)
                    .is_some_and(|service| service.waits(user, marks))
            };
            let now = Now {
                time: self.clock.elapsed(),
                processes: &processes,
            };
            for effect in self.jobs.handle(event, now) {
                events.extend(self.act(effect));
            }
        }
    }

    /// Does what a unit says, and returns what came of it.
    fn act(&mut self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Service(name, action) => {
                let event = self.act_on_service(&name, action)?;
                Some(Event::Service(name, event))
            }
            Effect::Open(name) => Some(self.open(name)),
            Effect::Close(name) => {
                self.sockets.remove(&name);
                None
            }
            Effect::GivenUp(name, outcome) => {
                self.sockets.remove(&name);
                (self.observe)(Some(&name), Notice::GivenUp(outcome));
                if self.end_when_given_up {
                    self.given_up = Some(outcome);
                    return Some(Event::StopAll);
                }
                None
            }
            Effect::Busy(name) => {
                (self.observe)(Some(&name), Notice::Busy);
                None
            }
            Effect::JobDone(name, _, result) => {
                if result == JobResult::Dependency {
                    (self.observe)(Some(&name), Notice::Dependency);
                }
                self.control.job_done(&name, result);
                None
            }
        }
    }

    fn act_on_service(&mut self, name: &UnitName, action: Action) -> Option<lifecycle::Event> {
        let service = self.services.get_mut(name)?;
        match action {
            Action::Spawn(phase, index) => return self.spawn(name, phase, index),
            Action::Terminate => service.end(false, &self.user, self.marks),
            Action::Kill => service.end(true, &self.user, self.marks),
            Action::Up => {
                service.history.up = Some(Instant::now());
                let main = service.main.as_ref().map(|main| main.pid);
                let container = self.container(name);
                (self.observe)(Some(name), Notice::Up { main, container });
            }
            Action::Down(outcome) => self.down(name, outcome),
            Action::RestartIn(delay) => (self.observe)(Some(name), Notice::RestartIn(delay)),
            // Units start again by jobs.
            Action::StartAgain => {}
        }
        None
    }

    fn open(&mut self, name: UnitName) -> Event {
        let Some((_, Kind::Socket(unit))) = self.set.find(&name) else {
            return Event::OpenFailed(name);
        };
        let opened = unit
            .listen
            .iter()
            .map(|listen| ServiceSocket::open(listen, &unit.options))
            .collect::<Result<Vec<_>, _>>();
        match opened {
            Ok(sockets) => {
                self.not_opened.remove(&name);
                (self.observe)(Some(&name), Notice::Listening(&sockets));
                self.sockets.insert(name.clone(), sockets);
                Event::Opened(name)
            }
            Err(error) => {
                self.not_opened.insert(name.clone(), chain(&error));
                if self.has_begun || self.failure.is_some() {
                    (self.observe)(Some(&name), Notice::CannotListen(error));
                } else {
                    self.failure = Some(error);
                }
                Event::OpenFailed(name)
            }
        }
    }

    fn down(&mut self, name: &UnitName, outcome: Outcome) {
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        service.main = None;
        service.control = None;
        service.sealed = None;
        service.started_with = None;
        service.stdout.drain();
        service.stderr.drain();
        let said = [service.stdout.take_lines(), service.stderr.take_lines()];
        let is_failure = service.history.failed.is_some() && outcome != Outcome::Success;
        let was_wanted = self.jobs.units().get(name).and_then(Unit::job);
        let by_itself = !matches!(was_wanted, Some(JobKind::Stop | JobKind::Restart));
        service.history.end(outcome, by_itself, &said);
        (self.observe)(Some(name), Notice::Down(outcome));
        if let Some(short) = self.why(name, outcome).filter(|_| is_failure) {
            (self.observe)(Some(name), Notice::Explained(short));
        }
    }

    fn container(&mut self, name: &UnitName) -> Option<String> {
        let service = self.services.get(name)?;
        let path = PathBuf::from(service.execution.container_id_file.as_ref()?);
        match std::fs::read_to_string(&path) {
            Ok(id) => Some(id.trim().to_owned()),
            Err(error) => {
                (self.observe)(Some(name), Notice::CidFile { path, error });
                None
            }
        }
    }

    /// Podman does not start over a file that an earlier start left.
    fn remove_cid_file(&mut self, name: &UnitName) {
        let service = self.services.get(name);
        if let Some(path) = service.and_then(|s| s.execution.container_id_file.as_ref())
            && let Err(error) = std::fs::remove_file(path)
            && error.kind() != io::ErrorKind::NotFound
        {
            let path = PathBuf::from(path);
            (self.observe)(Some(name), Notice::CidFile { path, error });
        }
    }

    fn spawn(&mut self, name: &UnitName, phase: Phase, index: usize) -> Option<lifecycle::Event> {
        if phase == Phase::Start {
            self.remove_cid_file(name);
        }
        let service = self.services.get_mut(name)?;
        service.history.has_begun = true;
        let machine = self.jobs.service(name)?;
        let command = machine.settings().commands(phase).get(index)?;
        let mut sockets: Vec<BorrowedFd<'_>> = Vec::new();
        let mut names: Vec<&str> = Vec::new();
        for (socket, unit) in self.set.sockets_of(name) {
            for (fd, fd_name) in self
                .sockets
                .get(socket)
                .into_iter()
                .flatten()
                .zip(&unit.names)
            {
                sockets.push(fd.as_fd());
                names.push(fd_name);
            }
        }
        if phase == Phase::Start {
            let unit = self.set.find(name).map(|(_, kind)| kind);
            let sealed = matches!(unit, Some(Kind::Service(unit)) if unit.not_sealed().is_none());
            service.sealed = Some(service.sealed.unwrap_or(true) && sealed);
            service.started_with = service.execution.seal.clone();
        }
        let launch = Launch {
            own: &self.own,
            sockets: &sockets,
            names: names.join(":"),
        };
        match service.spawn(phase, command, machine, &launch) {
            Ok(()) => Some(lifecycle::Event::Spawned),
            Err(error) => {
                service.history.say(chain(&error));
                (self.observe)(Some(name), Notice::CannotRun { phase, error });
                Some(lifecycle::Event::SpawnFailed)
            }
        }
    }

    fn take_signals(&mut self) {
        for index in 0..self.end_wanted.len() {
            let number = self.end_wanted[index].number;
            for _ in 0..self.end_wanted[index].take() {
                let again = self.jobs.is_ending();
                if !again {
                    let units = self.jobs.units().iter();
                    let failed = units.filter(|(_, unit)| unit.state().0 == "failed");
                    self.failed = failed.map(|(name, _)| name.to_string()).collect();
                }
                (self.observe)(None, Notice::Signal { number, again });
                self.feed(if again {
                    Event::KillAll
                } else {
                    Event::StopAll
                });
            }
        }
    }

    fn kill_everything(&mut self) {
        for service in self.services.values_mut() {
            service.stdout.drain();
            service.stderr.drain();
        }
        let spared = service::spared(&self.user);
        let left: Vec<Pid> = processes::descendants(spared, self.marks)
            .into_iter()
            .map(|(pid, _)| pid)
            .collect();
        processes::signal(&left, Signal::KILL);
    }
}
