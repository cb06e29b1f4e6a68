//! Everybody that a probe should not reach, and what they saw.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, ErrorKind, PipeWriter, Read};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{FileTypeExt as _, lchown};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use super::As;
use crate::account::Account;
use crate::command::{self, Start};
use crate::probe::HostFile;

/// How long those who connected may take to say who they are.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many may come by: many times the probes that there are.
const MOST: usize = 10_000;

/// The victims of one run of the probe program.
#[derive(Debug)]
pub(super) struct Victims {
    ipv4: TcpListener,
    ipv6: Option<TcpListener>,
    datagram: UdpSocket,
    abstract_socket: UnixListener,
    path_socket: PathSocket,
    bystander: Bystander,
    /// What those who come by way of this run say first.
    token: String,
}

impl Victims {
    /// Those of this user, or of another one.
    pub(super) fn new(other: Option<&As<'_>>) -> io::Result<Self> {
        let ipv4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = ipv4.local_addr()?.port();
        let token = format!("podseal-{}-{port}", std::process::id());
        let address = SocketAddr::from_abstract_name(&token)?;
        Ok(Self {
            ipv4,
            ipv6: TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).ok(),
            datagram: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?,
            abstract_socket: UnixListener::bind_addr(&address)?,
            path_socket: PathSocket::bind(&token, other)?,
            bystander: Bystander::start(other.map(|other| other.account))?,
            token,
        })
    }

    /// What tells the probe program of them.
    pub(super) fn options(&self) -> Vec<String> {
        let mut options = vec![
            format!("--token={}", self.token),
            format!("--victim-abstract={}", self.token),
            format!("--victim-process={}", self.bystander.pid.as_raw_nonzero()),
            format!("--victim-memory={}", self.bystander.memory),
        ];
        let rows = [
            ("--victim", Some(&self.ipv4)),
            ("--victim-ipv6", self.ipv6.as_ref()),
        ];
        for (option, listener) in rows {
            if let Some(address) = listener.and_then(|listener| listener.local_addr().ok()) {
                options.push(format!("{option}={address}"));
            }
        }
        if let Ok(address) = self.datagram.local_addr() {
            options.push(format!("--victim-datagram={address}"));
        }
        let socket = HostFile::look("unix-socket", &self.path_socket.path);
        options.extend(socket.map(|socket| format!("--file={socket}")));
        options
    }

    /// The probes that got through to somebody.
    pub(super) fn reached(&self) -> io::Result<BTreeSet<String>> {
        let mut said = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        for listener in std::iter::once(&self.ipv4).chain(&self.ipv6) {
            listener.set_nonblocking(true)?;
            while let Some((connection, _)) = waiting(listener.accept())? {
                connection.set_nonblocking(false)?;
                connection.set_read_timeout(Some(until(deadline)))?;
                add(&mut said, line(connection))?;
            }
        }
        for listener in [&self.abstract_socket, &self.path_socket.listener] {
            listener.set_nonblocking(true)?;
            while let Some((connection, _)) = waiting(listener.accept())? {
                connection.set_nonblocking(false)?;
                connection.set_read_timeout(Some(until(deadline)))?;
                add(&mut said, line(connection))?;
            }
        }
        self.datagram.set_nonblocking(true)?;
        let mut datagram = [0; 256];
        while let Some(length) = waiting(self.datagram.recv(&mut datagram))? {
            add(&mut said, line(&datagram[..length]))?;
        }
        let ids = said.iter().filter_map(|line| {
            let (token, id) = line.split_once(' ')?;
            (token == self.token).then(|| id.to_owned())
        });
        Ok(ids.collect())
    }
}

/// What is left of the time to wait; what was said already is heard in any case.
fn until(deadline: Instant) -> Duration {
    let left = deadline.saturating_duration_since(Instant::now());
    left.max(Duration::from_millis(10))
}

/// Somebody could go on coming by for ever, and is then no probe.
fn add(said: &mut Vec<String>, line: String) -> io::Result<()> {
    if said.len() == MOST {
        return Err(io::Error::other("too many came by"));
    }
    said.push(line);
    Ok(())
}

fn waiting<T>(accepted: io::Result<T>) -> io::Result<Option<T>> {
    match accepted {
        Ok(accepted) => Ok(Some(accepted)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// The line that somebody said; nothing where they said none or not in time.
/// Their connection need not end: it may be a socket that we have as well.
fn line(connection: impl Read) -> String {
    let mut line = String::new();
    // A reset connection may have said something before.
    let _ = BufReader::new(connection.take(256)).read_line(&mut line);
    line.trim_end().to_owned()
}

/// A UNIX socket that is removed when dropped.
#[derive(Debug)]
struct PathSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl PathSocket {
    fn bind(name: &str, other: Option<&As<'_>>) -> io::Result<Self> {
        let directory = other.map_or_else(directory, |other| other.directory.to_owned());
        let path = directory.join(name);
        // It fails where there is something, so what is removed is ours.
        let listener = UnixListener::bind(&path)?;
        let socket = Self { listener, path };
        if let Some(other) = other {
            // Who is not its owner may not connect to it.
            lchown(&socket.path, Some(other.account.user.uid.as_raw()), None)?;
        }
        Ok(socket)
    }
}

/// Where the socket is: in a directory that a seal may hide.
fn directory() -> PathBuf {
    std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|directory| directory.is_dir())
        .unwrap_or_else(std::env::temp_dir)
}

/// Removes what a process left that was killed while it had victims.
pub(super) fn remove_left(process: u32) -> io::Result<()> {
    let beginning = format!("podseal-{process}-");
    for entry in fs::read_dir(directory())? {
        let entry = entry?;
        let is_its = entry.file_name().to_string_lossy().starts_with(&beginning);
        if is_its && entry.file_type()?.is_socket() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

impl Drop for PathSocket {
    fn drop(&mut self) {
        // Nobody can do anything about it.
        let _ = fs::remove_file(&self.path);
    }
}

/// A process of the user that does nothing.
#[derive(Debug)]
struct Bystander {
    pid: Pid,
    /// Where its program begins.
    memory: usize,
    /// It waits for the end of this.
    _stdin: PipeWriter,
}

impl Bystander {
    fn start(account: Option<&Account>) -> io::Result<Self> {
        let (read, write) = io::pipe()?;
        let null = File::options().write(true).open("/dev/null")?;
        let command = ["sh", "-c", "read -r _ <&3"].map(str::to_owned);
        let pid = command::start(&Start {
            program: command.first().map_or("", String::as_str),
            arguments: &command,
            directory: None,
            account,
            mark: None,
            environment: &[],
            stdout: null.as_fd(),
            stderr: null.as_fd(),
            sockets: &[read.as_fd()],
        })
        .map_err(io::Error::other)?;
        let mut bystander = Self {
            pid,
            memory: 0,
            _stdin: write,
        };
        let maps = fs::read_to_string(format!("/proc/{}/maps", pid.as_raw_nonzero()))?;
        bystander.memory = first_address(&maps).ok_or(ErrorKind::InvalidData)?;
        Ok(bystander)
    }
}

/// The lowest address in /proc/PID/maps (proc(5)), where the program is.
fn first_address(maps: &str) -> Option<usize> {
    usize::from_str_radix(maps.split('-').next()?, 16).ok()
}

impl Drop for Bystander {
    fn drop(&mut self) {
        // It is our child and not waited for, so it is no other process.
        let _ = kill_process(self.pid, Signal::KILL);
        let _ = waitpid(Some(self.pid), WaitOptions::empty());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn victims_know_those_who_came_by_way_of_their_own_run() {
        let victims = Victims::new(None).unwrap();
        let address = victims.ipv4.local_addr().unwrap();
        let token = victims.token.clone();
        for said in [
            format!("{token} one\n"),
            "other two\n".into(),
            String::new(),
        ] {
            let mut caller = TcpStream::connect(address).unwrap();
            caller.write_all(said.as_bytes()).unwrap();
        }
        let unix = SocketAddr::from_abstract_name(&token).unwrap();
        let mut caller = std::os::unix::net::UnixStream::connect_addr(&unix).unwrap();
        caller
            .write_all(format!("{token} three\n").as_bytes())
            .unwrap();
        drop(caller);
        let path = victims.path_socket.path.clone();
        let mut caller = std::os::unix::net::UnixStream::connect(&path).unwrap();
        caller
            .write_all(format!("{token} four\n").as_bytes())
            .unwrap();
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = victims.datagram.local_addr().unwrap();
        for said in [format!("{token} five\n"), "other six\n".into()] {
            udp.send_to(said.as_bytes(), address).unwrap();
        }
        let reached = victims.reached().unwrap();
        assert_eq!(
            reached.into_iter().collect::<Vec<_>>(),
            ["five", "four", "one", "three"]
        );
        assert!(victims.reached().unwrap().is_empty());
        drop(victims);
        assert!(!path.exists());
    }
}
