//! What level strict takes from the container.

use std::io;
use std::os::fd::AsFd as _;

use podseal_core::probe::strict::Attempt;
use podseal_sys::attempt::container as sys;
use podseal_sys::socket::disconnect;
use rustix::fs::{Access, access};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, socket_with};

/// Makes one attempt, in a process that is there for it.
pub(super) fn attempt(attempt: Attempt) -> io::Result<()> {
    let socket = || {
        let flags = SocketFlags::CLOEXEC;
        socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)
    };
    match attempt {
        Attempt::Connect => disconnect(socket()?.as_fd()),
        Attempt::Bind => Ok(bind(&socket()?, &SocketAddrUnix::new_unnamed())?),
        Attempt::ChangeRoot => Ok(rustix::process::chroot("/")?),
        Attempt::WriteRoot => write_root(),
        Attempt::Unshare => sys::unshare_user(),
        Attempt::Clone => sys::clone_user(),
        Attempt::Clone3 => sys::clone3_user(),
        Attempt::Mount => sys::mount_in_namespace(),
        Attempt::TraceMe => sys::trace_me(),
        Attempt::Keyring => sys::session_keyring(),
    }
}

/// Podman makes /etc where an image has none, and lets its owner write there:
/// `/` itself may need a capability.
fn write_root() -> io::Result<()> {
    access("/etc", Access::WRITE_OK).or_else(|_| access("/", Access::WRITE_OK))?;
    Ok(())
}
