//! What canaries that come back, or do not, mean for the host's path and pace and for the run's.

use std::time::{Duration, Instant};

use super::Note;
use super::loss::Trials;
use super::pace::Found;
use super::path::{Moment, Path};
use super::probes::{Kind, Probe};
use super::scanner::{COMMON, Scanner};

/// Silences by which the rate is judged, and the share of them in doubt that slows it.
const JUDGED: u32 = 48;
const MOSTLY: f64 = 0.5;
/// Loss, over so many lost trials, at which silence means too little to go on at the same rate.
const HEAVY: f64 = 0.3;
const HEAVY_LOST: f64 = 12.0;

impl Scanner {
    /// Whatever of a host is due by time alone.
    pub(super) fn look_after(&mut self, slot: u32, now: Instant) {
        let Some(host) = self.hosts.get_mut(slot as usize) else {
            return;
        };
        let srtt = host.rtt.srtt();
        if let Some(found) = host.pace.look(now, srtt) {
            host.path.doubt(found.doubt_from, Moment::end_of(now));
            self.limit_found(Some(slot), found);
        }
        self.check_outage(slot, now);
    }

    /// The path to a host was alive at `sent`.
    pub(super) fn alive(&mut self, probe: &Probe, now: Instant) {
        let slot = probe.host;
        let host = &mut self.hosts[slot as usize];
        let spacing = match probe.kind {
            Kind::Canary { .. } => Duration::ZERO,
            Kind::Port => host.soft_timeout(&self.options) / 32,
        };
        let found = host.path.on_answer(probe.sent, now, spacing);
        if let Some(after) = found {
            host.on_path_found(after, &self.options, now);
            let target = Some(host.target.clone());
            self.note(Note::PathFound { target, after });
        }
        let common = self.run_path.on_answer(probe.sent, now, spacing);
        if found.or(common).is_some() {
            self.wake_all();
        }
    }

    /// A canary came back, perhaps after it was given up.
    pub(super) fn canary_answered(&mut self, probe: &Probe, now: Instant) {
        let Kind::Canary { open, number } = probe.kind else {
            return;
        };
        let host = &mut self.hosts[probe.host as usize];
        host.canaries.on_answer(probe.index);
        let Some(number) = number else {
            // One that was only late is counted twice; that hides no limit, as they are asked on.
            return host.refusals.add(true);
        };
        let trials = host.trials.of(open);
        if probe.parked {
            if host.canaries.on_late(number) {
                trials.lost = (trials.lost - 1.0).max(0.0);
                trials.add(true);
            }
            return host.pace.on_late(probe.sent);
        }
        host.canaries.on_result(number, true, |ok| trials.add(ok));
        host.trials.on_canary();
        if open {
            host.accepts.add(true);
        }
        self.trial(probe, true, now);
    }

    /// A canary was not answered in the time its answer should have taken.
    pub(super) fn canary_lost(&mut self, probe: &Probe, now: Instant) {
        let Kind::Canary { open, number } = probe.kind else {
            return;
        };
        let host = &mut self.hosts[probe.host as usize];
        let Some(number) = number else {
            host.refusals.add(false);
            return self.check_refusals(probe.host, now);
        };
        let trials = host.trials.of(open);
        host.canaries.on_result(number, false, |ok| trials.add(ok));
        if open {
            host.accepts.add(false);
        }
        if host.path.last_good().is_some_and(|good| good > probe.sent) {
            host.canaries.on_miss(probe.index);
        }
        if host.path.on_canary_lost(probe.sent, now) {
            host.pace.on_path_lost(now);
            host.trials.on_path_lost();
            let target = Some(host.target.clone());
            self.note(Note::PathLost { target });
        }
        self.run_path.on_canary_lost(probe.sent, now);
        self.trial(probe, false, now);
        self.settle_host(probe.host, now);
    }

    /// Calls refusals limited when closed canaries are lost and open ones are not.
    fn check_refusals(&mut self, slot: u32, now: Instant) {
        let host = &mut self.hosts[slot as usize];
        if !host.shows_refusal_limit() {
            return self.wake(slot);
        }
        host.refusals_limited = true;
        host.pace.lift();
        if self.options.exact {
            // From here on only refusals tell; what was silent until now may be closed.
            host.path = Path::new();
            host.path.doubt(host.begin(), Moment::end_of(now));
            *host.trials.of(false) = Trials::default();
            host.ledger.forget_silences(host.wanted);
            host.pace
                .on_path_found(Duration::from_secs(1), Duration::ZERO, now);
            host.pace.hold_at_delivery(now);
        }
        let target = host.target.clone();
        self.note(Note::RefusalsLimited { target });
        self.wake(slot);
    }

    /// A trial of the pace of the host and, with others, of the run.
    fn trial(&mut self, probe: &Probe, ok: bool, now: Instant) {
        let host = &mut self.hosts[probe.host as usize];
        let own_loss = host.path_trials(self.options.exact).share();
        let found = host.pace.on_trial(probe.sent, ok, own_loss, now);
        if let Some(found) = found {
            host.path.doubt(found.doubt_from, Moment::end_of(now));
            // How much is lost at another rate is to be found out anew.
            host.trials.forget();
            host.refusals = Trials::default();
            host.accepts = Trials::default();
        }
        host.want(&self.options, self.run_trials);
        let limited = host.pace.is_limited();
        let found = found.or_else(|| self.slow_heavy_loss(probe.host, now));
        if let Some(found) = found {
            self.limit_found(Some(probe.host), found);
        }
        // In turn, so that one host with a limit of its own is not taken for all.
        if limited || self.run_last_trial == Some(probe.host) || !self.has_common_path() {
            return;
        }
        self.run_last_trial = Some(probe.host);
        if let Some(found) = self
            .run
            .on_trial(probe.sent, ok, self.run_trials.share(), now)
        {
            self.run_path.doubt(found.doubt_from, Moment::end_of(now));
            self.limit_found(None, found);
        }
    }

    /// Where so much is lost that no number of attempts would do, perhaps less is at half the rate:
    /// slows the host down and forgets its silences so far.
    fn slow_heavy_loss(&mut self, slot: u32, now: Instant) -> Option<Found> {
        let host = &mut self.hosts[slot as usize];
        let trials = host.path_trials(self.options.exact);
        let heavy = trials.share() > HEAVY && trials.lost >= HEAVY_LOST;
        if !heavy || host.pace.is_limited() {
            return None;
        }
        let slower = host.pace.slow_down(trials.share(), now)?;
        host.path.doubt(host.begin(), Moment::end_of(now));
        host.ledger.forget_silences(host.wanted);
        host.trials.forget();
        Some(slower)
    }

    /// Slows a host down whose silences are mostly in doubt.
    pub(super) fn judge_rate(&mut self, slot: u32, doubtful: bool, now: Instant) {
        let host = &mut self.hosts[slot as usize];
        host.checked += 1;
        host.doubtful += u32::from(doubtful);
        if host.checked < JUDGED {
            return;
        }
        let share = f64::from(host.doubtful) / f64::from(host.checked);
        (host.checked, host.doubtful) = (0, 0);
        if share > MOSTLY
            && let Some(found) = host.pace.slow_down(share, now)
        {
            self.limit_found(Some(slot), found);
        }
    }

    fn has_common_path(&self) -> bool {
        self.telling().take(COMMON).count() == COMMON
    }

    /// Tells of a limit of a host or of the run.
    pub(super) fn limit_found(&mut self, slot: Option<u32>, found: Found) {
        let target = slot.map(|slot| self.hosts[slot as usize].target.clone());
        self.note(Note::LimitFound {
            target,
            rate: found.rate,
            loss: found.loss,
        });
    }
}
