//! Attempts of what a container needs no part of. Each changes the calling
//! process, or makes one of its own that ends at once: call them in
//! [`super::isolated`].

use std::io;
use std::ptr::null;

use super::check;

/// unshare(2) of the user namespace.
///
/// # Errors
/// As unshare(2).
pub fn unshare_user() -> io::Result<()> {
    unshare(libc::CLONE_NEWUSER)
}

/// Mounts a tmpfs in a user and mount namespace of its own.
///
/// # Errors
/// As unshare(2) and mount(2).
pub fn mount_in_namespace() -> io::Result<()> {
    unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS)?;
    let name = c"tmpfs".as_ptr();
    // SAFETY: the strings end in zero, and null stands for no options. The
    // namespace is this process's alone, and what a namespace of less privilege
    // mounts is not passed on (mount_namespaces(7)).
    check(unsafe { libc::mount(name, c"/proc".as_ptr(), name, 0, null()) })
}

fn unshare(flags: libc::c_int) -> io::Result<()> {
    // SAFETY: takes an integer, and shares no memory of this process less.
    check(unsafe { libc::unshare(flags) })
}

/// clone(2) into a user namespace, with a child that ends at once.
///
/// # Errors
/// As clone(2).
pub fn clone_user() -> io::Result<()> {
    let flags = libc::CLONE_NEWUSER | libc::SIGCHLD;
    // SAFETY: without CLONE_VM it is fork(2), and this process has one thread.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    ended(pid)
}

/// `struct clone_args` as it was first (`CLONE_ARGS_SIZE_VER0`).
#[derive(Default)]
#[repr(C)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
}

/// clone3(2) into a user namespace, with a child that ends at once.
///
/// # Errors
/// As clone3(2).
pub fn clone3_user() -> io::Result<()> {
    let arguments = CloneArguments {
        flags: libc::CLONE_NEWUSER as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArguments::default()
    };
    let size = size_of::<CloneArguments>();
    // SAFETY: pointer and size describe `arguments`, which the kernel reads.
    // Without CLONE_VM it is fork(2), and this process has one thread.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size) };
    ended(pid)
}

/// Ends a child that was made, and waits for it.
fn ended(pid: libc::c_long) -> io::Result<()> {
    match libc::pid_t::try_from(pid) {
        Ok(0) => {
            // SAFETY: ends the child without running the parent's exit handlers.
            unsafe { libc::_exit(0) }
        }
        Ok(pid) if pid > 0 => {
            // SAFETY: waits for the child just made; null stands for no status.
            unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
            Ok(())
        }
        _ => Err(io::Error::last_os_error()),
    }
}

/// Lets the parent trace this process (`PTRACE_TRACEME`).
///
/// # Errors
/// As ptrace(2).
pub fn trace_me() -> io::Result<()> {
    // SAFETY: takes no pointers.
    let result = unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
    check(result as libc::c_int)
}

/// Asks for the session keyring (`KEYCTL_GET_KEYRING_ID`), making none.
///
/// # Errors
/// As keyctl(2).
pub fn session_keyring() -> io::Result<()> {
    // SAFETY: takes plain integers.
    let key = unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            libc::KEYCTL_GET_KEYRING_ID,
            libc::KEY_SPEC_SESSION_KEYRING,
            0,
        )
    };
    if key < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
