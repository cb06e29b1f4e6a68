//! The other ABIs of x86-64.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr;

// arch/x86/entry/syscalls/syscall_32.tbl
const I386_SOCKETCALL: u32 = 102;
const I386_SOCKET: u32 = 359;
/// `SYS_SOCKET` of socketcall(2)
const SOCKETCALL_SOCKET: u32 = 1;
/// `__X32_SYSCALL_BIT`
const X32: libc::c_long = 0x4000_0000;

/// socket(2) through the i386 ABI (`int 0x80`) of an x86-64 kernel.
///
/// # Errors
/// As socket(2). A kernel without i386 emulation kills with SIGSEGV.
pub fn socket_i386(family: u32, kind: u32) -> io::Result<OwnedFd> {
    // SAFETY: takes plain integers.
    descriptor(unsafe { call_i386(I386_SOCKET, [family, kind, 0]) })
}

/// socketcall(2), as i386 programs made sockets before Linux 4.3.
///
/// # Errors
/// As [`socket_i386`], or mmap(2).
pub fn socketcall_i386(family: u32, kind: u32) -> io::Result<OwnedFd> {
    let arguments = [family, kind, 0];
    let length = size_of_val(&arguments);
    // An i386 call has pointers of 32 bits.
    // SAFETY: a new private mapping at an address of the kernel's choice
    // touches no existing memory.
    let low = unsafe {
        libc::mmap(
            ptr::null_mut(),
            length,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT,
            -1,
            0,
        )
    };
    if low == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the mapping is ours, a page at least, and aligned to that.
    unsafe { low.cast::<[u32; 3]>().write(arguments) };
    // SAFETY: the kernel reads three integers where the mapping is.
    let socket = unsafe { call_i386(I386_SOCKETCALL, [SOCKETCALL_SOCKET, low.addr() as u32, 0]) };
    // SAFETY: nothing points into the mapping any more.
    unsafe { libc::munmap(low, length) };
    descriptor(socket)
}

/// socket(2) through the x32 ABI of an x86-64 kernel, which shares the
/// instruction and the architecture token of the native one.
///
/// # Errors
/// As socket(2); ENOSYS from a kernel without it.
pub fn socket_x32(family: u32, kind: u32) -> io::Result<OwnedFd> {
    // SAFETY: takes plain integers.
    let result = unsafe { libc::syscall(X32 | libc::SYS_socket, family, kind, 0) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    descriptor(result as i32)
}

/// The answer of an i386 call: a number or a negated errno, in 32 bits.
///
/// # Safety
/// The call must be sound with these arguments.
unsafe fn call_i386(number: u32, arguments: [u32; 3]) -> i32 {
    let mut result = u64::from(number);
    // SAFETY: a system call with three integers; rbx, which the compiler keeps
    // for itself, is put back. The kernel may clobber r8 to r11.
    unsafe {
        std::arch::asm!(
            "xchg rbx, {first:r}",
            "int 0x80",
            "xchg rbx, {first:r}",
            first = inout(reg) u64::from(arguments[0]) => _,
            inout("rax") result,
            in("rcx") u64::from(arguments[1]),
            in("rdx") u64::from(arguments[2]),
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    result as i32
}

fn descriptor(result: i32) -> io::Result<OwnedFd> {
    if result < 0 {
        return Err(io::Error::from_raw_os_error(-result));
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(result) })
}
