//! The sockets among the descriptors of a process.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::AsFd as _;

use podseal_sys::attempt::{self, Outcome};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};

/// A descriptor of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Descriptor {
    pub(super) fd: i32,
    pub(super) inode: u64,
    /// The kernel's name of it.
    pub(super) protocol: String,
}

/// The sockets that a process has. None where they cannot be looked at. Call it
/// while this process has one thread.
pub(super) fn of(pid: i32) -> Option<Vec<Descriptor>> {
    match read(pid) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => from_within(pid).ok(),
        read => read.ok(),
    }
}

fn read(pid: i32) -> io::Result<Vec<Descriptor>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        let entry = entry?;
        let path = entry.path();
        let Ok(target) = fs::read_link(&path) else {
            continue;
        };
        let inode = target.to_str().and_then(inode);
        let name = entry.file_name();
        let fd = name.to_str().and_then(|name| name.parse().ok());
        let (Some(inode), Some(fd)) = (inode, fd) else {
            continue;
        };
        let mut name = [0; 32];
        let length = match rustix::fs::getxattr(&path, "system.sockprotoname", &mut name) {
            Ok(length) => length,
            // It was closed meanwhile.
            Err(rustix::io::Errno::NOENT) => continue,
            Err(errno) => return Err(errno.into()),
        };
        let protocol = String::from_utf8_lossy(name.get(..length).unwrap_or_default());
        found.push(Descriptor {
            fd,
            inode,
            protocol: protocol.trim_end_matches('\0').to_owned(),
        });
    }
    Ok(found)
}

/// The same, looked at by a process of its own in the user namespace of that
/// process: the other users of a rootless container are no strangers there.
fn from_within(pid: i32) -> io::Result<Vec<Descriptor>> {
    let target = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
    let target = pidfd_open(target, PidfdFlags::empty())?;
    let mut list = File::from(memfd_create("sockets", MemfdFlags::CLOEXEC)?);
    let outcome = attempt::isolated(|| {
        move_into_thread_name_spaces(target.as_fd(), ThreadNameSpaceType::USER)?;
        let lines = read(pid)?.into_iter().map(|row| row.line());
        (&list).write_all(lines.collect::<String>().as_bytes())
    })?;
    match outcome {
        Outcome::Succeeded => {}
        Outcome::Errno(errno) => return Err(io::Error::from_raw_os_error(errno)),
        Outcome::Killed(_) => return Err(io::ErrorKind::Interrupted.into()),
    }
    let mut text = String::new();
    list.rewind()?;
    list.read_to_string(&mut text)?;
    Ok(text.lines().filter_map(Descriptor::parse).collect())
}

impl Descriptor {
    fn line(&self) -> String {
        format!("{} {} {}\n", self.fd, self.inode, self.protocol)
    }

    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.splitn(3, ' ');
        Some(Self {
            fd: fields.next()?.parse().ok()?,
            inode: fields.next()?.parse().ok()?,
            protocol: fields.next()?.to_owned(),
        })
    }
}

/// `socket:[INODE]`
fn inode(target: &str) -> Option<u64> {
    let inside = target.strip_prefix("socket:[")?.strip_suffix(']')?;
    inside.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inodes() {
        assert_eq!(inode("socket:[12]"), Some(12));
        assert_eq!(inode("pipe:[12]"), None);
    }

    #[test]
    fn lines() {
        for protocol in ["TCPv6", "UNIX-STREAM", "a b", ""] {
            let row = Descriptor {
                fd: 3,
                inode: 12,
                protocol: protocol.to_owned(),
            };
            let line = row.line();
            assert_eq!(Descriptor::parse(line.trim_end_matches('\n')), Some(row));
        }
        assert_eq!(Descriptor::parse("3 x TCP"), None);
        assert_eq!(Descriptor::parse("3"), None);
    }
}
