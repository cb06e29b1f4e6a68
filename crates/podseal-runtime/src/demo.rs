//! The whole story on this machine: an image, a sealed service, a pull that
//! fails, and every probe with and without the seal.
//!
//! Everything runs as a user would run it, through podseal's own command line,
//! and is removed when [`Demo`] is dropped.

use std::fs::{self, File};
use std::io::{self, PipeReader, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use podseal_core::lifecycle::Exit;
use podseal_core::policy::seal::Seal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::command::{self, CommandError, LIMIT, Start};
use crate::container_profile::ProfileError;
use crate::engine::{Engine, EngineError};
use crate::host::{self, User};
use crate::instance::{Instance, InstanceError};
use crate::oci_runtime::Choice;
use crate::proof::ProofError;

mod probing;
mod running;

pub use probing::{Finding, Row};
pub use running::{Answer, Running};

/// The image that the demo makes.
pub const IMAGE: &str = "localhost/podseal-demo";
/// The name of the service it runs.
const SERVICE: &str = "demo";

/// Why the demo could not go on.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The demo runs already, or its directory cannot be made.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// Podman cannot run a sealed container here.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A command did not do its work.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// Something else failed.
    #[error("cannot {what}")]
    Io {
        /// What.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The service ended before it answered.
    #[error("the service ended before it answered: {exit}")]
    ServiceEnded {
        /// How.
        exit: Exit,
    },
    /// The service did not end, or not answer, in time.
    #[error("the service did not {what} within {} seconds", LIMIT.as_secs())]
    Slow {
        /// What it should have done.
        what: &'static str,
    },
    /// There is no seccomp profile for level strict.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A probe says nothing.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// A signal asked to end.
    #[error("interrupted")]
    Interrupted,
}

impl DemoError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Instance(error) => Some(error.hint()),
            Self::Engine(error) => Some(error.hint()),
            Self::Profile(error) => Some(error.hint()),
            _ => None,
        }
    }
}

fn failed(what: &'static str) -> impl FnOnce(io::Error) -> DemoError {
    move |source| DemoError::Io { what, source }
}

/// A demo in progress.
#[derive(Debug)]
pub struct Demo {
    engine: Engine,
    seal: Seal,
    own: String,
    end_wanted: UnixStream,
    instance: Instance,
}

impl Demo {
    /// Looks at this host and makes the image. `end_wanted` becomes readable
    /// when the demo is to end ([`crate::signals::any_end_wanted`]).
    ///
    /// # Errors
    /// The host is not ready for a sealed container; see the error's hint.
    pub fn prepare(end_wanted: UnixStream) -> Result<Self, DemoError> {
        let user = User::current();
        let own = host::own_executable().map_err(failed("find podseal's own file"))?;
        let instance = Instance::acquire(&user, "demo-setup")?;
        let seal = Seal::default();
        let demo = Self {
            engine: Engine::prepare(&user, &instance, &seal, None)?,
            seal,
            own: own.to_string_lossy().into_owned(),
            end_wanted,
            instance,
        };
        demo.make_image(&own)?;
        Ok(demo)
    }

    /// The OCI runtime that is used.
    #[must_use]
    pub fn oci_runtime(&self) -> &Choice {
        &self.engine.oci_runtime
    }

    fn make_image(&self, own: &Path) -> Result<(), DemoError> {
        let archive = self.instance.directory().join("image.tar");
        write_archive(own, &archive).map_err(failed("write the image's archive"))?;
        let path = archive.to_string_lossy();
        self.engine.podman.output(&[
            "import",
            "--change=ENTRYPOINT [\"/podseal\"]",
            "--change=CMD [\"echo\"]",
            &path,
            IMAGE,
        ])?;
        fs::remove_file(&archive).map_err(failed("remove the image's archive"))
    }

    /// The command that runs the demo's service on `port`.
    #[must_use]
    pub fn run_command(&self, port: u16, pull: &str) -> Vec<String> {
        [
            &self.own,
            "run",
            &format!("--name={SERVICE}"),
            &format!("--listen=127.0.0.1:{port}"),
            &format!("--runtime={}", self.engine.oci_runtime.path.display()),
            &format!("--pull={pull}"),
            &format!("--image={IMAGE}"),
        ]
        .map(str::to_owned)
        .into()
    }

    /// A port of the loopback interface that nobody listens on at present.
    ///
    /// # Errors
    /// There is none.
    pub fn free_port() -> Result<u16, DemoError> {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .map(|address| address.port())
            .map_err(failed("find a free port"))
    }

    /// Starts the service; what it says goes to standard error.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(&self, port: u16) -> Result<Running<'_>, DemoError> {
        let command = self.run_command(port, "never");
        self.start_with(&command, rustix::stdio::stderr())
    }

    fn start_with(
        &self,
        command: &[String],
        stderr: BorrowedFd<'_>,
    ) -> Result<Running<'_>, DemoError> {
        let pid = command::start(&Start {
            program: command.first().map_or("", String::as_str),
            arguments: command,
            environment: &[],
            directory: None,
            account: None,
            mark: None,
            stdout: stderr,
            stderr,
            sockets: &[],
        })?;
        Ok(Running {
            demo: self,
            pid: Some(pid),
        })
    }

    /// Runs the service with `--pull=always`, sends it traffic, and returns
    /// what it said until it gave up.
    ///
    /// # Errors
    /// It did not give up.
    pub fn pull_always(&self, port: u16) -> Result<String, DemoError> {
        let (mut said, write) = io::pipe().map_err(failed("make a pipe"))?;
        let mut running = self.start_with(&self.run_command(port, "always"), write.as_fd())?;
        drop(write);
        // It stays open, so that there is traffic until the service gives up.
        let _connection = running.connect(port)?;
        running.wait("give up")?;
        read_to_string(&mut said).map_err(failed("read what the service said"))
    }

    /// Waits until a signal asks to end.
    ///
    /// # Errors
    /// Waiting failed.
    pub fn wait_for_signal(&self) -> Result<(), DemoError> {
        loop {
            match poll(&mut [PollFd::new(&self.end_wanted, PollFlags::IN)], None) {
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(failed("wait for a signal")(errno.into())),
                Ok(_) => return Ok(()),
            }
        }
    }

    /// Waits `time`, or less when a signal asks to end.
    fn pause(&self, time: Duration) -> Result<(), DemoError> {
        let timeout = Timespec::try_from(time).unwrap_or_default();
        let mut fds = [PollFd::new(&self.end_wanted, PollFlags::IN)];
        // An interrupted wait is only shorter.
        let _ = poll(&mut fds, Some(&timeout));
        self.check_interrupted()
    }

    fn check_interrupted(&self) -> Result<(), DemoError> {
        let mut fds = [PollFd::new(&self.end_wanted, PollFlags::IN)];
        match poll(&mut fds, Some(&Timespec::default())) {
            Ok(1..) => Err(DemoError::Interrupted),
            _ => Ok(()),
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        for arguments in [
            &["rm", "--force", "--ignore", probing::CONTAINER][..],
            &["image", "rm", "--force", IMAGE],
        ] {
            if let Err(error) = self.engine.podman.output(arguments) {
                tracing::debug!(%error, "nothing to remove");
            }
        }
    }
}

fn write_archive(own: &Path, archive: &PathBuf) -> io::Result<()> {
    let mut executable = File::open(own)?;
    let mut header = tar::Header::new_ustar();
    header.set_size(executable.metadata()?.len());
    header.set_mode(0o755);
    let mut builder = tar::Builder::new(File::create(archive)?);
    builder.append_data(&mut header, "podseal", &mut executable)?;
    builder.into_inner()?.sync_all()?;
    fs::set_permissions(archive, fs::Permissions::from_mode(0o600))
}

fn read_to_string(pipe: &mut PipeReader) -> io::Result<String> {
    let mut bytes = Vec::new();
    pipe.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
