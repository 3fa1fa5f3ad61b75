//! What the scanner asks for, and what it is told.

use std::net::{IpAddr, SocketAddr};

use super::{LocalFault, Reason, Report};

/// Names one connection attempt; never given twice in a run while an event of it may still come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProbeId {
    /// Slab key: small, dense, below [`Options::max_sockets`](super::Options::max_sockets).
    pub index: u32,
    /// Tells apart the attempts that used the same key.
    pub generation: u32,
}

/// What the driver is to do.
#[derive(Clone, Debug)]
pub enum Action {
    /// Start connecting; the outcome comes back through
    /// [`Scanner::handle_outcome`](super::Scanner::handle_outcome), at once if connect() failed at once.
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
    /// The run ends before its time: whoever keeps a [`Snapshot`](super::Snapshot) takes it now,
    /// before what has no verdict becomes unscanned.
    Ending,
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

/// What the run came to. Counts and attempts are in [`Progress`](super::Progress).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Hosts planned.
    pub hosts: u64,
    /// Estimated chance that an open port was missed on any host that answered; `None` if none did.
    pub miss: Option<f64>,
    /// Hosts that never answered anything: for them the chance of a miss cannot be known.
    pub silent_hosts: u64,
}
