//! How fast to send: a window that opens until the path or the host shows a limit, then a rate held
//! at what gets through.
//!
//! The idea is BBR's (Cardwell et al., 2016): loss by itself says nothing, delivery against sending
//! does. There is no bulk transfer to measure here, so the trials are canaries: probes of ports
//! that are known to answer. While they come back, the window grows eight-, later twofold a round trip;
//! before anything has answered, as behind a default-drop firewall, it doubles every 50 ms, and that
//! of many hosts of which few answer every 100 ms. When a large part of the canaries stops coming
//! back, sending has outgrown a limit: the rate becomes what was delivered, and then creeps up as
//! long as canaries stay well and drops to what is delivered when they do not.
//! Loss that is no smaller at a third of the rate has nothing to do with the rate: then it is taken
//! as the path's own, and the limit is lifted.

use std::time::{Duration, Instant};

use super::meter::{Batch, Meter};
use super::path::Moment;
use window::Window;

/// A round-trip time of this many shortest ones, plus the allowance for this machine's own turns,
/// is a queue filling up: no reason to send more at once.
const QUEUE_FACTOR: u32 = 3;
const QUEUE_ALLOWANCE: Duration = Duration::from_millis(6);
/// Trials looked at together; a limit needs most of a batch.
const BATCH: u32 = 16;
/// Loss beyond the path's own that shows a limit.
const LIMIT_LOSS: f64 = 0.35;
/// Loss beyond the path's own at which a held rate is raised, and above which it is lowered.
const RAISE_BELOW: f64 = 0.05;
const LOWER_ABOVE: f64 = 0.15;
/// First step of a raise; it doubles with each raise in a row that went well.
const RAISE: f64 = 0.08;
/// Raises in a row after which there is no limit any more.
const LIFT_AFTER: u32 = 7;
/// Reductions in a row, to at most a third of the rate, that must leave the loss as it is before it
/// is taken as the path's own.
const OWN_LOSS_AFTER: u32 = 3;
/// A path that is found again sooner than this after its loss could be noticed was a full queue; one lost
/// for longer than the other was no passing trouble of a link.
const QUEUE_DRAINED: Duration = Duration::from_millis(400);
pub const LONG_OUTAGE: Duration = Duration::from_secs(5);
/// A found limit is never taken as lower than this, probes a second; at less than twice as much,
/// loss is no sign of one.
const RATE_MIN: f64 = 50.0;
/// Loss that shows at all rates moves the one that shows a limit by this at most.
const OWN_LOSS_MAX: f64 = 0.25;
/// How much later than planned a probe may be sent without the rest being shifted: what a timer of
/// 1 ms and a busy turn of the loop cost.
const CATCH_UP: Duration = Duration::from_millis(2);

/// The pace of a host or of the run.
#[derive(Clone, Debug)]
pub struct Pace {
    window: Window,
    /// Upper bound given by the user, probes a second.
    bound: Option<f64>,
    limit: Option<Limit>,
    /// Whether the path is lost, as far as it was told.
    is_lost: bool,
    /// Probes a second that got through when the path was lost.
    delivered: f64,
    next_send: Option<Instant>,
    sent: Meter,
    answered: Meter,
    batches: [Batch; 2],
    /// The path's own loss, which does not depend on the rate.
    own_loss: f64,
    path_loss: f64,
}

/// A limit that was found.
#[derive(Clone, Copy, Debug)]
struct Limit {
    rate: f64,
    /// Loss and sending rate when it was found.
    first_loss: f64,
    first_rate: f64,
    /// Trials sent after this tell about the present rate.
    since: Instant,
    trials: Batch,
    next_look: Instant,
    raises: u32,
    lowers: u32,
}

/// A limit found or changed: what a user may want to know, and since when silence means nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Probes a second from now on.
    pub rate: f64,
    /// Loss that led to it.
    pub loss: f64,
    /// Silences of probes sent since then are in doubt.
    pub doubt_from: Moment,
}

impl Pace {
    /// Starts with `initial` probes in the window, never more than `ceiling`, at most `bound` a second.
    pub fn new(initial: usize, ceiling: usize, bound: Option<f64>) -> Pace {
        Pace {
            window: Window::new(initial, ceiling),
            bound,
            limit: None,
            is_lost: false,
            delivered: 0.0,
            next_send: None,
            sent: Meter::default(),
            answered: Meter::default(),
            batches: [Batch::default(); 2],
            own_loss: 0.0,
            path_loss: 0.0,
        }
    }

    /// So many hosts share the pace. One alone has the rounds that its own pace has.
    pub fn set_hosts(&mut self, hosts: usize) {
        self.window.set_shared(hosts > 1);
    }

    /// Whether one more probe fits in the window.
    pub fn has_room(&mut self) -> bool {
        self.window.has_room()
    }

    /// When the rate allows the next probe, if that is after `now`.
    pub fn wait_until(&self, now: Instant) -> Option<Instant> {
        self.next_send.filter(|at| *at > now)
    }

    /// A probe is sent. Canaries take no place in the window.
    pub fn on_sent(&mut self, now: Instant, in_window: bool) {
        self.window.on_sent(in_window);
        self.sent.count(now);
        self.spend(now);
    }

    /// Something is sent that only the rate is concerned with.
    pub fn spend(&mut self, now: Instant) {
        if let Some(rate) = self.rate() {
            let due = self
                .next_send
                .map_or(now, |at| at.max(now.checked_sub(CATCH_UP).unwrap_or(now)));
            self.next_send = Some(due + Duration::from_secs_f64(1.0 / rate));
        }
    }

    /// A probe leaves the window: it was answered, its soft deadline passed, or it was put back.
    pub fn on_left(&mut self) {
        self.window.on_left();
    }

    /// A probe was answered; `fast`: one that was in the window, by the host itself. `queueing` if round
    /// trips have become long against the shortest.
    pub fn on_answer(&mut self, now: Instant, fast: bool, queueing: bool) {
        self.answered.count(now);
        let may_grow = self.may_grow(queueing);
        self.window.on_answer(fast, may_grow);
    }

    /// Whether more may be sent at once.
    fn may_grow(&self, queueing: bool) -> bool {
        self.limit.is_none() && !queueing && !self.is_suspect()
    }

    /// The round trip takes so long: that is the length of a round, where hosts share the pace only
    /// while a good part of them answers.
    pub fn on_round_trip(&mut self, srtt: Duration) {
        self.window.on_round_trip(srtt);
    }

    /// Ends a round of growth when it is due.
    pub fn on_time(&mut self, now: Instant, queueing: bool) {
        if self.window.round_is_over(now) {
            let may_grow = self.may_grow(queueing);
            self.window.end_round(may_grow, now);
        }
    }

    /// Whether [`on_time`](Self::on_time) is due.
    pub fn round_is_over(&self, now: Instant) -> bool {
        self.window.round_is_over(now)
    }

    /// When the present round of growth ends, if the window is what holds sending back.
    pub fn round_end(&self) -> Option<Instant> {
        self.window.round_end()
    }

    /// A canary sent at `sent` came back, or did not in its time. `own_loss` is what the path has been
    /// found to lose so far.
    pub fn on_trial(
        &mut self,
        sent: Moment,
        ok: bool,
        own_loss: f64,
        now: Instant,
    ) -> Option<Found> {
        if !ok {
            self.window.on_loss();
        }
        if let Some(limit) = &mut self.limit {
            if sent.at > limit.since {
                limit.trials.add(sent, ok);
            }
            return None;
        }
        self.path_loss = own_loss.min(OWN_LOSS_MAX);
        if self.batches[0].len() >= BATCH {
            self.batches[1] = std::mem::take(&mut self.batches[0]);
        }
        self.batches[0].add(sent, ok);
        let both = self.batches[0].plus(self.batches[1]);
        // Judged when something comes back: where nothing does, the path is dead, not full.
        if !ok
            || both.len() < BATCH
            || both.loss() <= LIMIT_LOSS + self.own_loss.max(self.path_loss)
        {
            return None;
        }
        let rate = self.sent.rate(now);
        let delivered = self
            .answered
            .rate(now)
            .max(rate * (1.0 - both.loss()))
            .max(RATE_MIN);
        if delivered >= rate || rate < RATE_MIN * 2.0 {
            return None;
        }
        let doubt_from = both.first_lost.unwrap_or(sent);
        self.batches = [Batch::default(); 2];
        Some(self.hold(now, delivered, both.loss(), rate, doubt_from))
    }

    /// A canary that had been given up as lost was only late.
    pub fn on_late(&mut self, sent: Moment) {
        let [now, before] = &mut self.batches;
        let limit = self.limit.as_mut().map(|limit| &mut limit.trials);
        let mut batches = limit.into_iter().chain([now, before]);
        if let Some(batch) = batches
            .find(|batch| batch.lost > 0 && batch.first_sent.is_some_and(|first| first <= sent))
        {
            batch.lost -= 1;
        }
    }

    /// Looks at how a held rate does, when it is time to.
    pub fn look(&mut self, now: Instant, srtt: Option<Duration>) -> Option<Found> {
        if self.is_lost {
            // What comes back on a lost path tells nothing about the rate.
            return None;
        }
        let limit = self.limit.as_mut().filter(|limit| now >= limit.next_look)?;
        limit.next_look = now + period(srtt);
        let (sent, answered) = (self.sent.rate(now), self.answered.rate(now));
        let unanswered = 1.0 - answered / sent.max(1.0);
        let loss = limit.trials.loss();
        let judged = limit.trials.len() >= BATCH / 2;
        let lowered = limit.lowers >= OWN_LOSS_AFTER && limit.rate * 3.0 <= limit.first_rate;
        if judged && lowered && loss >= 0.6 * limit.first_loss {
            self.own_loss = loss;
            self.lift();
            return None;
        }
        if unanswered <= RAISE_BELOW || (judged && loss <= self.own_loss + RAISE_BELOW) {
            // Raising what is not used up says nothing about the limit.
            if sent >= 0.7 * limit.rate {
                limit.rate *= 1.0 + (RAISE * f64::from(1u32 << limit.raises.min(4))).min(1.0);
                limit.raises += 1;
                limit.lowers = 0;
                limit.trials = Batch::default();
                limit.since = now;
                if limit.raises >= LIFT_AFTER {
                    self.lift();
                }
            }
            return None;
        }
        // Of a rate that is not used up it may be bursts that lose, of few ports tried again say. That takes
        // more to be believed, and is no sign of how much gets through.
        let used = sent >= 0.7 * limit.rate;
        let (above, least) = match used {
            true => (LOWER_ABOVE, RATE_MIN),
            false => (LIMIT_LOSS, (limit.rate / 2.0).max(RATE_MIN)),
        };
        let judged = judged && (used || limit.trials.len() >= BATCH);
        if judged && loss > self.own_loss + above {
            let delivered = answered.max(sent * (1.0 - loss)).max(least).min(limit.rate);
            let (first_loss, first_rate) = (limit.first_loss, limit.first_rate);
            let lowers = limit.lowers + 1;
            let doubt_from = limit.trials.first_sent.unwrap_or(Moment::end_of(now));
            let found = self.hold(now, delivered, loss, first_rate, doubt_from);
            if let Some(limit) = &mut self.limit {
                limit.first_loss = first_loss;
                limit.lowers = lowers;
            }
            return Some(found);
        }
        None
    }

    /// When [`look`](Self::look) is due.
    pub fn next_look(&self) -> Option<Instant> {
        self.limit.map(|limit| limit.next_look)
    }

    /// Most silences of late, the `share` of them, are in doubt although no limit shows: bursts are
    /// more than the path takes at once. Sends half as much, evenly.
    pub fn slow_down(&mut self, share: f64, now: Instant) -> Option<Found> {
        let before = self.limit.map_or(self.sent.rate(now), |limit| limit.rate);
        if before <= RATE_MIN || self.is_lost {
            return None;
        }
        let rate = (before / 2.0).max(RATE_MIN);
        Some(self.hold(now, rate, share, before, Moment::end_of(now)))
    }

    /// Holds the rate at what is answered now.
    pub fn hold_at_delivery(&mut self, now: Instant) {
        let (sent, answered) = (self.sent.rate(now), self.answered.rate(now));
        self.hold(
            now,
            answered.max(RATE_MIN),
            1.0 - answered / sent.max(answered),
            sent,
            Moment::end_of(now),
        );
    }

    /// Lifts a limit that turned out not to be one.
    pub fn lift(&mut self) {
        self.limit = None;
        self.batches = [Batch::default(); 2];
        if self.rate().is_none() {
            self.next_send = None;
        }
    }

    /// The path is lost.
    pub fn on_path_lost(&mut self, now: Instant) {
        self.is_lost = true;
        let (sent, answered) = (self.sent.rate(now), self.answered.rate(now));
        let both = self.batches[0].plus(self.batches[1]);
        self.delivered = answered.max(sent * (1.0 - both.loss()));
    }

    /// The path is found again, `after` so long, of which `unnoticed` passed before it could be known.
    pub fn on_path_found(&mut self, after: Duration, unnoticed: Duration, now: Instant) {
        self.is_lost = false;
        let loss = self.batches[0].plus(self.batches[1]).loss();
        self.batches = [Batch::default(); 2];
        let limit_since = self.limit.map(|limit| limit.since);
        if let Some(limit) = &mut self.limit {
            limit.trials = Batch::default();
            limit.since = now;
            limit.next_look = now + period(None);
        }
        if after >= LONG_OUTAGE {
            // A table of flows that had filled up empties as it was filled: what is sent in the
            // same way as at the start finds room.
            self.window.start_again();
            // While it filled up, the path was found and lost again, and a limit seen in that.
            if limit_since.is_some_and(|since| since + after + QUEUE_DRAINED >= now) {
                self.lift();
            }
            return;
        }
        self.window.halve();
        if after < QUEUE_DRAINED + unnoticed && self.limit.is_none() {
            // A queue had filled up, and was empty a moment after sending stopped.
            let rate = self.delivered.max(RATE_MIN);
            self.hold(
                now,
                rate,
                loss,
                self.delivered.max(RATE_MIN),
                Moment::end_of(now),
            );
        }
    }

    /// Probes a second that are allowed, if that is bounded.
    pub fn rate(&self) -> Option<f64> {
        let limit = self.limit.map(|limit| limit.rate);
        self.bound.into_iter().chain(limit).reduce(f64::min)
    }

    /// Whether a limit was found and holds.
    pub fn is_limited(&self) -> bool {
        self.limit.is_some()
    }

    /// Probes that may be in the window.
    pub fn window(&self) -> usize {
        self.window.size()
    }

    /// Whether so much is lost of late that more must not be sent until that is understood.
    fn is_suspect(&self) -> bool {
        // Asked with each answer, and nearly always nothing is.
        if self.batches[0].lost + self.batches[1].lost == 0 {
            return false;
        }
        let both = self.batches[0].plus(self.batches[1]);
        both.len() >= BATCH / 4 && both.loss() > LIMIT_LOSS + self.own_loss.max(self.path_loss)
    }

    fn hold(
        &mut self,
        now: Instant,
        rate: f64,
        loss: f64,
        first_rate: f64,
        doubt_from: Moment,
    ) -> Found {
        self.limit = Some(Limit {
            rate,
            first_loss: loss,
            first_rate,
            since: now,
            trials: Batch::default(),
            next_look: now + period(None),
            raises: 0,
            lowers: 0,
        });
        self.next_send = self.next_send.or(Some(now));
        Found {
            rate,
            loss,
            doubt_from,
        }
    }
}

/// Whether `srtt` shows a queue, measured against the shortest round trip.
pub fn queueing(srtt: Option<Duration>, min: Option<Duration>) -> bool {
    matches!((srtt, min), (Some(srtt), Some(min)) if srtt > min * QUEUE_FACTOR + QUEUE_ALLOWANCE)
}

/// How often a held rate is looked at: a few round trips, time for some canaries.
fn period(srtt: Option<Duration>) -> Duration {
    (srtt.unwrap_or_default() * 6).max(Duration::from_millis(300))
}

mod window;

#[cfg(test)]
mod tests;
