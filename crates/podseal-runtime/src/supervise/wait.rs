//! Waiting for whatever happens next.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Pid;

use podseal_core::unit::name::UnitName;

use super::{SuperviseError, Supervisor};

/// Where something happened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Somebody wants to ask something.
    Control,
    /// Somebody asks, or went away.
    Client(usize),
    /// A child ended, or a signal asks to end.
    Signal,
    /// A service has a message.
    Notify(UnitName),
    /// A service has written, or its output can be passed on.
    Stdout(UnitName),
    /// The same.
    Stderr(UnitName),
    /// A service's main process has ended.
    Main(UnitName, Pid),
    /// There is traffic on a socket of this unit.
    Traffic(UnitName, usize),
}

impl Supervisor<'_, '_> {
    /// Waits until something happens or a deadline passes.
    pub(super) fn wait(&self) -> Result<Vec<Source>, SuperviseError> {
        let now = self.clock.elapsed();
        let read = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let mut waits = vec![(
            Source::Signal,
            PollFd::new(&self.child_ended, PollFlags::IN),
        )];
        for caught in &self.end_wanted {
            waits.push((Source::Signal, PollFd::new(caught, PollFlags::IN)));
        }
        if self.control.has_room() {
            waits.push((Source::Control, PollFd::new(&self.control, PollFlags::IN)));
        }
        for (index, client) in self.control.clients().enumerate() {
            waits.push((Source::Client(index), read(client)));
        }
        for (name, service) in &self.services {
            let name = || name.clone();
            waits.push((
                Source::Notify(name()),
                PollFd::new(&service.notify, PollFlags::IN),
            ));
            waits.push((Source::Stdout(name()), service.stdout.poll()));
            waits.push((Source::Stderr(name()), service.stderr.poll()));
            if let Some(main) = &service.main
                && let Some(pidfd) = &main.pidfd
            {
                let source = Source::Main(name(), main.pid);
                waits.push((source, PollFd::new(pidfd, PollFlags::IN)));
            }
        }
        // Traffic is waited for only while it would start something.
        for (name, sockets) in &self.sockets {
            if self.jobs.listens(name, now) {
                for (index, socket) in sockets.iter().enumerate() {
                    let source = Source::Traffic(name.clone(), index);
                    waits.push((source, PollFd::new(socket, PollFlags::IN)));
                }
            }
        }
        let timeout = self
            .jobs
            .deadline(now)
            .and_then(|deadline| Timespec::try_from(deadline.saturating_sub(now)).ok());
        let (sources, mut fds): (Vec<Source>, Vec<PollFd<'_>>) = waits.into_iter().unzip();
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => {
                return Err(SuperviseError::Wait {
                    source: errno.into(),
                });
            }
        }
        let ready = sources.into_iter().zip(fds);
        Ok(ready
            .filter(|(_, fd)| !fd.revents().is_empty())
            .map(|(source, _)| source)
            .collect())
    }
}
