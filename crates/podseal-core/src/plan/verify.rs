//! Whether a service with the drop-in has everything that the drop-in sets.

use std::collections::BTreeSet;

use super::Sealing;
use super::refusal::Refusal;
use crate::family::Family;
use crate::policy::families::FamilySet;
use crate::policy::level::Level;
use crate::unit::effective::Located;
use crate::unit::effective::service::Service;
use crate::unit::exec::{ExecCommand, ExecPrivileges};
use crate::unit::families::{FamilyFilter, FilterMode};
use crate::unit::quote::without_variables;

/// What a seal consists of, by key of `[Service]`.
const PARTS: &[(&str, Level, Holds)] = &[
    ("ExecStartPre", Level::Families, guardian_is_first),
    ("RestrictAddressFamilies", Level::Families, |_, sealed| {
        let families = &sealed.sandbox.families;
        [&families.le_v260, &families.ge_v261]
            .into_iter()
            .all(allows_what_podman_needs)
    }),
    ("NoNewPrivileges", Level::Families, |_, sealed| {
        sealed.sandbox.no_new_privileges
    }),
    ("SystemCallArchitectures", Level::Families, |_, sealed| {
        sealed.sandbox.syscall_architectures == ["native"]
    }),
    ("SystemCallFilter", Level::Families, |_, sealed| {
        sealed.sandbox.syscall_filter.io_uring.allowed.is_empty()
    }),
    ("ExecStart", Level::Families, |sealing, sealed| {
        let found: Vec<ExecCommand> = values(sealed.commands_of("ExecStart"));
        found == expected_commands(sealing)
    }),
];

type Holds = fn(&Sealing<'_>, &Service) -> bool;

/// Why a service is not sealed although it has the drop-in at `path`: `sealed`
/// is the service with it. Empty where it is.
#[must_use]
pub fn undone(sealing: &Sealing<'_>, sealed: &Service, path: &str) -> Vec<Refusal> {
    let refusal = |origin, message: String, fix: &str| Refusal {
        id: "seal-undone",
        unit: sealed.unit.clone(),
        origin,
        message,
        fix: fix.to_owned(),
        edit: None,
        image: None,
    };
    if !sealed.dropins.iter().any(|dropin| dropin == path) {
        let message = format!(
            "systemd does not read {path}: a file of this name in a stronger directory hides it"
        );
        let fix = "remove or rename the other file, see \"Unit File Load Path\" in systemd.unit(5)";
        return vec![refusal(None, message, fix)];
    }
    let parts = PARTS.iter().filter(|(_, from, _)| sealing.level >= *from);
    let lost = parts.filter(|(_, _, holds)| !holds(sealing, sealed));
    lost.map(|(key, ..)| {
        let origins = sealed.origins.get(&format!("Service.{key}"));
        let mut others = origins.into_iter().flatten();
        let other = others.rfind(|origin| *origin.file != *path);
        let message = format!("{key}= is not what the seal sets");
        let fix =
            "remove the line, or let its drop-in have a name that sorts before 50-podseal.conf";
        refusal(other.cloned(), message, fix)
    })
    .collect()
}

fn allows_what_podman_needs(filter: &FamilyFilter) -> bool {
    let needed: BTreeSet<Family> = FamilySet::default().iter().collect();
    filter.mode == FilterMode::Allow && filter.set.iter().copied().eq(needed)
}

fn guardian_is_first(sealing: &Sealing<'_>, sealed: &Service) -> bool {
    if !sealing.needs_guardian() {
        return true;
    }
    let first = sealed.commands_of("ExecStartPre").first();
    first.is_some_and(|Located { value, .. }| {
        value.prefixes.privileges == ExecPrivileges::Full && value.argv == sealing.guardian()
    })
}

fn values(commands: &[Located<ExecCommand>]) -> Vec<ExecCommand> {
    commands.iter().map(|c| c.value.clone()).collect()
}

/// The service's own commands, from level standard on behind the launcher, and
/// at level strict with the options for the container.
fn expected_commands(sealing: &Sealing<'_>) -> Vec<ExecCommand> {
    let commands = sealing.service.commands_of("ExecStart");
    if sealing.level < Level::Standard {
        return values(commands);
    }
    let behind = |command: &Located<ExecCommand>| {
        let mut argv = sealing.launcher(command);
        let expands = !command.value.prefixes.no_env_expand;
        let literal = |word: &String| {
            if expands {
                without_variables(word)
            } else {
                word.clone()
            }
        };
        let mut own = command.value.argv.clone();
        if let Some(program) = own.first_mut() {
            *program = literal(program);
        }
        if let Some((at, options)) = sealing.options(&command.value) {
            own.splice(at..at, options.iter().map(literal));
        }
        argv.extend(own);
        ExecCommand {
            path: sealing.podseal.to_owned(),
            argv,
            prefixes: command.value.prefixes,
        }
    };
    commands.iter().map(behind).collect()
}
