//! A service: typed settings, defaults and systemd's own checks.
//!
//! Follows `systemd.service(5)`, `systemd.exec(5)`, `systemd.kill(5)` and
//! systemd's `service_verify()`.

mod sandbox;
mod success_action;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::dependencies::{self, Dependencies};
use super::merge::{EXEC_KEYS, ExecLines, Merged};
use super::quadlet::Quadlet;
use super::reader::{Origins, Reader};
use super::values::words;
use super::{Diagnostic, Located, Scope, Signal, VERSION};
use crate::unit::exec::{ExecCommand, simplify};
use crate::unit::name::{UnitName, UnitType};
use crate::unit::specifier::Specifiers;
use crate::unit::time_span::TimeSpan;
use crate::unit::words::Flags;

pub use sandbox::Sandbox;

words! {
    /// `Type=`.
    ServiceType {
        /// Started once forked.
        Simple = "simple",
        /// Started once executed.
        Exec = "exec",
        /// Started once the parent exits.
        Forking = "forking",
        /// Started once ended.
        Oneshot = "oneshot",
        /// Started once its bus name is taken.
        Dbus = "dbus",
        /// Started once it says so.
        Notify = "notify",
        /// As `notify`, and reloads on a signal (systemd ≥ 253).
        NotifyReload = "notify-reload",
        /// As `simple`, once no jobs wait.
        Idle = "idle",
    }
}

words! {
    /// `Restart=`: after which ends the service is started again.
    #[expect(missing_docs, reason = "the words are the manual's")]
    Restart {
        No = "no",
        OnSuccess = "on-success",
        OnFailure = "on-failure",
        OnAbnormal = "on-abnormal",
        OnWatchdog = "on-watchdog",
        OnAbort = "on-abort",
        Always = "always",
    }
}

words! {
    /// `KillMode=`: which processes are stopped.
    KillMode {
        /// All of the unit's.
        ControlGroup = "control-group",
        /// The main process.
        Process = "process",
        /// The main process asked, the rest killed.
        Mixed = "mixed",
        /// None.
        None = "none",
    }
}

words! {
    /// `NotifyAccess=`: whose notifications count.
    NotifyAccess {
        /// Nobody's.
        None = "none",
        /// The main process's.
        Main = "main",
        /// The main and control processes'.
        Exec = "exec",
        /// Every process's of the unit.
        All = "all",
    }
}

/// The effective view of a service.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Service {
    version: u32,
    kind: UnitType,
    /// Its name.
    pub unit: UnitName,
    /// Which manager reads it.
    pub scope: Scope,
    /// The path of its file.
    pub fragment: Option<String>,
    /// The paths of its drop-ins, in the order in which they count.
    pub dropins: Vec<String>,
    /// Whether systemd loads it; `diagnostics` says why not.
    pub loads: bool,
    /// `Type=`.
    pub service_type: ServiceType,
    /// The commands by key, such as `ExecStart`.
    pub commands: BTreeMap<&'static str, Vec<Located<ExecCommand>>>,
    /// What its processes may not do.
    #[serde(flatten)]
    pub sandbox: Sandbox,
    /// `Restart=`.
    pub restart: Restart,
    /// `RestartSec=`.
    pub restart_sec: TimeSpan,
    /// `TimeoutStartSec=`.
    pub timeout_start_sec: TimeSpan,
    /// `TimeoutStopSec=`.
    pub timeout_stop_sec: TimeSpan,
    /// `StartLimitIntervalSec=`.
    pub start_limit_interval_sec: TimeSpan,
    /// `StartLimitBurst=`.
    pub start_limit_burst: u32,
    /// `RemainAfterExit=`.
    pub remain_after_exit: bool,
    /// `KillMode=`.
    pub kill_mode: KillMode,
    /// `KillSignal=`.
    pub kill_signal: Signal,
    /// `NotifyAccess=`.
    pub notify_access: NotifyAccess,
    /// `Sockets=`: further sockets that it is handed.
    pub sockets: Vec<UnitName>,
    /// `FileDescriptorStoreMax=`.
    pub file_descriptor_store_max: u32,
    /// `Environment=`, the last value of each name.
    pub environment: BTreeMap<String, String>,
    /// `EnvironmentFile=`, with `-` before those that may be missing.
    pub environment_files: Vec<String>,
    /// Dependencies.
    pub dependencies: Dependencies,
    /// What Podman's generator made it of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quadlet: Option<Quadlet>,
    /// Where the values stand.
    pub origins: Origins,
    /// What systemd ignores or refuses.
    pub diagnostics: Vec<Diagnostic>,
    /// The settings it was read from, those without a field of their own
    /// included.
    #[serde(skip)]
    pub settings: Merged,
}

const SECTION: &str = "Service";
const SECOND: Duration = Duration::from_secs(1);

impl Service {
    /// Reads the settings of a merged service.
    #[must_use]
    pub fn new(mut merged: Merged, specifiers: &Specifiers<'_>, scope: Scope) -> Self {
        let mut exec_lines = merged.take_exec_lines();
        let mut reader = Reader::new(&merged, specifiers);
        let commands = commands(&mut reader, &mut exec_lines);
        let sandbox = Sandbox::read(&mut reader, scope);
        let service_type = reader.scalar(SECTION, "Type", ServiceType::from_word);
        let bus_name = reader.text(SECTION, "BusName");
        let service_type = service_type.unwrap_or_else(|| {
            if bus_name.is_some() {
                ServiceType::Dbus
            } else if commands.contains_key("ExecStart") {
                ServiceType::Simple
            } else {
                ServiceType::Oneshot
            }
        });
        let (timeout_start_sec, timeout_stop_sec) = timeouts(&mut reader, service_type);
        let notify_access = reader.scalar(SECTION, "NotifyAccess", NotifyAccess::from_word);
        let (environment, environment_files) = environment(&mut reader);
        let (start_limit_interval_sec, start_limit_burst) = reader.start_limit();

        let mut service = Self {
            version: VERSION,
            kind: UnitType::Service,
            unit: specifiers.unit.clone(),
            scope,
            fragment: Some(merged.fragment.clone()),
            dropins: merged.dropins.clone(),
            loads: true,
            service_type,
            commands,
            sandbox,
            restart: reader
                .scalar(SECTION, "Restart", Restart::from_word)
                .unwrap_or(Restart::No),
            restart_sec: reader
                .time_span(SECTION, "RestartSec")
                .unwrap_or(TimeSpan::Finite(SECOND / 10)),
            timeout_start_sec,
            timeout_stop_sec,
            start_limit_interval_sec,
            start_limit_burst,
            remain_after_exit: reader.boolean(SECTION, "RemainAfterExit") == Some(true),
            kill_mode: reader
                .scalar(SECTION, "KillMode", |word| match word {
                    "" => Ok(KillMode::ControlGroup),
                    word => KillMode::from_word(word),
                })
                .unwrap_or(KillMode::ControlGroup),
            kill_signal: reader
                .scalar(SECTION, "KillSignal", Signal::from_word)
                .unwrap_or(Signal(15)),
            notify_access: notify_access.unwrap_or(NotifyAccess::None),
            sockets: sockets(&mut reader),
            file_descriptor_store_max: reader
                .number(SECTION, "FileDescriptorStoreMax")
                .unwrap_or(0),
            environment,
            environment_files,
            dependencies: dependencies::read(&mut reader, scope),
            quadlet: None,
            origins: Origins::new(),
            diagnostics: Vec::new(),
            settings: Merged::default(),
        };
        service.imply(&mut reader);
        let ends_in_action = success_action::read(&mut reader);
        (service.origins, service.diagnostics) = reader.finish();
        service.settings = merged;
        service.verify(bus_name.is_some(), ends_in_action);
        service
    }

    /// The user other than root as whom the system's manager starts it.
    #[must_use]
    pub fn run_as(&self) -> Option<&str> {
        let user = self.sandbox.other_user();
        user.filter(|_| self.scope == Scope::System)
    }

    /// Whether Podman runs without root in it, and so needs its pause process.
    #[must_use]
    pub fn is_rootless(&self) -> bool {
        self.scope == Scope::User || self.run_as().is_some()
    }

    /// The commands of one key.
    #[must_use]
    pub fn commands_of(&self, key: &str) -> &[Located<ExecCommand>] {
        self.commands.get(key).map_or(&[], Vec::as_slice)
    }

    /// What settings mean for others.
    fn imply(&mut self, reader: &mut Reader<'_>) {
        let watchdog = reader.time_span(SECTION, "WatchdogSec");
        let is_told = matches!(
            self.service_type,
            ServiceType::Notify | ServiceType::NotifyReload
        ) || self.file_descriptor_store_max > 0
            || watchdog.is_some_and(|span| {
                !matches!(span, TimeSpan::Infinity | TimeSpan::Finite(Duration::ZERO))
            });
        if is_told && self.notify_access == NotifyAccess::None {
            self.notify_access = NotifyAccess::Main;
        }
        for socket in &self.sockets {
            self.dependencies.imply("Wants", socket);
            self.dependencies.imply("After", socket);
        }
    }

    /// What systemd checks once everything is read.
    fn verify(&mut self, has_bus_name: bool, ends_in_action: bool) {
        let starts = self.commands_of("ExecStart").len();
        let oneshot = self.service_type == ServiceType::Oneshot;
        let rules = [
            (
                starts == 0 && self.commands_of("ExecStop").is_empty() && !ends_in_action,
                "service has none of ExecStart=, ExecStop= and SuccessAction=",
            ),
            (
                starts == 0 && !oneshot,
                "service has no ExecStart=, which only Type=oneshot may lack",
            ),
            (
                starts == 0 && !self.remain_after_exit && !ends_in_action,
                "service has no ExecStart=, which only RemainAfterExit=yes or SuccessAction= may lack",
            ),
            (
                starts > 1 && !oneshot,
                "service has several ExecStart= commands, which only Type=oneshot may have",
            ),
            (
                oneshot && matches!(self.restart, Restart::Always | Restart::OnSuccess),
                "service has Restart=always or on-success, which Type=oneshot may not have",
            ),
            (
                self.service_type == ServiceType::Dbus && !has_bus_name,
                "service has Type=dbus and no BusName=",
            ),
        ];
        let broken = rules.into_iter().filter(|(broken, _)| *broken);
        self.diagnostics
            .extend(broken.map(|(_, message)| Diagnostic::of_unit(message)));
        self.loads = super::loads(&self.diagnostics);
    }
}

fn commands(
    reader: &mut Reader<'_>,
    lines: &mut ExecLines,
) -> BTreeMap<&'static str, Vec<Located<ExecCommand>>> {
    let mut commands = BTreeMap::new();
    for key in EXEC_KEYS {
        let mut of_key = Vec::new();
        for setting in reader.list(SECTION, key) {
            let Some(setting) = setting else {
                of_key.clear();
                continue;
            };
            let line = lines.take(setting);
            for problem in line.problems {
                reader.note(setting, problem);
            }
            of_key.extend(line.commands.into_iter().map(|value| Located {
                value,
                origin: setting.origin.clone(),
            }));
        }
        if !of_key.is_empty() {
            commands.insert(*key, of_key);
        }
    }
    commands
}

/// `TimeoutSec=` is both of the others; what stands last counts.
fn timeouts(reader: &mut Reader<'_>, service_type: ServiceType) -> (TimeSpan, TimeSpan) {
    let default = TimeSpan::Finite(SECOND * 90);
    let both = reader.timeout(SECTION, "TimeoutSec");
    let position = |key: &str| {
        let settings = &reader.merged.settings;
        settings
            .iter()
            .rposition(|s| s.key == key && s.section == SECTION)
    };
    let both_at = position("TimeoutSec");
    let [start_is_last, stop_is_last] =
        ["TimeoutStartSec", "TimeoutStopSec"].map(|key| position(key) > both_at);
    let start = reader.timeout(SECTION, "TimeoutStartSec");
    let stop = reader.timeout(SECTION, "TimeoutStopSec");
    let choose = |own: Option<TimeSpan>, own_is_last: bool| match (own, both) {
        (Some(own), Some(both)) => Some(if own_is_last { own } else { both }),
        (own, both) => own.or(both),
    };
    let start_default = match service_type {
        ServiceType::Oneshot => TimeSpan::Infinity,
        _ => default,
    };
    (
        choose(start, start_is_last).unwrap_or(start_default),
        choose(stop, stop_is_last).unwrap_or(default),
    )
}

/// An empty value does not reset these.
fn sockets(reader: &mut Reader<'_>) -> Vec<UnitName> {
    let flags = Flags::UNQUOTE | Flags::RETAIN_ESCAPE;
    let mut sockets = Vec::new();
    for setting in reader.merged.all(SECTION, "Sockets") {
        let names = reader.words(setting, flags, |word| match word.parse::<UnitName>() {
            Ok(name) if name.unit_type() == UnitType::Socket => Ok(name),
            _ => Err(format!("{word:?} is not the name of a socket unit")),
        });
        if !names.is_empty() {
            reader.came_from(setting);
        }
        sockets.extend(names);
    }
    sockets
}

fn environment(reader: &mut Reader<'_>) -> (BTreeMap<String, String>, Vec<String>) {
    let flags = Flags::UNQUOTE | Flags::CUNESCAPE;
    let variables = reader.word_list(SECTION, "Environment", flags, |word| {
        word.split_once('=')
            .filter(|(name, _)| is_variable_name(name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .ok_or_else(|| format!("{word:?} is not NAME=VALUE"))
    });
    let mut files = Vec::new();
    for setting in reader.list(SECTION, "EnvironmentFile") {
        let Some(setting) = setting else {
            files.clear();
            continue;
        };
        let file = reader.specifiers.expand(&setting.value);
        match file
            .map_err(|e| e.to_string())
            .and_then(|file| environment_file(&file))
        {
            Ok(file) => files.push(file),
            Err(message) => reader.ignore(setting, message),
        }
    }
    (variables.into_iter().collect(), files)
}

fn environment_file(file: &str) -> Result<String, String> {
    let (dash, path) = match file.strip_prefix('-') {
        Some(path) => ("-", path),
        None => ("", file),
    };
    // A specifier that stayed may well be an absolute path.
    if !path.starts_with(['/', '%']) {
        Err(format!("{path:?} is not an absolute path"))
    } else if path.split('/').any(|part| part == "..") {
        Err(format!("{path:?} is not a normalized path"))
    } else {
        Ok(format!("{dash}{}", simplify(path)))
    }
}

fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests;
