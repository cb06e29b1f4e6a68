//! Development tasks: `cargo xtask demo`, `cargo xtask test`, `cargo xtask
//! bench`, `cargo xtask deny`, `cargo xtask docs`.
#![forbid(unsafe_code)]

mod arguments;
mod bench;
mod command;
mod demo;
mod deny;
mod docs;
mod output;
mod requirements;
mod steps;
mod test;

use std::error::Error;
use std::process::ExitCode;

use arguments::{Arguments, Task};
use clap::Parser;

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Demo(demo) => demo::run(&demo),
        Task::Test(test) => test::run(&test),
        Task::Bench(bench) => return conclude(bench::run(&bench)),
        Task::BenchLoop(count) => return conclude(bench::system_calls(&count)),
        Task::Docs(docs) => return conclude(docs::run(&docs)),
        Task::Deny(deny) => deny::run(&deny).map_err(Into::into),
    };
    conclude(outcome)
}

fn conclude<E: Error + 'static>(outcome: Result<u8, E>) -> ExitCode {
    match outcome {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            output::error(&error);
            ExitCode::FAILURE
        }
    }
}
