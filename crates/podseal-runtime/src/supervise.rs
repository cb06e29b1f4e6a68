//! The embedded supervisor: listens, starts a service on the first traffic,
//! and leads its life as systemd would, in one thread and one process.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::Instant;

use podseal_core::diagnose::diagnose;
use podseal_core::lifecycle::{Action, Event, Exit, Now, Outcome, Phase, Service, Settings, State};
use podseal_core::notify::{self, Notification};
use podseal_core::rate_limit::{Limit, RateLimit};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open};

use crate::command::{self, Start};
use crate::host::User;
use crate::pause;
use crate::signals::{self, Caught};
use crate::sockets::ServiceSocket;

mod notify_socket;
mod output;
mod processes;
mod report;

pub use report::{Finish, Notice, SuperviseError};

use notify_socket::NotifySocket;
use output::Output;

/// A service to supervise.
#[derive(Debug)]
pub struct Supervised {
    /// How it lives.
    pub settings: Settings,
    /// What it is handed, in this order.
    pub sockets: Vec<ServiceSocket>,
    /// The names of the sockets (LISTEN_FDNAMES), one each.
    pub names: Vec<String>,
    /// Whether to start it at once, not on the first traffic.
    pub start_now: bool,
    /// Where the socket for its notifications is made.
    pub notify_path: PathBuf,
    /// A file with the container's id, for reports.
    pub cid_file: Option<PathBuf>,
    /// What asks to end, from [`signals::end_wanted`].
    pub end_wanted: [Caught; 3],
}

/// Supervises `service` until a signal asks to end or it is given up.
///
/// Adopts orphans and catches SIGCHLD from now on.
/// Waiting costs nothing: without traffic, messages or a deadline the process
/// does not wake up.
///
/// # Errors
/// See [`SuperviseError`]; what was started is ended before.
pub fn run(
    service: Supervised,
    observe: &mut dyn FnMut(Notice<'_>),
) -> Result<Finish, SuperviseError> {
    let mut supervisor = Supervisor::new(service, observe)?;
    let result = supervisor.run();
    if result.is_err() {
        processes::signal(&supervisor.processes(), Signal::KILL);
    }
    result
}

struct Supervisor<'a> {
    observe: &'a mut dyn FnMut(Notice<'_>),
    machine: Service,
    sockets: Vec<ServiceSocket>,
    names: String,
    cid_file: Option<PathBuf>,
    notify: NotifySocket,
    stdout: Output,
    stderr: Output,
    child_ended: Caught,
    end_wanted: [Caught; 3],
    ending: bool,
    trigger_limit: RateLimit,
    trigger_limit_hit: bool,
    main: Option<Main>,
    control: Option<Pid>,
    user: User,
    clock: Instant,
}

/// The main process. It may not be a child of ours (MAINPID=), hence the
/// descriptor.
struct Main {
    pid: Pid,
    pidfd: Option<OwnedFd>,
}

impl Main {
    fn new(pid: Pid) -> Self {
        Self {
            pid,
            pidfd: pidfd_open(pid, PidfdFlags::empty()).ok(),
        }
    }
}

impl<'a> Supervisor<'a> {
    fn new(
        service: Supervised,
        observe: &'a mut dyn FnMut(Notice<'_>),
    ) -> Result<Self, SuperviseError> {
        let set_up = |what| move |source| SuperviseError::SetUp { what, source };
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(|errno| set_up("adopting orphans")(errno.into()))?;
        let mut supervisor = Self {
            observe,
            machine: Service::new(service.settings),
            names: service.names.join(":"),
            sockets: service.sockets,
            cid_file: service.cid_file,
            notify: NotifySocket::open(service.notify_path)
                .map_err(set_up("notification socket"))?,
            stdout: Output::to(rustix::stdio::stdout()).map_err(set_up("standard output"))?,
            stderr: Output::to(rustix::stdio::stderr()).map_err(set_up("standard error"))?,
            child_ended: signals::child_ended().map_err(set_up("signals"))?,
            end_wanted: service.end_wanted,
            ending: false,
            trigger_limit: RateLimit::new(Limit::TRIGGER),
            trigger_limit_hit: false,
            main: None,
            control: None,
            user: User::current(),
            clock: Instant::now(),
        };
        (supervisor.observe)(Notice::Listening(&supervisor.sockets));
        if service.start_now {
            supervisor.feed(Event::Start);
        }
        Ok(supervisor)
    }

    fn run(&mut self) -> Result<Finish, SuperviseError> {
        loop {
            if let Some(finish) = self.finish() {
                self.stdout.drain();
                self.stderr.drain();
                return Ok(finish);
            }
            let ready = self.wait()?;
            if ready.notify {
                self.read_notifications()?;
            }
            self.reap(ready.main_ended)?;
            self.take_signals();
            if ready.stdout {
                self.stdout.advance();
            }
            if ready.stderr {
                self.stderr.advance();
            }
            if let Some(index) = ready.socket {
                self.traffic(index);
            }
            self.feed(Event::Tick);
        }
    }

    fn finish(&self) -> Option<Finish> {
        if !self.machine.is_down() {
            return None;
        }
        match self.machine.outcome() {
            _ if self.ending => Some(Finish::Stopped),
            _ if self.trigger_limit_hit => Some(Finish::TriggerLimitHit),
            outcome @ Outcome::StartLimitHit => Some(Finish::GivenUp(outcome)),
            _ => None,
        }
    }

    fn wait(&self) -> Result<Ready, SuperviseError> {
        let mut fds = vec![
            PollFd::new(&self.notify, PollFlags::IN),
            PollFd::new(&self.child_ended, PollFlags::IN),
            self.stdout.poll(),
            self.stderr.poll(),
        ];
        fds.extend(
            self.end_wanted
                .iter()
                .map(|caught| PollFd::new(caught, PollFlags::IN)),
        );
        let main = fds.len();
        let pidfd = self.main.as_ref().and_then(|main| main.pidfd.as_ref());
        fds.extend(pidfd.map(|pidfd| PollFd::new(pidfd, PollFlags::IN)));
        let sockets = fds.len();
        if self.listens() {
            let listening = self
                .sockets
                .iter()
                .map(|socket| PollFd::new(socket, PollFlags::IN));
            fds.extend(listening);
        }
        let timeout = self
            .machine
            .deadline()
            .map(|deadline| deadline.saturating_sub(self.clock.elapsed()))
            .and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => {
                return Err(SuperviseError::Wait {
                    source: errno.into(),
                });
            }
        }
        let is_ready = |index: usize| fds.get(index).is_some_and(|fd| !fd.revents().is_empty());
        Ok(Ready {
            notify: is_ready(0),
            stdout: is_ready(2),
            stderr: is_ready(3),
            main_ended: self
                .main
                .as_ref()
                .filter(|main_process| main_process.pidfd.is_some() && is_ready(main))
                .map(|main_process| main_process.pid),
            socket: (sockets..fds.len())
                .find(|index| is_ready(*index))
                .map(|index| index - sockets),
        })
    }

    /// Traffic is waited for only while it would start something.
    fn listens(&self) -> bool {
        self.machine.is_down() && !self.ending
    }

    fn traffic(&mut self, index: usize) {
        if !self.listens() {
            return;
        }
        if self.trigger_limit.permits(self.clock.elapsed()) {
            (self.observe)(Notice::Traffic(&self.sockets[index]));
            self.feed(Event::Start);
        } else {
            (self.observe)(Notice::TriggerLimitHit);
            self.trigger_limit_hit = true;
        }
    }

    fn processes(&self) -> Vec<Pid> {
        processes_of(&self.user)
    }

    /// Tells the machine what happened and does what it says.
    fn feed(&mut self, event: Event) {
        let is_tick = event == Event::Tick;
        let time = self.clock.elapsed();
        if is_tick && self.machine.deadline().is_none_or(|at| time < at) {
            return;
        }
        let user = &self.user;
        let now = Now {
            time,
            processes: &|| !processes_of(user).is_empty(),
        };
        for action in self.machine.handle(event, now) {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Spawn(phase, index) => self.spawn(phase, index),
            Action::Terminate => {
                let processes = self.processes();
                processes::signal(&processes, Signal::TERM);
                processes::signal(&processes, Signal::CONT);
            }
            Action::Kill => processes::signal(&self.processes(), Signal::KILL),
            Action::Up => {
                let container = self.container();
                let main = self.main.as_ref().map(|main| main.pid);
                (self.observe)(Notice::Up { main, container });
            }
            Action::Down(outcome) => {
                self.main = None;
                self.control = None;
                self.down(outcome);
            }
            Action::RestartIn(delay) => (self.observe)(Notice::RestartIn(delay)),
        }
    }

    fn down(&mut self, outcome: Outcome) {
        self.stdout.drain();
        self.stderr.drain();
        (self.observe)(Notice::Down(outcome));
        let said = self.stderr.take_kept();
        let unexplained = matches!(outcome, Outcome::Success | Outcome::StartLimitHit);
        if let Some(diagnosis) = diagnose(&said).filter(|_| !unexplained) {
            (self.observe)(Notice::Explained {
                evidence: diagnosis.evidence.to_owned(),
                cause: diagnosis.signature.cause,
                fix: diagnosis.signature.fix,
            });
        }
    }

    fn container(&mut self) -> Option<String> {
        let path = self.cid_file.clone()?;
        match std::fs::read_to_string(&path) {
            Ok(id) => Some(id.trim().to_owned()),
            Err(error) => {
                (self.observe)(Notice::CidFile { path, error });
                None
            }
        }
    }

    /// Podman does not start over a file that an earlier start left.
    fn remove_cid_file(&mut self) {
        if let Some(path) = &self.cid_file
            && let Err(error) = std::fs::remove_file(path)
            && error.kind() != io::ErrorKind::NotFound
        {
            let path = path.clone();
            (self.observe)(Notice::CidFile { path, error });
        }
    }

    fn spawn(&mut self, phase: Phase, index: usize) {
        let main = phase == Phase::Start;
        if main {
            self.remove_cid_file();
        }
        let command = &self.machine.settings().commands(phase)[index].arguments;
        let notify_path = self.notify.path().to_string_lossy();
        let environment = [
            ("NOTIFY_SOCKET", Some(&*notify_path)),
            ("LISTEN_FDNAMES", main.then_some(self.names.as_str())),
        ];
        let sockets: Vec<BorrowedFd<'_>> = if main {
            self.sockets.iter().map(AsFd::as_fd).collect()
        } else {
            Vec::new()
        };
        let started = command::start(&Start {
            command,
            environment: &environment,
            // What `podman stop` says is no output of the service.
            stdout: if main {
                self.stdout.source()
            } else {
                self.stderr.source()
            },
            stderr: self.stderr.source(),
            sockets: &sockets,
        });
        match started {
            Ok(pid) if main => {
                self.main = Some(Main::new(pid));
                self.feed(Event::Spawned);
            }
            Ok(pid) => {
                self.control = Some(pid);
                self.feed(Event::Spawned);
            }
            Err(error) => {
                (self.observe)(Notice::CannotRun { phase, error });
                self.feed(Event::SpawnFailed);
            }
        }
    }

    fn read_notifications(&mut self) -> Result<(), SuperviseError> {
        let wait = |source| SuperviseError::Wait { source };
        while let Some((sender, message)) = self.notify.receive().map_err(wait)? {
            if !processes::is_descendant(sender) {
                tracing::debug!(
                    sender = sender.as_raw_nonzero(),
                    "notification of a stranger"
                );
                continue;
            }
            for notification in notify::parse(&message) {
                self.notified(notification);
            }
        }
        Ok(())
    }

    fn notified(&mut self, notification: Notification) {
        match notification {
            Notification::Ready => self.feed(Event::Ready),
            Notification::Stopping => (self.observe)(Notice::Stopping),
            Notification::Status(status) => (self.observe)(Notice::Status(status)),
            Notification::Errno(errno) => (self.observe)(Notice::Errno(errno)),
            Notification::ExtendTimeout(by) => self.feed(Event::ExtendTimeout(by)),
            Notification::MainPid(pid) => {
                // Only one of its own processes can become the main one.
                let pid = Pid::from_raw(pid).filter(|pid| self.processes().contains(pid));
                match pid {
                    Some(pid) if Some(pid) != self.control => self.main = Some(Main::new(pid)),
                    _ => tracing::debug!("MAINPID of a stranger"),
                }
            }
        }
    }

    /// Waits for every child that has ended, and takes note of `ended`, the
    /// main process if that has, whoever's child it is.
    fn reap(&mut self, ended: Option<Pid>) -> Result<(), SuperviseError> {
        self.child_ended.take();
        while processes::a_child_has_ended() {
            // Messages before ends: a process may say something and end, and
            // once it is waited for, nobody knows any more whose it was.
            self.read_notifications()?;
            let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) else {
                break;
            };
            let exit = command::exit_of(status);
            if self.main.as_ref().is_some_and(|main| main.pid == pid) {
                self.main = None;
                self.report(Phase::Start, exit);
                self.feed(Event::MainExited(exit));
            } else if self.control == Some(pid) {
                self.control = None;
                if let State::Running(phase, _) = self.machine.state() {
                    self.report(phase, exit);
                }
                self.feed(Event::ControlExited(exit));
            } else {
                self.feed(Event::OtherExited);
            }
        }
        if ended.is_some() && self.main.as_ref().map(|main| main.pid) == ended {
            // Somebody else's child: nobody tells us its status.
            self.main = None;
            self.feed(Event::MainExited(Exit::Code(0)));
        }
        Ok(())
    }

    fn report(&mut self, phase: Phase, exit: Exit) {
        let outcome = if phase == Phase::Start {
            exit.daemon_outcome()
        } else {
            exit.command_outcome()
        };
        if outcome != Outcome::Success {
            (self.observe)(Notice::CommandFailed { phase, exit });
        }
    }

    fn take_signals(&mut self) {
        for index in 0..self.end_wanted.len() {
            let number = self.end_wanted[index].number;
            for _ in 0..self.end_wanted[index].take() {
                let again = self.ending;
                self.ending = true;
                (self.observe)(Notice::Signal { number, again });
                self.feed(if again { Event::Kill } else { Event::Stop });
            }
        }
    }
}

/// The processes of a service of `user`: what descends from this one, except
/// for Podman's pause process, which belongs to all containers of the user.
fn processes_of(user: &User) -> Vec<Pid> {
    let spared = user
        .is_rootless()
        .then(|| pause::find(user).ok().flatten())
        .flatten()
        .map(|process| process.pid);
    processes::descendants(spared)
}

/// What there is to do.
struct Ready {
    notify: bool,
    stdout: bool,
    stderr: bool,
    main_ended: Option<Pid>,
    socket: Option<usize>,
}
