//! Starting a process with inherited sockets as sd_listen_fds(3) wants them.
//!
//! `std::process::Command` cannot put the child's own process id into the
//! child's environment (LISTEN_PID), which is why this exists. Other threads do
//! not matter: what the child needs is made before fork(2), and its first calls
//! close what it was not given. It is for kernels from 5.11 (close_range(2)).

use std::ffi::{CStr, CString};
use std::io::{self, PipeReader, Read};
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;

mod credentials;

pub use credentials::Credentials;

/// What to start.
#[derive(Debug)]
pub struct Spawn<'a> {
    /// Path of the program.
    pub program: &'a CStr,
    /// Its arguments, the zeroth included.
    pub arguments: &'a [CString],
    /// Its whole environment (`NAME=value`), without LISTEN_PID.
    pub environment: &'a [CString],
    /// Standard input, output and error.
    pub stdio: [BorrowedFd<'a>; 3],
    /// Descriptors that become 3, 4, … in this order. Where there are any,
    /// LISTEN_PID is added to the environment.
    pub inherited: &'a [BorrowedFd<'a>],
    /// The working directory; none keeps the caller's.
    pub directory: Option<&'a CStr>,
    /// A value for RLIMIT_LOCKS, which limits nothing since Linux 2.4.25
    /// (getrlimit(2)), is inherited by everything that is started, and can be
    /// read in /proc/PID/limits: a mark to know processes by.
    pub mark: Option<u64>,
    /// Whom the process is; none leaves it the caller's user.
    pub credentials: Option<Credentials<'a>>,
}

/// What the child was doing when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// fork(2) or pipe2(2), in the parent.
    Fork,
    /// Placing the descriptors.
    Descriptors,
    /// Becoming another user.
    Credentials,
    /// chdir(2).
    Directory,
    /// execve(2).
    Exec,
}

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
#[error("{}", match step {
    Step::Fork => "cannot make a process",
    Step::Descriptors => "cannot hand over file descriptors",
    Step::Credentials => "cannot become the user",
    Step::Directory => "cannot change to the working directory",
    Step::Exec => "cannot execute the program",
})]
pub struct SpawnError {
    /// What failed.
    pub step: Step,
    /// The errno.
    pub source: io::Error,
}

const LISTEN_PID: &[u8] = b"LISTEN_PID=";

/// Starts a process in a session of its own, with default signal dispositions
/// for SIGPIPE, no blocked signals, and no other descriptors than those named.
///
/// Returns the process id once the program runs (execve succeeded).
///
/// # Errors
/// See [`SpawnError`]; no process is left behind then.
pub fn spawn(request: &Spawn<'_>) -> Result<i32, SpawnError> {
    let fork_error = |source| SpawnError {
        step: Step::Fork,
        source,
    };
    let (status, status_write) = io::pipe().map_err(fork_error)?;
    let status_write = OwnedFd::from(status_write);
    let mut image = Image::new(request);

    // SAFETY: the child only makes async-signal-safe calls on memory that was
    // allocated before, and ends with execve or _exit.
    let pid = unsafe { libc::fork() };
    if pid < 0 {
        return Err(fork_error(io::Error::last_os_error()));
    }
    if pid == 0 {
        image.run(status_write.as_raw_fd());
    }
    drop(status_write);
    match read_failure(status) {
        None => Ok(pid),
        Some(error) => {
            // SAFETY: waits for our own child, which ends after its report; no
            // status is asked for.
            unsafe { libc::waitpid(pid, ptr::null_mut(), 0) };
            Err(error)
        }
    }
}

/// Everything the child needs, allocated before fork(2).
struct Image {
    program: *const libc::c_char,
    arguments: Vec<*const libc::c_char>,
    environment: Vec<*const libc::c_char>,
    /// `LISTEN_PID=` and room for the digits, which only the child knows.
    listen_pid: Box<[u8; 32]>,
    /// The descriptors that become 0, 1, 2, 3, …
    descriptors: Vec<RawFd>,
    directory: *const libc::c_char,
    mark: Option<libc::rlimit>,
    user: Option<credentials::User>,
}

impl Image {
    fn new(request: &Spawn<'_>) -> Self {
        let mut listen_pid = Box::new([0u8; 32]);
        listen_pid[..LISTEN_PID.len()].copy_from_slice(LISTEN_PID);
        let mut environment: Vec<_> = request.environment.iter().map(|v| v.as_ptr()).collect();
        if !request.inherited.is_empty() {
            environment.push(listen_pid.as_ptr().cast());
        }
        environment.push(ptr::null());
        Self {
            program: request.program.as_ptr(),
            arguments: request
                .arguments
                .iter()
                .map(|argument| argument.as_ptr())
                .chain([ptr::null()])
                .collect(),
            environment,
            listen_pid,
            descriptors: request
                .stdio
                .iter()
                .chain(request.inherited)
                .map(AsRawFd::as_raw_fd)
                .collect(),
            directory: request.directory.map_or(ptr::null(), CStr::as_ptr),
            mark: request.mark.map(|mark| libc::rlimit {
                rlim_cur: mark,
                rlim_max: mark,
            }),
            user: request.credentials.as_ref().map(credentials::User::new),
        }
    }

    /// The child's side. Never returns.
    fn run(&mut self, status: RawFd) -> ! {
        let above = self.descriptors.len() as RawFd;
        // SAFETY: duplicates an open descriptor, out of the way of those below.
        let status = unsafe { libc::fcntl(status, libc::F_DUPFD_CLOEXEC, above) };
        let step = if status < 0 || !self.prepare(above) {
            DESCRIPTORS
        } else if !self
            .user
            .as_ref()
            .is_none_or(credentials::User::become_for_good)
        {
            CREDENTIALS
        } else if !self.change_directory() {
            DIRECTORY
        } else {
            self.write_pid();
            // SAFETY: all three are arrays of C strings that end with null.
            unsafe {
                libc::execve(
                    self.program,
                    self.arguments.as_ptr(),
                    self.environment.as_ptr(),
                )
            };
            EXEC
        };
        let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
        let report = encode(step, errno);
        // SAFETY: the buffer is valid for its length.
        unsafe { libc::write(status, report.as_ptr().cast(), report.len()) };
        // SAFETY: ends the child without running the parent's exit handlers.
        unsafe { libc::_exit(127) }
    }

    fn change_directory(&self) -> bool {
        // SAFETY: a C string that outlives the call.
        self.directory.is_null() || unsafe { libc::chdir(self.directory) } == 0
    }

    /// Session, signals, mark and descriptors; false leaves the reason in errno.
    fn prepare(&mut self, above: RawFd) -> bool {
        // SAFETY: takes no argument. It cannot fail in a new process.
        unsafe { libc::setsid() };
        // SAFETY: sigset_t is plain integers, for which zero is the empty set.
        let none: libc::sigset_t = unsafe { mem::zeroed() };
        // SAFETY: the set is valid, and the old one is not asked for.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut()) };
        // SAFETY: restores a default disposition.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };

        if let Some(mark) = &self.mark {
            // SAFETY: the structure is valid.
            if unsafe { libc::setrlimit(libc::RLIMIT_LOCKS, mark) } < 0 {
                return false;
            }
        }
        for descriptor in &mut self.descriptors {
            // SAFETY: duplicates an open descriptor out of the way of targets.
            *descriptor = unsafe { libc::fcntl(*descriptor, libc::F_DUPFD_CLOEXEC, above) };
            if *descriptor < 0 {
                return false;
            }
        }
        for (target, &descriptor) in self.descriptors.iter().enumerate() {
            // SAFETY: duplicates an open descriptor; the target is ours to replace.
            if unsafe { libc::dup2(descriptor, target as RawFd) } < 0 {
                return false;
            }
        }
        // SAFETY: only marks descriptors, whoever left them open.
        let closed = unsafe {
            libc::syscall(
                libc::SYS_close_range,
                above,
                libc::c_uint::MAX,
                libc::CLOSE_RANGE_CLOEXEC,
            )
        };
        closed == 0
    }

    fn write_pid(&mut self) {
        // SAFETY: takes no argument and cannot fail.
        let mut rest = unsafe { libc::getpid() };
        let mut digits = [0u8; 10];
        let mut start = digits.len();
        while rest > 0 && start > 0 {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        let digits = &digits[start..];
        self.listen_pid[LISTEN_PID.len()..][..digits.len()].copy_from_slice(digits);
    }
}

const DESCRIPTORS: u8 = 0;
const EXEC: u8 = 1;
const DIRECTORY: u8 = 2;
const CREDENTIALS: u8 = 3;

fn encode(step: u8, errno: i32) -> [u8; 5] {
    let mut report = [step, 0, 0, 0, 0];
    report[1..].copy_from_slice(&errno.to_ne_bytes());
    report
}

/// The child's report; none when execve succeeded and so closed the pipe.
fn read_failure(mut status: PipeReader) -> Option<SpawnError> {
    let mut report = [0u8; 5];
    status.read_exact(&mut report).ok()?;
    let [step, errno @ ..] = report;
    Some(SpawnError {
        step: match step {
            EXEC => Step::Exec,
            DIRECTORY => Step::Directory,
            CREDENTIALS => Step::Credentials,
            _ => Step::Descriptors,
        },
        source: io::Error::from_raw_os_error(i32::from_ne_bytes(errno)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::net::TcpListener;
    use std::os::fd::AsFd;

    fn c(text: &str) -> CString {
        CString::new(text).unwrap()
    }

    fn run(script: &str, environment: &[&str], inherited: &[BorrowedFd<'_>]) -> String {
        let null = File::open("/dev/null").unwrap();
        let (mut output, write) = io::pipe().unwrap();
        let pid = spawn(&Spawn {
            program: &c("/bin/sh"),
            arguments: &[c("sh"), c("-c"), c(script)],
            environment: &environment.iter().map(|v| c(v)).collect::<Vec<_>>(),
            stdio: [null.as_fd(), write.as_fd(), write.as_fd()],
            inherited,
            directory: Some(c"/"),
            mark: Some(77),
            credentials: None,
        })
        .unwrap();
        drop(write);
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        // SAFETY: waits for the child just made.
        unsafe { libc::waitpid(pid, ptr::null_mut(), 0) };
        text
    }

    #[test]
    fn the_child_finds_its_own_pid_and_its_sockets_in_order() {
        let sockets: Vec<_> = (0..3)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let inodes: Vec<String> = sockets
            .iter()
            .map(|s| {
                std::fs::read_link(format!("/proc/self/fd/{}", s.as_raw_fd()))
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        let fds: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
        let text = run(
            "test $LISTEN_PID = $$ && echo own; for n in 3 4 5; do readlink /proc/$$/fd/$n; done; test -e /proc/$$/fd/6 || echo no more",
            &["PATH=/bin:/usr/bin"],
            &fds,
        );
        assert_eq!(text, format!("own\n{}\nno more\n", inodes.join("\n")));
    }

    #[test]
    fn nothing_else_leaks_and_no_sockets_means_no_listen_pid() {
        let leak = File::open("/dev/null").unwrap();
        // SAFETY: clears the flag of a descriptor that we own.
        unsafe { libc::fcntl(leak.as_raw_fd(), libc::F_SETFD, 0) };
        let text = run(
            "echo ${LISTEN_PID-unset} $A; ls /proc/$$/fd",
            &["PATH=/bin:/usr/bin", "A=b"],
            &[],
        );
        assert_eq!(text, "unset b\n0\n1\n2\n");
    }

    #[test]
    fn a_program_that_cannot_run_is_an_error_and_leaves_no_zombie() {
        let null = File::open("/dev/null").unwrap();
        let error = spawn(&Spawn {
            program: &c("/nonexistent/program"),
            arguments: &[c("program")],
            environment: &[],
            stdio: [null.as_fd(); 3],
            inherited: &[],
            directory: None,
            mark: None,
            credentials: None,
        })
        .unwrap_err();
        assert_eq!(error.step, Step::Exec);
        assert_eq!(error.source.raw_os_error(), Some(libc::ENOENT));
    }

    #[test]
    fn the_mark_and_the_directory_are_inherited() {
        let text = run(
            "pwd; sh -c 'grep locks /proc/self/limits'",
            &["PATH=/bin:/usr/bin"],
            &[],
        );
        assert!(text.starts_with("/\n"), "{text}");
        let words: Vec<&str> = text.split_whitespace().collect();
        assert_eq!(words[4..6], ["77", "77"], "{text}");
    }

    #[test]
    fn a_directory_that_is_not_there_is_named_as_the_step() {
        let null = File::open("/dev/null").unwrap();
        let error = spawn(&Spawn {
            program: &c("/bin/true"),
            arguments: &[c("true")],
            environment: &[],
            stdio: [null.as_fd(); 3],
            inherited: &[],
            directory: Some(c"/nonexistent"),
            mark: None,
            credentials: None,
        })
        .unwrap_err();
        assert_eq!(error.step, Step::Directory);
    }
}
