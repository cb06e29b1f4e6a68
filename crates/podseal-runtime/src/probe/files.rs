//! UNIX sockets of services, and files that are run later.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use podseal_core::probe::Outcome;
use rustix::fs::{FileType, Mode, OFlags, stat};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};

use super::{isolated, not_tried};

/// A file of the host, which a container may have another one instead of.
///
/// Displays as, and is read from, `ID:DEVICE:INODE:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFile {
    /// The probe it is for: [`podseal_core::probe::Probe::id`].
    pub id: String,
    /// Its device, as stat(2) has it.
    device: u64,
    /// Its inode.
    inode: u64,
    /// Where it is.
    path: PathBuf,
}

/// A file is written otherwise than [`HostFile`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a file is written as ID:DEVICE:INODE:PATH")]
pub struct InvalidHostFile;

impl fmt::Display for HostFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            device,
            inode,
            path,
        } = self;
        write!(f, "{id}:{device}:{inode}:{}", path.display())
    }
}

impl FromStr for HostFile {
    type Err = InvalidHostFile;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut fields = text.splitn(4, ':');
        let mut next = || fields.next().ok_or(InvalidHostFile);
        Ok(Self {
            id: next()?.to_owned(),
            device: next()?.parse().map_err(|_| InvalidHostFile)?,
            inode: next()?.parse().map_err(|_| InvalidHostFile)?,
            path: next()?.into(),
        })
    }
}

impl HostFile {
    /// Looks at the file; none where there is none, or its name is not UTF-8.
    #[must_use]
    pub fn look(id: &str, path: &Path) -> Option<Self> {
        path.to_str()?;
        let found = stat(path).ok()?;
        Some(Self {
            id: id.to_owned(),
            device: found.st_dev,
            inode: found.st_ino,
            path: path.to_owned(),
        })
    }

    /// Its type, if it is the same here.
    fn here(&self) -> Option<FileType> {
        let found = stat(&self.path).ok()?;
        let is_same = (found.st_dev, found.st_ino) == (self.device, self.inode);
        is_same.then(|| FileType::from_raw_mode(found.st_mode))
    }

    fn not_here(&self) -> Outcome {
        not_tried(format!(
            "{} of the host is not to be seen",
            self.path.display()
        ))
    }

    /// connect(2) to it, and `said`.
    pub(super) fn connect(&self, said: &[u8]) -> Outcome {
        if self.here() != Some(FileType::Socket) {
            return self.not_here();
        }
        isolated(|| connect(&SocketAddrUnix::new(&self.path)?, said))
    }

    /// open(2) for appending, or in a directory of a file without a name.
    pub(super) fn write(&self) -> Outcome {
        let flags = match self.here() {
            Some(FileType::Directory) => OFlags::TMPFILE | OFlags::WRONLY,
            Some(FileType::RegularFile) => OFlags::APPEND | OFlags::WRONLY,
            _ => return self.not_here(),
        };
        isolated(|| {
            rustix::fs::open(&self.path, flags | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR)?;
            Ok(())
        })
    }
}

/// connect(2) to an abstract UNIX socket, and `said`.
pub(super) fn connect_abstract(name: &str, said: &[u8]) -> io::Result<()> {
    connect(&SocketAddrUnix::new_abstract_name(name.as_bytes())?, said)
}

fn connect(address: &SocketAddrUnix, said: &[u8]) -> io::Result<()> {
    // A service that accepts nobody would let it wait.
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let new = |kind| -> rustix::io::Result<OwnedFd> {
        socket_with(AddressFamily::UNIX, kind, flags, None)
    };
    let mut socket = new(SocketType::STREAM)?;
    let connected = rustix::net::connect(&socket, address);
    if connected == Err(rustix::io::Errno::PROTOTYPE) {
        // systemd's and others' sockets may be of another type.
        socket = new(SocketType::SEQPACKET)?;
        rustix::net::connect(&socket, address)?;
    } else {
        connected?;
    }
    if !said.is_empty() {
        rustix::io::write(&socket, said)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_file_is_known_by_more_than_its_path() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a:b");
        assert_eq!(HostFile::look("x", &path), None);
        fs::write(&path, "1").unwrap();
        let known = HostFile::look("x", &path).unwrap();
        assert_eq!(known.to_string().parse(), Ok(known.clone()));
        assert_eq!(known.write(), Outcome::Succeeded);
        // Kept, so that its inode is not used again.
        fs::rename(&path, directory.path().join("old")).unwrap();
        fs::write(&path, "2").unwrap();
        assert!(matches!(known.write(), Outcome::NotTried { .. }));
        for text in ["", "x", "x:1:2", "x:1:y:/a", "x::2:/a"] {
            assert_eq!(text.parse::<HostFile>(), Err(InvalidHostFile), "{text}");
        }
    }

    #[test]
    fn writing_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "text").unwrap();
        let before = fs::metadata(&file).unwrap().modified().unwrap();
        for path in [&file, directory.path()] {
            let known = HostFile::look("x", path).unwrap();
            assert_eq!(known.write(), Outcome::Succeeded);
            assert!(matches!(known.connect(&[]), Outcome::NotTried { .. }));
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), before);
        assert_eq!(fs::read_to_string(&file).unwrap(), "text");
    }

    #[test]
    fn a_socket_is_connected_to() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let known = HostFile::look("x", &path).unwrap();
        assert_eq!(known.connect(&[]), Outcome::Succeeded);
        listener.accept().unwrap();
        assert!(matches!(known.write(), Outcome::NotTried { .. }));
    }
}
