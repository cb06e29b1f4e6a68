//! `SuccessAction=`: what the manager does once the unit has ended well.

use super::super::reader::Reader;

/// The words of `systemd.unit(5)`. The later ones came after version 252,
/// which ignores them. To a user manager all but the first three mean
/// `exit-force`.
const ACTIONS: &[&str] = &[
    "none",
    "exit",
    "exit-force",
    "reboot",
    "reboot-force",
    "reboot-immediate",
    "poweroff",
    "poweroff-force",
    "poweroff-immediate",
    // Later ones.
    "soft-reboot",
    "soft-reboot-force",
    "kexec",
    "kexec-force",
    "halt",
    "halt-force",
    "halt-immediate",
];

/// Whether there is an action, so that a service needs no command.
pub(super) fn read(reader: &mut Reader<'_>) -> bool {
    let action = reader.scalar("Unit", "SuccessAction", |value| {
        let known = ACTIONS.iter().find(|word| **word == value);
        known.ok_or_else(|| format!("{value:?} is not an action"))
    });
    action.is_some_and(|word| *word != "none")
}
