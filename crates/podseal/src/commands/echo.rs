//! `podseal echo`

use std::os::fd::AsFd;

use podseal_echo::{Options, serve};
use podseal_runtime::signals;
use podseal_sys::listen_fds::{ListenFdsError, listen_fds};

use crate::cli::Echo;
use crate::{exit, output};

pub(super) fn run(arguments: &Echo) -> u8 {
    let sockets = match listen_fds() {
        Ok(sockets) => sockets,
        Err(error) => {
            let hint = matches!(error, ListenFdsError::NotActivated { .. }).then_some(
                "it serves only sockets it is handed; try: \
                 podseal run --listen 127.0.0.1:8080 -- podseal echo",
            );
            output::error(&error, hint);
            return exit::FAILURE;
        }
    };
    let end_wanted = match signals::any_end_wanted() {
        Ok(end_wanted) => end_wanted,
        Err(error) => {
            output::error(&error, None);
            return exit::FAILURE;
        }
    };
    let options = Options {
        notify: arguments.sdnotify,
        start_sleep: arguments.start_sleep,
        ..Options::default()
    };
    match serve(sockets, &options, Some(end_wanted.as_fd())) {
        Ok(served) => {
            tracing::debug!(
                served.connections,
                served.datagrams,
                served.dropped,
                "served"
            );
            exit::SUCCESS
        }
        Err(error) => {
            output::error(&error, None);
            exit::FAILURE
        }
    }
}
