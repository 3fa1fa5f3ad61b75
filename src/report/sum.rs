//! Sums over the parts of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::engine::{Counts, Reason};
use crate::output::ndjson::{Address, CountFields, HostLine, RunLine, StartLine, seconds};
use crate::output::times::end;
use crate::output::{Run, SCHEMA};

use super::read::MOST_PORTS;

/// The sums of a run.
#[derive(Debug)]
pub(super) struct Sum {
    /// The start line of the whole.
    pub(super) start: StartLine,
    counts: Counts,
    /// Hosts that have their line.
    hosts: u64,
    silent_hosts: u64,
    none_missed: Option<f64>,
    /// Whether there is a host of which part answered: its chance is unknown, and so is the run's.
    unknown: bool,
    attempts: u64,
    targets_failed: u64,
    by_ports: bool,
    ended: Timestamp,
}

impl Sum {
    /// The sums of the run that `sections` are the parts of, of which there is one at least.
    /// `by_ports`: each has ports of the same hosts.
    pub(super) fn new<'a>(
        sections: impl Iterator<Item = (&'a StartLine, Option<&'a RunLine>)>,
        by_ports: bool,
    ) -> Sum {
        let mut whole: Option<StartLine> = None;
        // What became known only while the run went on.
        let (mut hosts, mut planned) = (0u64, 0u64);
        for (start, run) in sections {
            let first = whole.get_or_insert_with(|| StartLine {
                schema: SCHEMA,
                version: env!("CARGO_PKG_VERSION").into(),
                shard: None,
                ..start.clone()
            });
            first.started = first.started.min(start.started);
            let Some(run) = run else {
                continue;
            };
            let late = run.hosts.saturating_sub(start.hosts);
            hosts = match by_ports {
                true => hosts.max(late),
                false => hosts.saturating_add(late),
            };
            planned = planned.saturating_add(run.planned.saturating_sub(start.planned));
        }
        let mut start = whole.expect("a merge has a section");
        start.run_hosts = start.run_hosts.saturating_add(hosts);
        start.run_planned = start.run_planned.saturating_add(planned);
        (start.hosts, start.planned) = (start.run_hosts, start.run_planned);
        Sum {
            counts: Counts::default(),
            hosts: 0,
            silent_hosts: 0,
            none_missed: None,
            unknown: false,
            attempts: 0,
            targets_failed: start.targets_failed,
            by_ports,
            ended: start.started,
            start,
        }
    }

    /// Adds the end of a section; `last` is the last time known of it.
    pub(super) fn section(&mut self, run: Option<&RunLine>, last: Timestamp) {
        let ended = match run {
            Some(run) => end(run.started, run.elapsed_s),
            None => last,
        };
        self.ended = self.ended.max(ended);
        let attempts = run.map_or(0, |run| run.attempts);
        self.attempts = self.attempts.saturating_add(attempts);
        // What failed from the start failed in every shard, a name in the one that it belongs to or,
        // where all have ports of it, in all of them.
        let failed = run.map_or(0, |run| run.targets_failed);
        self.targets_failed = match self.by_ports {
            true => self.targets_failed.max(failed),
            false => {
                let later = failed.saturating_sub(self.start.targets_failed);
                self.targets_failed.saturating_add(later)
            }
        };
    }

    /// Adds a host, all its parts.
    pub(super) fn host(&mut self, host: &HostLine) {
        self.hosts += 1;
        let CountFields {
            open,
            closed,
            filtered,
            unscanned,
        } = host.counts;
        let counts = &mut self.counts;
        for (sum, n) in [
            (&mut counts.open, open),
            (&mut counts.closed, closed),
            (&mut counts.filtered, filtered),
            (&mut counts.unscanned, unscanned),
        ] {
            // A quarter of what fits, so that the four can be added up.
            *sum = sum.saturating_add(n).min(u64::MAX / 4);
        }
        let left_out = host.reasons.get(&Reason::FirstOpen).copied();
        let left_out = left_out.unwrap_or(0).min(unscanned);
        counts.left_out = counts
            .left_out
            .saturating_add(left_out)
            .min(counts.unscanned);
        match host.miss {
            Some(miss) => self.none_missed = Some(self.none_missed.unwrap_or(1.0) * (1.0 - miss)),
            None if filtered == 0 => {}
            None if open + closed > 0 => self.unknown = true,
            None => self.silent_hosts += 1,
        }
    }

    /// The sums; planned probes without a line are unscanned.
    pub(super) fn run(&self) -> Run {
        let mut counts = self.counts;
        let lost = self.start.run_planned.saturating_sub(counts.total());
        counts.unscanned = counts.unscanned.saturating_add(lost).min(u64::MAX / 4);
        let miss = self.none_missed.filter(|_| !self.unknown);
        Run {
            counts,
            hosts: self.start.run_hosts.max(self.hosts),
            miss: miss.map(|none| 1.0 - none),
            silent_hosts: self.silent_hosts,
            attempts: self.attempts,
            targets_failed: self.targets_failed,
            elapsed: Duration::try_from(self.ended.duration_since(self.start.started))
                .unwrap_or_default(),
        }
    }
}

/// Hosts of which each shard has some ports.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    all: BTreeMap<Address, Held>,
    /// Those whose parts have more ports than a host.
    overlapping: BTreeSet<Address>,
}

#[derive(Debug)]
struct Held {
    line: HostLine<'static>,
    /// Loss by ports, and the ports it is known of.
    loss: (f64, f64),
    /// Whether the chance of a miss is known of all parts.
    known: bool,
    /// How many parts there are.
    parts: usize,
}

impl Hosts {
    /// Adds a part of a host.
    pub(super) fn add(&mut self, part: HostLine<'static>) {
        let held = Held::new(part);
        match self.all.get_mut(&held.line.ip) {
            Some(host) if host.line.planned + held.line.planned > MOST_PORTS => {
                self.overlapping.insert(host.line.ip);
            }
            Some(host) => host.join(held),
            None => {
                self.all.insert(held.line.ip, held);
            }
        }
    }

    /// The hosts of which a part was left out, because the parts have more ports than a host.
    pub(super) fn overlapping(&self) -> impl Iterator<Item = Address> {
        self.overlapping.iter().copied()
    }

    /// The hosts of which there are fewer parts than `wanted`, and how many.
    pub(super) fn partial(&self, wanted: usize) -> impl Iterator<Item = (Address, usize)> {
        let hosts = self.all.iter().map(|(ip, held)| (*ip, held.parts));
        hosts.filter(move |(_, parts)| *parts < wanted)
    }

    /// Each host in one line.
    pub(super) fn into_lines(self) -> impl Iterator<Item = HostLine<'static>> {
        self.all.into_values().map(|held| {
            let (lost, ports) = held.loss;
            HostLine {
                miss: held.line.miss.filter(|_| held.known),
                loss: (ports > 0.0).then(|| lost / ports),
                ..held.line
            }
        })
    }
}

impl Held {
    fn new(line: HostLine<'static>) -> Held {
        let ports = line.planned as f64;
        Held {
            loss: line.loss.map_or((0.0, 0.0), |loss| (loss * ports, ports)),
            // A part without silence takes nothing away.
            known: line.miss.is_some() || line.counts.filtered == 0,
            parts: 1,
            line,
        }
    }

    fn join(&mut self, other: Held) {
        let (host, part) = (&mut self.line, other.line);
        // Reasons of which only a part is known would not add up.
        let unknown = [&*host, &part]
            .iter()
            .any(|line| line.reasons.is_empty() && line.planned > 0);
        let ends = [&*host, &part].map(|line| end(line.started, line.elapsed_s));
        host.started = host.started.min(part.started);
        let took = ends[0].max(ends[1]).duration_since(host.started);
        host.elapsed_s = seconds(Duration::try_from(took).unwrap_or_default());
        host.host = host.host.take().or(part.host);
        let counts = &mut host.counts;
        for (sum, n) in [
            (&mut counts.open, part.counts.open),
            (&mut counts.closed, part.counts.closed),
            (&mut counts.filtered, part.counts.filtered),
            (&mut counts.unscanned, part.counts.unscanned),
            (&mut host.planned, part.planned),
            (&mut host.open_not_listed, part.open_not_listed),
        ] {
            *sum = sum.saturating_add(n);
        }
        if unknown {
            host.reasons.clear();
        } else {
            for (reason, n) in part.reasons {
                let sum = host.reasons.entry(reason).or_default();
                *sum = sum.saturating_add(n);
            }
        }
        host.miss = match (host.miss, part.miss) {
            (Some(one), Some(two)) => Some(1.0 - (1.0 - one) * (1.0 - two)),
            (one, two) => one.or(two),
        };
        host.refusals_limited |= part.refusals_limited;
        host.suspect = host.suspect.take().or(part.suspect);
        host.suspect_ports = match (host.suspect_ports, part.suspect_ports) {
            (Some(one), Some(two)) => Some(one.saturating_add(two)),
            (one, two) => one.or(two),
        };
        // Each part was alike in itself.
        match host.alike == part.alike {
            true => {
                host.alike_ports = match (host.alike_ports, part.alike_ports) {
                    (Some(one), Some(two)) => Some(one.saturating_add(two)),
                    (one, two) => one.or(two),
                }
            }
            false => (host.alike, host.alike_ports) = (None, None),
        }
        self.loss = (self.loss.0 + other.loss.0, self.loss.1 + other.loss.1);
        self.known &= other.known;
        self.parts += other.parts;
    }
}
