//! The settings that restrict a service's processes.

use serde::Serialize;

use super::super::Scope;
use super::super::merge::Merged;
use super::super::reader::Reader;
use super::SECTION;
use crate::unit::boolean::parse_boolean;
use crate::unit::families::FilterMode::Unrestricted;
use crate::unit::families::{AddressFamilies, AddressFamiliesReader};
use crate::unit::syscalls::{SyscallFilter, SyscallFilterReader, is_architecture};
use crate::unit::words::Flags;

/// What a service's processes may not do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sandbox {
    /// `RestrictAddressFamilies=`.
    pub families: AddressFamilies,
    /// Whether `no_new_privs` is set, by `NoNewPrivileges=` or implied.
    pub no_new_privileges: bool,
    /// The settings that imply it, see `NoNewPrivileges=` in `systemd.exec(5)`.
    pub no_new_privileges_implied_by: Vec<&'static str>,
    /// `SystemCallArchitectures=`: all, where empty.
    pub syscall_architectures: Vec<String>,
    /// `SystemCallFilter=`.
    pub syscall_filter: SyscallFilter,
    /// `User=`.
    pub user: Option<String>,
}

impl Sandbox {
    /// The user other than root that `User=` names.
    #[must_use]
    pub fn other_user(&self) -> Option<&str> {
        let user = self.user.as_deref();
        user.filter(|user| !matches!(*user, "root" | "0"))
    }

    pub(super) fn read(reader: &mut Reader<'_>, scope: Scope) -> Self {
        let (families, syscall_filter) = filters(reader);
        let mut sandbox = Self {
            families,
            no_new_privileges: reader.boolean(SECTION, "NoNewPrivileges") == Some(true),
            no_new_privileges_implied_by: Vec::new(),
            syscall_architectures: architectures(reader),
            syscall_filter,
            user: reader.text(SECTION, "User"),
        };
        // With privileges the filters can be installed without it.
        if scope == Scope::User || sandbox.other_user().is_some() {
            sandbox.no_new_privileges_implied_by = sandbox.implies(reader.merged);
            sandbox.no_new_privileges |= !sandbox.no_new_privileges_implied_by.is_empty();
        }
        sandbox
    }

    fn implies(&self, merged: &Merged) -> Vec<&'static str> {
        let mut implied_by = Vec::new();
        if self.families.le_v260.mode != Unrestricted && self.families.ge_v261.mode != Unrestricted
        {
            implied_by.push("RestrictAddressFamilies");
        }
        if self.syscall_filter.mode != Unrestricted {
            implied_by.push("SystemCallFilter");
        }
        if !self.syscall_architectures.is_empty() {
            implied_by.push("SystemCallArchitectures");
        }
        let last = |key: &str| merged.last(SECTION, key).map(|s| s.value.as_str());
        let on = |key: &str| last(key).and_then(parse_boolean) == Some(true);
        let set =
            |key: &str| last(key).is_some_and(|v| !v.is_empty() && parse_boolean(v) != Some(false));
        implied_by.extend(SECCOMP_BOOLEANS.iter().filter(|key| on(key)));
        implied_by.extend(SECCOMP_LISTS.iter().filter(|key| set(key)));
        implied_by
    }
}

/// Settings that are seccomp filters: without privileges they need, and so
/// imply, `NoNewPrivileges=yes`. Booleans first, then lists.
const SECCOMP_BOOLEANS: &[&str] = &[
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "PrivateDevices",
    "ProtectClock",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "RestrictRealtime",
    "RestrictSUIDSGID",
];
const SECCOMP_LISTS: &[&str] = &["RestrictNamespaces", "SystemCallLog"];

fn filters(reader: &mut Reader<'_>) -> (AddressFamilies, SyscallFilter) {
    let mut families = AddressFamiliesReader::default();
    let mut calls = SyscallFilterReader::default();
    for setting in reader.merged.all(SECTION, "RestrictAddressFamilies") {
        for problem in families.line(&setting.value) {
            reader.note(setting, problem);
        }
    }
    for setting in reader.merged.all(SECTION, "SystemCallFilter") {
        for problem in calls.line(&setting.value) {
            reader.note(setting, problem);
        }
    }
    // Notes the places of what an empty value has not reset.
    reader.list(SECTION, "RestrictAddressFamilies");
    reader.list(SECTION, "SystemCallFilter");
    (families.finish(), calls.finish())
}

fn architectures(reader: &mut Reader<'_>) -> Vec<String> {
    let key = "SystemCallArchitectures";
    let mut found = reader.word_list(SECTION, key, Flags::UNQUOTE, |word| {
        if is_architecture(word) {
            Ok(word.to_owned())
        } else {
            Err(format!("unknown architecture {word:?} is ignored"))
        }
    });
    found.sort();
    found.dedup();
    found
}
