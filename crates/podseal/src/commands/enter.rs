//! `podseal enter`

use podseal_core::policy::restrictions::Restrictions;
use podseal_runtime::seal::{self, Launch};

use crate::cli::{Enter, Join, Level, Without};
use crate::output;

pub(super) fn run(arguments: Enter) -> u8 {
    let Level::Families = arguments.seal.level;
    let has = |what| !arguments.without.contains(&what);
    let launch = Launch {
        restrictions: Restrictions {
            families: has(Without::Families).then_some(arguments.seal.families),
            native: has(Without::Abi),
            no_io_uring: has(Without::IoUring),
        },
        join: match arguments.join {
            Join::Auto => seal::Join::Auto,
            Join::Always => seal::Join::Always,
            Join::Never => seal::Join::Never,
        },
        make_pause: arguments.make_pause,
        argv0: arguments.argv0,
        command: arguments.command,
    };
    match seal::enter(&launch) {
        Ok(never) => match never {},
        Err(error) => {
            output::error_line(&error, error.hint().as_deref());
            error.exit_status()
        }
    }
}
