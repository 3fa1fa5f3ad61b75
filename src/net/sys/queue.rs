//! What is kept of the ICMP messages about a socket.

use crate::net::outcome::Icmp;

/// What was in a socket's error queue.
#[derive(Clone, Copy, Debug)]
pub(in crate::net) struct Queued {
    /// The first ICMP message.
    pub(in crate::net) first: Option<Icmp>,
    /// Whether nothing is left in it.
    pub(in crate::net) empty: bool,
}
