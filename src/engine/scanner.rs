//! The scanner: what to do next, and what each outcome means. No sockets, no clock.
//!
//! Call order: after any `handle_*`, call [`Scanner::poll_action`] until it gives `None`, then wait
//! until [`Scanner::poll_timeout`] or the next socket event. The same input and seed give the same
//! actions. Calls for probes that are no longer there are no-ops.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::{Options, Progress, Reason, Report};
use crate::engine::LocalFault;
use crate::target::TargetSpace;

/// Names one connection attempt; never given twice in a run while an event of it may still come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProbeId {
    /// Slab key: small, dense, below [`Options::max_sockets`].
    pub index: u32,
    /// Tells apart the attempts that used the same key.
    pub generation: u32,
}

/// What the driver is to do.
#[derive(Clone, Debug)]
pub enum Action {
    /// Start connecting; the outcome comes back through [`Scanner::handle_outcome`], at once if
    /// connect() failed at once.
    Connect {
        /// The attempt.
        id: ProbeId,
        /// Where to.
        addr: SocketAddr,
    },
    /// Close the socket of an attempt that had no outcome; none is expected any more. An attempt
    /// whose outcome was handled is closed (or its socket reused) by the driver without this.
    Close {
        /// The attempt.
        id: ProbeId,
    },
    /// Hand this to the user.
    Report(Report),
}

/// How an attempt ended, as far as the system tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The host or something on the path answered.
    Answered {
        /// An open, closed or filtered reason.
        reason: Reason,
        /// Who sent an ICMP rejection, where the system tells it.
        from: Option<IpAddr>,
    },
    /// TCP connected the socket to itself (own address, ephemeral port): try again.
    SelfConnect,
    /// A resource of this machine ran out: the probe is put back.
    Fault(LocalFault),
    /// This machine will not send there: an unscanned reason (no-route, local-policy, bad-address).
    Unsendable(Reason),
}

/// The scanner's state.
#[derive(Debug)]
pub struct Scanner {}

impl Scanner {
    /// A scan of `space` within `options`, starting at `now`.
    pub fn new(space: TargetSpace, options: Options, now: Instant) -> Scanner {
        let _ = (space, options, now);
        unimplemented!()
    }

    /// The next thing to do, `None` when there is nothing until the next event or timeout.
    pub fn poll_action(&mut self, now: Instant) -> Option<Action> {
        let _ = now;
        unimplemented!()
    }

    /// Takes the outcome of attempt `id`.
    pub fn handle_outcome(&mut self, now: Instant, id: ProbeId, outcome: Outcome) {
        let _ = (now, id, outcome);
        unimplemented!()
    }

    /// Moves the scanner's clock to `now`; deadlines up to it take effect.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
        unimplemented!()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due, `None` if nothing is waited for.
    pub fn poll_timeout(&self) -> Option<Instant> {
        unimplemented!()
    }

    /// Ends the scan: what has no verdict becomes unscanned, interrupted. Go on calling
    /// [`poll_action`](Self::poll_action) until it gives `None`.
    pub fn interrupt(&mut self, now: Instant) {
        let _ = now;
        unimplemented!()
    }

    /// Whether every planned probe has its verdict and every report was polled.
    pub fn is_done(&self) -> bool {
        unimplemented!()
    }

    /// How far the run is.
    pub fn progress(&self) -> Progress {
        unimplemented!()
    }

    /// The end of the run: hosts and chances of a miss over the hosts reported so far.
    pub fn summary(&self) -> Summary {
        unimplemented!()
    }
}

/// What the run came to. Counts and attempts are in [`Progress`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Hosts planned.
    pub hosts: u64,
    /// Estimated chance that an open port was missed on any host that answered; `None` if none did.
    pub miss: Option<f64>,
    /// Hosts that never answered anything: for them the chance of a miss cannot be known.
    pub silent_hosts: u64,
}
