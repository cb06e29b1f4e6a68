//! `podseal enter`

use podseal_core::policy::mechanism::Mechanism;
use podseal_runtime::seal::{self, Launch};

use crate::cli::{Enter, Join};
use crate::output;

pub(super) fn run(arguments: Enter) -> u8 {
    let launch = Launch {
        seal: arguments.seal.into(),
        join: match arguments.join {
            Join::Auto => seal::Join::Auto,
            Join::Always => seal::Join::Always,
            Join::Never => seal::Join::Never,
        },
        make_pause: arguments.make_pause,
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
