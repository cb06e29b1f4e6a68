//! Passing a service's output on, and keeping its last lines for explanations.

use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::lines::Lines;

/// Not more than a pipe or terminal that is ready takes without blocking
/// (`PIPE_BUF`, pipe(7)).
const CHUNK: usize = 4096;

/// One stream, from a pipe that the service's processes write to, to one of
/// this process's own.
#[derive(Debug)]
pub(super) struct Output {
    read: PipeReader,
    write: PipeWriter,
    destination: BorrowedFd<'static>,
    pending: Vec<u8>,
    /// The destination takes no more (EPIPE and the like).
    broken: bool,
    lines: Lines,
}

impl Output {
    pub(super) fn to(destination: BorrowedFd<'static>) -> io::Result<Self> {
        let (read, write) = io::pipe()?;
        Ok(Self {
            read,
            write,
            destination,
            pending: Vec::new(),
            broken: false,
            lines: Lines::default(),
        })
    }

    /// What the service's processes write to.
    pub(super) fn source(&self) -> BorrowedFd<'_> {
        self.write.as_fd()
    }

    /// What to wait for: more from the service, or room for what came. So a
    /// destination that takes nothing holds up the service, not this process.
    pub(super) fn poll(&self) -> PollFd<'_> {
        if self.pending.is_empty() {
            PollFd::new(&self.read, PollFlags::IN)
        } else {
            PollFd::from_borrowed_fd(self.destination, PollFlags::OUT)
        }
    }

    /// Moves one chunk one step, if that is possible without waiting.
    pub(super) fn advance(&mut self) -> bool {
        // Asked again: since somebody polled, all may have been drained.
        let mut fds = [self.poll()];
        if !matches!(poll(&mut fds, Some(&Timespec::default())), Ok(1..)) {
            return false;
        }
        if self.pending.is_empty() {
            self.take_in();
        } else {
            self.pass_on();
        }
        true
    }

    fn take_in(&mut self) {
        let mut chunk = [0; CHUNK];
        let Ok(count) = self.read.read(&mut chunk) else {
            return;
        };
        let chunk = &chunk[..count];
        self.lines.add(chunk);
        if !self.broken {
            self.pending.extend_from_slice(chunk);
        }
    }

    fn pass_on(&mut self) {
        match rustix::io::write(self.destination, &self.pending) {
            Ok(count) => drop(self.pending.drain(..count)),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::WOULDBLOCK) => {}
            Err(error) => {
                tracing::warn!(%error, "the service's output is dropped from now on");
                self.broken = true;
                self.pending.clear();
            }
        }
    }

    /// Passes on what is there, without waiting for more.
    pub(super) fn drain(&mut self) {
        while self.advance() {}
    }

    /// The last lines of what was written.
    pub(super) fn lines(&self) -> &Lines {
        &self.lines
    }

    /// The same, and forgets them.
    pub(super) fn take_lines(&mut self) -> Lines {
        std::mem::take(&mut self.lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn nothing_to_read_never_blocks_and_lines_are_kept() {
        // A descriptor that lives as long as the test process.
        let null: &'static File = Box::leak(Box::new(File::create("/dev/null").unwrap()));
        let mut output = Output::to(null.as_fd()).unwrap();
        assert!(!output.advance(), "empty");
        rustix::io::write(output.source(), b"first\nlast").unwrap();
        output.drain();
        assert!(!output.advance(), "drained");
        let texts = |lines: &Lines| lines.all().map(|line| line.1).collect::<Vec<_>>();
        assert_eq!(texts(output.lines()), ["first", "last"]);
        assert_eq!(texts(&output.take_lines()), ["first", "last"]);
        assert!(texts(output.lines()).is_empty());
    }
}
