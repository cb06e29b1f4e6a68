//! `podseal run`

use std::time::Duration;

use podseal_core::explain::short::Short;
use podseal_core::lifecycle::{self, socket};
use podseal_core::listen::SocketOptions;
use podseal_core::podman::{Pull, name_of};
use podseal_core::rate_limit::Limit;
use podseal_core::supervised::Kind;
use podseal_core::unit::name::UnitName;
use podseal_runtime::service::{self, Image, PrepareError, Prepared, Request, Workload};
use podseal_runtime::supervise::{self, Finish, Notice, Observer};
use podseal_runtime::unit_set::UnitSet;

use crate::cli::{self, Run, StartWhen};
use crate::{exit, output};

pub(super) fn run(arguments: Run) -> u8 {
    let quiet = arguments.quiet;
    if let Some(directory) = &arguments.directory {
        let name = arguments.name.as_deref();
        let prepared = service::prepare_units(directory, &arguments.units, name);
        return supervise(prepared, None, quiet);
    }
    let request = match request(arguments) {
        Ok(request) => request,
        Err(message) => {
            output::error(&message, Some("see `podseal run --help`"));
            return exit::USAGE;
        }
    };
    for given_up in request.seal.given_up() {
        output::warning(format_args!("{}: {}", request.name, given_up.text));
    }
    supervise(service::prepare(&request), Some(&request.name), quiet)
}

/// Supervises what was prepared. One service goes by the `name` of its run,
/// several by their own.
fn supervise(prepared: Result<Prepared, PrepareError>, name: Option<&str>, quiet: bool) -> u8 {
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            output::error(&error, error.hint().as_deref());
            return exit::FAILURE;
        }
    };
    let say = |unit: Option<&UnitName>, text: String| {
        if !quiet {
            output::note(format_args!("{}: {text}", called(name, unit)));
        }
    };
    if let Some(choice) = &prepared.oci_runtime {
        for failure in &choice.failures {
            let path = failure.path.display();
            say(
                None,
                format!("{path} does not work here: {}", failure.message),
            );
        }
        say(None, format!("using {}", choice.path.display()));
    }
    if let Some(units) = &prepared.units {
        introduce(units, &say);
    }
    let mut observe = observer(name, &say);
    match supervise::run(prepared.supervised, &mut observe) {
        Ok(Finish::Stopped { failed }) => {
            // A single service that fails is started again by traffic.
            if name.is_none() && !failed.is_empty() {
                output::note(format_args!("stopped; failed: {}", failed.join(", ")));
                return exit::FAILURE;
            }
            say(None, "stopped".into());
            exit::SUCCESS
        }
        Ok(Finish::GivenUp(outcome)) => {
            let (result, limit) = match outcome {
                socket::Outcome::ServiceStartLimitHit => ("start-limit-hit".into(), Limit::START),
                other => (other.to_string(), Limit::TRIGGER),
            };
            gave_up(called(name, None), &result, limit);
            exit::FAILURE
        }
        Err(error) => {
            output::error(&error, error.hint().as_deref());
            exit::FAILURE
        }
    }
}

/// Who a line is about.
fn called<'a>(name: Option<&'a str>, unit: Option<&'a UnitName>) -> &'a str {
    name.or(unit.map(UnitName::as_str)).unwrap_or("podseal")
}

fn observer<'a>(
    name: Option<&'a str>,
    say: &'a dyn Fn(Option<&UnitName>, String),
) -> Box<Observer<'a>> {
    Box::new(move |unit, notice| {
        let called = called(name, unit);
        match notice {
            Notice::Explained(short) => {
                for line in why(&short).lines() {
                    output::note(format_args!("{called}: {line}"));
                }
            }
            Notice::CannotRun { phase, error } => {
                output::note(format_args!("{called}: {phase}:"));
                output::error(&error, None);
            }
            Notice::CannotListen(error) => output::error(&error, error.hint().as_deref()),
            Notice::Reloaded(units) => {
                say(
                    None,
                    "unit files have changed, and count from now on".into(),
                );
                introduce(units, say);
            }
            Notice::CannotReload(error) => {
                output::error(
                    &error,
                    Some("what was read before counts until this is mended"),
                );
            }
            Notice::CidFile { path, error } => output::note(format_args!(
                "{called}: cannot use the container id file {}: {error}; \
                 going on by the container's name",
                path.display()
            )),
            // The end of a single service is told when all is over.
            Notice::GivenUp(outcome) if name.is_none() => {
                output::note(format_args!("{called}: no longer listening ({outcome})"));
            }
            Notice::GivenUp(_) => {}
            other => say(unit, words(&other)),
        }
    })
}

/// The first answer to why a service failed. What it said is on the screen
/// already.
fn why(short: &Short) -> String {
    match short.id {
        Some(_) => format!("why: {short}"),
        None => "why: podseal does not know".into(),
    }
}

/// Says what is left out of units, and what is sealed.
fn introduce(units: &UnitSet, say: &dyn Fn(Option<&UnitName>, String)) {
    for (unit, remark) in &units.warnings {
        match &remark.origin {
            Some(origin) => output::warning(format_args!(
                "{}:{}: {}",
                origin.file, origin.line, remark.message
            )),
            None => output::warning(format_args!("{unit}: {}", remark.message)),
        }
    }
    for (unit, kind) in units.set.units() {
        let Kind::Service(service) = kind else {
            continue;
        };
        if let Some(why) = service.not_sealed() {
            output::warning(format_args!("{unit} is NOT SEALED: {why}"));
        } else {
            let seal = service.execution.seal.iter();
            for seal in seal {
                let (level, families) = (seal.level, &seal.families);
                let text = format!("sealed at level {level}: {families} only");
                say(Some(unit), text);
            }
        }
        let commands = &service.settings;
        let all = [
            &commands.start_pre,
            &commands.start,
            &commands.start_post,
            &commands.stop,
            &commands.stop_post,
        ];
        for command in all.into_iter().flatten().filter(|c| c.unrestricted) {
            output::warning(format_args!(
                "{unit} runs {} outside the seal, because of its +",
                command.program
            ));
        }
    }
}

/// After systemd's own words for it, why nothing listens any more.
fn gave_up(name: &str, result: &str, limit: Limit) {
    output::note(format_args!(
        "{name}: no longer listening ({result}): it was started {} times in {} seconds",
        limit.burst,
        limit.interval.as_secs()
    ));
}

fn words(notice: &Notice<'_>) -> String {
    match notice {
        Notice::Listening(sockets) => {
            let addresses: Vec<String> = sockets.iter().map(|s| s.listen.to_string()).collect();
            format!("listening on {}", addresses.join(", "))
        }
        Notice::Traffic(socket) => format!("traffic on {}, starting", socket.listen),
        Notice::Up { main, container } => {
            let main = main.map_or(String::new(), |pid| {
                format!(", main process {}", pid.as_raw_nonzero())
            });
            let container = container.as_deref().map_or(String::new(), |id| {
                format!(", container {}", id.get(..12).unwrap_or(id))
            });
            format!("up{main}{container}")
        }
        Notice::Status(status) => format!("says: {status}"),
        Notice::Stopping => "says that it is stopping".into(),
        Notice::Errno(errno) => format!(
            "says that it failed: {}",
            std::io::Error::from_raw_os_error(*errno)
        ),
        Notice::CommandFailed { phase, exit } => format!("{phase} {exit}"),
        Notice::Down(outcome) => format!("down ({outcome})"),
        Notice::RestartIn(delay) => format!("starting again in {} ms", delay.as_millis()),
        Notice::Busy => "not opened: its service runs without it; stop that first".into(),
        Notice::Dependency => "not started: a unit that it needs did not start".into(),
        Notice::Signal { number, again } => format!(
            "signal {number}, {}",
            if *again { "killing" } else { "stopping" }
        ),
        other => format!("{other:?}"),
    }
}

/// A command line that does not say what to run.
#[derive(Debug, thiserror::Error)]
enum UsageError {
    #[error("nothing to run: give --image IMAGE, or -- COMMAND")]
    NothingToRun,
}

fn request(arguments: Run) -> Result<Request, UsageError> {
    let (default_name, workload) = if let Some(image) = arguments.image {
        let mut parts = arguments.rest.splitn(2, |word| word == "--");
        let options = parts.next().unwrap_or_default().to_vec();
        let container = parts.next().unwrap_or_default().to_vec();
        (
            name_of(&image),
            Workload::Image(Image {
                image,
                options,
                arguments: container,
                pull: match arguments.pull {
                    cli::Pull::Never => Pull::Never,
                    cli::Pull::Always => Pull::Always,
                },
                oci_runtime: arguments.runtime,
            }),
        )
    } else {
        let program = arguments.rest.first().ok_or(UsageError::NothingToRun)?;
        (name_of(program), Workload::Command(arguments.rest))
    };
    Ok(Request {
        name: arguments.name.unwrap_or(default_name),
        workload,
        listen: arguments.listen,
        socket_options: SocketOptions {
            backlog: arguments.backlog,
            mode: arguments.socket_mode,
            bind_to_device: arguments.bind_to_device,
            reuse_port: arguments.reuse_port,
            // One meaning on every host, whatever net.ipv6.bindv6only says.
            ipv6_only: Some(false),
            ..SocketOptions::default()
        },
        names: arguments.fdname,
        seal: arguments.seal.into(),
        notify: arguments.notify,
        start_now: arguments.start == StartWhen::Now,
        restart: restart(arguments.restart),
        timeout_start: limit(arguments.timeout_start),
        timeout_stop: limit(arguments.timeout_stop),
    })
}

/// Zero means no limit, as in systemd.
fn limit(timeout: cli::Timeout) -> Option<Duration> {
    timeout.filter(|limit| !limit.is_zero())
}

fn restart(restart: cli::Restart) -> lifecycle::Restart {
    match restart {
        cli::Restart::No => lifecycle::Restart::No,
        cli::Restart::OnSuccess => lifecycle::Restart::OnSuccess,
        cli::Restart::OnFailure => lifecycle::Restart::OnFailure,
        cli::Restart::OnAbnormal => lifecycle::Restart::OnAbnormal,
        cli::Restart::OnAbort => lifecycle::Restart::OnAbort,
        cli::Restart::Always => lifecycle::Restart::Always,
    }
}
