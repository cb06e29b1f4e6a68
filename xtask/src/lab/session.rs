//! Commands inside a machine.

use std::env;
use std::ffi::OsString;

use super::error::LabError;
use super::machine::Machine;
use crate::command::Command;

/// Somebody in a machine.
#[derive(Debug)]
pub(super) struct User {
    pub(super) name: &'static str,
    pub(super) uid: u32,
    home: &'static str,
    /// The cgroup that its commands are in, below the machine's.
    cgroup: &'static str,
}

/// The normal user, whose manager runs from boot on.
pub(super) const USER: User = User {
    name: "lab",
    uid: 1000,
    home: "/home/lab",
    cgroup: "user.slice/user-1000.slice/podseal-lab.scope",
};

/// The system's administrator: root of the host, too.
pub(super) const ROOT: User = User {
    name: "root",
    uid: 0,
    home: "/root",
    cgroup: "podseal-lab.scope",
};

impl Machine {
    /// A command that somebody in the machine runs, in the environment that a
    /// session would have. The exit status is the command's own, but for 1 where
    /// Ctrl-C ended it.
    pub(super) fn command(
        &self,
        user: &User,
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Command, LabError> {
        // Before the cgroup: that would be made.
        let init = self.init()?;
        // Joins the machine's cgroup. nsenter only waits: Ctrl-C is for the
        // command, which env gives the signals back.
        let script = "trap '' INT QUIT; echo 0 > \"$1\" || exit 125; shift; exec nsenter \"$@\"";
        let variables = [
            ("HOME", user.home.to_owned()),
            ("USER", user.name.to_owned()),
            ("LOGNAME", user.name.to_owned()),
            ("SHELL", "/bin/bash".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            (
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            ),
            (
                "TERM",
                env::var("TERM").unwrap_or_else(|_| "dumb".to_owned()),
            ),
            ("XDG_RUNTIME_DIR", format!("/run/user/{}", user.uid)),
            (
                "DBUS_SESSION_BUS_ADDRESS",
                format!("unix:path=/run/user/{}/bus", user.uid),
            ),
        ];
        // Root uses the system's bus, and has no manager of its own.
        let count = variables.len() - if user.uid == 0 { 2 } else { 0 };
        let variables = variables.into_iter().take(count);
        Ok(Command::new("sh", ["-c", script, "sh"])
            .with([self.cgroup()?.joined_through(user.cgroup)?])
            .with([format!("--target={init}")])
            .with(["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"])
            .with(["setpriv", "--init-groups", "--pdeathsig=TERM"])
            .with([
                format!("--reuid={}", user.name),
                format!("--regid={}", user.name),
            ])
            .with(["env", "--ignore-environment", "--default-signal=INT,QUIT"])
            .with([format!("--chdir={}", user.home)])
            .with(variables.map(|(name, value)| format!("{name}={value}")))
            .with(arguments))
    }
}
