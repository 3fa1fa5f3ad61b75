//! Everything that differs between systems, behind the same few names on each. No other room asks
//! which system it is built for.
//!
//! - [`SYSTEM`]: whose table of errors holds.
//! - [`REUSE`]: whether a refused socket may be connected again.
//! - [`PEER_EARLY`]: whether a connection has its peer before it is made.
//! - [`REARM`]: whether a socket must be registered again after an event that meant nothing.
//! - [`errno()`]: an I/O error's number by name.
//! - `open`: a new non-blocking socket, with what it needs before connect().
//! - `connect`: connect(), as the system takes it.
//! - `ErrorQueue`: reads the ICMP messages kept for a socket, where the system keeps them.
//! - `raise_descriptor_limit`, `descriptor_limit`, `descriptors_left`: see `net::limits`.
//! - `free_memory`, `source_ports`, `flow_table`: see `net::budget`.
//!
//! A file is whole for its system: `linux`, `apple`, `bsd`, `windows`. `unix`, `berkeley` and `plain` are
//! what several share; `errno` has the error numbers of all of them, and is compiled and tested on each.
//!
//! # Unsafe code
//!
//! There is one room of it, `winsock` (Windows only), for no crate wraps these calls. Everywhere else
//! in the library it is forbidden or denied.
//!
//! | call | what for | why it is sound |
//! |---|---|---|
//! | `WSAIoctl(SIO_TCP_INITIAL_RTO)` | a refusal is one at once, not after two seconds of SYNs | the input is a live struct of the length told; there is no output |
//! | `setsockopt(TCP_FAIL_CONNECT_ON_ICMP_ERROR)` | an ICMP error ends an attempt | the input is a live integer of the length told |
//! | `getsockopt(TCP_ICMP_ERROR_INFO)` | which ICMP error it was, and whose | the output is a live struct of plain numbers, of the length told; any bytes make one |
//! | reading the union `SOCKADDR_INET` | its address | the member is the one that its family names, and every bit pattern of it is valid |

mod errno;
mod queue;
#[cfg(unix)]
mod unix;

#[cfg(any(target_os = "linux", target_os = "android"))]
#[path = "linux.rs"]
mod this;

#[cfg(target_vendor = "apple")]
#[path = "apple.rs"]
mod this;

#[cfg(any(
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
))]
#[path = "bsd.rs"]
mod this;

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
mod berkeley;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod plain;

#[cfg(windows)]
#[path = "windows.rs"]
mod this;
#[cfg(windows)]
mod winsock;

use std::io;

use super::outcome::{Errno, System};

pub(super) use queue::Queued;
pub(super) use this::{
    ErrorQueue, REARM, REUSE, connect, descriptor_limit, descriptors_left, flow_table, free_memory,
    open, raise_descriptor_limit, source_ports,
};

/// Whether getpeername() tells the peer of a connection that is still being made.
pub(super) const PEER_EARLY: bool = cfg!(windows);

/// The system that this is built for.
pub(super) const SYSTEM: System = if cfg!(any(target_os = "linux", target_os = "android")) {
    System::Linux
} else if cfg!(target_vendor = "apple") {
    System::Apple
} else if cfg!(windows) {
    System::Windows
} else {
    System::Bsd
};

/// The error's number by name.
pub(super) fn errno(error: &io::Error) -> Errno {
    errno::named(SYSTEM, error.raw_os_error().unwrap_or(0))
}
