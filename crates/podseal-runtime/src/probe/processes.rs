//! Reaching another process.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use podseal_core::probe::{Outcome, ProcessFile};
use podseal_sys::attempt;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::isolated;

/// How every program begins (elf(5)).
const MAGIC: &[u8; 4] = b"\x7fELF";

pub(super) fn signal(pid: Pid) -> Outcome {
    isolated(|| Ok(rustix::process::test_kill_process(pid)?))
}

pub(super) fn trace(pid: Pid) -> Outcome {
    isolated(|| attempt::trace(pid.as_raw_nonzero().get()))
}

pub(super) fn read_memory(pid: Pid, address: usize) -> Outcome {
    isolated(|| {
        let mut bytes = [0; MAGIC.len()];
        attempt::read_memory(pid.as_raw_nonzero().get(), address, &mut bytes)?;
        is_program(bytes)
    })
}

pub(super) fn take_descriptor(pid: Pid) -> Outcome {
    isolated(|| {
        let process = pidfd_open(pid, PidfdFlags::empty())?;
        pidfd_getfd(process, 0, PidfdGetfdFlags::empty())?;
        Ok(())
    })
}

/// `address` is where the program begins in the memory.
pub(super) fn open(pid: Pid, file: ProcessFile, address: usize) -> Outcome {
    let path = format!("/proc/{}/{}", pid.as_raw_nonzero(), file.path());
    isolated(|| match file {
        ProcessFile::Memory => {
            let mut bytes = [0; MAGIC.len()];
            File::open(&path)?.read_exact_at(&mut bytes, address as u64)?;
            is_program(bytes)
        }
        ProcessFile::Network => File::open(&path).map(drop),
        ProcessFile::Root => {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            rustix::fs::open(&path, flags, Mode::empty())?;
            Ok(())
        }
    })
}

pub(super) fn new_privileges() -> Outcome {
    isolated(|| {
        if rustix::thread::no_new_privs()? {
            Err(Errno::PERM.into())
        } else {
            Ok(())
        }
    })
}

fn is_program(bytes: [u8; MAGIC.len()]) -> io::Result<()> {
    if &bytes == MAGIC {
        Ok(())
    } else {
        Err(io::ErrorKind::InvalidData.into())
    }
}
