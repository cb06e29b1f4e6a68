//! A machine: a directory with its disk, and, while it runs, a cgroup with its
//! processes. Both have their names from it, so that nothing need be
//! remembered about it but the number of its first process.

use std::env;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::base::{self, remove_tree, write};
use super::cgroup::Cgroup;
use super::error::LabError;
use super::packages::Release;
use super::session::{ROOT, USER, User};
use crate::command::Command;
use crate::interrupt;
use crate::output;

/// How long a machine may take to boot.
const BOOT: Duration = Duration::from_mins(2);

/// How long its services may take to stop.
const SHUTDOWN: Duration = Duration::from_secs(45);

/// A machine that may be there or not.
#[derive(Debug)]
pub(super) struct Machine {
    name: String,
    directory: PathBuf,
    /// The podseal that is put onto its disk.
    podseal: PathBuf,
}

impl Machine {
    pub(super) fn named(name: &str) -> Result<Self, LabError> {
        Ok(Self {
            name: name.to_owned(),
            directory: machines()?.join(name),
            podseal: built("podseal")?,
        })
    }

    /// The same machine, with another podseal than the one that is built beside
    /// this program.
    pub(super) fn with_podseal(self, podseal: PathBuf) -> Self {
        Self { podseal, ..self }
    }

    /// All machines of this checkout.
    pub(super) fn all() -> Result<Vec<Self>, LabError> {
        let directory = machines()?;
        let mut names = Vec::new();
        for entry in fs::read_dir(&directory).map_err(LabError::file("read", &directory))? {
            let entry = entry.map_err(LabError::file("read", &directory))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        names.iter().map(|name| Self::named(name)).collect()
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Its root directory.
    pub(super) fn disk(&self) -> PathBuf {
        self.directory.join("disk")
    }

    fn console(&self) -> PathBuf {
        self.directory.join("console.log")
    }

    fn init_file(&self) -> PathBuf {
        self.directory.join("init")
    }

    /// The release of its disk; none where it has no whole one.
    pub(super) fn release(&self) -> Option<String> {
        fs::read_to_string(self.directory.join("release")).ok()
    }

    /// Its cgroup, whether it runs or not.
    pub(super) fn cgroup(&self) -> Result<Cgroup, LabError> {
        let mut hasher = DefaultHasher::new();
        self.directory.hash(&mut hasher);
        Cgroup::named(format!(
            "podseal-lab-{}-{:016x}",
            self.name,
            hasher.finish()
        ))
    }

    /// Notes the number of its first process.
    pub(super) fn record_init(&self, number: &Path) -> Result<(), LabError> {
        write(&self.init_file(), &number.to_string_lossy())
    }

    /// The first process, as the host numbers it. A number that went to
    /// another process meanwhile is noticed: that is not in the cgroup.
    pub(super) fn running_init(&self) -> Result<Option<u32>, LabError> {
        let text = fs::read_to_string(self.init_file()).unwrap_or_default();
        let Ok(number) = text.parse() else {
            return Ok(None);
        };
        Ok(self.cgroup()?.has(number).then_some(number))
    }

    /// The same of a machine that has to be running.
    pub(super) fn init(&self) -> Result<u32, LabError> {
        self.running_init()?
            .ok_or_else(|| LabError::NotRunning(self.name.clone()))
    }

    /// Makes and boots it, as far as that is not done.
    pub(super) fn up(&self, release: Release) -> Result<(), LabError> {
        let there = self.release();
        match there.as_deref() {
            Some(there) if there != release.suite() => {
                return Err(LabError::OtherRelease {
                    name: self.name.clone(),
                    there: there.to_owned(),
                });
            }
            Some(_) => {}
            // What an interrupted run left is no machine yet.
            None => self.remove()?,
        }
        if self.running_init()?.is_some() {
            return self.install_podseal();
        }
        let outcome = match there {
            Some(_) => Ok(()),
            None => self.make(release),
        };
        let outcome = outcome.and_then(|()| self.boot());
        if outcome.is_err() {
            // One that was there before keeps its disk.
            let undone = match there {
                Some(_) => self.cgroup()?.remove(),
                None => self.remove(),
            };
            if let Err(error) = undone {
                output::error(&error);
            }
        }
        outcome
    }

    fn make(&self, release: Release) -> Result<(), LabError> {
        let base = base::provide(release)?;
        let directory = &self.directory;
        fs::create_dir_all(directory).map_err(LabError::file("make", directory))?;
        Command::new(
            "setpriv",
            ["--pdeathsig=KILL", "cp", "--archive", "--reflink=auto"],
        )
        .with([&base, &self.disk()])
        .results()?;
        write(
            &self.disk().join("etc/hostname"),
            &format!("{}\n", self.name),
        )?;
        write(&directory.join("release"), release.suite())
    }

    /// Boots the disk, and waits until both managers have started everything.
    fn boot(&self) -> Result<(), LabError> {
        let cgroup = self.cgroup()?;
        cgroup.remove()?;
        cgroup.make()?;
        let _ = fs::remove_file(self.init_file());
        self.install_podseal()?;
        // Podman limits the number of processes in a container, which it
        // cannot where that controller is left to version 1.
        let limits = self
            .disk()
            .join("etc/containers/containers.conf.d/lab.conf");
        let text = if cgroup.has_controller("pids") {
            ""
        } else {
            "[containers]\npids_limit = 0\n"
        };
        write(&limits, text)?;

        let own = env::current_exe().map_err(LabError::file("find", &self.directory))?;
        let mut holder = Command::new(own, ["lab-console", &self.name]).start(&self.console())?;
        let deadline = Instant::now() + BOOT;
        let mut wait = |stage, look: &dyn Fn() -> Result<bool, LabError>| {
            loop {
                interrupt::check()?;
                if look()? {
                    return Ok(());
                }
                if Instant::now() > deadline || !holder.is_alive() {
                    return Err(self.boot_failure(stage));
                }
                thread::sleep(Duration::from_millis(20));
            }
        };
        let done = wait("its first process", &|| Ok(self.running_init()?.is_some()))
            .and_then(|()| wait("the end of booting", &|| self.is_settled(&ROOT, "--system")))
            .and_then(|()| wait("its user's manager", &|| self.is_settled(&USER, "--user")));
        if done.is_ok() {
            holder.leave();
        }
        done
    }

    fn boot_failure(&self, stage: &'static str) -> LabError {
        const LINES: usize = 30;
        let console = fs::read(self.console()).unwrap_or_default();
        let console = String::from_utf8_lossy(&console);
        let lines: Vec<_> = console.lines().collect();
        LabError::Boot {
            name: self.name.clone(),
            stage,
            console: lines[lines.len().saturating_sub(LINES)..].join("\n"),
        }
    }

    /// Whether a manager has nothing left to start; asks it to wait for that.
    fn is_settled(&self, user: &User, manager: &str) -> Result<bool, LabError> {
        let Some(_) = self.running_init()? else {
            return Ok(false);
        };
        let wait = ["timeout", "10", "systemctl", manager, "is-system-running"];
        let wait = self.command(user, wait.into_iter().chain(["--wait"]).map(Into::into))?;
        match wait.stdout()?.trim() {
            "running" => Ok(true),
            "degraded" => {
                let list = ["systemctl", manager, "--failed", "--no-legend", "--plain"];
                let failed = self.command(user, list.into_iter().map(Into::into))?;
                for unit in failed.stdout()?.lines() {
                    output::note(format_args!("failed: {unit}"));
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Puts its podseal onto its disk.
    fn install_podseal(&self) -> Result<(), LabError> {
        let built = &self.podseal;
        let new = self.disk().join("usr/bin/.podseal");
        fs::copy(built, &new).map_err(LabError::file("copy", built))?;
        // A running one is left alone.
        fs::rename(&new, self.disk().join("usr/bin/podseal"))
            .map_err(LabError::file("rename", &new))
    }

    /// Shuts it down, and boots the same disk again.
    pub(super) fn reboot(&self) -> Result<(), LabError> {
        self.init()?;
        let power_off = ["systemctl", "--no-block", "poweroff"].map(Into::into);
        self.command(&ROOT, power_off)?.results()?;
        if !self.cgroup()?.wait_until_empty(SHUTDOWN) {
            output::note(format_args!(
                "{} does not stop within {} s, and is killed",
                self.name,
                SHUTDOWN.as_secs()
            ));
        }
        self.boot().inspect_err(|_| {
            if let Err(error) = self.cgroup().and_then(|cgroup| cgroup.remove()) {
                output::error(&error);
            }
        })
    }

    /// Ends its processes, however far it got, and removes what there is of it.
    pub(super) fn remove(&self) -> Result<(), LabError> {
        self.cgroup()?.remove()?;
        remove_tree(&self.directory)
    }
}

/// Only one run at a time changes the machines of a checkout: until the result
/// is dropped.
pub(super) fn lock() -> Result<File, LabError> {
    let directory = machines()?;
    let lock = File::open(&directory).map_err(LabError::file("open", &directory))?;
    lock.lock().map_err(LabError::file("lock", &directory))?;
    Ok(lock)
}

/// The directory with the machines of this checkout.
fn machines() -> Result<PathBuf, LabError> {
    let directory = built("../lab")?;
    fs::create_dir_all(&directory).map_err(LabError::file("make", &directory))?;
    directory
        .canonicalize()
        .map_err(LabError::file("find", &directory))
}

/// What cargo has built beside this program.
fn built(name: &str) -> Result<PathBuf, LabError> {
    let own = env::current_exe().map_err(LabError::file("find", Path::new("xtask")))?;
    Ok(own.with_file_name(name))
}
