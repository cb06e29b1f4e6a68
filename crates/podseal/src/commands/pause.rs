//! `podseal pause`

use podseal_runtime::host::User;
use podseal_runtime::pause::{self, Ensured};

use crate::{exit, output};

pub(super) fn ensure(quiet: bool, run_as: Option<&str>) -> u8 {
    if let Some(name) = run_as {
        return match pause::ensure_as(name, quiet) {
            Ok(ended) => exit::of(ended),
            Err(error) => {
                output::error(&error, error.hint().as_deref());
                exit::FAILURE
            }
        };
    }
    let user = User::current();
    if !user.is_rootless() {
        if !quiet {
            output::note("root needs no pause process");
        }
        return exit::SUCCESS;
    }
    match pause::ensure(&user) {
        Ok(ensured) => {
            if !quiet {
                let pid = ensured.process().pid.as_raw_nonzero();
                output::note(match ensured {
                    Ensured::Alive(_) => format!("Podman's pause process {pid} is running"),
                    Ensured::Made(_) => format!("started Podman's pause process {pid}"),
                });
            }
            exit::SUCCESS
        }
        Err(error) => {
            output::error(&error, Some(&error.hint()));
            exit::FAILURE
        }
    }
}
