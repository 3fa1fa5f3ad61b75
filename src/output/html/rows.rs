//! What is held of a run until its page is written.

use std::collections::HashMap;

use crate::engine::{Counts, Reason, State};
use crate::output::answers;
use crate::output::escape;
use crate::output::held::HeldPort;
use crate::output::ndjson::{Address, HostLine};
use crate::output::tally::Tally;
use crate::target::PortSet;

/// Stands for no text.
pub(super) const NONE: u32 = u32::MAX;

/// Longest round-trip time, in microseconds; a timeout is an hour at most, and this means none.
const NO_RTT: u32 = u32::MAX;

/// A run as the page has it.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Hosts that answered or have a listed port.
    pub(super) hosts: Vec<HostRow>,
    /// Hosts that accept everything, and which of their ports are open, if they are listed at all.
    pub(super) accepting: Vec<Accepting>,
    /// Hosts that did neither.
    pub(super) silent: u64,
    /// All ports by reason.
    pub(super) reasons: Tally,
    pub(super) services: Texts,
    pub(super) products: Texts,
    pub(super) details: Texts,
    pub(super) senders: Texts,
}

/// A host.
#[derive(Debug)]
pub(super) struct HostRow {
    pub(super) ip: Address,
    /// Safe to show, but for what HTML makes of it.
    pub(super) name: Option<Box<str>>,
    pub(super) counts: Counts,
    pub(super) miss: Option<f64>,
    pub(super) loss: Option<f64>,
    pub(super) refusals_limited: bool,
    pub(super) accepts_all: bool,
    pub(super) seconds: f64,
    /// Ascending.
    pub(super) ports: Box<[PortRow]>,
}

/// A listed port.
#[derive(Clone, Copy, Debug)]
pub(super) struct PortRow {
    pub(super) port: u16,
    pub(super) reason: Reason,
    pub(super) attempts: u8,
    rtt_us: u32,
    /// Which of the texts, or [`NONE`].
    pub(super) service: u32,
    pub(super) product: u32,
    pub(super) details: u32,
    pub(super) from: u32,
}

/// A host that accepts everything.
#[derive(Debug)]
pub(super) struct Accepting {
    pub(super) ip: Address,
    pub(super) name: Option<Box<str>>,
    pub(super) open: u64,
    /// Unlikely ports that were all open.
    pub(super) unlikely: u16,
    /// The open ports, if they were asked for by name.
    pub(super) ports: Option<PortSet>,
}

/// Texts, each kept once, safe to show.
#[derive(Debug, Default)]
pub(super) struct Texts {
    pub(super) list: Vec<Box<str>>,
    index: HashMap<Box<str>, u32>,
}

impl Texts {
    /// The number of a text that is safe to show; none has [`NONE`].
    fn number(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return NONE;
        }
        if let Some(number) = self.index.get(text) {
            return *number;
        }
        let text = Box::<str>::from(text);
        // As many as there are ports, at most.
        let number = u32::try_from(self.list.len()).unwrap_or(NONE);
        self.list.push(text.clone());
        self.index.insert(text, number);
        number
    }
}

impl Rows {
    /// Takes a complete host and its listed ports.
    pub(super) fn add(&mut self, host: &HostLine<'_>, mut ports: Vec<HeldPort>) {
        for (reason, n) in &host.reasons {
            self.reasons.add(*reason, *n);
        }
        let counts = Counts::from(host.counts);
        let name = host.host.as_deref();
        let name = || name.map(|name| escape(name).to_string().into_boxed_str());
        let accepts_all = host.suspect.is_some();
        if accepts_all {
            let open = |held: &HeldPort| held.verdict.state() == State::Open;
            let listed: PortSet = ports
                .iter()
                .filter(|held| open(held))
                .map(|held| held.port)
                .collect();
            ports.retain(|held| !open(held));
            self.accepting.push(Accepting {
                ip: host.ip,
                name: name(),
                open: counts.open,
                unlikely: host.suspect_ports.unwrap_or(1),
                ports: (!listed.is_empty()).then_some(listed),
            });
        }
        if counts.open + counts.closed == 0 && ports.is_empty() {
            self.silent += 1;
            return;
        }
        let ports = ports.iter().map(|held| self.port(held)).collect();
        self.hosts.push(HostRow {
            ip: host.ip,
            name: name(),
            counts,
            miss: host.miss,
            loss: host.loss,
            refusals_limited: host.refusals_limited,
            accepts_all,
            seconds: host.elapsed_s,
            ports,
        });
    }

    fn port(&mut self, held: &HeldPort) -> PortRow {
        let verdict = &held.verdict;
        let rtt = verdict
            .rtt
            .map(|rtt| u32::try_from(rtt.as_micros()).unwrap_or(NO_RTT));
        let service = held.service.label().unwrap_or_default();
        let service = escape(&service).to_string();
        let found = held.service.found.as_deref();
        let product = found.map_or(String::new(), answers::description);
        let details = found.map_or(Vec::new(), answers::details).join("; ");
        PortRow {
            port: held.port,
            reason: verdict.reason,
            attempts: verdict.attempts,
            rtt_us: rtt.unwrap_or(NO_RTT),
            service: self.services.number(&service),
            product: self.products.number(&product),
            details: self.details.number(&details),
            from: verdict
                .from
                .map_or(NONE, |from| self.senders.number(&from.to_string())),
        }
    }

    /// Hosts in the order of their addresses.
    pub(super) fn sort(&mut self) {
        self.hosts.sort_by_key(|host| host.ip);
        self.accepting.sort_by_key(|host| host.ip);
    }

    /// Listed ports.
    pub(super) fn listed(&self) -> u64 {
        self.hosts.iter().map(|host| host.ports.len() as u64).sum()
    }
}

impl PortRow {
    /// Round-trip time in milliseconds.
    pub(super) fn rtt_ms(&self) -> Option<f64> {
        (self.rtt_us != NO_RTT).then(|| f64::from(self.rtt_us) / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_takes_what_the_readme_says() {
        assert_eq!(size_of::<PortRow>(), 24);
    }
}
