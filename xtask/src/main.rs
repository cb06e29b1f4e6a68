//! Development tasks: `cargo xtask demo`, `cargo xtask test`, `cargo xtask deny`.
#![forbid(unsafe_code)]

mod arguments;
mod command;
mod demo;
mod deny;
mod output;
mod requirements;
mod steps;
mod test;

use std::process::ExitCode;

use arguments::{Arguments, Task};
use clap::Parser;

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Demo(demo) => demo::run(&demo),
        Task::Test(test) => test::run(&test),
        Task::Deny(deny) => deny::run(&deny).map_err(Into::into),
    };
    match outcome {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            output::error(&error);
            ExitCode::FAILURE
        }
    }
}
