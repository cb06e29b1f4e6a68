//! `podseal run`

use std::time::Duration;

use podseal_core::lifecycle;
use podseal_core::podman::{Pull, name_of};
use podseal_core::rate_limit::Limit;
use podseal_runtime::service::{self, Image, Request, Workload};
use podseal_runtime::sockets::SocketOptions;
use podseal_runtime::supervise::{self, Finish, Notice};

use crate::cli::{self, Run, StartWhen};
use crate::{exit, output};

pub(super) fn run(arguments: Run) -> u8 {
    let quiet = arguments.quiet;
    let request = match request(arguments) {
        Ok(request) => request,
        Err(message) => {
            output::error(&message, Some("see `podseal run --help`"));
            return exit::USAGE;
        }
    };
    let prepared = match service::prepare(&request) {
        Ok(prepared) => prepared,
        Err(error) => {
            output::error(&error, error.hint().as_deref());
            return exit::FAILURE;
        }
    };
    let name = &request.name;
    let say = |text: String| {
        if !quiet {
            output::note(format_args!("{name}: {text}"));
        }
    };
    if let Some(choice) = &prepared.oci_runtime {
        for failure in &choice.failures {
            let path = failure.path.display();
            say(format!("{path} does not work here: {}", failure.message));
        }
        say(format!("using {}", choice.path.display()));
    }
    let finish = supervise::run(prepared.service, &mut |notice| match notice {
        Notice::Explained {
            evidence,
            cause,
            fix,
        } => {
            output::note(format_args!("{name}: why: {cause}"));
            output::note(format_args!("{name}:      as seen in: {evidence}"));
            output::note(format_args!("{name}: fix: {fix}"));
        }
        Notice::CannotRun { phase, error } => {
            output::note(format_args!("{name}: {phase}:"));
            output::error(&error, None);
        }
        Notice::CidFile { path, error } => output::note(format_args!(
            "{name}: cannot use the container id file {}: {error}; going on by the container's name",
            path.display()
        )),
        other => say(words(&other)),
    });
    match finish {
        Ok(Finish::Stopped) => {
            say("stopped".into());
            exit::SUCCESS
        }
        Ok(Finish::GivenUp(outcome)) => {
            gave_up(name, &outcome.to_string(), Limit::START);
            exit::FAILURE
        }
        Ok(Finish::TriggerLimitHit) => {
            gave_up(name, "trigger-limit-hit", Limit::TRIGGER);
            exit::FAILURE
        }
        Err(error) => {
            output::error(&error, None);
            exit::FAILURE
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
        Notice::TriggerLimitHit => "traffic came too often".into(),
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
