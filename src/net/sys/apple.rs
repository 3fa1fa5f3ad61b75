//! macOS and its relatives.
//!
//! TCP there takes the ICMP codes 9, 10 and 13 (administratively prohibited) for a refusal, as it does
//! 2 and 3; others are kept as soft errors and come to light, if ever, when the attempt is given up.
//! TTL exceeded ends it at once with EHOSTUNREACH (xnu `tcp_ctlinput`, `inetctlerrmap`). A socket whose
//! attempt failed cannot be connected again. kqueue reports a failed attempt as writable with EV_EOF,
//! and so as any other event.

use super::unix;
use crate::net::budget::{FlowTable, Memory, SourcePorts};

pub(in crate::net) use super::berkeley::{ErrorQueue, connect, open};
pub(in crate::net) use super::unix::descriptor_limit;

pub(in crate::net) const REUSE: bool = false;
pub(in crate::net) const REARM: bool = false;

/// A soft limit above this (OPEN_MAX, sys/syslimits.h) is refused even if the hard limit is
/// "unlimited". The limit is 256 unless the user raised it.
const OPEN_MAX: usize = 10_240;

/// Each connection has a port of its own, of 49152 to 65535 (`in_pcbbind`), those in TIME_WAIT
/// included; without one, connect() says EADDRNOTAVAIL.
const PORTS: u32 = 16_384;

/// See [`crate::net::raise_descriptor_limit`].
pub(in crate::net) fn raise_descriptor_limit(wanted: usize) -> usize {
    unix::raise_descriptor_limit(wanted, OPEN_MAX)
}

/// Descriptors that this process may still open.
pub(in crate::net) fn descriptors_left() -> usize {
    descriptor_limit().saturating_sub(unix::open_descriptors("/dev/fd"))
}

/// Not told without unsafe calls.
pub(in crate::net) fn free_memory() -> Option<Memory> {
    None
}

/// Those of [`PORTS`].
pub(in crate::net) fn source_ports() -> Option<SourcePorts> {
    Some(SourcePorts {
        count: PORTS,
        shared: false,
    })
}

/// pf's table is not told to ordinary users.
pub(in crate::net) fn flow_table() -> Option<FlowTable> {
    None
}
