//! Development tasks: `cargo xtask demo`, `cargo xtask test`, `cargo xtask
//! bench`, `cargo xtask lab`, `cargo xtask docs`, `cargo xtask deny`.
#![forbid(unsafe_code)]

mod arguments;
mod bench;
mod command;
mod demo;
mod deny;
mod docs;
mod interrupt;
mod lab;
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
        Task::Lab(lab) => return conclude(lab::run(&lab)),
        Task::LabConsole { machine } => return conclude(lab::hold_console(&machine)),
        Task::LabInit { machine } => return conclude(lab::become_init(&machine)),
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
