//! Exit statuses, in one place.
//!
//! Beyond these, `podseal enter` ends with systemd's own status of the step
//! that failed (200 to 232, "Process Exit Codes" in systemd.exec(5)) or, once
//! it has become the command, with the command's.

use std::process::ExitCode;

use podseal_core::lifecycle::Exit;

/// What was asked for was done.
pub(crate) const SUCCESS: u8 = 0;
/// It was not: an error, a finding, a service that was given up.
pub(crate) const FAILURE: u8 = 1;
/// The command line was wrong; nothing was done.
pub(crate) const USAGE: u8 = 2;

/// `podseal check`, `podseal doctor` or `podseal explain` could not look at something that its
/// answer rests on.
pub(crate) const NOT_LOOKED: u8 = 2;

/// `podseal status`: a unit is not active, as of systemctl(1).
pub(crate) const NOT_ACTIVE: u8 = 3;
/// `podseal status`: there is no such unit, as of systemctl(1).
pub(crate) const NO_SUCH_UNIT: u8 = 4;

/// `podseal verify` found nothing open, but could not try everything that is
/// promised.
pub(crate) const INCONCLUSIVE: u8 = 3;

/// That of a command that has ended, passed on.
pub(crate) fn of(ended: Exit) -> u8 {
    match ended {
        Exit::Code(code) => u8::try_from(code).unwrap_or(FAILURE),
        Exit::Signal(signal) => u8::try_from(128 + signal).unwrap_or(FAILURE),
    }
}

/// A status for main().
pub(crate) fn code(status: u8) -> ExitCode {
    ExitCode::from(status)
}
