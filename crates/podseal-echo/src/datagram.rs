//! Datagrams: each goes back to its sender at once or not at all.

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recvfrom, send, sendto};

use crate::Served;
use crate::inherited::Inherited;

/// How many datagrams are echoed before other sockets have their turn.
const BATCH: usize = 16;

/// Echoes what waits on `socket`, after poll() found it ready.
///
/// A sender whose queue is full loses its answer: waiting for it would hold up
/// the others, and keeping it would cost memory. One limit is the kernel's: what
/// waits in the queue of a Unix sender counts against the send buffer of
/// `socket`, and if that sender is connected there is no other bound. If it does
/// not read, all answers on this socket are dropped until it does or is gone.
pub(crate) fn echo(socket: &Inherited, buffer: &mut [u8], served: &mut Served) {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    for _ in 0..BATCH {
        let received = recvfrom(socket, &mut *buffer, RecvFlags::DONTWAIT | RecvFlags::TRUNC);
        let result = match received {
            Ok((received, length, _)) if length > received => Err(Errno::MSGSIZE),
            Ok((received, _, Some(sender))) => sendto(socket, &buffer[..received], flags, &sender),
            // A Unix sender without a name; the other end of a pair, perhaps.
            Ok((received, _, None)) => send(socket, &buffer[..received], flags),
            Err(Errno::AGAIN | Errno::INTR) => return,
            // Left behind by an earlier answer, and cleared by being read.
            Err(errno) => {
                tracing::debug!(socket = socket.name, %errno, "receiving failed");
                return;
            }
        };
        match result {
            Ok(_) => served.datagrams += 1,
            Err(errno) => {
                served.dropped += 1;
                tracing::debug!(socket = socket.name, %errno, "dropped a datagram");
            }
        }
    }
}
