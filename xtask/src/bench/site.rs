//! A place to measure in: a user, and directories that Podman keeps everything
//! in, so that the containers and images of the machine are left alone.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process;
use std::thread;
use std::time::{Duration, Instant};

use super::BenchError;
use crate::command::{Command, Identity};
use crate::output;
use crate::requirements::is_root;

/// The image made of podseal's executable.
pub(crate) const IMAGE: &str = "localhost/podseal-bench";

/// The user that root makes for rootless measurements.
const USER: &str = "podseal-bench";

const STANDARD_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How long a command of preparation or of cleaning up may take.
const LIMIT: Duration = Duration::from_mins(1);

/// Ends all that was started in it, and removes it, when dropped.
#[derive(Debug)]
pub(crate) struct Site {
    directory: PathBuf,
    identity: Identity,
    /// Whether the user was made for this.
    made_user: bool,
    search_path: String,
}

impl Site {
    /// For root, when this is root.
    pub(crate) fn root() -> Result<Option<Self>, BenchError> {
        if !is_root() {
            return Ok(None);
        }
        Self::new(Identity { uid: 0, gid: 0 }, false).map(Some)
    }

    /// For the user this is; for root, a user made for it.
    pub(crate) fn rootless() -> Result<Option<Self>, BenchError> {
        if is_root() {
            let log = env::temp_dir().join(format!("{USER}-{}.log", process::id()));
            // One that an interrupted run left is as good.
            let made = if identity_of(USER)?.is_none() {
                let add = ["--no-create-home", "--home-dir", "/nonexistent"];
                Command::new("useradd", add)
                    .with(["--shell", "/bin/false", USER])
                    .complete(&log, LIMIT)
            } else {
                Ok(())
            };
            let _ = fs::remove_file(&log);
            made?;
            let identity = identity_of(USER)?.ok_or(BenchError::NoUser(USER))?;
            return Self::new(identity, true).map(Some);
        }
        let own = Path::new("/proc/self");
        let metadata = fs::metadata(own).map_err(|source| file("look at", own, source))?;
        let identity = Identity {
            uid: metadata.uid(),
            gid: metadata.gid(),
        };
        Self::new(identity, false).map(Some)
    }

    fn new(identity: Identity, made_user: bool) -> Result<Self, BenchError> {
        let name = format!("podseal-bench-{}-{}", process::id(), identity.uid);
        let site = Self {
            directory: env::temp_dir().join(name),
            identity,
            made_user,
            // Root's PATH may have directories that others cannot look into.
            search_path: if made_user {
                STANDARD_PATH.into()
            } else {
                env::var("PATH").unwrap_or_default()
            },
        };
        site.furnish()?;
        Ok(site)
    }

    fn furnish(&self) -> Result<(), BenchError> {
        let directory = &self.directory;
        for path in [directory.clone(), self.run_time_directory()] {
            DirBuilder::new()
                .mode(0o700)
                .create(&path)
                .and_then(|()| chown(&path, Some(self.identity.uid), Some(self.identity.gid)))
                .map_err(|source| file("make", &path, source))?;
        }
        // Copies, since the user may not be able to reach the originals.
        let own = env::current_exe().map_err(|source| file("find", Path::new("xtask"), source))?;
        copy(&own, &self.xtask())?;
        copy(&built()?, &directory.join("podseal"))?;

        let storage = format!(
            "[storage]\ndriver = \"overlay\"\ngraphroot = \"{}\"\nrunroot = \"{}\"\n",
            directory.join("storage").display(),
            self.run_time_directory().join("containers").display(),
        );
        // Podman's locks in shared memory belong to all storages of a user.
        let containers = "[engine]\nlock_type = \"file\"\n";
        for (name, text) in [
            ("storage.conf", storage.as_str()),
            ("containers.conf", containers),
        ] {
            let path = directory.join(name);
            fs::write(&path, text).map_err(|source| file("write", &path, source))?;
        }
        let archive = directory.join("image.tar");
        Command::new("tar", ["--create", "--file"])
            .with([archive.as_path(), Path::new("--directory"), directory])
            .with(["podseal"])
            .complete(&self.log(), LIMIT)?;
        self.podman(["import", "--change", "ENTRYPOINT [\"/podseal\"]"])
            .with(["--change", "CMD [\"echo\"]"])
            .with([archive.as_os_str(), OsStr::new(IMAGE)])
            .complete(&self.log(), LIMIT)?;
        if self.is_rootless() {
            self.podseal(["pause", "ensure", "--quiet"])
                .complete(&self.log(), LIMIT)?;
        }
        Ok(())
    }

    /// "as root" or "rootless".
    pub(crate) fn label(&self) -> &'static str {
        if self.is_rootless() {
            "rootless"
        } else {
            "as root"
        }
    }

    pub(crate) fn is_rootless(&self) -> bool {
        self.identity.uid != 0
    }

    /// A private directory of the site's user.
    pub(crate) fn run_time_directory(&self) -> PathBuf {
        self.directory.join("run")
    }

    /// Where commands write their stderr.
    pub(crate) fn log(&self) -> PathBuf {
        self.directory.join("log")
    }

    /// This program's copy.
    pub(crate) fn xtask(&self) -> PathBuf {
        self.directory.join("xtask")
    }

    /// The variables that point Podman and podseal into the site.
    pub(crate) fn environment(&self) -> [(&'static str, String); 6] {
        let path = |name: &str| self.directory.join(name).display().to_string();
        [
            ("PATH", self.search_path.clone()),
            ("HOME", self.directory.display().to_string()),
            ("LC_ALL", "C".into()),
            ("XDG_RUNTIME_DIR", path("run")),
            ("CONTAINERS_STORAGE_CONF", path("storage.conf")),
            ("CONTAINERS_CONF", path("containers.conf")),
        ]
    }

    /// A command of the site's user.
    pub(crate) fn command<A: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let command = Command::new(program.as_ref(), arguments).identity(self.identity);
        self.environment()
            .into_iter()
            .fold(command, |command, (name, value)| {
                command.environment(name, value)
            })
    }

    /// Where podseal is that the site's user can execute.
    pub(crate) fn executable(&self) -> PathBuf {
        self.directory.join("podseal")
    }

    pub(crate) fn podseal<const N: usize>(&self, arguments: [&str; N]) -> Command {
        self.command(self.executable(), arguments)
    }

    pub(crate) fn podman<const N: usize>(&self, arguments: [&str; N]) -> Command {
        self.command("podman", arguments)
    }

    /// Removes all containers of the site.
    pub(crate) fn remove_containers(&self) -> Result<(), BenchError> {
        self.podman(["rm", "--all", "--force", "--time=0"])
            .complete(&self.log(), LIMIT)
            .map_err(Into::into)
    }

    /// Unmounts what Podman leaves mounted below the site (its storage is
    /// mounted on itself).
    fn unmount(&self) {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
        let mut points: Vec<_> = points
            .filter(|point| Path::new(point).starts_with(&self.directory))
            .collect();
        points.reverse();
        for point in points {
            if let Err(error) = Command::new("umount", [point]).complete(&self.log(), LIMIT) {
                output::error(&error);
            }
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let mut steps = vec![self.podman(["rm", "--all", "--force", "--time=0"])];
        if self.is_rootless() {
            if !is_root() {
                // Files there belong to the user's subordinate ids.
                let remove = self.podman(["unshare", "find"]);
                steps.push(remove.with([self.directory.join("storage")]).with([
                    "-mindepth",
                    "1",
                    "-xdev",
                    "-depth",
                    "-delete",
                ]));
            }
            // Ends the pause process.
            steps.push(self.podman(["system", "migrate"]));
        }
        for step in steps {
            if let Err(error) = step.complete(&self.log(), LIMIT) {
                output::error(&error);
            }
        }
        if is_root() {
            self.unmount();
        }
        if let Err(source) = fs::remove_dir_all(&self.directory) {
            output::error(&file("remove", &self.directory, source));
        }
        if self.made_user {
            // Not as long as one of its processes is ending.
            let deadline = Instant::now() + Duration::from_secs(10);
            let remove = Command::new("userdel", [USER]);
            while !remove.works() {
                if Instant::now() > deadline {
                    output::note(format_args!("`{remove}` fails: user {USER} is left"));
                    break;
                }
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

/// The podseal that is measured.
pub(crate) fn built() -> Result<PathBuf, BenchError> {
    let own = env::current_exe().map_err(|source| file("find", Path::new("xtask"), source))?;
    // Beside xtask's own profile directory.
    let target = own.ancestors().nth(2).unwrap_or(Path::new("."));
    Ok(target.join("release/podseal"))
}

fn copy(from: &Path, to: &Path) -> Result<(), BenchError> {
    fs::copy(from, to).map_err(|source| file("copy", from, source))?;
    Ok(())
}

pub(crate) fn file(action: &'static str, path: &Path, source: io::Error) -> BenchError {
    BenchError::File {
        action,
        path: path.to_owned(),
        source,
    }
}

fn identity_of(user: &str) -> Result<Option<Identity>, BenchError> {
    let path = Path::new("/etc/passwd");
    let text = fs::read_to_string(path).map_err(|source| file("read", path, source))?;
    Ok(find_user(&text, user))
}

/// The user's ids in the text of passwd(5).
fn find_user(passwd: &str, user: &str) -> Option<Identity> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(user)).then_some(())?;
        Some(Identity {
            uid: fields.nth(1)?.parse().ok()?,
            gid: fields.next()?.parse().ok()?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_whole_name() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nbenchmark:x:7:8::/:/bin/false\n\
                      bench:x:1001:1002:,,,:/nonexistent:/bin/false\n";
        let expected = Identity {
            uid: 1001,
            gid: 1002,
        };
        assert_eq!(find_user(passwd, "bench"), Some(expected));
        assert_eq!(find_user(passwd, "ben"), None);
        assert_eq!(find_user("bench:x", "bench"), None);
    }
}
