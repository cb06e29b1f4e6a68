//! A private place to run podseal in, and podseal running in it.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use podseal_core::bpf;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::account::{Account, is_root};
use crate::talk::unique;

/// How long anything may take before a test fails.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

/// Marks every process that a place has started, and what those started.
const TAG: &str = "PODSEAL_TEST_PLACE";

/// Waits until `look` finds something, for not longer than `bound`.
pub(crate) fn eventually<T>(bound: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if start.elapsed() > bound {
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Runs `play` on a kernel without Landlock, played by a filter that refuses to
/// know it. Filters are a thread's own, and inherited by what it starts.
pub(crate) fn without_landlock(play: impl FnOnce() + Send + 'static) {
    const CREATE_RULESET: u32 = 444;
    const ENOSYS: u16 = 38;
    let filter = [
        bpf::load(bpf::offset::NUMBER),
        bpf::jump_equal(CREATE_RULESET, 0, 1),
        bpf::answer(bpf::Action::Errno(ENOSYS)),
        bpf::answer(bpf::Action::Allow),
    ]
    .map(|i| (i.code, i.jump_true, i.jump_false, i.operand));
    let sealed = move || {
        rustix::thread::set_no_new_privs(true).unwrap();
        podseal_sys::seccomp::install(&filter).unwrap();
        play();
    };
    thread::spawn(sealed).join().unwrap();
}

/// A run-time directory of its own, for podseal run by some user. Every
/// process that was started in it ends with it.
pub(crate) struct Place {
    directory: TempDir,
    tag: String,
    podseal: PathBuf,
    account: Option<Account>,
    environment: Vec<(&'static str, PathBuf)>,
}

impl Place {
    /// For the user of the tests.
    pub(crate) fn new() -> Self {
        Self::of(None)
    }

    /// For `account`, or the user of the tests.
    pub(crate) fn of(account: Option<Account>) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("podseal-it-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir()
            .unwrap();
        let mut podseal = PathBuf::from(env!("CARGO_BIN_EXE_podseal"));
        if let Some(account) = &account {
            // Where the user can read it. Written by another process: one that
            // is forked off here meanwhile would keep the file busy.
            let copy = directory.path().join("program/podseal");
            let status = Command::new("install")
                .args(["-D", "-m", "0755"])
                .args([&podseal, &copy])
                .status();
            assert!(status.unwrap().success());
            podseal = copy;
            let (uid, gid) = (Some(account.uid), Some(account.gid));
            std::os::unix::fs::chown(directory.path(), uid, gid).unwrap();
        }
        Self {
            tag: unique("place"),
            directory,
            podseal,
            account,
            environment: Vec::new(),
        }
    }

    /// Sets a variable for everything that is started from now on.
    pub(crate) fn set(&mut self, name: &'static str, value: PathBuf) {
        self.environment.push((name, value));
    }

    pub(crate) fn is_root(&self) -> bool {
        self.account.is_none() && is_root()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The same as a string, for arguments.
    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Path of podseal, for services.
    pub(crate) fn podseal(&self) -> String {
        self.podseal.to_str().unwrap().to_owned()
    }

    /// `program` as the user of this place.
    pub(crate) fn program(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env(TAG, &self.tag)
            .env("XDG_RUNTIME_DIR", self.directory.path())
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .current_dir(self.directory.path());
        if let Some(account) = &self.account {
            command
                .uid(account.uid)
                .gid(account.gid)
                .env("USER", &account.name)
                .env(
                    "PATH",
                    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                );
        }
        if !self.is_root() {
            // Rootless Podman keeps its storage there.
            command
                .env("HOME", self.directory.path())
                .env_remove("XDG_CONFIG_HOME")
                .env_remove("XDG_DATA_HOME");
        }
        command.envs(self.environment.iter().cloned());
        command
    }

    /// `podseal` with `arguments`.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(&self.podseal);
        command.args(arguments);
        command
    }

    /// Starts `podseal run` with these options and this command.
    pub(crate) fn run(&self, options: &[&str], service: &[&str]) -> Running {
        Running::start(&mut self.run_command(options, service))
    }

    pub(crate) fn run_command(&self, options: &[&str], service: &[&str]) -> Command {
        let mut command = self.command(&["run"]);
        command.args(options).arg("--").args(service);
        command
    }

    /// The same with a shell script, in which $PODSEAL is podseal and the
    /// working directory is that of this place.
    pub(crate) fn run_script(&self, options: &[&str], script: &str) -> Running {
        let mut command = self.run_command(options, &["sh", "-c", script]);
        Running::start(command.env("PODSEAL", &self.podseal))
    }

    /// The living processes of this place.
    pub(crate) fn processes(&self) -> Vec<Pid> {
        let entry = format!("{TAG}={}", self.tag);
        let is_ours = |pid: Pid| {
            let directory = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
            let environment = fs::read(directory.join("environ")).unwrap_or_default();
            environment
                .split(|byte| *byte == 0)
                .any(|word| word == entry.as_bytes())
        };
        fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| {
                let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
                Pid::from_raw(pid).filter(|pid| is_ours(*pid))
            })
            .collect()
    }

    /// Panics if podseal left a process, a run-time directory or a socket.
    pub(crate) fn expect_nothing_left(&self) {
        // A process that was killed may take a moment to be gone.
        let left = || self.processes();
        let gone = eventually(Duration::from_secs(2), || left().is_empty().then_some(()));
        assert!(gone.is_some(), "left processes: {:?}", describe(&left()));
        assert!(
            !self.path("podseal").is_dir(),
            "left a run-time directory: {:?}",
            fs::read_dir(self.path("podseal")).map(Iterator::collect::<Vec<_>>)
        );
        for entry in fs::read_dir(self.directory.path()).unwrap() {
            let entry = entry.unwrap();
            let is_socket = entry.file_type().unwrap().is_socket();
            assert!(!is_socket, "left a socket: {}", entry.path().display());
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // More than once: a process may be forked off between look and kill.
        eventually(Duration::from_secs(5), || {
            let processes = self.processes();
            for pid in &processes {
                let _ = kill_process(*pid, Signal::KILL);
            }
            processes.is_empty().then_some(())
        });
    }
}

pub(crate) fn describe(processes: &[Pid]) -> Vec<String> {
    let line = |pid: &Pid| {
        let path = format!("/proc/{}/cmdline", pid.as_raw_nonzero());
        let words = fs::read(path).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        format!("{} {words}", pid.as_raw_nonzero())
    };
    processes.iter().map(line).collect()
}

/// What a process has written so far.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<(String, bool)>>);

impl Said {
    fn listen(mut source: impl Read + Send + 'static) -> Self {
        let said = Self::default();
        let writer = said.clone();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(1..) = source.read(&mut buffer).inspect(|count| {
                let text = String::from_utf8_lossy(&buffer[..*count]);
                writer.0.lock().unwrap().0.push_str(&text);
            }) {}
            writer.0.lock().unwrap().1 = true;
        });
        said
    }

    fn text(&self) -> String {
        self.0.lock().unwrap().0.clone()
    }

    fn is_over(&self) -> bool {
        self.0.lock().unwrap().1
    }
}

/// A running program. It is killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    /// None where it goes somewhere else.
    stdout: Option<Said>,
    stderr: Said,
}

/// How a program ended and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Checks the exit status and that standard error has each of `texts`.
    pub(crate) fn expect(&self, code: i32, texts: &[&str]) {
        assert_eq!(self.status.code(), Some(code), "{self:?}");
        for text in texts {
            assert!(self.stderr.contains(text), "no {text:?} in {self:?}");
        }
    }
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_writing_to(command, Stdio::piped())
    }

    /// With another standard output than one that is listened to.
    pub(crate) fn start_writing_to(command: &mut Command, stdout: Stdio) -> Self {
        let mut child = command
            .process_group(0)
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self {
            stdout: child.stdout.take().map(Said::listen),
            stderr: Said::listen(child.stderr.take().unwrap()),
            child,
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr.text()
    }

    pub(crate) fn stdout(&self) -> String {
        self.stdout.as_ref().map(Said::text).unwrap_or_default()
    }

    /// Waits until `text` was said on standard error.
    pub(crate) fn wait_for(&self, text: &str) {
        let found = eventually(BOUND, || self.stderr().contains(text).then_some(()));
        assert!(found.is_some(), "no {text:?} in: {}", self.stderr());
    }

    /// Waits until a whole line with `text` came on standard output, and
    /// returns it.
    pub(crate) fn wait_for_line(&self, text: &str) -> String {
        let line = eventually(BOUND, || {
            let stdout = self.stdout();
            let (whole, _) = stdout.rsplit_once('\n')?;
            let line = whole.lines().find(|line| line.contains(text));
            line.map(str::to_owned)
        });
        line.unwrap_or_else(|| panic!("no {text:?} in {:?}, {}", self.stdout(), self.stderr()))
    }

    /// Waits until `text` was said `times` times.
    pub(crate) fn wait_for_times(&self, text: &str, times: usize) {
        let count = || self.stderr().matches(text).count();
        let found = eventually(BOUND, || (count() >= times).then_some(()));
        assert!(found.is_some(), "{text:?} too seldom: {}", self.stderr());
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until standard output has `text`.
    pub(crate) fn wait_for_output(&self, text: &str) {
        let found = eventually(BOUND, || self.stdout().contains(text).then_some(()));
        assert!(found.is_some(), "no {text:?}: {}", self.stdout());
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> Ended {
        let status = eventually(BOUND, || self.child.try_wait().unwrap());
        let status = status.unwrap_or_else(|| panic!("does not end: {}", self.stderr()));
        // A process that was left may hold them open.
        let over = || self.stderr.is_over() && self.stdout.as_ref().is_none_or(Said::is_over);
        eventually(Duration::from_secs(2), || over().then_some(()));
        Ended {
            status,
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }

    /// Asks it to end and waits for that.
    pub(crate) fn stop(self) -> Ended {
        self.signal(Signal::TERM);
        self.end()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program to its end.
pub(crate) fn output(command: &mut Command) -> Ended {
    Running::start(command).end()
}

#[test]
#[should_panic(expected = "left processes")]
fn a_process_left_behind_is_noticed() {
    let place = Place::new();
    let _left = Running::start(place.program("sleep").arg("1000"));
    place.expect_nothing_left();
}

#[test]
#[should_panic(expected = "left a run-time directory")]
fn a_directory_left_behind_is_noticed() {
    let place = Place::new();
    fs::create_dir(place.path("podseal")).unwrap();
    place.expect_nothing_left();
}

#[test]
#[should_panic(expected = "left a socket")]
fn a_socket_left_behind_is_noticed() {
    let place = Place::new();
    let _socket = std::os::unix::net::UnixListener::bind(place.path("a.sock")).unwrap();
    place.expect_nothing_left();
}

#[test]
#[should_panic(expected = "does not end")]
#[ignore = "takes as long as the bound"]
fn a_program_that_does_not_end_is_noticed() {
    let place = Place::new();
    output(place.program("sleep").arg("1000"));
}

/// Names of the files in a directory, sorted.
pub(crate) fn files(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
