//! The socket that a service sends sd_notify(3) messages to.

use std::fs;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketAddrUnix,
    SocketFlags, SocketType, bind, recvmsg, socket_with, sockopt,
};
use rustix::process::Pid;

/// As much as systemd reads of one message (`NOTIFY_BUFFER_MAX`).
const LONGEST: usize = 4096;

/// The socket; its file goes away with it.
#[derive(Debug)]
pub(super) struct NotifySocket {
    fd: OwnedFd,
    path: PathBuf,
}

impl NotifySocket {
    /// Makes the socket at `path`, in a directory private to the user.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
        sockopt::set_socket_passcred(&fd, true)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        bind(&fd, &SocketAddrUnix::new(&path)?)?;
        Ok(Self { fd, path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The next message and the process that sent it; none when there is no
    /// more. The kernel vouches for the sender.
    pub(super) fn receive(&self) -> io::Result<Option<(Pid, Vec<u8>)>> {
        let mut message = vec![0; LONGEST];
        // Room for descriptors, too (FDSTORE=1): they are closed unread.
        let mut space =
            [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1), ScmRights(253))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = match recvmsg(
            &self.fd,
            &mut [IoSliceMut::new(&mut message)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        ) {
            Ok(received) => received,
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        message.truncate(received.bytes);
        let sender = ancillary
            .drain()
            .filter_map(|part| match part {
                RecvAncillaryMessage::ScmCredentials(credentials) => Some(credentials.pid),
                _ => None,
            })
            .last();
        Ok(Some(match sender {
            Some(sender) => (sender, message),
            // Without credentials it counts as empty.
            None => (rustix::process::getpid(), Vec::new()),
        }))
    }
}

impl AsFd for NotifySocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for NotifySocket {
    fn drop(&mut self) {
        // Its directory is removed right after, with whatever is left in it.
        let _ = fs::remove_file(&self.path);
    }
}
