//! What services' processes say, and that they end.

use podseal_core::jobs::Event;
use podseal_core::lifecycle::{self, Exit, Outcome, Phase, State};
use podseal_core::notify::{self, Notification};
use podseal_core::unit::name::UnitName;
use rustix::process::{Pid, WaitOptions};

use super::service::{Main, ServiceProcesses};
use super::{Notice, SuperviseError, Supervisor, processes};
use crate::command;

impl Supervisor<'_, '_> {
    pub(super) fn read_notifications(&mut self, name: &UnitName) -> Result<(), SuperviseError> {
        let wait = |source| SuperviseError::Wait { source };
        while let Some(service) = self.services.get(name)
            && let Some((sender, message)) = service.notify.receive().map_err(wait)?
        {
            if !service.trusts(sender, self.marks) {
                tracing::debug!(
                    sender = sender.as_raw_nonzero(),
                    "notification of a stranger"
                );
                continue;
            }
            for notification in notify::parse(&message) {
                self.notified(name, notification);
            }
        }
        Ok(())
    }

    fn notified(&mut self, name: &UnitName, notification: Notification) {
        let event = match notification {
            Notification::Ready => lifecycle::Event::Ready,
            Notification::ExtendTimeout(by) => lifecycle::Event::ExtendTimeout(by),
            Notification::Stopping => return (self.observe)(Some(name), Notice::Stopping),
            Notification::Status(status) => {
                return (self.observe)(Some(name), Notice::Status(status));
            }
            Notification::Errno(errno) => return (self.observe)(Some(name), Notice::Errno(errno)),
            Notification::MainPid(pid) => return self.main_is(name, pid),
        };
        self.feed(Event::Service(name.clone(), event));
    }

    /// Only one of its own processes can become a service's main one.
    fn main_is(&mut self, name: &UnitName, pid: i32) {
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        let pid = Pid::from_raw(pid)
            .filter(|pid| service.processes(&self.user, self.marks).contains(pid));
        match pid {
            Some(pid) if Some(pid) != service.control => service.main = Some(Main::new(pid)),
            _ => tracing::debug!("MAINPID of a stranger"),
        }
    }

    /// Waits for every child that has ended, and takes note of those main
    /// processes in `ended` that are somebody else's children.
    pub(super) fn reap(&mut self, ended: &[(UnitName, Pid)]) -> Result<(), SuperviseError> {
        self.child_ended.take();
        while processes::a_child_has_ended() {
            // Messages before ends: a process may say something and end, and
            // once it is waited for, nobody knows any more whose it was.
            for name in self.services.keys().cloned().collect::<Vec<_>>() {
                self.read_notifications(&name)?;
            }
            let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) else {
                break;
            };
            self.reaped(pid, command::exit_of(status));
        }
        for (name, pid) in ended {
            if let Some(service) = self.services.get_mut(name)
                && service.main.as_ref().is_some_and(|main| main.pid == *pid)
            {
                // Somebody else's child: nobody tells us its status.
                service.main = None;
                let event = lifecycle::Event::MainExited(Exit::Code(0));
                self.feed(Event::Service(name.clone(), event));
            }
        }
        Ok(())
    }

    fn reaped(&mut self, pid: Pid, exit: Exit) {
        let is_main =
            |service: &ServiceProcesses| service.main.as_ref().is_some_and(|main| main.pid == pid);
        let mut services = self.services.iter_mut();
        let found = services.find(|(_, s)| is_main(s) || s.control == Some(pid));
        let Some((name, service)) = found else {
            // It may be the last one that a service's end waited for.
            for name in self.services.keys().cloned().collect::<Vec<_>>() {
                let state = self.jobs.service(&name).map(lifecycle::Service::state);
                if matches!(state, Some(State::Terminating { .. })) {
                    self.feed(Event::Service(name, lifecycle::Event::OtherExited));
                }
            }
            return;
        };
        let name = name.clone();
        let event = if is_main(service) {
            service.main = None;
            self.report(&name, Phase::Start, exit);
            lifecycle::Event::MainExited(exit)
        } else {
            service.control = None;
            let state = self.jobs.service(&name).map(lifecycle::Service::state);
            if let Some(State::Running(phase, _)) = state {
                self.report(&name, phase, exit);
            }
            lifecycle::Event::ControlExited(exit)
        };
        self.feed(Event::Service(name, event));
    }

    fn report(&mut self, name: &UnitName, phase: Phase, exit: Exit) {
        let outcome = if phase == Phase::Start {
            exit.daemon_outcome()
        } else {
            exit.command_outcome()
        };
        if outcome != Outcome::Success {
            if let Some(service) = self.services.get_mut(name) {
                service.history.failed = Some(exit);
            }
            (self.observe)(Some(name), Notice::CommandFailed { phase, exit });
        }
    }
}
