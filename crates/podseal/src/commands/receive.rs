//! `podseal receive`

use podseal_runtime::receive;

use crate::cli::Receive;
use crate::{exit, output};

pub(super) fn run(arguments: &Receive) -> u8 {
    match receive::receive(&arguments.socket, &arguments.command) {
        Ok(exit) => exit::of(exit),
        Err(error) => {
            output::error(&error, None);
            exit::FAILURE
        }
    }
}
