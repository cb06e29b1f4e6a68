//! The connections that wait on a service's sockets.

use podseal_core::explain::case::Facts;
use podseal_core::socket_address::SocketAddress;

use crate::live::sockets::Tables;

/// Notes of stream sockets, with whether they are open, how many connections wait
/// on them, or that somebody else listens there. None wait for long where others
/// are accepted.
pub(super) fn look(addresses: impl Iterator<Item = (SocketAddress, bool)>, facts: &mut Facts) {
    let mut tables = Tables::default();
    let mut waiting = Vec::new();
    let mut taken = Vec::new();
    for (address, is_open) in addresses {
        let Some(queue) = tables.queue(&address) else {
            continue;
        };
        if !is_open {
            taken.push(address.to_string());
        } else if queue.waiting > 0 && !queue.accepts {
            waiting.push((address.to_string(), queue.waiting));
        }
    }
    facts.waiting = Some(waiting);
    facts.taken = Some(taken);
}
