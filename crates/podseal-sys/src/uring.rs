//! Socket calls through io_uring, the way that passes every filter on system
//! calls. For probes only.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::net::addr::{SocketAddrArg, SocketAddrOpaque};

// linux/io_uring.h
const IORING_OFF_SQ_RING: libc::off_t = 0;
const IORING_OFF_CQ_RING: libc::off_t = 0x800_0000;
const IORING_OFF_SQES: libc::off_t = 0x1000_0000;
const IORING_ENTER_GETEVENTS: u32 = 1;
const IORING_OP_SENDMSG: u8 = 9;
const IORING_OP_CONNECT: u8 = 16;
const IORING_OP_SOCKET: u8 = 45;
const IORING_OP_LISTEN: u8 = 57;

#[repr(C)]
#[derive(Default)]
struct Parameters {
    sq_entries: u32,
    cq_entries: u32,
    flags: u32,
    sq_thread_cpu: u32,
    sq_thread_idle: u32,
    features: u32,
    wq_fd: u32,
    reserved: [u32; 3],
    /// head, tail, ring_mask, ring_entries, flags, dropped, array, resv1, user_addr (2)
    sq_offsets: [u32; 10],
    /// head, tail, ring_mask, ring_entries, overflow, cqes, flags, resv1, user_addr (2)
    cq_offsets: [u32; 10],
}

const TAIL: usize = 1;
const SQ_ARRAY: usize = 6;
const CQ_CQES: usize = 5;

#[repr(C)]
#[derive(Default)]
struct Submission {
    opcode: u8,
    flags: u8,
    priority: u16,
    fd: i32,
    offset: u64,
    address: u64,
    length: u32,
    rw_flags: u32,
    user_data: u64,
    rest: [u64; 3],
}

#[repr(C)]
struct Completion {
    user_data: u64,
    result: i32,
    flags: u32,
}

/// A mapping that is unmapped when dropped.
struct Mapping {
    start: *mut u8,
    length: usize,
}

impl Mapping {
    fn new(ring: &OwnedFd, length: usize, offset: libc::off_t) -> io::Result<Self> {
        // SAFETY: a new shared mapping at an address of the kernel's choice
        // touches no existing memory.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                ring.as_raw_fd(),
                offset,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            start: start.cast(),
            length,
        })
    }

    /// A pointer to a `T` at `offset` bytes, inside the mapping and aligned.
    fn at<T>(&self, offset: usize) -> io::Result<*mut T> {
        let fits = offset
            .checked_add(size_of::<T>())
            .is_some_and(|end| end <= self.length);
        if !fits || !offset.is_multiple_of(align_of::<T>()) {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
        // SAFETY: checked above to stay within the mapping.
        Ok(unsafe { self.start.add(offset) }.cast())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and no pointer into it outlives it.
        unsafe { libc::munmap(self.start.cast(), self.length) };
    }
}

/// Asks io_uring for a stream socket of `family` (`IORING_OP_SOCKET`).
///
/// # Errors
/// The errno of io_uring_setup(2), io_uring_enter(2), or of the operation.
pub fn socket(family: i32) -> io::Result<OwnedFd> {
    let entry = Submission {
        opcode: IORING_OP_SOCKET,
        fd: family,
        offset: libc::SOCK_STREAM as u64,
        ..Submission::default()
    };
    // SAFETY: the entry has no pointers.
    let socket = unsafe { submit(entry) }?;
    // SAFETY: the operation has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(socket) })
}

/// Connects a socket (`IORING_OP_CONNECT`).
///
/// # Errors
/// As [`socket`].
pub fn connect(socket: BorrowedFd<'_>, address: SocketAddr) -> io::Result<()> {
    let call = |start: *const SocketAddrOpaque, length: u32| {
        let entry = Submission {
            opcode: IORING_OP_CONNECT,
            fd: socket.as_raw_fd(),
            // The address's length is where other operations have an offset.
            offset: u64::from(length),
            address: start.addr() as u64,
            ..Submission::default()
        };
        // SAFETY: the address outlives the closure, and its length is right.
        unsafe { submit(entry) }.map(drop)
    };
    // SAFETY: the address is read during the call only.
    unsafe { address.with_sockaddr(call) }
}

/// Sends `data` to `address` (`IORING_OP_SENDMSG`) and says how much was sent.
///
/// # Errors
/// As [`socket`].
pub fn send(
    socket: BorrowedFd<'_>,
    address: SocketAddr,
    data: &[u8],
    flags: u32,
) -> io::Result<usize> {
    let call = |start: *const SocketAddrOpaque, length: u32| {
        let mut part = libc::iovec {
            iov_base: data.as_ptr().cast_mut().cast(),
            iov_len: data.len(),
        };
        // SAFETY: msghdr is plain integers and pointers, for which zero is
        // valid.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_name = start.cast_mut().cast();
        message.msg_namelen = length;
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        let entry = Submission {
            opcode: IORING_OP_SENDMSG,
            fd: socket.as_raw_fd(),
            address: (&raw const message).addr() as u64,
            length: 1,
            rw_flags: flags,
            ..Submission::default()
        };
        // SAFETY: message, address and data outlive the call and are only
        // read.
        unsafe { submit(entry) }
    };
    // SAFETY: the address is read during the call only.
    let sent = unsafe { address.with_sockaddr(call) }?;
    Ok(sent as usize)
}

/// Makes a socket listen (`IORING_OP_LISTEN`).
///
/// # Errors
/// As [`socket`]; EINVAL before Linux 6.11.
pub fn listen(socket: BorrowedFd<'_>) -> io::Result<()> {
    let entry = Submission {
        opcode: IORING_OP_LISTEN,
        fd: socket.as_raw_fd(),
        length: 1,
        ..Submission::default()
    };
    // SAFETY: the entry has no pointers.
    unsafe { submit(entry) }.map(drop)
}

/// Makes a ring for one operation, waits for that, and returns its result.
///
/// # Safety
/// What the entry points to must be valid for what the operation does with it,
/// until this returns.
unsafe fn submit(wanted: Submission) -> io::Result<i32> {
    let mut parameters = Parameters::default();
    // SAFETY: the kernel reads and fills one io_uring_params.
    let ring = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, &raw mut parameters) };
    if ring < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    let ring = unsafe { OwnedFd::from_raw_fd(ring as i32) };

    let sq_array = parameters.sq_offsets[SQ_ARRAY] as usize;
    let sq_length = sq_array + parameters.sq_entries as usize * size_of::<u32>();
    let cqes = parameters.cq_offsets[CQ_CQES] as usize;
    let cq_length = cqes + parameters.cq_entries as usize * size_of::<Completion>();
    let submissions = Mapping::new(&ring, sq_length, IORING_OFF_SQ_RING)?;
    let completions = Mapping::new(&ring, cq_length, IORING_OFF_CQ_RING)?;
    let entries = Mapping::new(
        &ring,
        parameters.sq_entries as usize * size_of::<Submission>(),
        IORING_OFF_SQES,
    )?;

    let entry = entries.at::<Submission>(0)?;
    // SAFETY: `at` checked bounds and alignment; the kernel reads the entry
    // only after the tail below says it is there.
    unsafe { entry.write(wanted) };
    let index = submissions.at::<u32>(sq_array)?;
    // SAFETY: as above.
    unsafe { index.write(0) };
    let tail = submissions.at::<AtomicU32>(parameters.sq_offsets[TAIL] as usize)?;
    // SAFETY: the ring's tail is a 32-bit counter shared with the kernel, which
    // both sides access atomically.
    unsafe { &*tail }.store(1, Ordering::Release);

    // SAFETY: no signal mask is passed; the rings are mapped.
    let entered = unsafe {
        libc::syscall(
            libc::SYS_io_uring_enter,
            ring.as_raw_fd(),
            1,
            1,
            IORING_ENTER_GETEVENTS,
            ptr::null::<libc::c_void>(),
            0,
        )
    };
    if entered < 0 {
        return Err(io::Error::last_os_error());
    }
    let completion = completions.at::<Completion>(cqes)?;
    // SAFETY: io_uring_enter waited for one completion, which is the first.
    let result = unsafe { ptr::read_volatile(completion) }.result;
    if result < 0 {
        return Err(io::Error::from_raw_os_error(-result));
    }
    Ok(result)
}
