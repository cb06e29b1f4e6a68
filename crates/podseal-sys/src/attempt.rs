//! Attempts to get out of a seal, each made in a process of its own, since a
//! filter may kill it. For probes, and for what is looked at from within another
//! namespace.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd, OwnedFd};

pub mod container;

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It worked.
    Succeeded,
    /// A call failed with this errno.
    Errno(i32),
    /// The process was killed by this signal.
    Killed(i32),
}

/// Runs `attempt` in a child process and says what came of it. Call it while
/// the process has one thread.
///
/// # Errors
/// No process could be made or waited for; that says nothing of the attempt.
pub fn isolated(attempt: impl FnOnce() -> io::Result<()>) -> io::Result<Outcome> {
    let (mut read, mut write) = io::pipe()?;
    // SAFETY: the process has one thread (see above), so the child may do
    // whatever the parent may.
    let pid = unsafe { libc::fork() };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    if pid == 0 {
        let errno = match attempt() {
            Ok(()) => 0,
            Err(error) => error.raw_os_error().unwrap_or(libc::EIO),
        };
        // A failing write shows as an attempt without an answer.
        let _ = write.write_all(&errno.to_ne_bytes());
        // SAFETY: ends the child without running the parent's exit handlers.
        unsafe { libc::_exit(0) }
    }
    drop(write);
    let mut errno = [0u8; 4];
    let answered = read.read_exact(&mut errno);
    let mut status = 0;
    // SAFETY: waits for the child just made; status is a valid int.
    if unsafe { libc::waitpid(pid, &raw mut status, 0) } != pid {
        return Err(io::Error::last_os_error());
    }
    if libc::WIFSIGNALED(status) {
        return Ok(Outcome::Killed(libc::WTERMSIG(status)));
    }
    answered?;
    Ok(match i32::from_ne_bytes(errno) {
        0 => Outcome::Succeeded,
        errno => Outcome::Errno(errno),
    })
}

/// socket(2) with `family` as the whole 64-bit register, so that its upper
/// bits can be set.
///
/// # Errors
/// As socket(2).
pub fn socket(family: u64, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes plain integers.
    let fd = unsafe { libc::syscall(libc::SYS_socket, family, kind, protocol) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Lets connect(2) only take note of the address and the first write(2)
/// connect (`TCP_FASTOPEN_CONNECT`, tcp(7)).
///
/// # Errors
/// As setsockopt(2).
pub fn set_fast_open_connect(socket: BorrowedFd<'_>) -> io::Result<()> {
    let on: libc::c_int = 1;
    set_tcp_option(socket, libc::TCP_FASTOPEN_CONNECT, &on.to_ne_bytes())
}

/// Puts the kernel's TLS on top of a connection (`TCP_ULP`).
///
/// # Errors
/// As setsockopt(2); ENOENT where the kernel has no such module.
pub fn set_upper_layer(socket: BorrowedFd<'_>) -> io::Result<()> {
    set_tcp_option(socket, libc::TCP_ULP, b"tls")
}

fn set_tcp_option(socket: BorrowedFd<'_>, option: libc::c_int, value: &[u8]) -> io::Result<()> {
    // SAFETY: pointer and length describe `value`, which the kernel copies.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            option,
            value.as_ptr().cast(),
            value.len() as libc::socklen_t,
        )
    })
}

/// Makes this process the tracer of another (`PTRACE_SEIZE`, which does not
/// stop it), until this one ends.
///
/// # Errors
/// As ptrace(2).
pub fn trace(pid: i32) -> io::Result<()> {
    // SAFETY: seizing takes no pointers.
    let result = unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, 0, 0) };
    check(result as libc::c_int)
}

/// Reads from the memory of another process (process_vm_readv(2)).
///
/// # Errors
/// As process_vm_readv(2); EIO when it read less than `buffer` has room for.
pub fn read_memory(pid: i32, address: usize, buffer: &mut [u8]) -> io::Result<()> {
    let local = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    let remote = libc::iovec {
        iov_base: std::ptr::without_provenance_mut(address),
        iov_len: buffer.len(),
    };
    // SAFETY: `local` describes `buffer`, which outlives the call; the kernel
    // checks what `remote` describes in the other process.
    let read = unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) };
    match usize::try_from(read) {
        Err(_) => Err(io::Error::last_os_error()),
        Ok(read) if read == buffer.len() => Ok(()),
        Ok(_) => Err(io::Error::from_raw_os_error(libc::EIO)),
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_is_told_apart() {
        for (attempt, outcome) in [
            ((|| Ok(())) as fn() -> io::Result<()>, Outcome::Succeeded),
            (
                || Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
                Outcome::Errno(libc::EAFNOSUPPORT),
            ),
            (
                || {
                    // SAFETY: kills the child that runs this.
                    unsafe { libc::raise(libc::SIGKILL) };
                    Ok(())
                },
                Outcome::Killed(libc::SIGKILL),
            ),
        ] {
            assert_eq!(isolated(attempt).unwrap(), outcome);
        }
    }

    #[test]
    fn a_child_that_gives_no_answer_is_not_an_outcome() {
        // SAFETY: ends the child that runs this.
        let silent = isolated(|| unsafe { libc::_exit(0) });
        assert!(silent.is_err(), "{silent:?}");
    }
}
