//! The seal of a service as a drop-in: what it says, and what it must not be
//! put on.
//!
//! [`drop_in()`] writes it for a service as it is without a seal. Whether the
//! seal holds is then judged on the service as it is with the drop-in:
//! [`refusal::of_findings`] by the rules of `podseal check`,
//! [`refusal::of_container`] by the container's own options, and
//! [`verify::undone`] by looking for each part of the seal. A drop-in with a
//! refusal is not to be written.

mod launcher;

pub mod header;
pub mod mend;
pub mod refusal;
pub mod verify;

use crate::audit::command::{Program, RUN_AS, file_name, program, words};
use crate::podman::strict;
use crate::policy::families::FamilySet;
use crate::policy::level::Level;
use crate::policy::seal::Seal;
use crate::unit::effective::Located;
use crate::unit::effective::merge::Source;
use crate::unit::effective::service::Service;
use crate::unit::exec::{ExecCommand, raw_commands};
use crate::unit::name::UnitName;
use crate::unit::quote::{quote, without_specifiers, without_variables};

use header::{Found, Header, Made};
use launcher::behind;
use refusal::{Refusal, of_commands};

/// The name of the drop-in in the directory `NAME.service.d`.
pub const DROP_IN: &str = "50-podseal.conf";

/// The name of the container's seccomp profile beside it, at level strict.
/// systemd reads only what ends in `.conf`.
pub const PROFILE: &str = "50-podseal.seccomp.json";

/// A seal for a service.
#[derive(Clone, Debug)]
pub struct Sealing<'a> {
    /// The service as it is without a seal; of a template, one of its instances.
    pub service: &'a Service,
    /// The service or template, by its own name.
    pub unit: &'a UnitName,
    /// The level.
    pub level: Level,
    /// What is given up of level standard.
    pub given_up: GivenUp,
    /// Whether the container may call connect(2) in spite of level strict.
    pub allow_connect: bool,
    /// The container's seccomp profile, for level strict.
    pub profile: Option<Profile<'a>>,
    /// The absolute path of podseal.
    pub podseal: &'a str,
}

/// What of level standard is given up: the launcher is told so, and says so each
/// time. Level families has none of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GivenUp {
    /// UDP sockets are accepted, which no level can seal.
    pub udp: bool,
    /// What the kernel does not have is done without.
    pub best_effort: bool,
}

/// A seccomp profile for a container.
#[derive(Clone, Copy, Debug)]
pub struct Profile<'a> {
    /// Its absolute path.
    pub path: &'a str,
    /// What it says.
    pub text: &'a str,
}

/// Commands whose lines a drop-in may repeat, and whose change a seal does not
/// survive unnoticed.
const COPIED: &[&str] = &["ExecStartPre", "ExecStart"];

impl Sealing<'_> {
    fn seal(&self) -> Seal {
        Seal {
            level: self.level,
            allow_udp: self.given_up.udp,
            best_effort: self.given_up.best_effort,
            allow_connect: self.allow_connect,
            ..Seal::default()
        }
    }

    /// The options for the container, and the index of the command's words at
    /// which they are put in.
    fn options(&self, command: &ExecCommand) -> Option<(usize, Vec<String>)> {
        if self.level < Level::Strict {
            return None;
        }
        let Program::Podman(podman) = program(&command.path, &words(command, |at| at)) else {
            return None;
        };
        let profile = self.profile.map_or("", |profile| profile.path);
        let options = strict::options(&self.seal().mechanisms(), profile);
        Some((podman.behind_run()?, options))
    }

    /// Whether the pause process needs a command of its own, before all others.
    /// Where the launcher is all that needs one, it asks the user's manager for it
    /// when it is missing, which spares each start a process.
    fn needs_guardian(&self) -> bool {
        let service = self.service;
        let is_launched = self.level >= Level::Standard
            && service.commands_of("ExecStart").iter().all(|command| {
                let name = file_name(&command.value.path);
                matches!(name, "podman" | "env")
            });
        let has_none = |key: &&str| service.settings.list("Service", key).is_empty();
        let asks_manager = is_launched
            && service.run_as().is_none()
            && ["ExecCondition", "ExecStartPre"].iter().all(has_none);
        service.is_rootless() && !asks_manager
    }

    /// The command that has the pause process made: with its prefix, and as
    /// systemd takes it.
    fn guardian(&self) -> Vec<String> {
        let words = [self.podseal, "pause", "ensure", "--quiet"];
        let run_as = self.service.run_as();
        let run_as = run_as.map(|user| format!("{RUN_AS}={user}"));
        words.map(str::to_owned).into_iter().chain(run_as).collect()
    }

    /// The launcher and its options, up to the command's own words.
    fn launcher(&self, command: &Located<ExecCommand>) -> Vec<String> {
        let mut words = vec![self.podseal.to_owned(), "enter".to_owned()];
        words.extend(self.seal().options());
        if self.service.is_rootless() && !self.needs_guardian() {
            words.push("--make-pause".to_owned());
        }
        // Behind env(1) the launcher does not see that it is Podman.
        if self.service.is_rootless() && file_name(&command.value.path) == "env" {
            words.push("--join=always".to_owned());
        }
        words.push("--".to_owned());
        words
    }
}

/// The text of the drop-in.
///
/// # Errors
/// The reasons for which none can be written.
pub fn drop_in(sealing: &Sealing<'_>) -> Result<String, Vec<Refusal>> {
    let refusals = of_commands(sealing);
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let mut body = String::from("[Service]\n");
    let mut line = |key: &str, value: &str| body.extend([key, "=", value, "\n"]);
    if sealing.needs_guardian() {
        let others = sealing.service.settings.list("Service", "ExecStartPre");
        if !others.is_empty() {
            line("ExecStartPre", "");
        }
        line("ExecStartPre", &guardian_line(sealing));
        for other in others {
            line("ExecStartPre", &other.value);
        }
    }
    let families = FamilySet::default().to_string();
    line("RestrictAddressFamilies", "");
    line("RestrictAddressFamilies", &families);
    line("NoNewPrivileges", "yes");
    line("SystemCallArchitectures", "");
    line("SystemCallArchitectures", "native");
    line(
        "SystemCallFilter",
        "~io_uring_setup:ENOSYS io_uring_enter:ENOSYS io_uring_register:ENOSYS",
    );
    if sealing.level >= Level::Standard {
        line("ExecStart", "");
        let commands = sealing.service.commands_of("ExecStart");
        let mut commands = commands.iter();
        for setting in sealing.service.settings.list("Service", "ExecStart") {
            // That they can be split was seen above.
            for raw in raw_commands(&setting.value).unwrap_or_default() {
                if let Some(command) = commands.next() {
                    let options = sealing.options(&command.value);
                    let options = options.as_ref().map(|(at, options)| (*at, &**options));
                    line(
                        "ExecStart",
                        &behind(&sealing.launcher(command), &raw, options),
                    );
                }
            }
        }
    }
    let header = Header {
        made: Made {
            level: sealing.level,
            given_up: match sealing.level {
                Level::Families => GivenUp::default(),
                Level::Standard | Level::Strict => sealing.given_up,
            },
            base: base(sealing.service),
            profile: sealing.profile.map(|profile| header::hash(profile.text)),
            allow_connect: sealing.seal().allows_connect(),
        },
        unit: sealing.unit.as_str(),
    };
    Ok(header.write(&body))
}

fn guardian_line(sealing: &Sealing<'_>) -> String {
    let podseal = quote(&format!("+{}", without_specifiers(sealing.podseal)));
    let line = format!("{podseal} pause ensure --quiet");
    match user_as_written(sealing.service) {
        Some(user) => {
            let word = without_variables(&format!("{RUN_AS}={user}"));
            format!("{line} {}", quote(&word))
        }
        None => line,
    }
}

/// The user of a system service with its specifiers, which mean the same in the
/// drop-in.
fn user_as_written(service: &Service) -> Option<&str> {
    service.run_as()?;
    let user = service.settings.last("Service", "User")?;
    Some(&user.value)
}

/// What a drop-in is to a service that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Podseal's, for the commands that the service has.
    Current(Made),
    /// Podseal's, for commands that have changed since.
    Stale(Made),
    /// Podseal's, and edited.
    Edited,
    /// A file that podseal did not write.
    Foreign,
}

/// Whether a drop-in of this name is the seal of a service that has it.
#[must_use]
pub fn fit(service: &Service, drop_in: &Source) -> Fit {
    match header::read(&String::from_utf8_lossy(drop_in.file.as_bytes())) {
        Found::Ours(made) if made.base == base_without(service, Some(&drop_in.path)) => {
            Fit::Current(made)
        }
        Found::Ours(made) => Fit::Stale(made),
        Found::Edited => Fit::Edited,
        Found::Foreign => Fit::Foreign,
    }
}

/// A hash of what a seal is made for: the command lines, and the user of a
/// system service. It changes when one of them does.
#[must_use]
pub fn base(service: &Service) -> u64 {
    base_without(service, None)
}

/// The same of a service that is sealed: without the drop-in at this path.
#[must_use]
pub fn base_without(service: &Service, dropin: Option<&str>) -> u64 {
    let mut text = String::new();
    for key in COPIED {
        let mut lines = Vec::new();
        for setting in service.settings.all("Service", key) {
            if Some(&*setting.origin.file) == dropin {
                continue;
            }
            if setting.value.is_empty() {
                lines.clear();
            } else {
                lines.push(format!("{key}={}\n", setting.value));
            }
        }
        text.extend(lines);
    }
    // Whose pause process the drop-in has made.
    if let Some(user) = user_as_written(service) {
        text.extend(["User=", user, "\n"]);
    }
    header::hash(&text)
}

#[cfg(test)]
mod tests;
