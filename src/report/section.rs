//! One run, or shard of one, within an input: from its start line to its run line.

use crate::engine::State;
use crate::output::ndjson::{CountFields, HostLine, PortLine, RunLine, StartLine};

/// What one pass over a section came to.
#[derive(Clone, Debug)]
pub(super) struct Section {
    /// Which input it is in, and at which line it begins.
    pub(super) input: usize,
    pub(super) line: u64,
    pub(super) start: StartLine,
    pub(super) run: Option<RunLine>,
    /// Whether it is part of the merged results.
    pub(super) used: bool,
    /// Lines that cannot be read.
    pub(super) bad: u64,
    /// What its host lines add up to.
    hosts: CountFields,
    open_not_listed: u64,
    /// Port lines by state.
    ports: [u64; 4],
}

impl Section {
    pub(super) fn new(input: usize, line: u64, start: StartLine) -> Section {
        Section {
            input,
            line,
            start,
            run: None,
            used: false,
            bad: 0,
            hosts: CountFields::default(),
            open_not_listed: 0,
            ports: [0; 4],
        }
    }

    pub(super) fn port(&mut self, port: &PortLine) {
        self.ports[port.state as usize] += 1;
    }

    pub(super) fn host(&mut self, host: &HostLine) {
        let CountFields {
            open,
            closed,
            filtered,
            unscanned,
        } = &mut self.hosts;
        for (sum, n) in [
            (open, host.counts.open),
            (closed, host.counts.closed),
            (filtered, host.counts.filtered),
            (unscanned, host.counts.unscanned),
            (&mut self.open_not_listed, host.open_not_listed),
        ] {
            *sum = sum.saturating_add(n);
        }
    }

    /// Its shard, from 1 on; 0: it is the whole run.
    pub(super) fn shard(&self) -> u32 {
        self.start.shard.map_or(0, |shard| shard.index)
    }

    /// Whether every probe of it is accounted for.
    pub(super) fn is_complete(&self) -> bool {
        let complete = |run: &RunLine| run.complete && run.counts.unscanned == run.left_out;
        self.run.as_ref().is_some_and(complete) && self.bad == 0 && !self.lacks_lines()
    }

    /// Whether lines are missing between its first and its last.
    pub(super) fn lacks_lines(&self) -> bool {
        let Some(run) = &self.run else {
            return false;
        };
        let (hosts, all) = (self.hosts, run.counts);
        // Hosts that were never begun have no line and are unscanned.
        let hosts_there = (hosts.open, hosts.closed, hosts.filtered)
            == (all.open, all.closed, all.filtered)
            && hosts.unscanned <= all.unscanned;
        let shown = |state| match &self.start.show {
            Some(states) => states.contains(&state),
            None => state == State::Open,
        };
        let ports_there = [
            (State::Open, hosts.open.saturating_sub(self.open_not_listed)),
            (State::Closed, hosts.closed),
            (State::Filtered, hosts.filtered),
            (State::Unscanned, hosts.unscanned),
        ]
        .into_iter()
        .all(|(state, n)| self.ports[state as usize] == if shown(state) { n } else { 0 });
        !(hosts_there && ports_there)
    }
}
