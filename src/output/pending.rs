//! What is held of hosts that are under way, for a run that is to be gone on with.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ndjson::HostLine;
use super::tally::Tally;
use crate::engine::{Reason, Verdict};
use crate::service::{Likeness, Service};

/// What has been reported and has no line yet, or is to be remembered of what has one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// Hosts that are under way.
    pub hosts: Vec<PendingHost>,
    /// Hosts of which services are being found out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<PendingAnswer>,
}

/// A host of which services are being found out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingAnswer {
    /// Its address.
    pub addr: IpAddr,
    /// IPv6 scope of a link-local address, else 0.
    pub scope_id: u32,
    /// Its name, as given.
    pub name: Option<String>,
    /// How far the services found so far are alike.
    pub likeness: Likeness,
    /// Open ports that wait: their verdicts, and when they were reached in microseconds since 1970.
    pub ports: Vec<(u16, Verdict, i64)>,
    /// The host's line, if only services are missing.
    pub host: Option<HostLine<'static>>,
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
    /// Whether the engine has told that it seems to accept everything.
    pub suspect: bool,
    /// Ports whose lines wait.
    pub ports: Vec<PendingPort>,
}

/// A port whose line waits for its host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingPort {
    /// The port.
    pub port: u16,
    /// Its verdict.
    pub verdict: Verdict,
    /// When it was reached, microseconds since 1970.
    pub found_us: i64,
    /// What answers there, if that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
}

impl PendingHost {
    pub(super) fn new(
        (addr, scope_id): (IpAddr, u32),
        tally: &Tally,
        suspect: bool,
        ports: Vec<PendingPort>,
    ) -> PendingHost {
        PendingHost {
            addr,
            scope_id,
            reasons: tally.iter().collect(),
            suspect,
            ports,
        }
    }

    pub(super) fn key(&self) -> (IpAddr, u32) {
        (self.addr, self.scope_id)
    }
}

impl PendingPort {
    pub(super) fn new(port: u16, verdict: Verdict, found: Timestamp) -> PendingPort {
        PendingPort {
            port,
            verdict,
            found_us: found.as_microsecond(),
            service: None,
        }
    }

    pub(super) fn found(&self) -> Timestamp {
        Timestamp::from_microsecond(self.found_us).unwrap_or_default()
    }
}
