//! `cargo xtask demo`.

use crate::arguments::Demo;
use crate::command::Command;
use crate::output;
use crate::requirements::{self, RequirementError};

/// Becomes `podseal demo`; returns only when that cannot be done.
///
/// Not a release build: with link-time optimisation it would take the longer
/// part of the first demo, and this one shares most of its crates with xtask,
/// which had to be built anyway.
pub(crate) fn run(demo: &Demo) -> Result<u8, RequirementError> {
    requirements::for_demo(&demo.install)?;
    let command =
        Command::new("cargo", ["run", "--package", "podseal", "--", "demo"]).with(&demo.arguments);
    output::heading(&command);
    Err(command.replace_this_process().into())
}
