//! `podseal enter`

use podseal_core::policy::mechanism::Mechanism;
use podseal_core::policy::seal::{Seal, Without};
use podseal_runtime::seal::{self, Launch};

use crate::cli::{self, Enter, Join};
use crate::output;

pub(super) fn run(arguments: Enter) -> u8 {
    let leaves_out = |what| arguments.without.contains(&what);
    let without = Without {
        families: leaves_out(cli::Without::Families),
        abi: leaves_out(cli::Without::Abi),
        io_uring: leaves_out(cli::Without::IoUring),
    };
    let launch = Launch {
        seal: Seal {
            without,
            ..arguments.seal.into()
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
    let mut warn = |mechanism: &Mechanism| {
        output::warning(format_args!(
            "sealed without \"{}\", which this kernel lacks",
            mechanism.title
        ));
    };
    match seal::enter(&launch, &mut warn) {
        Ok(never) => match never {},
        Err(error) => {
            output::error_line(&error, error.hint().as_deref());
            error.exit_status()
        }
    }
}
