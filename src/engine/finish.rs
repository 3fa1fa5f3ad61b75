//! The end of a host and of the run.

use std::collections::BTreeMap;
use std::time::Instant;

use super::action::Action;
use super::host::Host;
use super::ledger::Stage;
use super::path::Path;
use super::scanner::Scanner;
use super::{BulkReport, Counts, HostReport, Note, Reason, Report, State, Trust, Verdict};
use crate::target::PortSet;

impl Scanner {
    /// Reports a host and forgets it. Silent ports are filtered; if the host ends before its time,
    /// ports without an answer and without enough silence get `rest`.
    pub(super) fn finish(&mut self, slot: u32, rest: Option<Reason>, now: Instant) {
        let host = &self.hosts[slot as usize];
        let keys = if host.live > 0 {
            self.probes.of_host(Some(slot))
        } else {
            host.asked.clone()
        };
        for key in keys {
            self.actions.push_back(Action::Close {
                id: self.probes.id(key),
            });
            self.remove(key);
        }
        self.wakes.stop(slot);
        self.came_back(slot);
        let mut host = self.hosts.remove(slot as usize);
        self.leave_net(host.net, slot, now);
        if self.run_path.lost_since().is_some() {
            if self.telling().next().is_none() {
                // Nothing is left that could tell that the path is back.
                self.run_path = Path::new();
            }
            self.wake_all();
        }
        let trust = host.trust(self.options.exact);
        for ((reason, attempts), ports) in self.unanswered(&host, rest) {
            let verdict = Verdict {
                reason,
                attempts,
                rtt: None,
                from: None,
            };
            host.counts.add_reason(reason, ports.len() as u64);
            self.counts.add_reason(reason, ports.len() as u64);
            let (target, ports) = (host.target.clone(), ports.into_iter().collect::<PortSet>());
            self.actions
                .push_back(Action::Report(Report::Bulk(BulkReport {
                    target,
                    verdict,
                    ports,
                })));
        }
        debug_assert_eq!(host.counts.total(), u64::from(self.space.ports()));
        self.add_to_summary(&trust, &host.counts);
        if trust.loss.is_some() {
            self.note(Note::HostState {
                target: host.target.clone(),
                window: host.pace.window(),
                srtt: host.rtt.srtt(),
                loss: trust.loss,
                attempts: host.wanted,
            });
        }
        let Host {
            target,
            counts,
            started,
            ..
        } = host;
        let report = HostReport {
            target,
            counts,
            started,
            finished: now,
            trust,
        };
        self.actions.push_back(Action::Report(Report::Host(report)));
    }

    /// Ends the run before its time: what has no verdict gets `reason`.
    pub(super) fn end(&mut self, reason: Reason, _now: Instant) {
        if self.ending.is_some() {
            return;
        }
        self.ending = Some(reason);
        for key in self.probes.of_host(None) {
            self.actions.push_back(Action::Close {
                id: self.probes.id(key),
            });
            self.remove(key);
        }
    }

    /// Takes the run one host nearer to its early end; false when it is there.
    pub(super) fn end_one(&mut self, reason: Reason, now: Instant) -> bool {
        if let Some((slot, _)) = self.hosts.iter().next() {
            self.finish(slot as u32, Some(reason), now);
            return true;
        }
        let never_begun = self.total_hosts() - self.next_host;
        self.next_host = self.total_hosts();
        self.late.end();
        self.counts.add(
            reason.state(),
            never_begun.saturating_mul(u64::from(self.space.ports())),
        );
        false
    }

    /// Ports without an answer, by reason and attempts made.
    fn unanswered(&self, host: &Host, rest: Option<Reason>) -> BTreeMap<(Reason, u8), Vec<u16>> {
        let mut groups: BTreeMap<(Reason, u8), Vec<u16>> = BTreeMap::new();
        for index in 0..host.ledger.len() {
            let reason = match (host.ledger.stage(index), rest) {
                (Stage::Done, _) => continue,
                // Whatever kept it from being tried, it is not wanted any more.
                (stage, Some(Reason::FirstOpen))
                    if stage != Stage::Silent || host.ledger.counted(index) == 0 =>
                {
                    Reason::FirstOpen
                }
                (Stage::Silent, _) if host.ledger.counted(index) == 0 => Reason::PathLost,
                (Stage::Silent, _) | (_, None) => Reason::NoResponse,
                (_, Some(rest)) => rest,
            };
            let port = self.space.port(&host.order, index);
            groups
                .entry((reason, host.ledger.made(index)))
                .or_default()
                .push(port);
        }
        groups
    }

    fn add_to_summary(&mut self, trust: &Trust, counts: &Counts) {
        match trust.miss {
            Some(miss) => self.none_missed = Some(self.none_missed.unwrap_or(1.0) * (1.0 - miss)),
            None if counts.get(State::Unscanned) < counts.total() => self.silent_hosts += 1,
            None => {}
        }
    }
}

impl Host {
    /// How far its counts can be trusted.
    fn trust(&self, exact: bool) -> Trust {
        let trials = self.path_trials(exact);
        let knows = trials.ok > 0.0;
        let miss = match self.ledger.least_counted() {
            None if self.fate.answered => Some(0.0),
            None => None,
            Some(attempts) => knows.then(|| trials.miss(self.counts.open, attempts)),
        };
        Trust {
            miss,
            loss: knows.then(|| trials.share()),
            refusals_limited: self.refusals_limited,
            accepts_all: if self.accepts_all() && self.ledger.silent() == 0 {
                self.unlikely_open.min(u32::from(u16::MAX)) as u16
            } else {
                0
            },
        }
    }
}
