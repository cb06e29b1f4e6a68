//! A machine for the length of a measurement.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process;

use super::error::LabError;
use super::machine::{self, Machine};
use super::packages::Release;
use super::session::USER;
use crate::command::Command;
use crate::output;

/// A machine that is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Guest {
    machine: Machine,
}

impl Guest {
    /// Makes and boots one, with this podseal.
    pub(crate) fn boot(podseal: PathBuf) -> Result<Self, LabError> {
        let machine = Machine::named(&format!("bench-{}", process::id()))?;
        let guest = Self {
            machine: machine.with_podseal(podseal),
        };
        let _lock = machine::lock()?;
        guest.machine.up(Release::Trixie)?;
        Ok(guest)
    }

    /// A command of its user's.
    pub(crate) fn command<A: Into<OsString>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Command, LabError> {
        let arguments = arguments.into_iter().map(Into::into);
        self.machine.command(&USER, arguments)
    }

    /// Its first process.
    pub(crate) fn init(&self) -> Result<u32, LabError> {
        self.machine.init()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let removed = machine::lock().and_then(|_lock| self.machine.remove());
        if let Err(error) = removed {
            output::error(&error);
        }
    }
}
