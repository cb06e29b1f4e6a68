//! `podseal probe`

use std::os::fd::AsFd;

use podseal_runtime::probe::{self, Outside, Sacrifice};
use podseal_runtime::proof;
use podseal_sys::listen_fds::{ListenFdsError, listen_fds};
use rustix::process::Pid;

use crate::cli::Probe;
use crate::{exit, output};

pub(super) fn run(arguments: Probe) -> u8 {
    if arguments.list_files {
        let lines = proof::known().into_iter().map(|file| format!("{file}\n"));
        return output::text(&lines.collect::<String>());
    }
    let sockets = match listen_fds() {
        Ok(sockets) => sockets,
        Err(ListenFdsError::NotActivated { .. }) => Vec::new(),
        Err(error) => {
            output::error(&error, None);
            return exit::FAILURE;
        }
    };
    let sacrifices: Vec<Sacrifice<'_>> = sockets
        .iter()
        .map(|socket| Sacrifice {
            id: &socket.name,
            socket: socket.fd.as_fd(),
        })
        .collect();
    let outside = Outside {
        ipv4: arguments.victim,
        ipv6: arguments.victim_ipv6,
        process: arguments.victim_process.and_then(Pid::from_raw),
        datagram: arguments.victim_datagram,
        memory: arguments.victim_memory,
        abstract_socket: arguments.victim_abstract,
        files: arguments.file,
        token: arguments.token.unwrap_or_default(),
        host_network: arguments.host_network,
    };
    output::json(&probe::run(&sacrifices, &outside))
}
