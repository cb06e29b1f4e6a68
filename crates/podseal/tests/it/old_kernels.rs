//! Kernels with an older Landlock, played by strace(1), which has each process
//! hear of another ABI than the kernel's.

use std::process::Command;

use crate::account::lacking_here;
use crate::fixture::{Place, output};

/// `command` on a kernel with this ABI. None without strace, which is said. A
/// kernel with ABI 4 or newer would be asked for rules, which cannot be played.
fn with_abi(abi: u32, place: &Place, arguments: &[&str]) -> Option<Command> {
    if Command::new("strace").arg("-V").output().is_err() {
        lacking_here("kernels with an older Landlock", "there is no strace");
        return None;
    }
    let mut command = place.program("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e"]);
    command.arg(format!("inject=landlock_create_ruleset:retval={abi}"));
    command.arg(place.podseal()).args(arguments);
    Some(command)
}

#[test]
fn what_level_standard_lacks_there_is_named() {
    let place = Place::new();
    for (abi, lacks) in [
        (1, "\"no TCP connections out\": Landlock ABI 4 (Linux 6.7)"),
        (2, "\"no TCP connections out\": Landlock ABI 4 (Linux 6.7)"),
        (3, "\"no TCP connections out\": Landlock ABI 4 (Linux 6.7)"),
        (4, "Landlock ABI 6 (Linux 6.12)"),
        (5, "Landlock ABI 6 (Linux 6.12)"),
    ] {
        let enter = |options: &[&str]| {
            let words = [&["enter"], options, &["--", "echo", "started"]].concat();
            Some(output(&mut with_abi(abi, &place, &words)?))
        };
        let Some(refused) = enter(&[]) else {
            return;
        };
        refused.expect(228, &["lacks what level standard needs", lacks]);
        assert_eq!(refused.stdout, "", "ABI {abi}: {refused:?}");
        if abi < 4 {
            let less = enter(&["--best-effort"]).unwrap();
            less.expect(0, &["warning: sealed without"]);
            let warnings = less.stderr.matches("warning: sealed without").count();
            assert_eq!(warnings, 4, "ABI {abi}: {less:?}");
        }
    }
}
