//! The socket through which a running supervisor is asked for something.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use podseal_core::jobs::JobResult;
use podseal_core::unit::name::UnitName;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with,
    bind, listen, recv, send, socket_with, sockopt,
};

use crate::control::{JobStatus, REQUEST_MAX, Request, Response, VERSION};
use crate::host::User;

/// More than this many at a time wait until others have been answered.
const CLIENTS_MAX: usize = 16;

/// The socket and those who ask; its file goes away with it.
pub(super) struct ControlSocket {
    fd: OwnedFd,
    path: PathBuf,
    clients: Vec<Client>,
}

/// Somebody who asks.
struct Client {
    fd: OwnedFd,
    /// Once asked: the units whose jobs are waited for, and what came of them.
    waits: Option<BTreeMap<UnitName, Option<JobResult>>>,
}

impl ControlSocket {
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // The directory is private to the user; so is the file.
        rustix::fs::fchmod(&fd, rustix::fs::Mode::from_raw_mode(0o600))?;
        bind(&fd, &SocketAddrUnix::new(&path)?)?;
        listen(&fd, 8)?;
        Ok(Self {
            fd,
            path,
            clients: Vec::new(),
        })
    }

    /// Whether somebody else can be listened to.
    pub(super) fn has_room(&self) -> bool {
        self.clients.len() < CLIENTS_MAX
    }

    /// Those who have said nothing yet, or wait and may go away.
    pub(super) fn clients(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.clients.iter().map(|client| client.fd.as_fd())
    }

    /// Takes a connection of the same user, or root.
    pub(super) fn accept(&mut self, user: &User) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let Ok(fd) = accept_with(&self.fd, flags) else {
            return;
        };
        match sockopt::socket_peercred(&fd) {
            Ok(peer) if peer.uid == user.uid || peer.uid.is_root() => {
                self.clients.push(Client { fd, waits: None });
            }
            peer => tracing::warn!(?peer, "somebody else is not listened to"),
        }
    }

    /// What a client asks, if it does. One that went away, or asks what is not
    /// understood, is dropped.
    pub(super) fn read(&mut self, index: usize) -> Option<Request> {
        let client = self.clients.get(index)?;
        let mut buffer = vec![0; REQUEST_MAX + 1];
        let count = match recv(&client.fd, &mut buffer[..], RecvFlags::empty()) {
            Ok((count, _)) => count,
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => return None,
            Err(_) => 0,
        };
        if count == 0 || client.waits.is_some() {
            self.clients.remove(index);
            return None;
        }
        let request = (count <= REQUEST_MAX)
            .then(|| serde_json::from_slice::<Request>(&buffer[..count]).ok())
            .flatten()
            .filter(|request| request.version == VERSION);
        if request.is_none() {
            let error = Some("the request is not understood by this version of podseal".to_owned());
            let response = Response {
                error,
                ..Response::default()
            };
            self.answer(index, response);
        }
        request
    }

    /// Answers a client, and is done with it.
    pub(super) fn answer(&mut self, index: usize, response: Response) {
        let response = Response {
            version: VERSION,
            ..response
        };
        let client = self.clients.remove(index);
        let sent = serde_json::to_vec(&response)
            .map_err(io::Error::other)
            .and_then(|text| Ok(send(&client.fd, &text, SendFlags::NOSIGNAL)?));
        if let Err(error) = sent {
            tracing::warn!(%error, "cannot answer");
        }
    }

    /// The client is answered once the jobs of these units have ended.
    pub(super) fn wait(&mut self, index: usize, units: Vec<UnitName>) {
        if let Some(client) = self.clients.get_mut(index) {
            client.waits = Some(units.into_iter().map(|unit| (unit, None)).collect());
        }
    }

    /// A job has ended.
    pub(super) fn job_done(&mut self, unit: &UnitName, result: JobResult) {
        for client in &mut self.clients {
            if let Some(of_unit) = client.waits.as_mut().and_then(|waits| waits.get_mut(unit)) {
                *of_unit = Some(result);
            }
        }
    }

    /// Answers those who wait for no job any more. At the end, what was refused
    /// is not waited for either, although the unit has a job.
    pub(super) fn answer_waiting(&mut self, ending: bool, has_job: impl Fn(&UnitName) -> bool) {
        let waits_for = |(unit, result): (&UnitName, &Option<JobResult>)| {
            has_job(unit) && !(ending && result.is_some())
        };
        let is_done = |client: &Client| {
            let waits = client.waits.as_ref();
            waits.is_some_and(|waits| !waits.iter().any(waits_for))
        };
        while let Some(index) = self.clients.iter().position(is_done) {
            let waits = self.clients[index].waits.take().unwrap_or_default();
            let jobs = waits.into_iter().map(|(unit, result)| JobStatus {
                unit: unit.to_string(),
                result: result.unwrap_or(JobResult::Canceled).to_string(),
            });
            let response = Response {
                jobs: jobs.collect(),
                ..Response::default()
            };
            self.answer(index, response);
        }
    }
}

impl AsFd for ControlSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // Its directory is removed right after, with whatever is left in it.
        let _ = fs::remove_file(&self.path);
    }
}
