//! What the result that is audited tells of a host.

use std::sync::Arc;

use super::known::{self, Known, Ports};
use crate::engine::{Counts, Reason, State};
use crate::report::HostLine;
use crate::service::Service;
use crate::target::{PortSet, Target};

/// What was listed of a host that is under way: of ports that are closed or filtered, those that
/// somebody will ask for.
#[derive(Debug)]
pub(super) struct Seen {
    wanted: PortSet,
    ports: Ports,
    /// Ports that are unscanned, many at once.
    unscanned: Vec<PortSet>,
    /// What answers on open ports.
    services: Services,
}

/// Services by port, as far as they were asked.
type Services = Vec<(u16, Arc<Service>)>;

/// A complete host.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) target: Target,
    pub(super) counts: Counts,
    /// Of the unscanned ports, those that were not wanted any more.
    pub(super) left_out: u64,
    pub(super) accepts_all: bool,
    /// The open ports, ascending.
    pub(super) open: Vec<u16>,
    /// Ascending.
    services: Services,
    /// The ports of each host, if that is known.
    ports: Option<&'a PortSet>,
    listed: Ports,
    unscanned: Vec<PortSet>,
    /// Why ports are unscanned, most frequent first.
    why: Vec<Reason>,
    /// What is known of a port that is planned and not listed.
    rest: Known,
}

impl Seen {
    /// Nothing yet of a host of which `wanted` will be asked for.
    pub(super) fn new(wanted: PortSet) -> Seen {
        Seen {
            wanted,
            ports: Vec::new(),
            unscanned: Vec::new(),
            services: Vec::new(),
        }
    }

    /// What answers on `port`, which is open.
    pub(super) fn service(&mut self, port: u16, service: &Arc<Service>) {
        self.services.push((port, Arc::clone(service)));
    }

    pub(super) fn port(&mut self, port: u16, state: State) {
        let is_asked_for = match state {
            State::Open | State::Unscanned => true,
            State::Closed | State::Filtered => self.wanted.contains(port),
        };
        if is_asked_for {
            self.ports.push((port, Known::of(state)));
        }
    }

    pub(super) fn bulk(&mut self, ports: &PortSet, state: State) {
        match state {
            State::Unscanned => self.unscanned.push(ports.clone()),
            state => ports.iter().for_each(|port| self.port(port, state)),
        }
    }

    /// With what the host's line tells, in a result on `ports` of each host.
    pub(super) fn complete<'a>(mut self, host: &HostLine, ports: Option<&'a PortSet>) -> Facts<'a> {
        known::seal(&mut self.ports);
        let open = self.ports.iter();
        let open = open.filter(|(_, known)| *known == Known::Is(State::Open));
        let counts = Counts::from(host.counts);
        let left_out = host.reasons.get(&Reason::FirstOpen).copied();
        self.services.sort_by_key(|(port, _)| *port);
        let rest = ports.map_or(Known::Nothing, |ports| self.rest(&counts, ports));
        let why = host.reasons.iter();
        let mut why: Vec<_> = why
            .filter(|(reason, ports)| reason.state() == State::Unscanned && **ports > 0)
            .collect();
        why.sort_by_key(|(_, ports)| std::cmp::Reverse(**ports));
        Facts {
            target: host.ip.target(host.host.as_deref()),
            counts,
            left_out: left_out.unwrap_or(0).min(counts.unscanned),
            accepts_all: host.suspect.is_some(),
            open: open.map(|(port, _)| *port).collect(),
            services: self.services,
            ports,
            listed: self.ports,
            unscanned: self.unscanned,
            why: why.into_iter().map(|(reason, _)| *reason).collect(),
            rest,
        }
    }

    /// What is known of a port that is not listed, of a host with `counts` of its `ports`.
    fn rest(&self, counts: &Counts, ports: &PortSet) -> Known {
        let sets = self.unscanned.iter().map(|ports| u64::from(ports.len()));
        let mut unscanned = sets.sum::<u64>();
        let mut open = 0;
        for (_, known) in &self.ports {
            match known {
                Known::Unscanned => unscanned += 1,
                Known::Is(State::Open) | Known::Two => open += 1,
                _ => {}
            }
        }
        match () {
            () if counts.total() != u64::from(ports.len()) || counts.open > open => Known::Nothing,
            () if counts.unscanned <= unscanned => Known::NotOpen,
            () if counts.open + counts.unscanned == counts.total() => Known::Unscanned,
            () => Known::NotOpenIfScanned,
        }
    }
}

impl Facts<'_> {
    /// What is known of `port`.
    pub(super) fn known(&self, port: u16) -> Known {
        if let Some(known) = known::listed(&self.listed, port) {
            return known;
        }
        match self.ports {
            _ if self.unscanned.iter().any(|ports| ports.contains(port)) => Known::Unscanned,
            Some(ports) if !ports.contains(port) => Known::NotPlanned,
            _ => self.rest,
        }
    }

    /// What is `known` of a port in words, as they stand behind `is`, and why it is no more.
    pub(super) fn words(&self, known: Known) -> (&'static str, String) {
        let why: Vec<_> = self.why.iter().map(|reason| reason.as_str()).collect();
        let why = why.join(", ");
        let aside = match known {
            Known::Unscanned if self.why.len() == 1 => format!(" ({why})"),
            Known::NotOpenIfScanned => {
                let (unscanned, all) = (self.counts.unscanned, self.counts.total());
                format!(" ({unscanned} of its {all} ports unscanned: {why})")
            }
            _ => String::new(),
        };
        (known.words(), aside)
    }

    /// Whether all ports have a verdict and those that are open are known.
    pub(super) fn is_whole(&self) -> bool {
        self.counts.unscanned == 0 && self.rest == Known::NotOpen
    }

    /// Whether any port answered.
    pub(super) fn answered(&self) -> bool {
        self.counts.open > 0 || self.counts.closed > 0
    }

    /// What answers on `port`, if it was asked.
    pub(super) fn service(&self, port: u16) -> Option<&Service> {
        let at = self.services.binary_search_by_key(&port, |(port, _)| *port);
        at.ok().map(|at| &*self.services[at].1)
    }
}
