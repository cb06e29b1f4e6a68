//! `cargo xtask lab`: machines that run real systemd and real Podman, in
//! namespaces of this host.

mod base;
mod cgroup;
mod console;
mod error;
mod guest;
mod inside;
mod machine;
mod packages;
mod session;

use std::ffi::OsString;
use std::process;

pub(crate) use error::LabError;
pub(crate) use guest::Guest;
use machine::Machine;
pub(crate) use packages::Release;
use session::{ROOT, USER};

use crate::arguments::{Lab, LabTask, LabTest, Which, Who};
use crate::command::Command;
use crate::interrupt;
use crate::output;
use crate::requirements::{self, is_root};

impl Which {
    fn machine(&self) -> Result<Machine, LabError> {
        Machine::named(self.name.as_deref().unwrap_or(self.release.suite()))
    }
}

/// Runs a task of the lab.
pub(crate) fn run(lab: &Lab) -> Result<u8, LabError> {
    if !is_root() {
        return Err(LabError::NotRoot);
    }
    match &lab.task {
        LabTask::Up(up) => {
            requirements::for_lab(&up.install)?;
            up_with(&up.which)
        }
        LabTask::Shell(shell) => {
            let bash = ["bash", "--login"].map(Into::into);
            become_command(&shell.which, &shell.who, bash)
        }
        LabTask::Run(run) => become_command(&run.which, &run.who, run.command.iter().cloned()),
        LabTask::Reboot(which) => {
            let machine = which.machine()?;
            let _lock = machine::lock()?;
            watch()?;
            machine.reboot()?;
            Ok(0)
        }
        LabTask::Down(down) => {
            let _lock = machine::lock()?;
            if down.all {
                for machine in Machine::all()? {
                    machine.remove()?;
                }
            } else {
                down.which.machine()?.remove()?;
            }
            Ok(0)
        }
        LabTask::List => list(),
        LabTask::Test(test) => test_in(test),
    }
}

fn watch() -> Result<(), LabError> {
    interrupt::watch().map_err(LabError::file("watch", "signals".as_ref()))
}

fn up_with(which: &Which) -> Result<u8, LabError> {
    let build = Command::new("cargo", ["build", "--package", "podseal"]);
    output::heading(&build);
    let status = build.run()?;
    if status != 0 {
        return Ok(status);
    }
    let machine = which.machine()?;
    let _lock = machine::lock()?;
    watch()?;
    machine.up(which.release)?;
    output::note(format_args!("machine {} is up", machine.name()));
    Ok(0)
}

fn become_command(
    which: &Which,
    who: &Who,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<u8, LabError> {
    let user = if who.user { &USER } else { &ROOT };
    let command = which.machine()?.command(user, arguments)?;
    Err(command.replace_this_process().into())
}

fn list() -> Result<u8, LabError> {
    for machine in Machine::all()? {
        let state = match machine.running_init()? {
            Some(init) => format!("running, init is process {init}"),
            None => "stopped".to_owned(),
        };
        let release = machine.release();
        let release = release.as_deref().unwrap_or("unfinished");
        output::data(format_args!("{}\t{release}\t{state}", machine.name()));
    }
    Ok(0)
}

/// Runs the tests that need a machine, in one of their own.
fn test_in(test: &LabTest) -> Result<u8, LabError> {
    requirements::for_lab(&test.install)?;
    let which = Which {
        release: test.release,
        name: Some(format!("test-{}", process::id())),
    };
    let machine = which.machine()?;
    let status = up_with(&which)?;
    if status != 0 {
        return Ok(status);
    }
    let tests = Command::new("cargo", ["test", "--package", "podseal-lab"])
        .environment("PODSEAL_LAB", machine.name())
        .with(&test.filter);
    output::heading(&tests);
    let status = tests.run();
    let _lock = machine::lock()?;
    if test.keep {
        output::note(format_args!("machine {} is kept", machine.name()));
    } else {
        machine.remove()?;
    }
    Ok(status?)
}

/// The holder of a machine's console, in the background.
pub(crate) fn hold_console(name: &str) -> Result<u8, LabError> {
    console::hold(&Machine::named(name)?)
}

/// The machine's first process.
pub(crate) fn become_init(name: &str) -> Result<u8, LabError> {
    inside::become_init(&Machine::named(name)?)
}
