//! A service as the supervisor carries it out.

use super::read::{Context, Remarks};
use super::{Execution, Optional, ServiceUnit};
use crate::family::{FAMILIES, Family};
use crate::lifecycle::{Command, Kind, Restart, Settings};
use crate::policy::families::FamilySet;
use crate::policy::seal::{Seal, Without};
use crate::rate_limit::Limit;
use crate::unit::boolean::parse_boolean;
use crate::unit::effective::merge::MergedSetting;
use crate::unit::effective::service::{self as effective, Sandbox, ServiceType};
use crate::unit::effective::{Located, Origin};
use crate::unit::exec::{ExecCommand, ExecPrivileges};
use crate::unit::families::FilterMode;
use crate::unit::syscalls::is_io_uring_only;
use crate::unit::time_span::TimeSpan;

pub(super) fn read(
    view: &effective::Service,
    settings: &[MergedSetting],
    context: &Context,
    remarks: &mut Remarks,
) -> ServiceUnit {
    shells(view, remarks);
    let commands = |key| -> Vec<Command> { view.commands_of(key).iter().map(command).collect() };
    let last = |key: &str| {
        let mut all = settings.iter().rev();
        all.find(|s| s.section == "Service" && s.key == key)
    };
    ServiceUnit {
        settings: Settings {
            start_pre: commands("ExecStartPre"),
            start: commands("ExecStart"),
            start_post: commands("ExecStartPost"),
            stop: commands("ExecStop"),
            stop_post: commands("ExecStopPost"),
            remain_after_exit: view.remain_after_exit,
            restart: restart(view.restart),
            restart_delay: finite(view.restart_sec).unwrap_or(Settings::TIMEOUT),
            start_limit: limit(view.start_limit_interval_sec, view.start_limit_burst),
            timeout_start: finite(view.timeout_start_sec),
            timeout_stop: finite(view.timeout_stop_sec),
            send_sigkill: last("SendSIGKILL").and_then(|s| parse_boolean(&s.value)) != Some(false),
            ..Settings::new(kind(view, remarks))
        },
        execution: Execution {
            seal: seal(&view.sandbox, settings, remarks),
            environment: view.environment.clone(),
            environment_files: view
                .environment_files
                .iter()
                .map(|f| Optional::parse(f))
                .collect(),
            working_directory: Some(working_directory(
                last("WorkingDirectory"),
                context,
                remarks,
            )),
            notify_access: view.notify_access,
            kill_mode: view.kill_mode,
            kill_signal: view.kill_signal.0.into(),
            container_id_file: None,
        },
    }
}

fn finite(span: TimeSpan) -> Option<std::time::Duration> {
    match span {
        TimeSpan::Finite(span) => Some(span),
        TimeSpan::Infinity => None,
    }
}

/// An interval without end counts as one that no service outlives.
pub(super) fn limit(interval: TimeSpan, burst: u32) -> Limit {
    let interval = finite(interval).unwrap_or(std::time::Duration::from_secs(u32::MAX.into()));
    Limit { interval, burst }
}

fn kind(view: &effective::Service, remarks: &mut Remarks) -> Kind {
    let origin = view.origins.get("Service.Type").and_then(|o| o.first());
    match view.service_type {
        ServiceType::Simple | ServiceType::Idle => Kind::Simple,
        ServiceType::Exec => Kind::Exec,
        ServiceType::Oneshot => Kind::Oneshot,
        ServiceType::Notify | ServiceType::NotifyReload => Kind::Notify,
        ServiceType::Forking | ServiceType::Dbus => {
            remarks.error(
                origin,
                "Type=forking and Type=dbus are not supported: \
                 use simple, exec, notify or oneshot",
            );
            Kind::Exec
        }
    }
}

fn restart(restart: effective::Restart) -> Restart {
    match restart {
        effective::Restart::No => Restart::No,
        effective::Restart::OnSuccess => Restart::OnSuccess,
        effective::Restart::OnFailure => Restart::OnFailure,
        effective::Restart::OnAbnormal => Restart::OnAbnormal,
        effective::Restart::OnWatchdog => Restart::OnWatchdog,
        effective::Restart::OnAbort => Restart::OnAbort,
        effective::Restart::Always => Restart::Always,
    }
}

/// systemd takes the shell of the user; which one that is podseal does not ask.
fn shells(view: &effective::Service, remarks: &mut Remarks) {
    let commands = view.commands.values().flatten();
    for command in commands.filter(|command| command.value.prefixes.via_shell) {
        remarks.error(
            Some(&command.origin),
            "the prefix | is not supported: write /bin/sh -c and the command in quotes",
        );
    }
}

fn command(located: &Located<ExecCommand>) -> Command {
    let command = &located.value;
    Command {
        program: command.path.clone(),
        arguments: command.argv.clone(),
        ignore_failure: command.prefixes.ignore_failure,
        expand: !command.prefixes.no_env_expand,
        // `!` and `!!` are about User=, which is refused.
        unrestricted: command.prefixes.privileges == ExecPrivileges::Full,
    }
}

/// What the unit restricts. Where it restricts families it gets the whole
/// level: what RestrictAddressFamilies= alone leaves open would make the
/// restriction a matter of good will.
fn seal(sandbox: &Sandbox, settings: &[MergedSetting], remarks: &mut Remarks) -> Option<Seal> {
    let origin = |key: &str| -> Option<&Origin> {
        let mut all = settings.iter().rev();
        all.find(|s| s.key == key).map(|setting| &setting.origin)
    };
    let native = match sandbox.syscall_architectures.as_slice() {
        [] => false,
        [word] if word == "native" => true,
        _ => {
            remarks.error(
                origin("SystemCallArchitectures"),
                "SystemCallArchitectures= of other architectures is not supported: \
                 use native alone",
            );
            true
        }
    };
    let filters = settings.iter().filter(|s| s.key == "SystemCallFilter");
    let filters: Vec<&MergedSetting> = filters.collect();
    let begin = filters.iter().rposition(|s| s.value.is_empty());
    let in_effect = &filters[begin.map_or(0, |index| index + 1)..];
    for filter in in_effect.iter().filter(|s| !is_io_uring_only(&s.value)) {
        remarks.error(
            Some(&filter.origin),
            "this SystemCallFilter= is not supported: only io_uring can be refused, as in \
             ~io_uring_setup io_uring_enter io_uring_register",
        );
    }
    if let Some(families) = families(sandbox) {
        if sandbox.families.divergent {
            remarks.warning(
                origin("RestrictAddressFamilies"),
                format!(
                    "systemd before version 261 reads RestrictAddressFamilies= otherwise than \
                     from then on; what both allow counts: {families}"
                ),
            );
        }
        return Some(Seal::of_families(families));
    }
    let no_io_uring = !in_effect.is_empty();
    (sandbox.no_new_privileges || native || no_io_uring).then(|| Seal {
        without: Without {
            families: true,
            abi: !native,
            io_uring: !no_io_uring,
        },
        ..Seal::of_families(FamilySet::default())
    })
}

/// The families that both readings of the lines allow, as a list of those that
/// are allowed; none where nothing is restricted.
fn families(sandbox: &Sandbox) -> Option<FamilySet> {
    let (old, new) = (&sandbox.families.le_v260, &sandbox.families.ge_v261);
    let restricted = [old, new]
        .iter()
        .any(|f| f.mode != FilterMode::Unrestricted);
    restricted.then(|| {
        let all = FAMILIES
            .iter()
            .filter_map(|row| Family::from_name(row.name));
        all.filter(|family| old.permits(*family) && new.permits(*family))
            .collect()
    })
}

fn working_directory(
    setting: Option<&MergedSetting>,
    context: &Context,
    remarks: &mut Remarks,
) -> Optional {
    let default = Optional {
        path: context.working_directory.clone(),
        may_be_missing: true,
    };
    let Some(setting) = setting.filter(|s| !s.value.is_empty()) else {
        return default;
    };
    let mut directory = Optional::parse(&setting.value);
    if directory.path == "~" {
        directory.path = context.home.clone().unwrap_or_else(|| "/".to_owned());
    }
    if !directory.path.starts_with('/') || directory.path.contains('%') {
        remarks.error(
            Some(&setting.origin),
            format!(
                "WorkingDirectory={} is not an absolute path without specifiers",
                setting.value
            ),
        );
    }
    directory
}
