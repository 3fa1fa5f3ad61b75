//! Everything that differs between systems, behind the same few functions on each.
//!
//! - [`SYSTEM`]: whose table of errors holds.
//! - [`REUSE`]: whether a refused socket may be connected again.
//! - `errno`: an I/O error's number by name.
//! - `open`: a new non-blocking socket, with what it needs before connect().
//! - `ErrorQueue`: reads the ICMP messages kept for a socket, where the system keeps them.
//! - `raise_descriptor_limit`, `descriptor_limit`, `descriptors_left`: see `net::limits`.
//! - `free_memory`, `source_ports`, `flow_table`: see `net::budget`.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod resources;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use super::outcome::{Icmp, System};

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) use linux::{ErrorQueue, open};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) use resources::{flow_table, free_memory, source_ports};
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
pub(super) use unix::{ErrorQueue, open};
#[cfg(unix)]
pub(super) use unix::{descriptor_limit, descriptors_left, errno, raise_descriptor_limit};
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) use untold::{flow_table, free_memory, source_ports};
#[cfg(windows)]
pub(super) use windows::{
    ErrorQueue, descriptor_limit, descriptors_left, errno, open, raise_descriptor_limit,
};

/// The system this is built for.
pub(super) const SYSTEM: System = if cfg!(any(target_os = "linux", target_os = "android")) {
    System::Linux
} else if cfg!(target_vendor = "apple") {
    System::Apple
} else if cfg!(windows) {
    System::Windows
} else {
    System::Bsd
};

/// Whether connect() on a socket whose last connect() was refused starts a new attempt. POSIX leaves
/// that unspecified; Linux resets the socket when it reports the error (`__inet_stream_connect`).
pub(super) const REUSE: bool = matches!(SYSTEM, System::Linux);

/// What was in a socket's error queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queued {
    /// The first ICMP message.
    pub(super) first: Option<Icmp>,
    /// Whether nothing is left in it.
    pub(super) empty: bool,
}

/// What other systems do not tell without unsafe calls.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod untold {
    use super::{SYSTEM, System};
    use crate::net::budget::{FlowTable, Memory, SourcePorts};

    /// Not known.
    pub(in crate::net) fn free_memory() -> Option<Memory> {
        None
    }

    /// macOS: each connection has a port of its own, of 49152 to 65535 (xnu `in_pcbbind`).
    pub(in crate::net) fn source_ports() -> Option<SourcePorts> {
        (SYSTEM == System::Apple).then_some(SourcePorts {
            count: 16_384,
            shared: false,
        })
    }

    /// Not known.
    pub(in crate::net) fn flow_table() -> Option<FlowTable> {
        None
    }
}
