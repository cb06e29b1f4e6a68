//! Everything that a verification makes outside of itself, so that it can be
//! removed, and by a later one if it was killed.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use podseal_core::unit::effective::Scope;
use podseal_core::unit::name::UnitName;
use podseal_core::verify::Place;
use rustix::process::{Pid, Signal, kill_process};

use super::{Runner, VerifyError, failed, files};
use crate::account::Account;
use crate::command::{self, LIMIT};
use crate::host::{self, User};
use crate::instance::{Instance, InstanceError};
use crate::proof;
use crate::systemd::Manager;

/// How the directories of verifications begin.
const DIRECTORY: &str = "verify-";

/// How long a supervisor that a killed verification left may take to end, and
/// another verification to see that nothing was left.
const PATIENCE: Duration = Duration::from_secs(30);

/// The name of the directory of a verification.
fn directory_name(id: u32) -> String {
    format!("{DIRECTORY}{id}")
}

/// The directory of this verification. Another one may find it before it is
/// locked, and have it while it sees that nothing was left there.
pub(super) fn take_directory(user: &User, id: u32) -> Result<Instance, InstanceError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match Instance::acquire(user, &directory_name(id)) {
            Err(InstanceError::InUse { .. }) if Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(10));
            }
            taken => return taken,
        }
    }
}

/// The traces of one verification, known by a number.
#[derive(Debug)]
pub(super) struct Traces {
    id: u32,
    runner: Runner,
    /// Where its unit files are.
    units: PathBuf,
    /// The other user whose the copies are, if root could become this user.
    account: Option<Account>,
    /// The directory with what that user has to reach, or root to start.
    shared: Option<PathBuf>,
}

/// Where it stands whose the copies are, nothing for one's own, and which
/// directory was made for them, a line each: in the verification's own directory,
/// before anything is.
const RECORD: &str = "run-as";

impl Traces {
    pub(super) fn new(id: u32, runner: Runner, instance: &Instance) -> Self {
        let units = match runner {
            Runner::Manager(manager) if manager.scope() == Scope::System => {
                "/run/systemd/system".into()
            }
            Runner::Manager(_) => host::xdg_runtime_dir()
                .unwrap_or_default()
                .join("systemd/user"),
            Runner::Supervisor => instance.directory().join("units"),
        };
        Self {
            id,
            runner,
            units,
            account: None,
            shared: None,
        }
    }

    /// What is left of one that was killed.
    fn left(id: u32, runner: Runner, instance: &Instance) -> Self {
        let record = fs::read_to_string(instance.directory().join(RECORD)).unwrap_or_default();
        let Some((user, directory)) = record.trim_end().split_once('\n') else {
            return Self::new(id, runner, instance);
        };
        // All of it is removed, so a record that is torn must not count.
        let shared = Some(PathBuf::from(directory)).filter(|path| path.ends_with(files::name(id)));
        if user.is_empty() {
            return Self {
                shared,
                ..Self::new(id, runner, instance)
            };
        }
        let manager = Manager::reach(Scope::System).map_or(runner, Runner::Manager);
        // A user that is gone, or has no run-time directory, has no container.
        let account = Account::ready(user);
        let account =
            account.inspect_err(|error| tracing::warn!(%error, "not asking the user's Podman"));
        Self {
            account: account.ok(),
            shared,
            ..Self::new(id, manager, instance)
        }
    }

    /// Makes the directory for files of the copies: another one than that of the
    /// verification where these run as another user, who may not enter that, or
    /// where no program can be started from it.
    pub(super) fn make_directory(
        &mut self,
        account: Option<&Account>,
        instance: &Instance,
    ) -> io::Result<PathBuf> {
        let own = instance.directory();
        let is_root = User::current().uid.is_root();
        if account.is_none() && (!is_root || files::has_programs(own)) {
            files::make_ids(own)?;
            return Ok(own.to_owned());
        }
        let directory = files::shared_directory(self.id);
        let user = account.map_or("", |account| &account.user.name);
        let record = format!("{user}\n{}\n", directory.display());
        fs::write(instance.directory().join(RECORD), record)?;
        if let Err(error) = files::make_shared(&directory, account) {
            // What was there before is nobody's to remove.
            if error.kind() != ErrorKind::AlreadyExists {
                remove_directory(&directory)?;
            }
            return Err(error);
        }
        self.account = account.cloned();
        self.shared = Some(directory.clone());
        Ok(directory)
    }

    /// The name of the copy for a place: of its unit, and of its container.
    pub(super) fn name(&self, place: Place) -> String {
        format!("podseal-verify-{}-{}", self.id, place.word())
    }

    fn unit(&self, place: Place) -> String {
        format!("{}.service", self.name(place))
    }

    /// The name under which a supervisor runs the copy.
    fn run_name(&self, place: Place) -> String {
        format!("{}-{}", directory_name(self.id), place.word())
    }

    /// Writes the unit file of a copy, and hides drop-ins of these names from
    /// it. Returns the unit's name.
    pub(super) fn write(&self, place: Place, text: &str, hidden: &[&str]) -> io::Result<String> {
        fs::create_dir_all(&self.units)?;
        let unit = self.unit(place);
        if !hidden.is_empty() {
            let directory = self.units.join(format!("{unit}.d"));
            fs::create_dir(&directory)?;
            for name in hidden {
                symlink("/dev/null", directory.join(name))?;
            }
        }
        fs::write(self.units.join(&unit), text)?;
        Ok(unit)
    }

    pub(super) fn start_command(&self, place: Place, podseal: &str) -> Vec<String> {
        match self.runner {
            Runner::Manager(manager) => manager.start_command(&self.unit(place)),
            Runner::Supervisor => vec![
                podseal.to_owned(),
                "run".into(),
                format!("--name={}", self.run_name(place)),
                format!("--units={}", self.units.display()),
                self.unit(place),
            ],
        }
    }

    /// Removes everything, and returns what could not be removed and why.
    /// `podman` is the Podman that made the containers.
    pub(super) fn remove(&self, podman: Option<&str>) -> Vec<String> {
        let made = |place: &Place| self.units.join(self.unit(*place)).exists();
        let places: Vec<Place> = Place::ALL.into_iter().filter(made).collect();
        let mut left = Vec::new();
        if let Runner::Manager(manager) = self.runner
            && !places.is_empty()
        {
            let units = places.iter().map(|place| self.unit(*place).parse());
            let units: Vec<UnitName> = units.filter_map(Result::ok).collect();
            left.extend(manager.stop(&units).err().map(|error| error.to_string()));
        }
        left.extend(self.remove_containers(&places, podman.unwrap_or("podman")));
        for place in places {
            let path = self.units.join(self.unit(place));
            let mut dropins = path.clone().into_os_string();
            dropins.push(".d");
            let removed =
                remove_directory(Path::new(&dropins)).and_then(|()| fs::remove_file(&path));
            if let Err(error) = removed {
                left.push(format!("{}: {error}", path.display()));
            }
        }
        if let Some(shared) = &self.shared
            && let Err(error) = remove_directory(shared)
        {
            left.push(format!("{}: {error}", shared.display()));
        }
        left
    }

    /// They remove themselves, unless something has gone wrong.
    fn remove_containers(&self, places: &[Place], podman: &str) -> Option<String> {
        let names: Vec<String> = places.iter().map(|place| self.name(*place)).collect();
        if names.is_empty() || command::find(podman).is_none() {
            return None;
        }
        let mut command = [podman, "rm", "--force", "--ignore", "--"]
            .map(str::to_owned)
            .to_vec();
        command.extend(names);
        let removed = command::run_as(self.account.as_ref(), &command, LIMIT)
            .and_then(command::Output::success);
        removed.err().map(|error| error.to_string())
    }
}

fn remove_directory(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes what verifications left that were killed.
pub(super) fn remove_old(user: &User, runner: Runner) -> Result<(), VerifyError> {
    let path = host::runtime_directory(user);
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("list the directories of verifications")(error)),
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let id = name.strip_prefix(DIRECTORY);
        let Some(id) = id.and_then(|id| id.parse::<u32>().ok()) else {
            continue;
        };
        let instance = match Instance::acquire(user, &name) {
            // It lives.
            Err(InstanceError::InUse { .. }) => continue,
            other => other?,
        };
        tracing::info!(id, "removing what a killed verification left");
        let runner = if instance.directory().join("units").exists() {
            Runner::Supervisor
        } else {
            runner
        };
        let traces = Traces::left(id, runner, &instance);
        for place in Place::ALL {
            end_run(user, &traces.run_name(place));
        }
        let mut causes = traces.remove(None);
        causes.extend(proof::remove_left(id).err().map(|error| error.to_string()));
        if !causes.is_empty() {
            instance.keep();
            let unit = format!("an earlier verification ({name})");
            return Err(VerifyError::Left { unit, causes });
        }
    }
    Ok(())
}

/// Ends a `podseal run` whose verification was killed.
fn end_run(user: &User, name: &str) {
    let deadline = Instant::now() + PATIENCE;
    if !host::runtime_directory(user).join(name).exists() {
        return;
    }
    // Its directory goes with it, or with the instance that takes its name.
    while let Err(InstanceError::InUse { process, .. }) = Instance::acquire(user, name) {
        if Instant::now() > deadline {
            return;
        }
        // It holds the lock, so the process is that one.
        if let Some(pid) = process.and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        thread::sleep(Duration::from_millis(100));
    }
}
