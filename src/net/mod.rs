//! The only I/O of a scan: the event loop and its sockets.
//!
//! `driver` is the loop; `embedded` puts it into that of another program; `control` ends and pauses
//! it; `feed` brings hosts to it while it runs; `sockets` holds the sockets and their events; `socket`
//! looks at one of them; `outcome` tells what an errno or an ICMP message means; `talks` talks with
//! open ports; `watch` notices when the process was stopped; `budget` and `limits` tell what this
//! machine lets a scan have; `sys` hides what differs between systems.

#[forbid(unsafe_code)]
mod budget;
#[forbid(unsafe_code)]
mod control;
#[forbid(unsafe_code)]
mod driver;
#[forbid(unsafe_code)]
mod embedded;
#[forbid(unsafe_code)]
mod feed;
#[forbid(unsafe_code)]
mod limits;
#[forbid(unsafe_code)]
mod outcome;
#[forbid(unsafe_code)]
mod socket;
#[forbid(unsafe_code)]
mod sockets;
mod sys;
mod talks;
#[cfg(test)]
mod tests;
#[forbid(unsafe_code)]
mod watch;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::{Counts, Options, Progress, Report, Snapshot, SnapshotError};
use crate::service::{Rules, Service};
use crate::target::{Target, TargetSpace};

pub use budget::{BASE_MEMORY, Budget, FlowTable, Memory, MemoryBound, SOCKET_MEMORY, SourcePorts};
pub use control::Control;
pub use embedded::Embedded;
pub use feed::{Feed, FeedClosed, Feeder, feed};
pub use limits::{available_sockets, raise_descriptor_limit};
pub use sockets::TOKENS;

/// What a running scan hands to its user.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A verdict, a complete host or a note.
    Report(Report),
    /// How far the run is; ten times a second at most, and at its end.
    Progress(Progress),
    /// The run at this moment, where [`Scan::snapshots`] asked for it: all that was reported before
    /// is in it, and nothing else.
    Snapshot(Box<Snapshot>),
    /// What answers on an open port, where [`Scan::services`] asked for it: once for each, behind the
    /// report of the port and perhaps behind that of its host.
    Service(ServiceReport),
}

/// What answers on an open port.
#[derive(Clone, Debug)]
pub struct ServiceReport {
    /// The host.
    pub target: Target,
    /// The port.
    pub port: u16,
    /// What was found out.
    pub service: Arc<Service>,
}

/// How open ports are talked to.
#[derive(Clone, Debug)]
pub struct Services {
    /// What is said, and what the answers mean.
    pub rules: Arc<Rules>,
    /// Whether ports 9100 to 9107, where printers print what they are sent, are sent anything.
    pub ask_printers: bool,
    /// Ports talked to at once. [`Budget::bound`] keeps it within the memory there is.
    pub at_once: usize,
    /// Without the feature `services` there is no such value, and the compiler leaves out what needs it.
    #[cfg(not(feature = "services"))]
    _never: std::convert::Infallible,
}

impl Services {
    /// Talks by `rules`, 1,024 at once, and none with printers.
    pub fn new(rules: Arc<Rules>) -> Services {
        Services {
            #[cfg(not(feature = "services"))]
            _never: rules.never,
            rules,
            ask_printers: false,
            at_once: 1024,
        }
    }
}

/// The end of a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunReport {
    /// All probes by state; their sum is what was planned.
    pub counts: Counts,
    /// Hosts planned, those of a feed included.
    pub hosts: u64,
    /// Chance that an open port was missed, over all hosts that answered; `None` if unknown.
    pub miss: Option<f64>,
    /// Hosts that never answered anything: for them the chance of a miss cannot be known.
    pub silent_hosts: u64,
    /// Connection attempts started.
    pub attempts: u64,
    /// Open ports that were not talked to, or not to the end, since the run was ended.
    pub talks_cut: u64,
}

/// What keeps a scan from starting or going on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// The system's event queue cannot be made or polled.
    #[error("cannot use the system's event queue: {0}")]
    Poll(#[source] std::io::Error),
    /// A saved run cannot be gone on with.
    #[error("cannot go on with a saved run: {0}")]
    Snapshot(#[from] SnapshotError),
}

/// Scans `space` within `options` and hands every event to `observe`, on the calling thread.
///
/// [`Control::cancel`] (from another thread, or by a flag of a signal handler) or `observe` returning
/// `Break` ends the scan: what has no verdict yet is reported as unscanned, interrupted. `control` is
/// looked at every 100 ms at least.
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
    control: &Control,
    observe: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<RunReport, ScanError> {
    Scan::new(space, options).run(control, observe)
}

/// A scan and what goes with it: hosts that come on the way, and being saved and gone on with.
/// [`scan`] is the short way where there is nothing of that.
#[derive(Debug)]
pub struct Scan {
    space: TargetSpace,
    options: Options,
    feed: Option<Feed>,
    resume: Option<Box<Snapshot>>,
    snapshots: Option<Duration>,
    services: Option<Services>,
    unanswered: Vec<(Target, u16)>,
}

impl Scan {
    /// A scan of `space` within `options`.
    pub fn new(space: TargetSpace, options: Options) -> Scan {
        Scan {
            space,
            options,
            feed: None,
            resume: None,
            snapshots: None,
            services: None,
            unanswered: Vec::new(),
        }
    }

    /// Scans the hosts that `feed` brings while it runs, too, with the same ports; the space may be
    /// empty then. The scan ends when all are scanned and no feeder is left.
    pub fn feed(self, feed: Feed) -> Scan {
        let feed = Some(feed);
        Scan { feed, ..self }
    }

    /// Goes on where `snapshot` was taken, of a scan of the same space within the same options.
    /// Verdicts reported before it are counted and not reported again.
    pub fn resume(self, snapshot: Snapshot) -> Scan {
        let resume = Some(Box::new(snapshot));
        Scan { resume, ..self }
    }

    /// Hands out an [`Event::Snapshot`] as often as `every` says, and at the end of the scan, before
    /// what has no verdict becomes unscanned.
    pub fn snapshots(self, every: Duration) -> Scan {
        let snapshots = Some(every);
        Scan { snapshots, ..self }
    }

    /// Finds out what answers on each open port, and hands it out as an [`Event::Service`].
    ///
    /// The first connection is the one that found the port open, two more are made at most. Up to a
    /// quarter of the sockets, in all and for a host, are used for that while the scan goes on beside
    /// it; no verdict waits for it. The run ends when all is known. Of a host that accepts everything
    /// a few ports are asked.
    pub fn services(self, services: Services) -> Scan {
        let services = Some(services);
        Scan { services, ..self }
    }

    /// Finds out what answers on these ports, too, which were found open before: those of which there
    /// was no [`Event::Service`] when the [snapshot](Self::resume) was taken.
    pub fn unanswered(self, unanswered: Vec<(Target, u16)>) -> Scan {
        Scan { unanswered, ..self }
    }

    /// Makes the scan, as [`scan`] does.
    ///
    /// # Errors
    ///
    /// As of [`scan`], and [`ScanError::Snapshot`] if the snapshot does not fit.
    pub fn run(
        self,
        control: &Control,
        observe: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<RunReport, ScanError> {
        driver::run(self, control, observe)
    }
}
