//! A copy of a service in which the probes run: with everything that it is
//! sealed with, and another program.

use super::Place;
use super::subject::Subject;
use crate::audit::command::{RUN_AS, file_name};
use crate::podman::invocation::Invocation;
use crate::unit::exec::ExecPrivileges;
use crate::unit::quote::{quote, without_specifiers, without_variables};
use crate::unit::specifier::Specifiers;

/// Where the probe program is in the container.
const IN_CONTAINER: &str = "/podseal-verify";

/// What a copy has of its own.
#[derive(Debug, Clone, Copy)]
pub struct Own<'a> {
    /// The absolute path of podseal.
    pub podseal: &'a str,
    /// The name of its unit, without the type, and of its container.
    pub name: &'a str,
    /// The socket from which it gets the probes' sockets and its output.
    pub socket: &'a str,
    /// The program that takes the OCI runtime's place there.
    pub oci_runtime: &'a str,
    /// Where Podman, as whoever runs it, may write ids.
    pub directory: &'a str,
    /// The arguments of podseal that make the probes.
    pub probe: &'a [String],
}

/// Settings of `[Service]` that a copy does not have: what it runs and when,
/// and not what it may do. A `*` stands for the rest of a name.
const LEFT_OUT: &[&str] = &[
    // The commands, and how systemd knows that they have started or ended.
    "Exec*",
    "Type",
    "RemainAfterExit",
    "GuessMainPID",
    "PIDFile",
    "BusName",
    "BusPolicy",
    "NotifyAccess",
    "SuccessExitStatus",
    "RefreshOnReload",
    "ReloadSignal",
    "USBFunction*",
    // What becomes of it then.
    "Restart*",
    "Timeout*",
    "RuntimeMaxSec",
    "RuntimeRandomizedExtraSec",
    "Watchdog*",
    "SuccessAction",
    "FailureAction",
    "RebootArgument",
    "KillMode",
    "FinalKillSignal",
    "SendSIGKILL",
    "SendSIGHUP",
    // The sockets of the probes are handed over, and no others.
    "Sockets",
    "OpenFile",
    "FileDescriptorStore*",
    "LUOSession",
    // Its output is a pipe.
    "Standard*",
    "TTY*",
    // systemd would remove the service's own directory with the copy.
    "RuntimeDirectoryPreserve",
];

fn is_left_out(key: &str) -> bool {
    LEFT_OUT.iter().any(|row| match row.strip_suffix('*') {
        Some(beginning) => key.starts_with(beginning),
        None => key == *row,
    })
}

impl Subject<'_> {
    /// The unit file of the copy for a place.
    ///
    /// # Errors
    /// There is none, for a reason that is returned.
    pub fn unit(&self, place: Place, own: &Own<'_>) -> Result<String, String> {
        let words = self.start(place, own)?;
        let podseal = without_specifiers(own.podseal);
        let mut text = format!(
            "# Made by `podseal verify {0}`, and removed by it.\n\
             [Unit]\nDescription=Probes in a copy of {0}\nCollectMode=inactive-or-failed\n\
             StartLimitIntervalSec=0\n\
             [Service]\n",
            self.service.unit
        );
        let mut line = |key: &str, value: &str| text.extend([key, "=", value, "\n"]);
        for setting in &self.service.settings.settings {
            if setting.section == "Service" && !is_left_out(&setting.key) {
                line(&setting.key, &self.with_own_name(&setting.value));
            }
        }
        if self
            .service
            .settings
            .last("Service", "RuntimeDirectory")
            .is_some()
        {
            line("RuntimeDirectoryPreserve", "yes");
        }
        line("Type", "oneshot");
        line("TimeoutStartSec", "60");
        line("TimeoutStopSec", "10");
        if self.is_rootless() {
            let program = quote(&format!("+{podseal}"));
            let mut command = format!("{program} pause ensure --quiet");
            if let Some(user) = self.run_as() {
                let user = without_variables(&without_specifiers(user));
                command.extend([" ", &quote(&format!("{RUN_AS}={user}"))]);
            }
            line("ExecStartPre", &command);
        }
        let program = quote(&format!("{}{podseal}", self.prefix()));
        line("ExecStart", &format!("{program} {}", words.join(" ")));
        Ok(text)
    }

    /// Names of drop-ins for all services, which the unit file of a copy has in
    /// their order, and which must not count again after it.
    #[must_use]
    pub fn dropins_for_all(&self) -> Vec<&str> {
        let dropins = self.service.dropins.iter();
        dropins
            .filter_map(|path| {
                let (directory, name) = path.rsplit_once('/')?;
                (file_name(directory) == "service.d").then_some(name)
            })
            .collect()
    }

    fn prefix(&self) -> String {
        let privileges = match self.prefixes.privileges {
            ExecPrivileges::Restricted => "",
            ExecPrivileges::Full => "+",
            ExecPrivileges::NoSetuid => "!",
            ExecPrivileges::AmbientMagic => "!!",
        };
        let expands = if self.expands() { "" } else { ":" };
        format!("{privileges}{expands}")
    }

    /// The arguments of podseal in the copy's command, as they are written.
    fn start(&self, place: Place, own: &Own<'_>) -> Result<Vec<String>, String> {
        let literal = |text: &str| {
            let text = without_specifiers(text);
            quote(&if self.expands() {
                without_variables(&text)
            } else {
                text
            })
        };
        let written = |text: &String| {
            if self.has_percent {
                quote(&without_specifiers(text))
            } else {
                quote(text)
            }
        };
        let mut words: Vec<String> = ["receive", own.socket, "--"].map(literal).into();
        let before = self.words.get(..self.command).unwrap_or_default();
        words.extend(before.iter().map(written));
        match place {
            Place::Podman => {
                self.join(&mut words, before);
                words.push(literal(own.podseal));
                words.extend(own.probe.iter().map(|word| literal(word)));
                if let Some(command) =
                    self.host_network([own.podseal, own.name], &literal, &written)
                {
                    words.push("--".to_owned());
                    words.extend(command);
                }
            }
            Place::OciRuntime | Place::Container => {
                let invocation = self.run().unwrap_or_else(|| {
                    Err(format!(
                        "{} is no podman run that podseal sees",
                        self.words[self.command]
                    ))
                })?;
                // Before the image, and before the -- that may be before it.
                let image = invocation.operands.first().map_or(0, |word| word.place);
                let end = if self.words[image - 1] == "--" {
                    image - 1
                } else {
                    image
                };
                words.extend(self.words[self.command..end].iter().map(written));
                words.extend(changes(&invocation, own).iter().map(|word| literal(word)));
                if place == Place::OciRuntime {
                    words.push(literal(&format!("--runtime={}", own.oci_runtime)));
                    words.extend(self.words[end..].iter().map(written));
                } else {
                    let volume = format!("--volume={}:{IN_CONTAINER}:ro", own.podseal);
                    let entry_point = format!("--entrypoint={IN_CONTAINER}");
                    words.extend([volume, entry_point].map(|word| literal(&word)));
                    words.extend(self.words[end..=image].iter().map(written));
                    words.extend(own.probe.iter().map(|word| literal(word)));
                }
            }
        }
        Ok(words)
    }

    /// A Podman command that runs the probe program in the service's image and
    /// the host's network; for the control, as plain words. None where the
    /// service runs no container.
    #[must_use]
    pub fn host_network_command(&self, podseal: &str, name: &str) -> Option<Vec<String>> {
        self.host_network([podseal, name], &str::to_owned, &String::clone)
    }

    fn host_network(
        &self,
        [podseal, name]: [&str; 2],
        literal: &dyn Fn(&str) -> String,
        written: &dyn Fn(&String) -> String,
    ) -> Option<Vec<String>> {
        let invocation = self.run()?.ok()?;
        let verb = invocation.before_options.as_ref()?.place;
        let image = invocation.operands.first()?.place;
        let mut words: Vec<String> = self
            .words
            .get(self.command..=verb)?
            .iter()
            .map(written)
            .collect();
        let name = format!("--name={name}");
        let volume = format!("--volume={podseal}:{IN_CONTAINER}:ro");
        let entry_point = format!("--entrypoint={IN_CONTAINER}");
        let always = ["--network=host", "--pull=never", "--rm", "--replace"];
        let more = ["--log-driver=none", "--no-healthcheck"];
        let own_words = [&name, &volume, &entry_point].map(String::as_str);
        words.extend(always.into_iter().chain(more).chain(own_words).map(literal));
        // What a container needs on some hosts to start at all.
        let needed = invocation.options.iter().filter(|option| {
            let is_needed = ["cgroups", "ulimit"].contains(&option.name);
            is_needed && option.word.place > verb
        });
        words.extend(needed.filter_map(|option| {
            let value = option.value.as_deref()?;
            Some(written(&format!("--{}={value}", option.name)))
        }));
        words.push(written(self.words.get(image)?));
        Some(words)
    }

    /// Has the launcher join Podman's namespaces as it does for Podman.
    fn join(&self, words: &mut Vec<String>, before: &[String]) {
        let is_direct = before.get(1).is_some_and(|word| word == "enter")
            && !before
                .iter()
                .any(|word| word == "env" || word.ends_with("/env"));
        let says = before.iter().any(|word| word.starts_with("--join"));
        if self.is_rootless() && self.podman().is_some() && is_direct && !says {
            // receive, its socket, --, podseal, enter
            words.insert(5, "--join=always".to_owned());
        }
    }

    /// A value in which what stands for the unit's own name is that name.
    fn with_own_name(&self, value: &str) -> String {
        let specifiers = Specifiers {
            unit: &self.service.unit,
            fragment: self.service.fragment.as_deref(),
            host: &std::collections::BTreeMap::new(),
        };
        let mut text = String::with_capacity(value.len());
        let mut chars = value.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                text.push(c);
                continue;
            }
            let Some(letter) = chars.next() else {
                text.push('%');
                break;
            };
            let specifier = format!("%{letter}");
            let is_own = "nNpPiIjJfyY".contains(letter);
            match specifiers.expand(&specifier) {
                Ok(own) if is_own => text.push_str(&without_specifiers(&own)),
                _ => text.push_str(&specifier),
            }
        }
        text
    }
}

/// What a copy of a container has of its own; of options that are given twice
/// Podman takes the last. None of these is about what the container may do.
fn changes(invocation: &Invocation<usize>, own: &Own<'_>) -> Vec<String> {
    let Own {
        name, directory, ..
    } = own;
    let mut options: Vec<String> = vec![format!("--name={name}")];
    let always = [
        "--replace=false",
        "--rm=true",
        "--restart=no",
        "--detach=false",
        "--interactive=false",
        "--tty=false",
        "--sdnotify=ignore",
        "--log-driver=none",
        "--stop-timeout=0",
    ];
    options.extend(always.map(str::to_owned));
    let has = |option: &str| invocation.all(option).next().is_some();
    for option in ["cidfile", "conmon-pidfile", "pidfile"] {
        if has(option) {
            options.push(format!("--{option}={directory}/{name}.{option}"));
        }
    }
    let switches = [
        ("init", "--init=false"),
        ("rmi", "--rmi=false"),
        ("health-on-failure", "--health-on-failure=none"),
        ("health-startup-cmd", "--health-startup-cmd="),
    ];
    let given = switches.iter().filter(|(option, _)| has(option));
    options.extend(given.map(|(_, switch)| (*switch).to_owned()));
    // A check is run by a timer that Podman has systemd make.
    if has("health-cmd") {
        options.push("--health-cmd=none".to_owned());
    } else if !has("no-healthcheck") {
        options.push("--no-healthcheck".to_owned());
    }
    options
}

/// The program that takes the OCI runtime's place: where that would make the
/// container it makes the probes, with sockets of these names, which write to
/// `report`, and fails.
#[must_use]
pub fn oci_runtime(own: &Own<'_>, sockets: &[&str], report: &str) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let words = std::iter::once(own.podseal).chain(own.probe.iter().map(String::as_str));
    let command: Vec<String> = words.map(quoted).collect();
    let report = quoted(report);
    let names = quoted(&sockets.join(":"));
    // The sockets have their numbers here already; that they are there is told
    // to process 1 of the container only.
    format!(
        "#!/bin/sh\n\
         # Made by podseal verify.\n\
         for word do\n\
         \x20   if [ \"$word\" = create ]; then\n\
         \x20       LISTEN_PID=$$ LISTEN_FDS={} LISTEN_FDNAMES={names}\n\
         \x20       export LISTEN_PID LISTEN_FDS LISTEN_FDNAMES\n\
         \x20       exec {} >{report}\n\
         \x20   fi\n\
         done\n\
         exit 1\n",
        sockets.len(),
        command.join(" ")
    )
}
