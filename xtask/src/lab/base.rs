//! The disk that machines of a release are copied from. It is made once, and
//! again when what it is made of has changed.

use std::env;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use super::error::LabError;
use super::packages::{PACKAGES, Release};
use super::session::USER;
use crate::command::Command;
use crate::output;

/// Units that have no business in a machine that shares its kernel.
const MASKED: &[&str] = &[
    // Would change the host's settings.
    "systemd-sysctl.service",
    "systemd-modules-load.service",
    "proc-sys-fs-binfmt_misc.automount",
    "systemd-journald-audit.socket",
    // Nobody sits at its console.
    "console-getty.service",
    "getty.target",
    // Need the network, which there is none of.
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    // Nothing of the disk outlives the machine.
    "fstrim.timer",
    "dpkg-db-backup.timer",
];

/// Files of every machine.
const FILES: &[(&str, &str)] = &[
    // Empty: each machine gets its own, without starting as on a first boot,
    // which would enable every unit that has a preset.
    ("etc/machine-id", ""),
    ("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
    // Lets users stay without a session (loginctl enable-linger).
    ("var/lib/systemd/linger/lab", ""),
    // The journal is kept where there is this directory.
    ("var/log/journal/.keep", ""),
    (
        "etc/docker/registry/config.yml",
        "version: 0.1\n\
         storage:\n  filesystem:\n    rootdirectory: /var/lib/docker-registry\n\
         http:\n  addr: 127.0.0.1:5000\n",
    ),
    (
        "etc/containers/registries.conf.d/lab.conf",
        "[[registry]]\nlocation = \"localhost:5000\"\ninsecure = true\n",
    ),
];

/// Returns the directory with the release's disk, made where it is missing.
pub(super) fn provide(release: Release) -> Result<PathBuf, LabError> {
    let cache = cache_directory();
    fs::create_dir_all(&cache).map_err(LabError::file("make", &cache))?;
    // Another checkout may be making the same.
    let lock = File::open(&cache).map_err(LabError::file("open", &cache))?;
    lock.lock().map_err(LabError::file("lock", &cache))?;

    let name = format!("{release}-{:016x}", contents(release));
    let disk = cache.join(&name);
    if disk.exists() {
        return Ok(disk);
    }
    for entry in fs::read_dir(&cache).map_err(LabError::file("read", &cache))? {
        let entry = entry.map_err(LabError::file("read", &cache))?;
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with(&format!("{release}-"))
        {
            remove_tree(&entry.path())?;
        }
    }
    let unfinished = cache.join(format!("{name}.unfinished"));
    make(release, &unfinished).inspect_err(|_| {
        if let Err(error) = remove_tree(&unfinished) {
            output::error(&error);
        }
    })?;
    fs::rename(&unfinished, &disk).map_err(LabError::file("rename", &unfinished))?;
    Ok(disk)
}

/// `$XDG_CACHE_HOME/podseal/lab`: shared by all checkouts.
fn cache_directory() -> PathBuf {
    let set = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    set("XDG_CACHE_HOME")
        .or_else(|| Some(set("HOME")?.join(".cache")))
        .unwrap_or_else(|| PathBuf::from("/var/cache"))
        .join("podseal/lab")
}

/// A number that changes with what a disk is made of.
fn contents(release: Release) -> u64 {
    let mut hasher = DefaultHasher::new();
    let names: Vec<_> = PACKAGES.iter().map(|(name, _)| name).collect();
    (names, MASKED, FILES, release.apt_options(), USER.name).hash(&mut hasher);
    hasher.finish()
}

fn make(release: Release, disk: &Path) -> Result<(), LabError> {
    let names: Vec<_> = PACKAGES.iter().map(|(name, _)| *name).collect();
    let options = release.apt_options().iter();
    // It ends with this process, however that ends.
    let command = Command::new("setpriv", ["--pdeathsig=TERM", "mmdebstrap", "--quiet"])
        .with([
            "--variant=minbase",
            "--dpkgopt=path-exclude=/usr/share/man/*",
        ])
        .with(options.map(|option| format!("--aptopt={option}")))
        .with([format!("--include={}", names.join(","))])
        .with([release.suite().as_ref(), disk])
        .with(["http://deb.debian.org/debian"]);
    output::heading(format_args!("a disk with Debian {release}: {command}"));
    match command.run()? {
        0 => {}
        status => return Err(LabError::Disk { release, status }),
    }
    for (file, text) in FILES {
        write(&disk.join(file), text)?;
    }
    for unit in MASKED {
        let link = disk.join("etc/systemd/system").join(unit);
        std::os::unix::fs::symlink("/dev/null", &link).map_err(LabError::file("make", &link))?;
    }
    // With ranges of subordinate ids, as Debian gives every user.
    Command::new("chroot", [disk])
        .with(["useradd", "--create-home", "--shell=/bin/bash"])
        .with([&format!("--uid={}", USER.uid), USER.name])
        .results()?;
    Ok(())
}

/// Writes a file, and makes the directories to it.
pub(super) fn write(path: &Path, text: &str) -> Result<(), LabError> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(LabError::file("make", directory))?;
    }
    fs::write(path, text).map_err(LabError::file("write", path))
}

/// Removes a directory, but not through a mount.
pub(super) fn remove_tree(directory: &Path) -> Result<(), LabError> {
    let path = Path::new("/proc/self/mounts");
    let mounts = fs::read_to_string(path).map_err(LabError::file("read", path))?;
    let mut points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    if let Some(point) = points.find(|point| Path::new(point).starts_with(directory)) {
        return Err(LabError::Mounted(point.to_owned()));
    }
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(LabError::file("remove", directory)),
    }
}
