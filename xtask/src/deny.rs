//! `cargo xtask deny`: licences, sources and duplicates, by the rules in
//! deny.toml.

use crate::arguments::Deny;
use crate::command::{Command, StartError};
use crate::steps::{self, Step};

/// Runs the check.
pub(crate) fn run(deny: &Deny) -> Result<u8, StartError> {
    steps::run(&deny_steps(deny.advisories))
}

/// The check, preceded by the installation of cargo-deny when it is missing.
pub(crate) fn deny_steps(advisories: bool) -> Vec<Step> {
    let mut steps = Vec::new();
    if !Command::new("cargo", ["deny", "--version"]).works() {
        // Of one known version, which builds with this workspace's rust-version.
        // Unoptimised it is ready in a third of the time, and no slower at this.
        let install = [
            "install",
            "--locked",
            "--profile",
            "dev",
            "cargo-deny@0.20.2",
        ];
        steps.push(Step {
            name: "installing cargo-deny",
            command: Command::new("cargo", install),
        });
    }
    let mut command = Command::new("cargo", ["deny", "check", "--hide-inclusion-graph"])
        .with(["bans", "licenses", "sources"]);
    if advisories {
        command = command.with(["advisories"]);
    }
    steps.push(Step {
        name: "dependencies",
        command,
    });
    steps
}
