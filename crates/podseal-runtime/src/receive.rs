//! Handing sockets and output to a command that somebody else starts, such as
//! systemd: it is started as `podseal receive SOCKET -- COMMAND`, and gets them
//! over that UNIX socket before the command runs.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use podseal_core::lifecycle::Exit;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
    accept_with, bind, connect, listen, recv, recvmsg, send, sendmsg, socket_with, sockopt,
};
use rustix::process::{WaitOptions, waitpid};

use crate::command::{self, CommandError, Start};
use crate::host::User;

/// The most descriptors that one packet takes (`SCM_MAX_FD`, unix(7)).
const DESCRIPTORS_MAX: usize = 253;
/// The longest packet: the names of the sockets.
const NAMES_MAX: usize = 64 << 10;

/// How long a command may take to end that has closed its output.
const PATIENCE: Timespec = Timespec {
    tv_sec: 10,
    tv_nsec: 0,
};

/// Why a command was not run.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// Nothing came.
    #[error("cannot {what}")]
    Io {
        /// What.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Something else came than what is handed over.
    #[error("what was handed over is not whole")]
    Torn,
    /// The command could not be started.
    #[error(transparent)]
    Command(#[from] CommandError),
}

fn failed<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> ReceiveError {
    move |source| ReceiveError::Io {
        what,
        source: source.into(),
    }
}

fn packet_socket() -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
}

/// Gets output and sockets from who listens at `path`, and runs the command
/// with them until it ends.
///
/// # Errors
/// See [`ReceiveError`].
pub fn receive(path: &Path, arguments: &[String]) -> Result<Exit, ReceiveError> {
    let socket = packet_socket().map_err(failed("make a socket"))?;
    SocketAddrUnix::new(path)
        .and_then(|address| connect(&socket, &address))
        .map_err(failed("connect to who hands the sockets over"))?;
    let (names, descriptors) = read(&socket)?;
    let mut descriptors = descriptors.iter().map(AsFd::as_fd);
    let (Some(stdout), Some(stderr)) = (descriptors.next(), descriptors.next()) else {
        return Err(ReceiveError::Torn);
    };
    let sockets: Vec<BorrowedFd<'_>> = descriptors.collect();
    let pid = command::start(&Start {
        program: arguments.first().map_or("", String::as_str),
        arguments,
        environment: &[("LISTEN_FDNAMES", Some(&names))],
        directory: None,
        account: None,
        mark: None,
        stdout,
        stderr,
        sockets: &sockets,
    })?;
    let status = waitpid(Some(pid), WaitOptions::empty()).map_err(failed("wait for it"))?;
    let exit = status.map_or(Exit::Code(0), |(_, status)| command::exit_of(status));
    let word = match exit {
        Exit::Code(code) => format!("code {code}"),
        Exit::Signal(signal) => format!("signal {signal}"),
    };
    // Who handed the sockets over may be gone, which the command has not to mind.
    let _ = send(&socket, word.as_bytes(), SendFlags::NOSIGNAL);
    Ok(exit)
}

fn read(socket: &OwnedFd) -> Result<(String, Vec<OwnedFd>), ReceiveError> {
    let mut names = vec![0; NAMES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = recvmsg(
        socket,
        &mut [IoSliceMut::new(&mut names)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )
    .map_err(failed("get what is handed over"))?;
    let mut descriptors = Vec::new();
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = part {
            descriptors.extend(rights);
        }
    }
    if message
        .flags
        .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC)
    {
        return Err(ReceiveError::Torn);
    }
    names.truncate(message.bytes);
    let names = String::from_utf8(names).map_err(|_| ReceiveError::Torn)?;
    Ok((names, descriptors))
}

/// The other side: listens for one command.
#[derive(Debug)]
pub struct Handover {
    socket: OwnedFd,
}

impl Handover {
    /// Listens at `path`, in a directory that is the user's alone.
    ///
    /// # Errors
    /// It cannot.
    pub fn listen(path: &Path) -> Result<Self, ReceiveError> {
        let socket = packet_socket().map_err(failed("make a socket"))?;
        SocketAddrUnix::new(path)
            .and_then(|address| bind(&socket, &address))
            .and_then(|()| listen(&socket, 1))
            .map_err(failed("listen for who is handed the sockets"))?;
        Ok(Self { socket })
    }

    /// Hands output and sockets to who has connected, if that is the user or
    /// root.
    ///
    /// # Errors
    /// They could not be handed over.
    pub fn hand(
        &self,
        user: &User,
        output: [BorrowedFd<'_>; 2],
        sockets: &[(&str, BorrowedFd<'_>)],
    ) -> Result<Client, ReceiveError> {
        let client = accept_with(&self.socket, SocketFlags::CLOEXEC).map_err(failed("accept"))?;
        let peer = sockopt::socket_peercred(&client).map_err(failed("see who has connected"))?;
        if peer.uid != user.uid && !peer.uid.is_root() {
            return Err(ReceiveError::Io {
                what: "hand sockets to another user",
                source: io::ErrorKind::PermissionDenied.into(),
            });
        }
        let (names, sockets): (Vec<&str>, Vec<BorrowedFd<'_>>) = sockets.iter().copied().unzip();
        let descriptors = [&output[..], &sockets].concat();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fits = control.push(SendAncillaryMessage::ScmRights(&descriptors));
        let names = names.join(":");
        let bytes = [IoSlice::new(names.as_bytes())];
        // A packet without a byte would look like the end.
        if !fits || names.is_empty() {
            return Err(ReceiveError::Torn);
        }
        sendmsg(&client, &bytes, &mut control, SendFlags::NOSIGNAL)
            .map_err(failed("hand the sockets over"))?;
        Ok(Client(client))
    }
}

/// Who was handed something.
#[derive(Debug)]
pub struct Client(OwnedFd);

impl Client {
    /// How its command ended; none where it does not say so in time.
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        if !matches!(poll(&mut fds, Some(&PATIENCE)), Ok(1..)) {
            return None;
        }
        let mut buffer = [0; 32];
        let (count, _) = recv(&self.0, &mut buffer[..], RecvFlags::empty()).ok()?;
        let word = std::str::from_utf8(buffer.get(..count)?).ok()?;
        match word.split_once(' ')? {
            ("code", code) => Some(Exit::Code(code.parse().ok()?)),
            ("signal", signal) => Some(Exit::Signal(signal.parse().ok()?)),
            _ => None,
        }
    }
}

impl AsFd for Handover {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
