//! The verbs: each turns arguments into a request, has it done below, and
//! turns what came of it into words and an exit status.

use std::process::ExitCode;

use clap::Parser;
use podseal_core::unit::effective::Scope;
use podseal_runtime::control::Verb;

use crate::cli::{Cli, Color, Command, Pause};
use crate::exit;

mod check;
mod choose_runtime;
mod control;
mod demo;
mod diff;
mod doctor;
mod echo;
mod enter;
mod explain;
mod pause;
mod probe;
mod receive;
mod run;
mod seal;
mod show;
mod status;
mod up;
mod verify;

/// Whose manager `--system` is about, or its absence.
fn scope(is_system: bool) -> Scope {
    if is_system {
        Scope::System
    } else {
        Scope::User
    }
}

/// Reads the command line and carries it out.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output and are no error. That
            // they cannot be written is nothing to report to anyone.
            let _ = error.print();
            return exit::code(if error.use_stderr() {
                exit::USAGE
            } else {
                exit::SUCCESS
            });
        }
    };
    match cli.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    let debug = cli.verbose || matches!(&cli.command, Command::Echo(echo) if echo.debug);
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .with_max_level(if debug {
            tracing::Level::DEBUG
        } else {
            tracing::Level::WARN
        })
        .init();
    exit::code(match cli.command {
        Command::Up(arguments) => up::up(*arguments),
        Command::Down(arguments) => up::down(&arguments),
        Command::Run(arguments) => run::run(*arguments),
        Command::List(arguments) => status::list(&arguments),
        Command::Status(arguments) => status::status(&arguments),
        Command::Start(arguments) => control::change(Verb::Start, &arguments),
        Command::Stop(arguments) => control::change(Verb::Stop, &arguments),
        Command::Restart(arguments) => control::change(Verb::Restart, &arguments),
        Command::ResetFailed(arguments) => control::change(Verb::ResetFailed, &arguments),
        Command::Show(arguments) => show::run(&arguments),
        Command::Seal(arguments) => seal::seal(&arguments),
        Command::Unseal(arguments) => seal::unseal(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Enter(arguments) => enter::run(arguments),
        Command::Pause(Pause::Ensure { quiet, run_as }) => pause::ensure(quiet, run_as.as_deref()),
        Command::ChooseRuntime(arguments) => choose_runtime::run(arguments),
        Command::Probe(arguments) => probe::run(arguments),
        Command::Receive(arguments) => receive::run(&arguments),
        Command::Echo(arguments) => echo::run(&arguments),
    })
}
