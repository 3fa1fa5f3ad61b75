//! What a format holds of hosts that are under way, for a run that is to be gone on with.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::tally::Tally;
use crate::engine::{Reason, Verdict};

/// What a format has been told and has not written, or has to remember of what it wrote.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// Hosts that are under way.
    pub hosts: Vec<PendingHost>,
    /// Text only: blocks written, and the ports in them.
    pub blocks: u64,
    /// See above.
    pub ports: u64,
    /// Text only: hosts without a block, and the reasons of their ports.
    pub unlisted: u64,
    /// See above.
    pub unlisted_reasons: Vec<(Reason, u64)>,
}

/// A host that is under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingHost {
    /// Its address.
    pub addr: IpAddr,
    /// IPv6 scope of a link-local address, else 0.
    pub scope_id: u32,
    /// Its verdicts so far, by reason.
    pub reasons: Vec<(Reason, u64)>,
    /// NDJSON only: whether it seems to accept everything, so that its open ports wait.
    pub suspect: bool,
    /// Ports whose lines wait.
    pub ports: Vec<PendingPort>,
}

/// A port whose line waits for its host.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingPort {
    /// The port.
    pub port: u16,
    /// Its verdict.
    pub verdict: Verdict,
    /// When it was reached, microseconds since 1970; 0 if nobody asks.
    pub found_us: i64,
}

impl PendingHost {
    pub(super) fn new(key: (IpAddr, u32), tally: &Tally) -> PendingHost {
        PendingHost {
            addr: key.0,
            scope_id: key.1,
            reasons: tally.iter().collect(),
            suspect: false,
            ports: Vec::new(),
        }
    }

    pub(super) fn key(&self) -> (IpAddr, u32) {
        (self.addr, self.scope_id)
    }
}

impl PendingPort {
    pub(super) fn new(port: u16, verdict: Verdict, found: Option<Timestamp>) -> PendingPort {
        PendingPort {
            port,
            verdict,
            found_us: found.map_or(0, Timestamp::as_microsecond),
        }
    }

    pub(super) fn found(&self) -> Timestamp {
        Timestamp::from_microsecond(self.found_us).unwrap_or_default()
    }
}
