//! FreeBSD and its relatives: as macOS, but connections to different addresses share source ports, and
//! a soft limit of descriptors goes up to the hard one.

use super::unix;
use crate::net::budget::{FlowTable, Memory, SourcePorts};

pub(in crate::net) use super::berkeley::{ErrorQueue, connect, open};
pub(in crate::net) use super::unix::descriptor_limit;

pub(in crate::net) const REUSE: bool = false;
pub(in crate::net) const REARM: bool = false;

/// See [`crate::net::raise_descriptor_limit`].
pub(in crate::net) fn raise_descriptor_limit(wanted: usize) -> usize {
    unix::raise_descriptor_limit(wanted, usize::MAX)
}

/// Descriptors that this process may still open. A FreeBSD without fdescfs lists three; then a
/// shortage shows as EMFILE, which the scanner lives with.
pub(in crate::net) fn descriptors_left() -> usize {
    descriptor_limit().saturating_sub(unix::open_descriptors("/dev/fd"))
}

/// Not told without unsafe calls.
pub(in crate::net) fn free_memory() -> Option<Memory> {
    None
}

/// Not told without unsafe calls.
pub(in crate::net) fn source_ports() -> Option<SourcePorts> {
    None
}

/// Not told to ordinary users.
pub(in crate::net) fn flow_table() -> Option<FlowTable> {
    None
}
