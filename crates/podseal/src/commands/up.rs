//! `podseal up` and `podseal down`

use podseal_core::socket_address::SocketAddress;
use podseal_core::unit::effective::Scope;
use podseal_core::unit::name::UnitName;
use podseal_core::up::Socket;
use podseal_runtime::account::Account;
use podseal_runtime::host::User;
use podseal_runtime::install::Contents;
use podseal_runtime::linger;
use podseal_runtime::systemd::Manager;
use podseal_runtime::up::{self, Applied, FileChange, Kept, Plan, Removal, Request, UpError, Why};

use super::scope;
use super::{diff, seal};
use crate::cli::{self, Down, Up};
use crate::{exit, output};

/// Another number of names than of sockets.
#[derive(Debug, thiserror::Error)]
#[error("{names} names for {sockets} sockets: give --fdname once, or once for each --listen")]
struct NameCount {
    names: usize,
    sockets: usize,
}

/// Options that do not go together.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Usage {
    message: &'static str,
}

/// Files of a service that are still there.
#[derive(Debug, thiserror::Error)]
#[error("not all of {name} was removed")]
struct Remains {
    name: String,
}

pub(super) fn up(arguments: Up) -> u8 {
    let (dry_run, no_start, linger) = (arguments.dry_run, arguments.no_start, arguments.linger);
    let request = match request(arguments) {
        Ok(request) => request,
        Err(status) => return status,
    };
    match make(&request, dry_run, no_start, linger) {
        Ok(status) => status,
        Err(error) => failed(&error),
    }
}

fn failed(error: &UpError) -> u8 {
    output::error(error, Some(&error.hint()));
    exit::FAILURE
}

fn request(arguments: Up) -> Result<Request, u8> {
    let (names, sockets) = (arguments.fdname.len(), arguments.listen.len());
    if names > 1 && names != sockets {
        let error = NameCount { names, sockets };
        output::error(&error, Some("see `podseal up --help`"));
        return Err(exit::USAGE);
    }
    let account = account(&arguments)?;
    let podseal = seal::own_path().map_err(|error| {
        output::error(&error, Some(error.hint()));
        exit::FAILURE
    })?;
    let name = |at: usize| {
        let names = &arguments.fdname;
        names.get(at).or(names.first()).cloned()
    };
    let sockets = arguments.listen.into_iter().enumerate();
    let sockets = sockets.map(|(at, listen)| Socket {
        listen,
        name: name(at),
    });
    Ok(Request {
        scope: scope(arguments.system),
        level: arguments.level.into(),
        podseal,
        force: arguments.force,
        form: arguments.form.map(Into::into),
        name: arguments.name,
        description: arguments.description,
        sockets: sockets.collect(),
        image: arguments.image,
        digest: arguments.digest,
        environment: arguments.env,
        volumes: arguments.volume,
        user: arguments.user,
        memory: arguments.memory,
        oci_runtime: arguments.runtime,
        arguments: arguments.arguments,
        account,
    })
}

/// The user of `--run-as`.
fn account(arguments: &Up) -> Result<Option<Account>, u8> {
    let wrong = |message| {
        output::error(&Usage { message }, Some("see `podseal up --help`"));
        Err(exit::USAGE)
    };
    match &arguments.run_as {
        None if arguments.system && arguments.linger => {
            wrong("--linger is for a user: with --system it needs --run-as")
        }
        None => Ok(None),
        Some(_) if matches!(arguments.form, Some(cli::Form::Quadlet)) => {
            wrong("Podman's generator makes no service that runs as another user")
        }
        Some(name) => Account::named(name).map(Some).map_err(|error| {
            output::error(&error, Some(&error.hint()));
            exit::FAILURE
        }),
    }
}

fn make(request: &Request, dry_run: bool, no_start: bool, linger: bool) -> Result<u8, UpError> {
    let scope = request.scope;
    let manager = if no_start {
        None
    } else {
        Manager::reach(scope)
    };
    if manager.is_none() && !no_start && !dry_run {
        return Err(UpError::NoManager { scope });
    }
    // Another user's Podman can be asked only then.
    let mut lingering = match &request.account {
        Some(_) if linger && !dry_run => Some(up::linger(request, manager)?),
        _ => None,
    };
    let plan = up::plan(request)?;
    if !plan.refusals.is_empty() {
        seal::say_refused(&plan.unit, request.level, &plan.refusals);
        return Ok(exit::FAILURE);
    }
    plan.warnings.iter().for_each(seal::warn);
    if let Some(runtime) = &plan.oci_runtime {
        for failure in &plan.failures {
            let path = failure.path.display();
            output::note(format_args!(
                "{path} does not work here: {}",
                failure.message
            ));
        }
        output::note(format_args!("using {runtime}"));
    }
    if dry_run {
        if plan.is_done() {
            output::note(format_args!("{} is unchanged", request.name));
            return Ok(exit::SUCCESS);
        }
        return Ok(print(&plan.files));
    }
    if linger && lingering.is_none() {
        lingering = Some(up::linger(request, manager)?);
    }
    let applied = up::apply(&plan, manager)?;
    if let Some(lingering) = lingering {
        lingering.keep();
    }
    report(request, &plan, &applied);
    if no_start {
        let option = option(scope);
        let sockets: Vec<&str> = plan.sockets.iter().map(UnitName::as_str).collect();
        output::note(format_args!(
            "systemd was not asked to read them: it does when it starts, or with `systemctl {option} daemon-reload`, and then `systemctl {option} start {}`",
            sockets.join(" ")
        ));
    } else if scope == Scope::User && linger::is_enabled(&User::current()) == Some(false) {
        output::warning(
            "nothing of this is started at boot, and it ends with your last login: --linger changes that (loginctl enable-linger)",
        );
    }
    Ok(exit::SUCCESS)
}

fn option(scope: Scope) -> &'static str {
    match scope {
        Scope::User => "--user",
        Scope::System => "--system",
    }
}

/// Says what was done, and what comes next.
fn report(request: &Request, plan: &Plan, applied: &Applied) {
    let name = &request.name;
    if plan.is_done() {
        output::note(format_args!("{name} is unchanged"));
    }
    say_changes(&plan.files);
    for unit in &applied.closed {
        output::note(format_args!(
            "closed {unit}; connections that waited there were refused"
        ));
    }
    if applied.stopped {
        output::note(format_args!(
            "stopped {}: the next connection starts it as it is now",
            plan.unit
        ));
    }
    for listen in &plan.listen {
        output::note(format_args!(
            "listening on {listen}{}",
            every(&listen.address)
        ));
    }
    let unit = match plan.scope {
        Scope::User => name.clone(),
        Scope::System => format!("--system {name}"),
    };
    output::note(format_args!(
        "sealed at level {}; `podseal check {unit}` looks through it, `podseal down {unit}` removes it",
        request.level
    ));
}

fn every(address: &SocketAddress) -> &'static str {
    match address {
        SocketAddress::Inet { address, .. } if address.is_unspecified() => {
            " (every IPv4 address of this host)"
        }
        SocketAddress::Inet6 { address, .. } if address.is_unspecified() => {
            " (every address of this host)"
        }
        _ => "",
    }
}

fn say_changes(files: &[FileChange]) {
    for file in files.iter().filter(|file| !file.is_done()) {
        let verb = match (&file.before, &file.change.contents) {
            (None, _) => "wrote",
            (Some(_), Some(_)) => "changed",
            (Some(_), None) => "removed",
        };
        output::note(format_args!("{verb} {}", file.change.path.display()));
    }
}

/// Prints what would be changed.
fn print(files: &[FileChange]) -> u8 {
    let text = |contents: &Option<Contents>| match contents {
        None => None,
        Some(Contents::Text(text)) => Some(text.clone()),
        Some(Contents::Link(target)) => Some(format!("-> {}\n", target.display())),
    };
    let open = files.iter().filter(|file| !file.is_done());
    let sides = open.map(|file| {
        let path = file.change.path.as_path();
        (path, text(&file.before), text(&file.change.contents))
    });
    let sides: Vec<_> = sides.collect();
    let sides = sides.iter();
    output::text(&diff::unified(sides.map(|(path, before, after)| {
        (*path, before.as_deref(), after.as_deref())
    })))
}

pub(super) fn down(arguments: &Down) -> u8 {
    let removal = match up::plan_removal(scope(arguments.system), &arguments.name, arguments.force)
    {
        Ok(removal) => removal,
        Err(error) => return failed(&error),
    };
    if arguments.dry_run {
        let printed = print(&removal.files);
        return printed.max(say_kept(arguments, &removal));
    }
    let scope = scope(arguments.system);
    let manager = Manager::reach(scope);
    if let Err(error) = up::remove(&removal, manager) {
        return failed(&error);
    }
    if manager.is_some() {
        output::note(format_args!("stopped {}", removal.unit));
    }
    say_changes(&removal.files);
    if manager.is_none() {
        output::note(format_args!(
            "no systemd was asked to stop it: for a running manager, run `systemctl {} daemon-reload`",
            option(scope)
        ));
    }
    say_kept(arguments, &removal)
}

/// Names the files that stay; the exit status says whether there are any.
fn say_kept(arguments: &Down, removal: &Removal) -> u8 {
    if removal.kept.is_empty() {
        return exit::SUCCESS;
    }
    let name = arguments.name.clone();
    output::error(&Remains { name }, None);
    let mut is_edited = false;
    for Kept { path, why } in &removal.kept {
        let why = match why {
            Why::Edited => {
                is_edited = true;
                "it was edited since podseal wrote it"
            }
            Why::Foreign => "podseal did not write it",
            Why::Seals => "it seals the service, which stays",
        };
        output::note(format_args!("  {}: {why}", path.display()));
    }
    if is_edited {
        output::note("  --force removes files that were edited as well");
    }
    exit::FAILURE
}
