//! podseal: seals rootless Podman services. See `podseal --help`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

mod cli;
mod commands;
mod exit;
mod output;

fn main() -> ExitCode {
    commands::main()
}
