//! The only I/O of a scan: the event loop and its sockets.
//!
//! `driver` is the loop; `sockets` holds the sockets and their events; `socket` looks at one of
//! them; `outcome` tells what an errno or an ICMP message means; `budget` and `limits` what this
//! machine lets a scan have; `sys` hides what differs between systems.

mod budget;
mod driver;
mod limits;
mod outcome;
mod socket;
mod sockets;
mod sys;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::engine::{Counts, Options, Progress, Report};
use crate::target::TargetSpace;

pub use budget::{BASE_MEMORY, Budget, FlowTable, Memory, MemoryBound, SOCKET_MEMORY, SourcePorts};
pub use limits::{available_sockets, raise_descriptor_limit};

/// What a running scan hands to its user.
#[derive(Clone, Debug)]
pub enum Event {
    /// A verdict, a complete host or a note.
    Report(Report),
    /// How far the run is; ten times a second at most.
    Progress(Progress),
}

/// The end of a run.
#[derive(Clone, Debug)]
pub struct RunReport {
    /// All probes by state; their sum is what was planned.
    pub counts: Counts,
    /// Hosts planned.
    pub hosts: u64,
    /// Chance that an open port was missed, over all hosts that answered; `None` if unknown.
    pub miss: Option<f64>,
    /// Hosts that never answered anything: for them the chance of a miss cannot be known.
    pub silent_hosts: u64,
    /// Connection attempts started.
    pub attempts: u64,
}

/// What keeps a scan from starting or going on.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The system's event queue cannot be made or polled.
    #[error("cannot use the system's event queue: {0}")]
    Poll(#[source] std::io::Error),
}

/// Scans `space` within `options` and hands every event to `observe`, on the calling thread.
///
/// `cancel` set (from a signal handler or another thread) or `observe` returning `Break` ends the
/// scan: what has no verdict yet is reported as unscanned, interrupted. `cancel` is looked at every
/// 100 ms at least.
///
/// No more sockets are opened than the process may have ([`available_sockets`]), whatever
/// [`Options::max_sockets`] says; see [`raise_descriptor_limit`]. [`Budget::bound`] keeps the options
/// within what else this machine has, of memory above all. Nothing of the process is changed:
/// no signal handler, no limit, no output.
///
/// # Errors
///
/// [`ScanError::Poll`] if the system's event queue fails. The failure of a single connection is
/// never an error here but part of the result.
pub fn scan(
    space: TargetSpace,
    options: Options,
    cancel: &Arc<AtomicBool>,
    observe: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<RunReport, ScanError> {
    driver::run(space, options, cancel, observe)
}
