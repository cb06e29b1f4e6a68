//! What level strict takes from the container.

use std::io;
use std::os::fd::AsFd as _;

use podseal_core::probe::strict::Attempt;
use podseal_sys::attempt::container as sys;
use podseal_sys::socket::disconnect;
use rustix::fs::{Access, StatVfsMountFlags, access, statvfs};
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

/// Whether the root is mounted for writing. Who may write there is another
/// matter: a program that is not root in its container could be let in later.
fn write_root() -> io::Result<()> {
    let is_mounted = |path| {
        let flags = statvfs(path).map(|fs| fs.f_flag);
        flags.is_ok_and(|flags| !flags.contains(StatVfsMountFlags::RDONLY))
    };
    // Hosts may have a root that is read-only, and be written elsewhere.
    let mut directories = ["/", "/etc"].into_iter();
    if directories.any(|path| is_mounted(path) || access(path, Access::WRITE_OK).is_ok()) {
        Ok(())
    } else {
        Err(rustix::io::Errno::ROFS.into())
    }
}
