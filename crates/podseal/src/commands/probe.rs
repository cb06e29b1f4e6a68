//! `podseal probe`

use std::os::fd::AsFd;

use podseal_runtime::probe::{self, Victim};
use podseal_sys::listen_fds::listen_fds;

use crate::cli::Probe;
use crate::{exit, output};

pub(super) fn run(arguments: &Probe) -> u8 {
    let victim = arguments
        .victim
        .zip(arguments.token.clone())
        .map(|(address, token)| Victim { address, token });
    let sockets = if victim.is_some() {
        match listen_fds() {
            Ok(sockets) => sockets,
            Err(error) => {
                output::error(&error, Some("a victim needs a socket to reach it with"));
                return exit::FAILURE;
            }
        }
    } else {
        Vec::new()
    };
    let handed = sockets.first().map(|socket| socket.fd.as_fd());
    let report = probe::run(handed, victim.as_ref());
    output::json(&report)
}
