//! `podseal enter`

use podseal_runtime::seal::{self, Launch};

use crate::cli::{Enter, Join, Level};
use crate::output;

pub(super) fn run(arguments: Enter) -> u8 {
    let Level::Families = arguments.seal.level;
    let launch = Launch {
        families: arguments.seal.families,
        join: match arguments.join {
            Join::Auto => seal::Join::Auto,
            Join::Always => seal::Join::Always,
            Join::Never => seal::Join::Never,
        },
        make_pause: arguments.make_pause,
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
