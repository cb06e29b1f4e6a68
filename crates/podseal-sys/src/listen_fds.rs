//! Sockets handed to this process when it was started, after
//! sd_listen_fds_with_names(3).
//!
//! The protocol is three environment variables and a promise: `LISTEN_FDS`
//! sockets, numbered from 3, named by `LISTEN_FDNAMES`, are meant for the
//! process `LISTEN_PID`. `LISTEN_PIDFDID` (systemd 259), a guard against a
//! reused process id, is not looked at: Podman does not hand it on.

use std::env;
use std::ffi::OsString;
use std::num::ParseIntError;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::FdFlags;

/// `SD_LISTEN_FDS_START`: the number of the first socket.
const FIRST: RawFd = 3;

/// The name of every socket when `LISTEN_FDNAMES` is not set.
const UNNAMED: &str = "unknown";

/// Whether somebody has asked for the sockets of this process.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// A file descriptor handed to this process. Usually a socket, but nothing in
/// the protocol says so.
#[derive(Debug)]
pub struct ListenFd {
    /// The descriptor, close-on-exec.
    pub fd: OwnedFd,
    /// Its name: `FileDescriptorName=` of the socket unit, by default the
    /// unit's own name. `unknown` where nobody gave one.
    pub name: String,
}

/// Why there are no sockets to be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenFdsError {
    /// Nobody passed sockets, not even to another process.
    #[error("no socket was passed to this process: {variable} is not set")]
    NotActivated {
        /// The variable that is missing.
        variable: &'static str,
    },
    /// The variables were meant for another process and leaked into this one.
    #[error("the sockets are meant for process {pid}, but this is process {own}")]
    OtherProcess {
        /// The process named by `LISTEN_PID`.
        pid: u32,
        /// This process.
        own: u32,
    },
    /// A variable that should hold a number holds something else.
    #[error("{variable}={value:?} is not a number")]
    Malformed {
        /// The variable.
        variable: &'static str,
        /// What it holds; bytes that are not UTF-8 are replaced.
        value: String,
        /// What is wrong with it.
        source: ParseIntError,
    },
    /// `LISTEN_FDNAMES` does not fit `LISTEN_FDS`.
    #[error("LISTEN_FDNAMES holds {names} names, but LISTEN_FDS is {count}")]
    NameCount {
        /// How many names there are.
        names: usize,
        /// How many sockets there should be.
        count: u32,
    },
    /// A descriptor that should have been passed is not open.
    #[error("LISTEN_FDS is {count}, but file descriptor {fd} is not open")]
    NotOpen {
        /// How many sockets there should be.
        count: u32,
        /// The first one that is missing.
        fd: RawFd,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// A descriptor that should have been passed is close-on-exec, so it was
    /// opened by this process after it started and already has an owner.
    #[error("LISTEN_FDS is {count}, but file descriptor {fd} was not passed to this process")]
    NotInherited {
        /// How many sockets there should be.
        count: u32,
        /// The descriptor that belongs to somebody else.
        fd: RawFd,
    },
    /// A descriptor could not be made close-on-exec.
    #[error("cannot set close-on-exec on file descriptor {fd}")]
    CloseOnExec {
        /// The descriptor.
        fd: RawFd,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// Not the first call: a descriptor has one owner only.
    #[error("the sockets passed to this process were already asked for")]
    AlreadyTaken,
}

/// Takes the sockets handed to this process and makes them close-on-exec. The
/// environment is left as it is.
///
/// `LISTEN_FDS=0` is an empty list, not an error.
///
/// # Errors
///
/// See [`ListenFdsError`]. Every call but the first fails, whatever became of
/// the first.
pub fn listen_fds() -> Result<Vec<ListenFd>, ListenFdsError> {
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Err(ListenFdsError::AlreadyTaken);
    }
    let Announced { count, names } = Announced::read(env::var_os, process::id())?;
    // Before any of them has an owner: an error must not close what may not
    // have been passed at all.
    let fds: Vec<RawFd> = (FIRST..)
        .zip(0..count)
        .map(|(fd, _)| check_inherited(fd, count).map(|()| fd))
        .collect::<Result<_, _>>()?;

    let mut names = names.into_iter().flatten();
    fds.into_iter()
        .map(|number| {
            // SAFETY: the descriptor is open and was not opened by this
            // process, since it survived the exec that started it (checked
            // above), and `TAKEN` lets this line be reached once for each number. So
            // this is its only owner. rustix has no environment to take it from.
            let fd = unsafe { OwnedFd::from_raw_fd(number) };
            rustix::io::fcntl_setfd(&fd, FdFlags::CLOEXEC).map_err(|errno| {
                ListenFdsError::CloseOnExec {
                    fd: number,
                    source: errno.into(),
                }
            })?;
            let name = names.next().unwrap_or_else(|| UNNAMED.to_owned());
            Ok(ListenFd { fd, name })
        })
        .collect()
}

/// What the environment says was passed.
#[derive(Debug, PartialEq)]
struct Announced {
    count: u32,
    names: Option<Vec<String>>,
}

impl Announced {
    fn read(
        variable: impl Fn(&'static str) -> Option<OsString>,
        own: u32,
    ) -> Result<Self, ListenFdsError> {
        let number = |name| {
            let value = variable(name).ok_or(ListenFdsError::NotActivated { variable: name })?;
            let value = value.to_string_lossy();
            value
                .parse::<u32>()
                .map_err(|source| ListenFdsError::Malformed {
                    variable: name,
                    value: value.clone().into_owned(),
                    source,
                })
        };
        let count = number("LISTEN_FDS")?;
        let pid = number("LISTEN_PID")?;
        if pid != own {
            return Err(ListenFdsError::OtherProcess { pid, own });
        }
        if count == 0 {
            return Ok(Self { count, names: None });
        }
        let names = variable("LISTEN_FDNAMES").map(|names| {
            let names = names.to_string_lossy();
            names.split(':').map(str::to_owned).collect::<Vec<_>>()
        });
        match &names {
            Some(names) if u32::try_from(names.len()) != Ok(count) => {
                Err(ListenFdsError::NameCount {
                    names: names.len(),
                    count,
                })
            }
            _ => Ok(Self { count, names }),
        }
    }
}

/// Checks that `fd` is open and came through exec, which closes every
/// descriptor that is close-on-exec, as all that Rust opens are.
fn check_inherited(fd: RawFd, count: u32) -> Result<(), ListenFdsError> {
    // SAFETY: F_GETFD takes no pointer and changes nothing, whatever the
    // number. rustix needs a descriptor known to be open, which is the question.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
    if flags == -1 {
        let source = std::io::Error::last_os_error();
        return Err(ListenFdsError::NotOpen { count, fd, source });
    }
    if flags & libc::FD_CLOEXEC != 0 {
        return Err(ListenFdsError::NotInherited { count, fd });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;
    use std::process::{Command, Stdio};

    fn read(variables: &[(&str, &str)]) -> Result<Announced, String> {
        let variable = |name: &'static str| {
            let found = variables.iter().find(|(key, _)| *key == name)?;
            Some(OsString::from(found.1))
        };
        Announced::read(variable, 42).map_err(|error| error.to_string())
    }

    #[test]
    fn the_environment_is_read_as_systemd_does() {
        let names = |names: &[&str]| Some(names.iter().map(ToString::to_string).collect());
        for (fds, fdnames, count, expected) in [
            ("2", None, 2, None),
            ("2", Some("web:dns"), 2, names(&["web", "dns"])),
            ("1", Some(""), 1, names(&[""])),
            ("3", Some("a::b"), 3, names(&["a", "", "b"])),
            ("0", Some("left:over"), 0, None),
            ("4294967295", None, u32::MAX, None),
        ] {
            let mut variables = vec![("LISTEN_PID", "42"), ("LISTEN_FDS", fds)];
            variables.extend(fdnames.map(|names| ("LISTEN_FDNAMES", names)));
            let names = expected;
            assert_eq!(read(&variables), Ok(Announced { count, names }));
        }
    }

    #[test]
    fn each_fault_of_the_environment_has_its_message() {
        for (variables, message) in [
            (
                &[][..],
                "no socket was passed to this process: LISTEN_FDS is not set",
            ),
            (
                &[("LISTEN_FDS", "1")],
                "no socket was passed to this process: LISTEN_PID is not set",
            ),
            (
                &[("LISTEN_FDS", "1"), ("LISTEN_PID", "7")],
                "the sockets are meant for process 7, but this is process 42",
            ),
            (
                &[("LISTEN_FDS", "two"), ("LISTEN_PID", "42")],
                "LISTEN_FDS=\"two\" is not a number",
            ),
            (
                &[("LISTEN_FDS", "-1"), ("LISTEN_PID", "42")],
                "LISTEN_FDS=\"-1\" is not a number",
            ),
            (
                &[("LISTEN_FDS", "1"), ("LISTEN_PID", "")],
                "LISTEN_PID=\"\" is not a number",
            ),
            (
                &[
                    ("LISTEN_FDS", "1"),
                    ("LISTEN_PID", "42"),
                    ("LISTEN_FDNAMES", "a:b"),
                ],
                "LISTEN_FDNAMES holds 2 names, but LISTEN_FDS is 1",
            ),
        ] {
            assert_eq!(read(variables), Err(message.to_owned()));
        }
    }

    /// What the child of the tests below has to do.
    const CASE: &str = "PODSEAL_TEST_LISTEN_FDS";

    /// Runs this test program again with its standard input and output as
    /// file descriptors 3 and 4, and 5 closed. It says on standard error what
    /// it got.
    fn child(case: &str, variables: &[(&str, &str)]) -> (String, [UnixStream; 2]) {
        let (ours_3, theirs_3) = UnixStream::pair().unwrap();
        let (ours_4, theirs_4) = UnixStream::pair().unwrap();
        // A shell, because the number in LISTEN_PID is not known before the fork.
        let output = Command::new("sh")
            .arg("-c")
            .arg("export LISTEN_PID=$$; exec \"$@\" 3<&0 4>&1 5<&- </dev/null >/dev/null")
            .arg("sh")
            .arg(env::current_exe().unwrap())
            .args([
                "--exact",
                "listen_fds::tests::taker",
                "--ignored",
                "--nocapture",
            ])
            .env(CASE, case)
            .envs(variables.iter().copied())
            .stdin(Stdio::from(OwnedFd::from(theirs_3)))
            .stdout(Stdio::from(OwnedFd::from(theirs_4)))
            .stderr(Stdio::piped())
            .spawn()
            .and_then(process::Child::wait_with_output)
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        (said, [ours_3, ours_4])
    }

    #[test]
    #[ignore = "run by the other tests, in a process that was handed sockets"]
    fn taker() {
        match env::var(CASE).as_deref() {
            Ok("take") => {
                let taken = match listen_fds() {
                    Ok(taken) => taken,
                    Err(error) => return eprintln!("{error}"),
                };
                for ListenFd { fd, name } in taken {
                    assert_eq!(rustix::io::fcntl_getfd(&fd).unwrap(), FdFlags::CLOEXEC);
                    File::from(fd).write_all(name.as_bytes()).unwrap();
                }
                eprintln!("{}", listen_fds().unwrap_err());
            }
            Ok("open one more") => {
                let _mine = File::open("/dev/null").unwrap();
                eprintln!("{}", listen_fds().unwrap_err());
            }
            case => eprintln!("no such case: {case:?}"),
        }
    }

    #[test]
    fn sockets_are_taken_in_order_with_their_names_and_once() {
        let (said, sockets) = child(
            "take",
            &[("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", "first:second")],
        );
        let [first, second] = sockets.map(|mut socket| {
            let mut read = String::new();
            socket.read_to_string(&mut read).unwrap();
            read
        });
        assert_eq!([first, second], ["first", "second"]);
        assert_eq!(
            said,
            "the sockets passed to this process were already asked for\n"
        );
    }

    #[test]
    fn a_socket_that_is_not_there_is_named() {
        for (case, message) in [
            ("take", "file descriptor 5 is not open"),
            (
                "open one more",
                "file descriptor 5 was not passed to this process",
            ),
        ] {
            let (said, _sockets) = child(case, &[("LISTEN_FDS", "3")]);
            assert_eq!(said, format!("LISTEN_FDS is 3, but {message}\n"));
        }
    }
}
