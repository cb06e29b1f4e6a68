//! The server as a process of its own, started with real `LISTEN_FDS`.

use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, ExitStatus, Stdio, exit};
use std::{env, fs};

use podseal_echo::{Options, serve};
use podseal_sys::listen_fds::listen_fds;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Resource, Rlimit, setrlimit};

/// How many descriptors the server may have.
const DESCRIPTORS: &str = "PODSEAL_TEST_DESCRIPTORS";

/// The server process; it stops when this is dropped.
pub(crate) struct Server {
    process: Child,
    stop: OwnedFd,
}

impl Server {
    pub(crate) fn start(socket: impl Into<OwnedFd>, variables: &[(&str, &str)]) -> Self {
        let (stopped, stop) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        // A shell, because the number in LISTEN_PID is not known before the fork.
        let process = Command::new("sh")
            .arg("-c")
            .arg("export LISTEN_PID=$$; exec \"$@\" 3<&0 4<&1 </dev/null >/dev/null")
            .arg("sh")
            .arg(env::current_exe().unwrap())
            .args(["--exact", "child::server", "--ignored", "--nocapture"])
            .env("LISTEN_FDS", "2")
            .env("LISTEN_FDNAMES", "echo:stop")
            .env_remove("NOTIFY_SOCKET")
            .envs(variables.iter().copied())
            .stdin(Stdio::from(socket.into()))
            .stdout(Stdio::from(stopped))
            .spawn()
            .unwrap();
        Self { process, stop }
    }

    pub(crate) fn with_descriptors(socket: impl Into<OwnedFd>, most: u64) -> Self {
        Self::start(socket, &[(DESCRIPTORS, &most.to_string())])
    }

    pub(crate) fn finish(self) -> ExitStatus {
        let Self { mut process, stop } = self;
        drop(stop);
        process.wait().unwrap()
    }

    /// The memory it holds, in KiB.
    pub(crate) fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|rest| rest.split_whitespace().next());
        number.unwrap().parse().unwrap()
    }

    /// The processor time it has used, in clock ticks (10 ms).
    pub(crate) fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let times = fields.split_whitespace().skip(11).take(2);
        times.map(|time| time.parse::<u64>().unwrap()).sum()
    }
}

#[test]
#[ignore = "run by the other tests, in a process that was handed sockets"]
fn server() {
    if let Ok(most) = env::var(DESCRIPTORS) {
        let most = Some(most.parse().unwrap());
        let limit = Rlimit {
            current: most,
            maximum: most,
        };
        setrlimit(Resource::Nofile, limit).unwrap();
    }
    let mut sockets = listen_fds().unwrap();
    let stop = sockets.pop().unwrap();
    assert_eq!(stop.name, "stop");
    let options = Options {
        notify: true,
        ..Options::default()
    };
    if let Err(error) = serve(sockets, &options, Some(stop.fd.as_fd())) {
        eprintln!("{error}");
        exit(1);
    }
}
