//! `cargo xtask demo`.

use crate::arguments::Demo;
use crate::command::Command;
use crate::output;
use crate::requirements::{self, RequirementError};

/// Becomes `podseal demo`; returns only when that cannot be done.
///
/// Not a release build: from nothing both take about as long but for the
/// link-time optimisation, which costs a release build more than ten seconds
/// after every change; and `cargo xtask test` uses this build too.
pub(crate) fn run(demo: &Demo) -> Result<u8, RequirementError> {
    requirements::for_demo(&demo.install)?;
    let command =
        Command::new("cargo", ["run", "--package", "podseal", "--", "demo"]).with(&demo.arguments);
    output::heading(&command);
    Err(command.replace_this_process().into())
}
