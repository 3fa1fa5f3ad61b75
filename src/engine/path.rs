//! Whether silence on a path can be believed.
//!
//! Every answer shows that the path was alive when its probe was sent. Silence of a probe is
//! believed only between two such moments with no lost canary between them: the stretch from the
//! last good send before a lost canary to the first good one after it is *in doubt*, and a silence
//! in it does not count. Several canaries lost in a row with no other answer mean that the path is
//! *lost*: nothing is sent but canaries, with pauses that grow with the outage, until one answers.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Good moments remembered: with one each 32nd of an expected answer time, and all canaries, they
/// reach back beyond the send time of a canary whose loss is noticed now.
const GOODS: usize = 128;
/// Doubtful stretches remembered one by one; then the oldest become one with what lies between.
const DOUBTS: usize = 48;
/// Canaries lost in a row, with no answer meanwhile, that make a path lost. One in 16 by chance
/// where half of everything is lost; a false alarm costs a round trip.
const LOST_AFTER: u8 = 4;
/// Pause between canaries on a lost path: this share of the outage so far, within the bounds, so
/// that an outage is noticed to be over after at most a 64th of its length.
const PAUSE_SHARE: u32 = 64;
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// When a probe was sent: probes that leave at the same reading of the clock have an order too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    pub at: Instant,
    /// Number of the probe in the run.
    pub order: u64,
}

impl Moment {
    /// After all that is sent at `at`.
    pub fn end_of(at: Instant) -> Moment {
        Moment {
            at,
            order: u64::MAX,
        }
    }
}

/// What is known of a path's life.
#[derive(Clone, Debug)]
pub struct Path {
    /// Send times of answered probes, ascending, thinned out.
    goods: VecDeque<Moment>,
    /// The latest send time of an answered probe, exactly.
    last_good: Option<Moment>,
    doubts: VecDeque<(Moment, Moment)>,
    /// From when silence is in doubt, since a canary sent then or later was lost and nothing sent
    /// after it was answered yet.
    open_doubt: Option<OpenDoubt>,
    streak: u8,
    lost_since: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct OpenDoubt {
    from: Moment,
    last_lost: Moment,
}

/// Whether a silence says anything about the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belief {
    /// The path was alive before and after.
    Yes,
    /// The path may have been dead.
    No,
    /// Nothing sent since was answered yet: a canary will tell.
    NotYet,
}

impl Path {
    /// A path of which nothing is known.
    pub fn new() -> Path {
        Path {
            goods: VecDeque::new(),
            last_good: None,
            doubts: VecDeque::new(),
            open_doubt: None,
            streak: 0,
            lost_since: None,
        }
    }

    /// A probe sent at `sent` was answered. Remembers no more than one such moment a `spacing`.
    /// Returns how long the path had been lost, if this finds it again.
    pub fn on_answer(&mut self, sent: Moment, now: Instant, spacing: Duration) -> Option<Duration> {
        // Answers overtake each other: it may belong before others.
        let mut place = self.goods.len();
        while place > 0 && self.goods[place - 1] > sent {
            place -= 1;
        }
        let before = place.checked_sub(1).map(|before| self.goods[before].at);
        let after = self.goods.get(place).map(|after| after.at);
        if before.is_none_or(|before| sent.at >= before + spacing)
            && after.is_none_or(|after| after >= sent.at + spacing)
        {
            self.goods.insert(place, sent);
            if self.goods.len() > GOODS {
                self.goods.pop_front();
            }
        }
        self.last_good = self.last_good.max(Some(sent));
        let doubt = self.open_doubt?;
        if sent <= doubt.last_lost {
            return None;
        }
        self.doubt(doubt.from, sent);
        self.open_doubt = None;
        self.streak = 0;
        self.lost_since
            .take()
            .map(|since| now.saturating_duration_since(since))
    }

    /// A canary sent at `sent` was not answered in the time its answer should have taken. Returns
    /// whether the path counts as lost from now on.
    pub fn on_canary_lost(&mut self, sent: Moment, now: Instant) -> bool {
        let goods = || self.goods.iter().copied().chain(self.last_good);
        let from = goods().filter(|good| *good <= sent).max().unwrap_or(sent);
        match goods().filter(|good| *good > sent).min() {
            Some(after) => {
                self.doubt(from, after);
                return false;
            }
            None => {
                let doubt = self.open_doubt.get_or_insert(OpenDoubt {
                    from,
                    last_lost: sent,
                });
                doubt.from = doubt.from.min(from);
                doubt.last_lost = doubt.last_lost.max(sent);
            }
        }
        self.streak = self.streak.saturating_add(1);
        if self.streak < LOST_AFTER || self.lost_since.is_some() {
            return false;
        }
        self.lost_since = Some(self.last_good.unwrap_or(sent).at.min(now));
        true
    }

    /// Silence of probes sent from `from` to `to` is not to be believed.
    pub fn doubt(&mut self, from: Moment, to: Moment) {
        if let Some((last_from, last_to)) = self.doubts.back_mut()
            && from <= *last_to
            && to >= *last_from
        {
            (*last_from, *last_to) = ((*last_from).min(from), (*last_to).max(to));
            return;
        }
        self.doubts.push_back((from, to));
        if self.doubts.len() > DOUBTS
            && let Some((from, to)) = self.doubts.pop_front()
            && let Some((next_from, next_to)) = self.doubts.front_mut()
        {
            (*next_from, *next_to) = ((*next_from).min(from), (*next_to).max(to));
        }
    }

    /// Whether silence of a probe sent at `sent` says anything.
    pub fn believes(&self, sent: Moment) -> Belief {
        if self
            .doubts
            .iter()
            .any(|(from, to)| *from <= sent && sent <= *to)
        {
            return Belief::No;
        }
        match self.open_doubt {
            Some(doubt) if doubt.from <= sent => {
                if self.lost_since.is_some() {
                    Belief::No
                } else {
                    Belief::NotYet
                }
            }
            _ if self.last_good >= Some(sent) => Belief::Yes,
            _ => Belief::NotYet,
        }
    }

    /// Since when the path has been lost.
    pub fn lost_since(&self) -> Option<Instant> {
        self.lost_since
    }

    /// The outage, if there is one, counts as so much later: nobody asked meanwhile.
    pub fn shift_loss(&mut self, length: Duration) {
        self.lost_since = self.lost_since.map(|since| since + length);
    }

    /// How long to wait between canaries while the path is lost; `round_trip` bounds it from below.
    pub fn pause(&self, now: Instant, round_trip: Duration) -> Duration {
        let out = self
            .lost_since
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        (out / PAUSE_SHARE).clamp(PAUSE_MIN.max(round_trip / 2).min(PAUSE_MAX), PAUSE_MAX)
    }

    /// Send time of the latest probe known to have been answered.
    pub fn last_good(&self) -> Option<Moment> {
        self.last_good
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn moment(at: Instant) -> Moment {
        Moment { at, order: 0 }
    }

    #[test]
    fn silence_counts_between_two_answers() {
        let t = Instant::now();
        let mut path = Path::new();
        assert_eq!(path.believes(moment(t)), Belief::NotYet);
        path.on_answer(moment(t), t + MS, MS);
        assert_eq!(path.believes(moment(t + 5 * MS)), Belief::NotYet);
        path.on_answer(moment(t + 10 * MS), t + 11 * MS, MS);
        assert_eq!(path.believes(moment(t + 5 * MS)), Belief::Yes);
    }

    #[test]
    fn silence_around_a_lost_canary_does_not_count() {
        let t = Instant::now();
        let mut path = Path::new();
        for ms in [0, 10, 30, 40] {
            path.on_answer(moment(t + ms * MS), t + (ms + 1) * MS, MS);
        }
        assert!(!path.on_canary_lost(moment(t + 20 * MS), t + 50 * MS));
        assert_eq!(path.believes(moment(t + 5 * MS)), Belief::Yes);
        assert_eq!(path.believes(moment(t + 15 * MS)), Belief::No);
        assert_eq!(path.believes(moment(t + 25 * MS)), Belief::No);
        assert_eq!(path.believes(moment(t + 35 * MS)), Belief::Yes);
    }

    #[test]
    fn an_answer_that_others_have_overtaken_shows_the_path_alive_too() {
        let t = Instant::now();
        let mut path = Path::new();
        for ms in [0, 10, 40, 20] {
            path.on_answer(moment(t + ms * MS), t + 50 * MS, Duration::ZERO);
        }
        assert!(!path.on_canary_lost(moment(t + 30 * MS), t + 60 * MS));
        assert_eq!(path.believes(moment(t + 15 * MS)), Belief::Yes);
        assert_eq!(path.believes(moment(t + 25 * MS)), Belief::No);
        assert_eq!(path.believes(moment(t + 35 * MS)), Belief::No);
    }

    #[test]
    fn a_path_is_lost_after_four_canaries_and_found_by_the_first_answer_to_a_later_probe() {
        let t = Instant::now();
        let mut path = Path::new();
        path.on_answer(moment(t), t + MS, MS);
        for n in 1..4u32 {
            assert!(!path.on_canary_lost(moment(t + n * 10 * MS), t + (n * 10 + 20) * MS));
        }
        assert!(path.on_canary_lost(moment(t + 40 * MS), t + 60 * MS));
        assert_eq!(path.believes(moment(t + 20 * MS)), Belief::No);
        assert_eq!(
            path.on_answer(moment(t + 35 * MS), t + 70 * MS, MS),
            None,
            "an answer to an earlier probe"
        );
        assert_eq!(
            path.on_answer(moment(t + 100 * MS), t + 101 * MS, MS),
            Some(101 * MS)
        );
        assert_eq!(path.lost_since(), None);
        assert_eq!(path.believes(moment(t + 70 * MS)), Belief::No);
    }

    #[test]
    fn pauses_grow_with_the_outage() {
        let t = Instant::now();
        let mut path = Path::new();
        path.on_answer(moment(t), t, MS);
        (1..=4).for_each(|n| {
            path.on_canary_lost(moment(t + n * MS), t + 50 * MS);
        });
        assert_eq!(path.pause(t + 60 * MS, MS), PAUSE_MIN);
        assert_eq!(path.pause(t + 6400 * MS, MS), 100 * MS);
        assert_eq!(path.pause(t + 600_000 * MS, MS), PAUSE_MAX);
    }
}
