//! Attempts to get an internet socket or to turn one outward, each made in a
//! process of its own, since a filter may kill it. For probes only.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};

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
pub fn socket(family: u64, kind: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes plain integers.
    let fd = unsafe { libc::syscall(libc::SYS_socket, family, kind, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// socket(2) through the i386 ABI (`int 0x80`) of an x86-64 kernel.
///
/// # Errors
/// As socket(2). A kernel without i386 emulation kills with SIGSEGV.
#[cfg(target_arch = "x86_64")]
pub fn socket_i386(family: i32, kind: i32) -> io::Result<OwnedFd> {
    const SOCKET: u64 = 359; // arch/x86/entry/syscalls/syscall_32.tbl
    let mut result = SOCKET;
    // SAFETY: a system call with three integers; rbx, which the compiler keeps
    // for itself, is put back. The kernel may clobber r8 to r11.
    unsafe {
        std::arch::asm!(
            "xchg rbx, {family:r}",
            "int 0x80",
            "xchg rbx, {family:r}",
            family = inout(reg) i64::from(family) => _,
            inout("rax") result,
            in("rcx") i64::from(kind),
            in("rdx") 0i64,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    // The i386 ABI answers in 32 bits: a descriptor or a negated errno.
    let result = result as i32;
    if result < 0 {
        return Err(io::Error::from_raw_os_error(-result));
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(result) })
}

/// Turns a TCP socket that was handed over outward: dissolves what it is
/// (connect(2) with AF_UNSPEC), connects it to `victim` and writes `token`.
/// Whether it worked is the victim's to say.
///
/// # Errors
/// As connect(2) and write(2).
pub fn turn_outward(socket: BorrowedFd<'_>, victim: SocketAddr, token: &[u8]) -> io::Result<()> {
    crate::socket::disconnect(socket)?;
    rustix::net::connect(socket, &victim)?;
    rustix::io::write(socket, token)?;
    Ok(())
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
