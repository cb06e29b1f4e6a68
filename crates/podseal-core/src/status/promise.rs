//! What a service's files say of its seal.

use super::facts::{DropIn, DropInState, Promise};
use crate::policy::families::FamilySet;
use crate::policy::level::Level;
use crate::policy::mechanism::{
    self, FAMILIES, Mechanism, NATIVE_ABI, NO_IO_URING, NO_NEW_PRIVILEGES, Need,
};
use crate::policy::seal::Seal;
use crate::unit::effective::Located;
use crate::unit::effective::service::Service;
use crate::unit::exec::{ExecCommand, ExecPrivileges};
use crate::unit::families::{FamilyFilter, FilterMode};

impl Promise {
    /// What the files of a service say, and its drop-in.
    #[must_use]
    pub fn of_service(service: &Service, drop_in: Option<DropIn>) -> Self {
        let mut promise = Self {
            drop_in,
            ..Self::default()
        };
        let commands = service.commands_of("ExecStart");
        let outside = |command: &Located<ExecCommand>| {
            command.value.prefixes.privileges == ExecPrivileges::Full
        };
        if !service.loads || commands.is_empty() || commands.iter().any(outside) {
            return promise;
        }
        let sandbox = &service.sandbox;
        let parts = [
            (
                &FAMILIES,
                "RestrictAddressFamilies",
                is_local(&sandbox.families.le_v260) && is_local(&sandbox.families.ge_v261),
            ),
            (
                &NATIVE_ABI,
                "SystemCallArchitectures",
                sandbox.syscall_architectures == ["native"],
            ),
            (
                &NO_IO_URING,
                "SystemCallFilter",
                sandbox.syscall_filter.io_uring.allowed.is_empty(),
            ),
            (
                &NO_NEW_PRIVILEGES,
                "NoNewPrivileges",
                sandbox.no_new_privileges,
            ),
        ];
        for (mechanism, key, _) in parts.iter().filter(|(_, _, holds)| *holds) {
            promise.add(mechanism);
            promise.directives.push(key);
            // systemd makes a filter of its own of each.
            promise.filters += u32::from(mechanism.need == Need::Seccomp);
        }
        if let Some(seals) = launchers(commands) {
            let by_drop_in = promise.commands_are_the_drop_ins(service);
            for seal in &seals {
                promise.give_up(seal);
            }
            let common = seals.first().into_iter().flat_map(sure);
            let common = common
                .filter(|part| {
                    seals
                        .iter()
                        .all(|seal| sure(seal).any(|sure| sure == *part))
                })
                .filter(|part| part.need != Need::Container || by_drop_in);
            for mechanism in common {
                promise.add(mechanism);
            }
            promise.directives.push("ExecStart");
            promise.filters += 1;
        }
        promise
    }

    /// Whether all commands are those that podseal wrote for level strict, with
    /// the container's options in them.
    fn commands_are_the_drop_ins(&self, service: &Service) -> bool {
        let Some(drop_in) = &self.drop_in else {
            return false;
        };
        let mut commands = service.commands_of("ExecStart").iter();
        drop_in.state == DropInState::Current
            && drop_in.level >= Some(Level::Strict)
            && commands.all(|command| *command.origin.file == *drop_in.path)
    }

    /// What a supervisor has started.
    #[must_use]
    pub fn of_seal(seal: Option<&Seal>) -> Self {
        let mut promise = Self::default();
        if let Some(seal) = seal {
            for mechanism in sure(seal) {
                promise.add(mechanism);
            }
            promise.give_up(seal);
            promise.filters = 1;
        }
        promise
    }

    /// What a supervisor says of what it started: the names of mechanisms, and of
    /// those that were given up.
    #[must_use]
    pub fn told(mechanisms: &[String], given_up: &[String]) -> Self {
        let known = |told: &[String]| {
            let known = mechanism::MECHANISMS.iter();
            let known = known.filter(|known| told.iter().any(|told| told == known.id));
            known.map(|mechanism| mechanism.id).collect()
        };
        Self {
            mechanisms: known(mechanisms),
            given_up: known(given_up),
            filters: u32::from(!mechanisms.is_empty()),
            ..Self::default()
        }
    }

    fn add(&mut self, mechanism: &Mechanism) {
        if !self.mechanisms.contains(&mechanism.id) {
            self.mechanisms.push(mechanism.id);
        }
    }

    /// Notes what a seal lets be, and nothing else has.
    fn give_up(&mut self, seal: &Seal) {
        for part in mechanism::of(seal.level).filter(|part| part.is_required) {
            let is_there = self.mechanisms.contains(&part.id) || self.given_up.contains(&part.id);
            if !is_there && !sure(seal).any(|sure| sure == part) {
                self.given_up.push(part.id);
            }
        }
    }

    /// The strongest level whose every part is there.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        let holds = |level: &Level| self.lacking(*level).is_empty();
        Level::ALL.into_iter().rfind(holds)
    }

    /// The parts of a level that are not there.
    #[must_use]
    pub fn lacking(&self, level: Level) -> Vec<&'static str> {
        mechanism::of(level)
            .filter(|part| part.is_required && !self.mechanisms.contains(&part.id))
            .map(|part| part.id)
            .collect()
    }

    /// Whether it keeps internet sockets away at all.
    #[must_use]
    pub fn restricts_families(&self) -> bool {
        self.mechanisms.contains(&FAMILIES.id)
    }
}

/// Whether only families are left that Podman needs, or fewer.
fn is_local(filter: &FamilyFilter) -> bool {
    let local = FamilySet::default();
    filter.mode == FilterMode::Allow && filter.set.iter().all(|family| local.contains(*family))
}

/// What a seal certainly has: with best effort, the kernel may lack Landlock.
fn sure(seal: &Seal) -> impl Iterator<Item = &'static Mechanism> {
    let is_local = seal.wider_families() == FamilySet::none();
    let best_effort = seal.best_effort;
    seal.mechanisms().into_iter().filter(move |mechanism| {
        let is_wide = !is_local && **mechanism == FAMILIES;
        let may_lack = best_effort && matches!(mechanism.need, Need::Landlock(_));
        mechanism.is_required && !is_wide && !may_lack
    })
}

/// What the launchers of all commands are asked for; none where a command has
/// none.
fn launchers(commands: &[Located<ExecCommand>]) -> Option<Vec<Seal>> {
    let commands = commands.iter();
    let seals = commands.map(|command| launcher(&command.value.argv, &command.value.path));
    seals.collect()
}

/// The seal that a launcher is asked for. None where it is none, or where an
/// option is not understood.
fn launcher(argv: &[String], path: &str) -> Option<Seal> {
    let [_, verb, options @ ..] = argv else {
        return None;
    };
    if path.rsplit('/').next() != Some("podseal") || verb != "enter" {
        return None;
    }
    let mut seal = Seal::default();
    let mut words = options.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            return Some(seal);
        }
        if !word.starts_with('-') {
            return Some(seal);
        }
        let (name, mut value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word.as_str(), None),
        };
        if matches!(name, "--level" | "--families" | "--join" | "--argv0") && value.is_none() {
            value = words.next().map(String::as_str);
        }
        match (name, value) {
            ("--level", Some(level)) => {
                seal.level = Level::ALL.into_iter().find(|l| l.to_string() == level)?;
            }
            ("--families", Some(families)) => seal.families = FamilySet::parse(families).ok()?,
            ("--best-effort", None) => seal.best_effort = true,
            ("--allow-connect", None) => seal.allow_connect = true,
            ("--join" | "--argv0", Some(_)) | ("--make-pause" | "--allow-udp", None) => {}
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn launchers() {
        let standard = Some(Level::Standard);
        let families = Some(Level::Families);
        for (line, level) in [
            ("/usr/bin/podseal enter -- podman run", standard),
            ("/usr/bin/podseal enter podman run", standard),
            (
                "/usr/bin/podseal enter --level families -- podman run",
                families,
            ),
            (
                "/usr/bin/podseal enter --level=standard --join=always -- podman run",
                standard,
            ),
            (
                "/usr/bin/podseal enter --level=standard --best-effort -- podman run",
                families,
            ),
            (
                "/usr/bin/podseal enter --families=AF_INET -- podman run",
                None,
            ),
            ("/usr/bin/podseal enter --without=abi -- podman run", None),
            ("/usr/bin/podseal enter --unheard-of -- podman run", None),
            ("/usr/bin/podseal enter --level=strong -- podman run", None),
            ("/usr/bin/podseal enter --level=standard", None),
            ("/usr/bin/podseal pause ensure", None),
            ("/usr/bin/podman run", None),
        ] {
            let argv = words(line);
            let seal = launcher(&argv, &argv[0]);
            let promise = Promise::of_seal(seal.as_ref());
            assert_eq!(promise.level(), level, "{line}");
        }
    }

    #[test]
    fn what_a_level_lacks() {
        let promise = Promise {
            mechanisms: vec![FAMILIES.id, NO_NEW_PRIVILEGES.id],
            ..Promise::default()
        };
        assert_eq!(promise.level(), None);
        assert_eq!(
            promise.lacking(Level::Families),
            [NATIVE_ABI.id, NO_IO_URING.id]
        );
        assert!(promise.restricts_families());
    }
}
