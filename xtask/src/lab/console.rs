//! The process that holds a machine's console: what the machine writes there
//! goes into a file, for as long as the machine runs.

use std::env;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::thread;

use rustix::process::setsid;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::error::LabError;
use super::machine::Machine;
use crate::command::Command;

/// Starts the machine's first process on a new terminal, and copies what it
/// writes to this process's stderr until it ends.
pub(super) fn hold(machine: &Machine) -> Result<u8, LabError> {
    let call = |action| LabError::inside(action, "the console");
    // Nothing that is typed where this was started concerns the machine.
    setsid().map_err(call("leave the terminal for"))?;
    let console = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
        .map_err(call("open"))?;
    grantpt(&console).map_err(call("grant"))?;
    unlockpt(&console).map_err(call("unlock"))?;
    let path = ptsname(&console, Vec::new()).map_err(call("name"))?;
    let path = Path::new(OsStr::from_bytes(path.as_bytes()));
    let mut options = OpenOptions::new();
    let terminal = options
        .read(true)
        .write(true)
        .open(path)
        .map_err(LabError::file("open", path))?;

    let own = env::current_exe().map_err(LabError::file("find", machine.directory()))?;
    let join = machine.cgroup()?.joined_through("")?;
    // The first process joins the cgroup, which its namespace then begins at;
    // its parent stays out: a cgroup that has processes cannot pass on
    // controllers (cgroups(7)).
    let script = "echo 0 > \"$1\" && shift && exec unshare --cgroup -- \"$@\"";
    let mut first = Command::new("unshare", ["--fork", "--pid", "--mount", "--uts"])
        .with(["--ipc", "--net", "--", "sh", "-c", script, "sh"])
        .with([&join, &own])
        .with(["lab-init", machine.name()])
        .start_on(
            &terminal
                .try_clone()
                .map_err(LabError::file("open", path))?
                .into(),
        )?;

    let copying = thread::spawn(move || {
        // Ends with EIO when nobody has the terminal open any more.
        let _ = io::copy(&mut File::from(console), &mut io::stderr());
    });
    let status = first.finish().map_err(LabError::file("wait for", &own));
    drop(terminal);
    let _ = copying.join();
    status
}
