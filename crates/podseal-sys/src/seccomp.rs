//! Installing a seccomp filter on the calling thread, see seccomp(2).
//!
//! rustix has no seccomp; libseccomp and seccompiler build their own programs.

use std::io;

/// One instruction of a filter: operation code, the two jump distances, the
/// operand, as in the kernel's `struct sock_filter`.
pub type Instruction = (u16, u8, u8, u32);

/// Installs `program` on the calling thread, for it and all it will start.
///
/// no_new_privs must be set before, unless the caller has CAP_SYS_ADMIN. Call
/// it while the process has one thread: others would stay unfiltered.
///
/// # Errors
/// EINVAL for a program the kernel does not accept or a kernel without
/// seccomp filters, EACCES without no_new_privs.
pub fn install(program: &[Instruction]) -> io::Result<()> {
    let mut instructions: Vec<libc::sock_filter> = program
        .iter()
        .map(|&(code, jt, jf, k)| libc::sock_filter { code, jt, jf, k })
        .collect();
    let length = u16::try_from(instructions.len())
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let program = libc::sock_fprog {
        len: length,
        filter: instructions.as_mut_ptr(),
    };
    // SAFETY: `program` points at `length` instructions that outlive the
    // call; the kernel copies and checks them.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const program,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
