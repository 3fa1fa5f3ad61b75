//! What an outcome or a deadline means for its port, its host and the run.

use std::time::{Duration, Instant};

use super::action::{Action, Outcome, ProbeId};
use super::host::ACCEPTS_ALL;
use super::path::{Belief, Moment};
use super::probes::{Kind, Probe};
use super::scanner::Scanner;
use super::{LocalFault, Note, PortReport, Reason, Report, State, Verdict};

/// Host-level rejections of a host that never answered, one of them for a probe sent after the
/// first, that are taken for all its ports.
const HOST_SIGNS: u32 = 4;
/// Pause after this machine refused to send to a host, before that is confirmed.
const UNSENDABLE_PAUSE: Duration = Duration::from_millis(100);
/// Pause after a local fault with no socket in use; doubles up to the second.
const FAULT_PAUSE: Duration = Duration::from_millis(10);
const FAULT_PAUSE_MAX: Duration = Duration::from_secs(1);
/// Faults in a row with no socket in use, over some 8 s, after which the run ends.
const FAULTS: u32 = 14;
/// Outcomes that are no fault, for one more socket after a fault took some.
const CREDIT: u32 = 16;
/// How long after its soft deadline, and half of that again, the canaries of an attempt's time are
/// known: the longest ordinary time between two.
const CHECK_AFTER: Duration = Duration::from_millis(20);
/// How long an attempt past its timeout waits at most for a canary to tell whether its silence
/// counts; after that it does not.
const PATIENCE: Duration = Duration::from_secs(1);
/// Attempts beyond those wanted after which silences that still do not count slow the host down.
const FUTILE: u8 = 3;
/// A host's attempts are waited for anew if they are at least one of so many of the run's.
const ANEW_SHARE: usize = 8;
/// Answers after which the number of attempts wanted is worked out anew.
const WANT_EVERY: u64 = 256;

impl Scanner {
    /// Takes the outcome of attempt `id`.
    pub fn handle_outcome(&mut self, now: Instant, id: ProbeId, outcome: Outcome) {
        let Some(key) = self.probes.find(id) else {
            return;
        };
        if self.ending.is_some() {
            return;
        }
        if !matches!(outcome, Outcome::Fault(_)) {
            self.credit();
        }
        match outcome {
            Outcome::Answered { reason, from } => {
                self.answered(
                    key,
                    Verdict {
                        reason,
                        attempts: 0,
                        rtt: None,
                        from,
                    },
                    now,
                );
            }
            Outcome::SelfConnect => {
                let probe = self.put_back(key);
                self.settle_host(probe.host, now);
            }
            Outcome::Fault(fault) => self.faulted(key, fault, now),
            Outcome::Unsendable(reason) => self.unsendable(key, reason, now),
        }
    }

    /// Moves the scanner's clock to `now`; deadlines up to it take effect.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.ending.is_some() {
            return;
        }
        while let Some(key) = self.deadlines.poll(now) {
            match self.probes.get(key).copied() {
                Some(probe) if probe.parked => {
                    if probe.checked || probe.sent.at + self.options.timeout <= now {
                        self.hard_deadline(key, probe, now);
                    } else {
                        self.check(key, probe, now);
                    }
                }
                Some(probe) => self.soft_deadline(key, probe, now),
                None => {}
            }
        }
        while let Some(slot) = self.wakes.poll(now) {
            self.look_after(slot, now);
            self.wake(slot);
        }
        self.poll_nets(now);
        if let Some(found) = self.run.look(now, None) {
            self.run_path.doubt(found.doubt_from, Moment::end_of(now));
            self.limit_found(None, found);
        }
    }

    /// Something answered the attempt.
    fn answered(&mut self, key: u32, verdict: Verdict, now: Instant) {
        let probe = self.remove(key);
        self.is_sent(&probe, now);
        let host = &mut self.hosts[probe.host as usize];
        let rtt = now.saturating_duration_since(probe.sent.at);
        let verdict = Verdict {
            attempts: probe.attempt,
            rtt: Some(rtt),
            ..verdict
        };
        let from_host = matches!(verdict.state(), State::Open | State::Closed);
        if from_host {
            // One that is too late for a sample is never the first: all attempts would be looked at again
            // and again.
            if self.gap_end.is_none_or(|end| probe.sent.at > end) && host.rtt.sample(rtt) {
                self.wait_anew(probe.host, now);
            }
            let host = &mut self.hosts[probe.host as usize];
            let srtt = host.rtt.srtt().unwrap_or(rtt);
            host.pace.on_round_trip(srtt);
            self.run.on_round_trip(srtt);
            host.fate.answered = true;
            if host.tells_path(verdict.state() == State::Open, self.options.exact)
                || !self.options.exact
            {
                self.alive(&probe, now);
            }
        }
        let host = &mut self.hosts[probe.host as usize];
        let fast = from_host && probe.kind == Kind::Port;
        host.pace.on_answer(now, fast, host.is_queueing());
        self.run.on_answer(now, fast, false);
        match probe.kind {
            Kind::Canary { .. } if from_host => self.canary_answered(&probe, now),
            Kind::Canary { .. } => self.hosts[probe.host as usize]
                .canaries
                .on_miss(probe.index),
            Kind::Port => {
                self.close_siblings(&probe, verdict.state());
                self.port_answered(&probe, verdict, now);
            }
        }
        self.settle_host(probe.host, now);
    }

    /// It is known now how long an answer of the host takes: its attempts under way are waited for as
    /// long as those to come, not as long as while it was not known.
    fn wait_anew(&mut self, slot: u32, now: Instant) {
        let host = &self.hosts[slot as usize];
        // All attempts are looked at: not for each of many hosts.
        if host.live as usize * ANEW_SHARE < self.probes.len() {
            return;
        }
        let soft = host.soft_timeout(&self.options);
        for key in self.probes.of_host(Some(slot)) {
            let waiting = self.probes.get(key).filter(|probe| !probe.parked);
            if let Some(sent) = waiting.map(|probe| probe.sent.at) {
                self.deadlines.start(key, now.max(sent + soft));
            }
        }
    }

    /// Closes the other attempts on the port of an answered one. Those made before it that the
    /// path should have carried were lost on the way.
    fn close_siblings(&mut self, probe: &Probe, state: State) {
        let host = &mut self.hosts[probe.host as usize];
        let evicted = u8::from(host.ledger.was_evicted(probe.index));
        let mut lost = f64::from(host.ledger.counted(probe.index) + evicted);
        while let Some(key) = self.probes.newest(probe.host, probe.index) {
            let id = self.probes.id(key);
            let sibling = self.remove(key);
            let path = &self.hosts[probe.host as usize].path;
            if sibling.sent < probe.sent && path.believes(sibling.sent) != Belief::No {
                lost += 1.0;
            }
            self.actions.push_back(Action::Close { id });
        }
        let host = &mut self.hosts[probe.host as usize];
        if !matches!(state, State::Open | State::Closed) {
            return;
        }
        let trials = host.trials.of(state == State::Open);
        trials.ok += 1.0;
        trials.lost += lost;
        self.run_trials.ok += 1.0;
        self.run_trials.lost += lost;
    }

    fn port_answered(&mut self, probe: &Probe, verdict: Verdict, now: Instant) {
        let host = &mut self.hosts[probe.host as usize];
        let popular = self.space.is_popular(&host.order, probe.index);
        let state = verdict.state();
        host.ledger.finish(probe.index);
        host.counts.add(state, 1);
        self.counts.add(state, 1);
        let mut notes = None;
        if matches!(state, State::Open | State::Closed) {
            host.canaries.add(probe.index, state == State::Open);
        }
        if !popular {
            if state == State::Open {
                host.unlikely_open += 1;
                if host.unlikely_open == ACCEPTS_ALL && host.accepts_all() {
                    let ports = ACCEPTS_ALL as u16;
                    notes = Some(Note::AcceptsAll {
                        target: host.target.clone(),
                        ports,
                    });
                }
            } else {
                host.unlikely_other += 1;
            }
        }
        if host.counts.total().is_multiple_of(WANT_EVERY) {
            host.want(&self.options, self.run_trials);
        }
        let target = host.target.clone();
        self.actions
            .push_back(Action::Report(Report::Port(PortReport {
                target,
                port: probe.port,
                verdict,
            })));
        notes.into_iter().for_each(|note| self.note(note));
        if state == State::Open && self.options.stop_at_first_open {
            return self.finish(probe.host, Some(Reason::FirstOpen), now);
        }
        let sign = matches!(verdict.reason, Reason::HostUnreach | Reason::NetUnreach);
        if sign && verdict.from != Some(self.hosts[probe.host as usize].target.addr) {
            self.host_sign(probe, verdict.reason, now);
        }
    }

    /// A sign that the host cannot be reached at all.
    fn host_sign(&mut self, probe: &Probe, reason: Reason, now: Instant) {
        let fate = &mut self.hosts[probe.host as usize].fate;
        fate.signs += 1;
        let first = *fate.first.get_or_insert(now);
        fate.confirmed |= probe.sent.at > first;
        if !fate.answered && fate.confirmed && fate.signs >= HOST_SIGNS {
            self.give_up(probe.host, reason, now);
        }
    }

    /// This machine will not send there.
    fn unsendable(&mut self, key: u32, reason: Reason, now: Instant) {
        if reason == Reason::LocalPolicy {
            // A local rule may be about the port alone.
            let probe = self.remove(key);
            if probe.kind == Kind::Port {
                self.close_siblings(&probe, State::Unscanned);
                self.port_answered(
                    &probe,
                    Verdict {
                        reason,
                        attempts: 0,
                        rtt: None,
                        from: None,
                    },
                    now,
                );
            }
            return self.settle_host(probe.host, now);
        }
        let probe = self.put_back(key);
        if reason == Reason::NoRoute && self.has_gone(probe.host, now) {
            return;
        }
        let host = &mut self.hosts[probe.host as usize];
        let first = *host.fate.first.get_or_insert(now);
        host.fate.signs += 1;
        if reason == Reason::BadAddress || now.saturating_duration_since(first) >= UNSENDABLE_PAUSE
        {
            return self.give_up(probe.host, reason, now);
        }
        host.pause_until = Some(first + UNSENDABLE_PAUSE);
        self.wake(probe.host);
    }

    /// A resource of this machine ran out: the probe is put back, the budget shrinks.
    fn faulted(&mut self, key: u32, fault: LocalFault, now: Instant) {
        self.put_back(key);
        self.attempts -= 1;
        let in_use = self.probes.len();
        self.budget.sockets = self.budget.sockets.min(in_use).max(1);
        self.budget.credit = 0;
        if in_use == 0 {
            let pause = FAULT_PAUSE * 2u32.pow(self.budget.streak.min(7));
            self.budget.pause_until = Some(now + pause.min(FAULT_PAUSE_MAX));
            self.budget.streak += 1;
            if self.budget.streak >= FAULTS {
                self.end(Reason::OutOfSockets, now);
            }
        }
        if !self.budget.told.contains(&fault) {
            self.budget.told.push(fault);
            self.note(Note::LocalFault {
                fault,
                sockets: self.budget.sockets,
            });
        }
    }

    fn credit(&mut self) {
        self.budget.streak = 0;
        self.budget.credit += 1;
        if self.budget.credit >= CREDIT && self.budget.sockets < self.options.max_sockets {
            self.budget.credit = 0;
            self.budget.sockets += 1;
        }
    }

    /// The answer should have come by now: the next attempt may start, this one waits on.
    fn soft_deadline(&mut self, key: u32, probe: Probe, now: Instant) {
        self.probes.park(key);
        self.is_sent(&probe, now);
        let host = &mut self.hosts[probe.host as usize];
        let check = now + host.soft_timeout(&self.options) / 2 + CHECK_AFTER;
        self.deadlines
            .start(key, check.min(probe.sent.at + self.options.timeout));
        match probe.kind {
            Kind::Port => {
                self.run.on_left();
                host.pace.on_left();
                host.quiet = host.quiet.saturating_add(1);
                host.silences = host.silences.saturating_add(1);
                host.ledger.park(probe.index, host.wanted);
                let unlikely =
                    probe.attempt == 1 && !self.space.is_popular(&host.order, probe.index);
                host.unlikely_silent += u32::from(unlikely);
                self.wake(probe.host);
            }
            Kind::Canary { .. } => self.canary_lost(&probe, now),
        }
    }

    /// By now it is known how the canaries sent about the same time did. If the silence will not
    /// count, the next attempt need not wait for the hard deadline.
    fn check(&mut self, key: u32, probe: Probe, now: Instant) {
        self.deadlines
            .start(key, probe.sent.at + self.options.timeout);
        let doubtful = probe.kind == Kind::Port && self.belief(&probe) == Belief::No;
        self.probes.check(key, doubtful);
        let host = &self.hosts[probe.host as usize];
        // Under a known limit the rate is held by what is delivered.
        let futile = probe.attempt > host.wanted + FUTILE && !host.pace.is_limited();
        if probe.kind == Kind::Port && futile {
            self.judge_rate(probe.host, doubtful, now);
        }
        if doubtful {
            let host = &mut self.hosts[probe.host as usize];
            host.ledger.discount(probe.index, host.wanted);
            self.wake(probe.host);
        }
    }

    /// Whether silence of the attempt says anything about its port.
    fn belief(&self, probe: &Probe) -> Belief {
        let host = &self.hosts[probe.host as usize];
        if !host.canaries.is_empty() {
            return host.path.believes(probe.sent);
        }
        // A host that never answered: what others say of the path that is common to all.
        match self.run_path.believes(probe.sent) {
            Belief::No => Belief::No,
            _ => Belief::Yes,
        }
    }

    /// An attempt was waited for as long as the user wants.
    fn hard_deadline(&mut self, key: u32, probe: Probe, now: Instant) {
        let (belief, few) = (self.belief(&probe), self.has_few_sockets());
        let host = &mut self.hosts[probe.host as usize];
        let patient = now < probe.sent.at + self.options.timeout * 2 + PATIENCE;
        // With so few sockets there are no canaries to wait for.
        let patient = patient && !few;
        let undecided = belief == Belief::NotYet && !probe.discounted && patient;
        if probe.kind == Kind::Port && undecided {
            // A canary sent since will tell; ask one if none was, or if it was lost itself.
            let soft = host.soft_timeout(&self.options);
            if host
                .last_canary
                .is_none_or(|asked| asked < probe.sent.at || now >= asked + soft)
            {
                host.quiet = u32::MAX;
            }
            self.deadlines.start(key, now + soft.max(CHECK_AFTER));
            return self.wake(probe.host);
        }
        let id = self.probes.id(key);
        self.actions.push_back(Action::Close { id });
        let probe = self.remove(key);
        self.unpark(
            &probe,
            belief == Belief::Yes || few && belief == Belief::NotYet,
        );
        self.settle_host(probe.host, now);
    }

    fn unpark(&mut self, probe: &Probe, counts: bool) {
        if probe.kind == Kind::Port && !probe.discounted {
            let host = &mut self.hosts[probe.host as usize];
            host.ledger.unpark(probe.index, counts, host.wanted);
        }
    }

    /// Gives up the attempt parked last, to make room for a port that was never tried. It does not
    /// count as silent.
    pub(super) fn evict(&mut self) {
        let Some(key) = self.probes.youngest_parked() else {
            return;
        };
        self.actions.push_back(Action::Close {
            id: self.probes.id(key),
        });
        let probe = self.remove(key);
        if probe.kind == Kind::Port {
            let believed = self.belief(&probe) != Belief::No;
            let ledger = &mut self.hosts[probe.host as usize].ledger;
            if believed {
                ledger.mark_evicted(probe.index);
            }
            // Else a host with few sockets would run out of attempts without one that was waited for.
            ledger.unmake(probe.index);
        }
        self.unpark(&probe, false);
        self.wake(probe.host);
    }

    /// Completes the host if it is, else lets it go on.
    pub(super) fn settle_host(&mut self, slot: u32, now: Instant) {
        let Some(host) = self.hosts.get_mut(slot as usize) else {
            return;
        };
        if host.is_complete() {
            host.want(&self.options, self.run_trials);
        }
        if host.is_complete() {
            self.finish(slot, None, now);
        } else {
            self.wake(slot);
        }
    }

    pub(super) fn give_up(&mut self, slot: u32, reason: Reason, now: Instant) {
        let target = self.hosts[slot as usize].target.clone();
        self.note(Note::HostGivenUp { target, reason });
        self.finish(slot, Some(reason), now);
    }

    /// The attempt never took place.
    fn put_back(&mut self, key: u32) -> Probe {
        let probe = self.remove(key);
        if probe.kind == Kind::Port {
            self.hosts[probe.host as usize].ledger.put_back(probe.index);
        }
        self.wake(probe.host);
        probe
    }

    /// Takes an attempt out of everything that knows it, but not out of its host's ledger.
    pub(super) fn remove(&mut self, key: u32) -> Probe {
        self.deadlines.stop(key);
        let probe = self.probes.remove(key);
        let host = &mut self.hosts[probe.host as usize];
        match probe.kind {
            Kind::Canary { .. } => host.asked.retain(|asked| *asked != key),
            Kind::Port => {
                host.live -= 1;
                if !probe.parked {
                    host.pace.on_left();
                    self.run.on_left();
                }
            }
        }
        probe
    }

    pub(super) fn note(&mut self, note: Note) {
        self.actions.push_back(Action::Report(Report::Note(note)));
    }
}
