//! The listed ports of hosts that are under way, for formats that write a host as a whole.

use std::collections::HashMap;

use super::ndjson::{Address, HostLine, Line, PortLine, ServiceField};
use super::{Record, Show};
use crate::engine::{Reason, State, Verdict};

/// Ports by host.
#[derive(Debug, Default)]
pub(super) struct Held {
    show: Show,
    ports: HashMap<Address, Vec<HeldPort>>,
}

/// What is held of a port.
#[derive(Debug)]
pub(super) struct HeldPort {
    pub(super) port: u16,
    pub(super) verdict: Verdict,
    /// As its line has it, which may come from outside.
    pub(super) service: ServiceField<'static>,
}

impl Held {
    /// Takes the ports of `record`, and from the start line what is listed.
    pub(super) fn add(&mut self, record: &Record<'_>) {
        if let Record::Line(Line::Start(start)) = record {
            self.show = Show::saved(start.show.as_deref());
        }
        let added = record.ports(&mut |line| {
            let ports = self.ports.entry(line.ip).or_default();
            ports.push(HeldPort::new(line));
            Ok(())
        });
        debug_assert!(added.is_ok(), "nothing is written");
    }

    /// The ports of a host that is complete, ascending, each once. Open ones that were found before
    /// the host turned out to accept everything are left out.
    pub(super) fn take(&mut self, host: &HostLine<'_>) -> Vec<HeldPort> {
        let mut ports = self.ports.remove(&host.ip).unwrap_or_default();
        if self.sums_open(host) {
            ports.retain(|held| held.verdict.state() != State::Open);
        }
        ports.sort_by_key(|held| held.port);
        ports.dedup_by_key(|held| held.port);
        ports
    }

    /// Whether the open ports of `host` are only counted.
    pub(super) fn sums_open(&self, host: &HostLine<'_>) -> bool {
        host.suspect.is_some() && !self.show.is_explicit()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }
}

/// The ports of a host in one state that are not listed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rest {
    pub(super) state: State,
    pub(super) count: u64,
    /// How many for each reason, most frequent first; none where the line of the host does not tell.
    pub(super) reasons: Vec<(Reason, u64)>,
}

/// What of `host` is not among the ports `listed`, most frequent state first.
pub(super) fn rest(host: &HostLine<'_>, listed: &[HeldPort]) -> Vec<Rest> {
    let counts = [
        (State::Open, host.counts.open),
        (State::Closed, host.counts.closed),
        (State::Filtered, host.counts.filtered),
        (State::Unscanned, host.counts.unscanned),
    ];
    let left = |count: u64, is: &dyn Fn(Reason) -> bool| {
        let listed = listed.iter().filter(|held| is(held.verdict.reason));
        count.saturating_sub(listed.count() as u64)
    };
    let rest = counts.into_iter().map(|(state, count)| {
        let of_state = host
            .reasons
            .iter()
            .filter(|(reason, _)| reason.state() == state);
        let reasons = of_state.map(|(reason, n)| (*reason, left(*n, &|other| other == *reason)));
        let mut reasons: Vec<_> = reasons.filter(|(_, n)| *n > 0).collect();
        reasons.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        Rest {
            state,
            count: left(count, &|other| other.state() == state),
            reasons,
        }
    });
    let mut rest: Vec<_> = rest.filter(|rest| rest.count > 0).collect();
    rest.sort_by_key(|rest| std::cmp::Reverse(rest.count));
    rest
}

impl HeldPort {
    fn new(line: &PortLine<'_>) -> HeldPort {
        let registered = line.service.registered.as_deref();
        HeldPort {
            port: line.port,
            verdict: line.verdict(),
            service: ServiceField {
                registered: registered.map(|name| name.to_string().into()),
                found: line.service.found.clone(),
            },
        }
    }
}
