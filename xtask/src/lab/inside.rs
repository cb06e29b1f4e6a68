//! What the first process of a machine does before it becomes systemd: it
//! turns fresh namespaces and a directory into what systemd expects to find
//! ("The Container Interface", <https://systemd.io/CONTAINER_INTERFACE>).

use std::ffi::CStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, FileType, Gid, Mode, Uid, chmod, chown, makedev, mknodat};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change, unmount,
};
use rustix::process::{chdir, pivot_root};
use rustix::system::sethostname;

use super::error::LabError;
use super::machine::Machine;
use crate::command::{Command, Identity};

/// File systems below the machine's root, in this order.
const MOUNTS: &[(&str, &CStr, &str, MountFlags)] = &[
    ("proc", c"", "proc", SAFE),
    ("sysfs", c"", "sys", SAFE),
    ("cgroup2", c"", "sys/fs/cgroup", SAFE),
    ("tmpfs", c"mode=755", "run", MountFlags::NOSUID),
    ("tmpfs", c"mode=1777", "tmp", MountFlags::NOSUID),
    // Devices of its own: the host's console and disks are none of them.
    ("tmpfs", c"mode=755", "dev", MountFlags::NOSUID),
    (
        "devpts",
        c"newinstance,gid=5,mode=620,ptmxmode=666",
        "dev/pts",
        MountFlags::NOSUID,
    ),
    // Podman's locks are here; a reboot has to lose them.
    ("tmpfs", c"mode=1777", "dev/shm", MountFlags::NOSUID),
];

const SAFE: MountFlags = MountFlags::NOSUID
    .union(MountFlags::NODEV)
    .union(MountFlags::NOEXEC);

/// Devices: name, major and minor number (the kernel's devices.txt). All are
/// for everybody, as udev makes them.
const DEVICES: &[(&str, u32, u32)] = &[
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
    // Podman's storage where the kernel's overlay cannot be had.
    ("fuse", 10, 229),
    // pasta's interface.
    ("net/tun", 10, 200),
];

/// Prepares everything and becomes /sbin/init; returns only when that fails.
pub(super) fn become_init(machine: &Machine) -> Result<u8, LabError> {
    // /proc is still the host's, so this is the number the host knows.
    let own = Path::new("/proc/self");
    let number = fs::read_link(own).map_err(LabError::file("read", own))?;
    sethostname(machine.name().as_bytes()).map_err(LabError::inside("set", "the host name"))?;

    let disk = machine.disk();
    // pivot_root(2) wants a mount, and nothing may spread to the host.
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).map_err(LabError::inside("make private", "/"))?;
    mount_bind(&disk, &disk).map_err(LabError::inside("mount", disk.display()))?;
    chdir(&disk).map_err(LabError::inside("enter", disk.display()))?;
    for (kind, data, target, flags) in MOUNTS {
        make_directory(Path::new(target))?;
        mount(*kind, *target, *kind, *flags, Some(*data))
            .map_err(LabError::inside("mount", target))?;
    }
    devices()?;
    machine.record_init(&number)?;

    pivot_root(".", "mnt").map_err(LabError::inside("pivot to", disk.display()))?;
    chdir("/").map_err(LabError::inside("enter", "/"))?;
    unmount("/mnt", UnmountFlags::DETACH).map_err(LabError::inside("unmount", "/mnt"))?;
    // Podman warns where it is not.
    let shared = MountPropagationFlags::SHARED | MountPropagationFlags::REC;
    mount_change("/", shared).map_err(LabError::inside("make shared", "/"))?;

    let init = Command::new("/sbin/init", ["--show-status=yes"])
        .identity(Identity { uid: 0, gid: 0 })
        .environment("container", "podseal-lab")
        .environment("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .environment("TERM", "linux");
    Err(init.replace_this_process().into())
}

fn devices() -> Result<(), LabError> {
    make_directory(Path::new("dev/net"))?;
    for (name, major, minor) in DEVICES {
        let path = format!("dev/{name}");
        let device = makedev(*major, *minor);
        let mode = Mode::from_raw_mode(0o666);
        mknodat(CWD, &path, FileType::CharacterDevice, mode, device)
            .map_err(LabError::inside("make", &path))?;
        // Whatever the umask.
        chmod(&path, mode).map_err(LabError::inside("open up", &path))?;
    }
    chown("dev/tty", Some(Uid::ROOT), Some(Gid::from_raw(5)))
        .map_err(LabError::inside("give away", "dev/tty"))?;
    let ptmx = Path::new("dev/ptmx");
    symlink("pts/ptmx", ptmx).map_err(LabError::file("make", ptmx))?;
    let console = Path::new("dev/console");
    fs::write(console, "").map_err(LabError::file("make", console))?;
    // By its name: the open file belongs to the host's mount namespace.
    let stdin = Path::new("/proc/self/fd/0");
    let terminal = fs::read_link(stdin).map_err(LabError::file("read", stdin))?;
    mount_bind(&terminal, console).map_err(LabError::inside("mount", console.display()))
}

fn make_directory(path: &Path) -> Result<(), LabError> {
    fs::create_dir_all(path).map_err(LabError::file("make", path))
}
