//! Gathering the facts that [`podseal_core::doctor`] judges.
//!
//! Nothing on the host is changed: what would change something is not tried,
//! and the facts say so. Commands run side by side and for a bounded time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use podseal_core::doctor::facts::{
    Facts, Installer, Look, NotLooked, Pause, Podman, Rootless, Seals, Systemd, Trial, User as Who,
};
use podseal_core::lifecycle::Exit;
use podseal_core::podman::Version;
use podseal_core::policy::level::Level;
use podseal_core::policy::seal::Seal;
use podseal_core::probe::ProbeReport;

use crate::chain::chain;
use crate::command::{self, CommandError, Job, Output};
use crate::host::{self, User};
use crate::instance::Instance;
use crate::{container_profile, id_map, pause};

mod info;
mod kernel;
mod trials;

use trials::Trials;

/// How long all commands together may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Commands to run side by side, each with a number to find its result by.
#[derive(Default)]
struct Batch(Vec<Job>);

/// What came of a [`Batch`].
struct Results(Vec<Result<Output, CommandError>>);

impl Batch {
    fn add(&mut self, command: Vec<String>) -> usize {
        self.add_job(Job {
            command,
            environment: Vec::new(),
        })
    }

    /// A command that would make directories in the run-time directory, and
    /// gets one of doctor's own.
    fn add_apart(&mut self, words: &[&str], directory: &Look<Instance>) -> Look<usize> {
        let directory = directory.as_ref().map_err(Clone::clone)?.directory();
        Ok(self.add_job(Job {
            command: words.iter().map(|word| (*word).to_owned()).collect(),
            environment: vec![("XDG_RUNTIME_DIR", directory.to_string_lossy().into_owned())],
        }))
    }

    fn add_job(&mut self, job: Job) -> usize {
        self.0.push(job);
        self.0.len() - 1
    }

    fn add_words(&mut self, words: &[&str]) -> usize {
        self.add(words.iter().map(|word| (*word).to_owned()).collect())
    }

    fn run(self) -> Results {
        Results(command::run_all(&self.0, LIMIT))
    }
}

impl Results {
    /// Standard output of a command that succeeded.
    fn text(&self, index: usize) -> Trial<&str> {
        match &self.0[index] {
            Ok(output) if output.exit == Exit::Code(0) => Ok(Ok(&output.stdout)),
            Ok(output) => Ok(Err(output.last_words())),
            Err(error @ CommandError::Failed { .. }) => Ok(Err(error.last_words())),
            // That it hangs is an answer, too.
            Err(error @ CommandError::TimedOut { .. }) => Ok(Err(error.to_string())),
            Err(error) => Err(NotLooked::because(error.to_string())),
        }
    }

    /// The first line of it, where a failure tells nothing of the host.
    fn line(&self, index: usize) -> Look<String> {
        match self.text(index)? {
            Ok(text) => Ok(text.lines().next().unwrap_or_default().to_owned()),
            Err(said) => Err(NotLooked::because(said)),
        }
    }
}

fn not_looked(error: &dyn std::error::Error) -> NotLooked {
    NotLooked::because(chain(error))
}

/// Looks at this host, as this user.
#[must_use]
pub fn look() -> Facts {
    let user = User::current();
    let own = host::own_executable().map_err(|error| not_looked(&error));
    let pause = pause::look(&user).map_err(|error| not_looked(&error));
    let is_ready = is_ready(&user, &pause);
    let landlock = kernel::landlock();

    // What takes longest is started first.
    let mut batch = Batch::default();
    let podman_path = command::find("podman");
    let directory = Instance::acquire(&user, &format!("doctor-{}", std::process::id()))
        .map_err(|error| not_looked(&error));
    let podman = podman_path
        .as_ref()
        .map(|path| PodmanCommands::add(&mut batch, path, &directory, &is_ready));
    let seals = own.map(|own| SealCommands::add(&mut batch, &own));
    let kernel = kernel::Commands::add(&mut batch);
    let systemd = SystemdCommands::add(&mut batch, &user);
    let results = batch.run();

    let none = || NotLooked::because("Podman is not installed");
    let text = |index: &Look<usize>| results.text(index.clone()?);
    let (version, info) = match &podman {
        Some(commands) => (
            version(text(&commands.version)),
            info::read(text(&commands.info)),
        ),
        None => (Err(none()), Err(none())),
    };
    let default = info.as_ref().ok().and_then(|info| info.as_ref().ok());
    let base = default.and_then(|info| info.seccomp_profile.clone());
    let profile = match &info {
        Ok(Ok(_)) => Ok(profile(base.as_deref())),
        Ok(Err(_)) => Err(NotLooked::because("Podman does not work")),
        Err(why) => Err(why.clone()),
    };
    let default = default.map(|info| info.oci_runtime.as_path());
    let runtimes = Trials::new(&user, &directory, &is_ready, &landlock, &profile).run(default);
    Facts {
        user: Who {
            name: user.name.clone(),
            is_rootless: user.is_rootless(),
            no_new_privileges: rustix::thread::no_new_privs()
                .map_err(|errno| NotLooked::because(errno.to_string())),
        },
        kernel: kernel.results(&results, landlock),
        seals: match seals {
            Ok(commands) => commands.results(&results),
            Err(why) => Seals {
                unsealed: Err(why),
                sealed: Vec::new(),
            },
        },
        podman: Podman {
            version,
            info,
            path: podman_path,
            conmon: conmon(),
            profile: profile.map(|made| made.map(|_| base.unwrap_or_default())),
            runtimes,
            no_pause_process: std::env::var("PODMAN_NO_PAUSE_PROCESS")
                .ok()
                .filter(|value| !value.is_empty()),
        },
        rootless: rootless(&user, pause),
        systemd: systemd.results(&results, &user),
        installer: installer(),
    }
}

/// Asking Podman.
struct PodmanCommands {
    version: Look<usize>,
    info: Look<usize>,
}

impl PodmanCommands {
    fn add(
        batch: &mut Batch,
        podman: &Path,
        directory: &Look<Instance>,
        is_ready: &Look<()>,
    ) -> Self {
        let podman = podman.to_string_lossy();
        Self {
            version: batch.add_apart(&[&podman, "--version"], directory),
            info: is_ready
                .clone()
                .map(|()| batch.add_words(&[&podman, "info", "--format=json"])),
        }
    }
}

/// Whether Podman can be asked, and runtimes be tried, without making anything
/// that stays.
fn is_ready(user: &User, pause: &Look<Pause>) -> Look<()> {
    /// Where rootful Podman notes that it has run since the host started.
    const RAN: &str = "/run/libpod";
    if !user.is_rootless() {
        return if Path::new(RAN).exists() {
            Ok(())
        } else {
            Err(NotLooked::because(
                "Podman has not run since the host started, and would set up its storage",
            ))
        };
    }
    match pause {
        Ok(Pause::Alive { .. }) => Ok(()),
        Ok(_) => Err(NotLooked::because(
            "there is no pause process, and doctor makes none",
        )),
        Err(why) => Err(why.clone()),
    }
}

fn rootless(user: &User, pause: Look<Pause>) -> Rootless {
    let ids = |file| id_map::subordinate_ids(Path::new(file), user).map_err(|e| not_looked(&e));
    Rootless {
        newuidmap: id_map::tool("newuidmap"),
        newgidmap: id_map::tool("newgidmap"),
        subuids: ids("/etc/subuid"),
        subgids: ids("/etc/subgid"),
        pause,
    }
}

fn version(said: Trial<&str>) -> Trial<Version> {
    Ok(said?.and_then(|text| {
        let word = text.split_whitespace().next_back().unwrap_or_default();
        word.parse().map_err(|_| format!("answers {text:?}"))
    }))
}

/// The profile for level strict, where one can be made.
fn profile(base: Option<&Path>) -> Result<String, String> {
    let seal = Seal {
        level: Level::Strict,
        ..Seal::default()
    };
    let made = container_profile::make_from(base.unwrap_or(Path::new("")), &seal);
    made.map_err(|error| not_looked(&error).reason)
}

fn conmon() -> Option<PathBuf> {
    // Where Podman looks (containers.conf(5), conmon_path), besides PATH.
    let known = [
        "/usr/libexec/podman/conmon",
        "/usr/lib/podman/conmon",
        "/usr/local/libexec/podman/conmon",
        "/usr/local/lib/podman/conmon",
    ];
    command::find("conmon").or_else(|| {
        known
            .map(PathBuf::from)
            .into_iter()
            .find(|path| path.is_file())
    })
}

fn installer() -> Option<Installer> {
    [("apt-get", Installer::AptGet), ("dnf", Installer::Dnf)]
        .into_iter()
        .find_map(|(program, installer)| command::find(program).map(|_| installer))
}

/// podseal's own probe, with and without a seal.
struct SealCommands {
    unsealed: usize,
    sealed: Vec<(Level, usize)>,
}

impl SealCommands {
    fn add(batch: &mut Batch, own: &Path) -> Self {
        let own = own.to_string_lossy();
        let sealed = Level::ALL.map(|level| {
            let seal = Seal {
                level,
                ..Seal::default()
            };
            let mut words = vec![own.clone().into_owned(), "enter".to_owned()];
            words.extend(seal.options());
            words.extend(["--join=never", "--", &own, "probe"].map(str::to_owned));
            (level, batch.add(words))
        });
        Self {
            unsealed: batch.add_words(&[&own, "probe"]),
            sealed: sealed.into(),
        }
    }

    fn results(&self, results: &Results) -> Seals {
        let report = |index| -> Trial<ProbeReport> {
            Ok(results
                .text(index)?
                .and_then(|text| serde_json::from_str(text).map_err(|error| error.to_string())))
        };
        Seals {
            unsealed: report(self.unsealed),
            sealed: self
                .sealed
                .iter()
                .map(|(level, index)| (*level, report(*index)))
                .collect(),
        }
    }
}

/// Asking systemd; none where there is no systemctl.
struct SystemdCommands(Option<(usize, usize)>);

impl SystemdCommands {
    fn add(batch: &mut Batch, user: &User) -> Self {
        let scope = if user.is_rootless() {
            "--user"
        } else {
            "--system"
        };
        Self(command::find("systemctl").map(|path| {
            let path = path.to_string_lossy();
            (
                batch.add_words(&[&path, scope, "show", "--property=Version", "--value"]),
                batch.add_words(&[&path, "--version"]),
            )
        }))
    }

    fn results(&self, results: &Results, user: &User) -> Systemd {
        let lingers = Path::new("/var/lib/systemd/linger")
            .join(&user.name)
            .try_exists()
            .map_err(|error| not_looked(&error));
        let Some((manager, program)) = self.0 else {
            return Systemd {
                version: Ok(None),
                manager: Err(NotLooked::because("there is no systemctl")),
                lingers,
            };
        };
        let answer = results.text(manager);
        let version = match &answer {
            Ok(Ok(text)) => Ok((*text).to_owned()),
            _ => results.line(program),
        };
        Systemd {
            version: version.and_then(|text| match systemd_version(&text) {
                Some(version) => Ok(Some(version)),
                None => Err(NotLooked::because(format!("systemctl answers {text:?}"))),
            }),
            manager: answer.map(|answer| answer.map(drop)),
            lingers,
        }
    }
}

/// The number in `257.7-1` or `systemd 257 (257.7-1)`.
fn systemd_version(text: &str) -> Option<u32> {
    let text = text.trim_start().trim_start_matches("systemd ");
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_systemd() {
        for (text, expected) in [
            ("systemd 252 (252.38-1~deb12u1)", Some(252)),
            ("257.7-1\n", Some(257)),
            ("262~rc1", Some(262)),
            ("v257", None),
            ("", None),
        ] {
            assert_eq!(systemd_version(text), expected, "{text:?}");
        }
    }

    #[test]
    fn versions_of_podman() {
        let (old, new) = (Version::new(4, 3, 1), Version::new(5, 8, 0));
        for (said, expected) in [
            (Ok(Ok("podman version 4.3.1\n")), Ok(Ok(old))),
            (Ok(Ok("podman version 5.8.0-rc1\n")), Ok(Ok(new))),
            (
                Ok(Ok("hello\n")),
                Ok(Err("answers \"hello\\n\"".to_owned())),
            ),
            (Ok(Err("broken".to_owned())), Ok(Err("broken".to_owned()))),
        ] {
            assert_eq!(version(said), expected);
        }
    }
}
