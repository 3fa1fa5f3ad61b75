//! How much of what is sent gets lost, and how often a silent port must be tried because of it.
//!
//! An attempt on a port that is known to answer is a Bernoulli trial with the unknown loss p of the
//! path (there and back). With `ok` answered and `lost` unanswered ones and a Beta(a, b) prior, p
//! is Beta(a + lost, b + ok), and the chance that an open port stays silent through k attempts is
//! the k-th moment, E[p^k] = prod (a + lost + i) / (a + b + n + i), i < k. Unlike an estimate of p
//! raised to k, this counts the doubt that few trials leave.
//!
//! Having found n open ports with k attempts each, one expects n E/(1 - E) more to have been missed,
//! E = E[p^k]. One more is added to n for the host whose only open port is the missed one.

use serde::{Deserialize, Serialize};

/// The prior: a loss of 2% on average, most of the weight near none. Beta(0.1, 4.9).
const PRIOR_LOST: f64 = 0.1;
const PRIOR_OK: f64 = 4.9;

/// Attempts that were answered and that were lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trials {
    /// Answered attempts.
    pub ok: f64,
    /// Lost attempts.
    pub lost: f64,
}

impl Trials {
    /// Chance that `attempts` on an open port all go unanswered.
    pub fn all_lost(&self, attempts: u8) -> f64 {
        let (lost, all) = (
            PRIOR_LOST + self.lost,
            PRIOR_LOST + PRIOR_OK + self.ok + self.lost,
        );
        (0..attempts)
            .map(|i| (lost + f64::from(i)) / (all + f64::from(i)))
            .product()
    }

    /// Chance that an open port was missed, after `found` open ones and `attempts` on each silent
    /// port: the expected number of missed ones where that is below 1.
    pub fn miss(&self, found: u64, attempts: u8) -> f64 {
        let all_lost = self.all_lost(attempts);
        ((found + 1) as f64 * all_lost / (1.0 - all_lost).max(f64::EPSILON)).min(1.0)
    }

    /// The least number of attempts in `least..=most` that brings [`miss`](Self::miss) to `bound`.
    pub fn attempts_for(&self, bound: f64, found: u64, least: u8, most: u8) -> u8 {
        (least..most)
            .find(|k| self.miss(found, *k) <= bound)
            .unwrap_or(most)
    }

    /// Share of the trials that were lost.
    pub fn share(&self) -> f64 {
        self.lost / (self.ok + self.lost).max(1.0)
    }

    /// One more trial.
    pub fn add(&mut self, ok: bool) {
        *(if ok { &mut self.ok } else { &mut self.lost }) += 1.0;
    }

    /// Both kinds of trials together.
    pub fn plus(self, other: Trials) -> Trials {
        Trials {
            ok: self.ok + other.ok,
            lost: self.lost + other.lost,
        }
    }
}

/// Canaries of a host that come back between two [marks](HostTrials::marks).
const MARK_EVERY: u8 = 8;

/// Trials on the ports of a host that answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostTrials {
    kinds: Kinds,
    /// As they were one and two times [`MARK_EVERY`] canaries ago, about.
    marks: [Kinds; 2],
    since_mark: u8,
    /// As they were before the path was lost, while that may be a table of flows that has filled up.
    before: Option<Kinds>,
}

/// Trials on open ports, and on closed ones.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kinds {
    pub open: Trials,
    pub closed: Trials,
}

impl From<Kinds> for HostTrials {
    fn from(kinds: Kinds) -> HostTrials {
        HostTrials {
            kinds,
            marks: [kinds; 2],
            ..HostTrials::default()
        }
    }
}

impl HostTrials {
    /// All of them.
    pub fn kinds(&self) -> Kinds {
        self.kinds
    }

    /// Those on open ports, or on closed ones.
    pub fn of(&mut self, open: bool) -> &mut Trials {
        match open {
            true => &mut self.kinds.open,
            false => &mut self.kinds.closed,
        }
    }

    /// A canary came back in time.
    pub fn on_canary(&mut self) {
        self.since_mark += 1;
        if self.since_mark == MARK_EVERY {
            self.since_mark = 0;
            self.marks = [self.kinds, self.marks[0]];
            self.before = None;
        }
    }

    /// How much is lost is to be found out anew: it is sent at another rate now.
    pub fn forget(&mut self) {
        let before = self.before.or(Some(self.marks[1]));
        *self = HostTrials {
            before,
            ..HostTrials::default()
        };
    }

    /// The path is lost.
    pub fn on_path_lost(&mut self) {
        self.before.get_or_insert(self.marks[1]);
    }

    /// The path is found again after an outage as long as that of a table of flows that had filled up.
    /// While it filled, canaries took the places of others, now and then: what was lost between them
    /// tells nothing of the loss where there is room.
    pub fn on_table_emptied(&mut self) {
        if let Some(before) = self.before.take() {
            *self = HostTrials::from(before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_path_needs_two_attempts_and_a_lossy_one_more() {
        let clean = Trials {
            ok: 100.0,
            lost: 0.0,
        };
        assert_eq!(clean.attempts_for(1e-3, 16, 2, 7), 2);
        // 3% each way: p = 5.9%; 123 p^5 / (1 - p^5) is the first below 1e-3.
        let lossy = Trials {
            ok: 9_410.0,
            lost: 590.0,
        };
        assert_eq!(lossy.attempts_for(1e-3, 122, 2, 7), 5);
        assert_eq!(Trials { ok: 1.0, lost: 9.0 }.attempts_for(1e-3, 1, 2, 7), 7);
    }

    #[test]
    fn few_trials_leave_doubt() {
        let few = Trials { ok: 5.0, lost: 0.0 };
        let many = Trials {
            ok: 500.0,
            lost: 0.0,
        };
        assert!(few.all_lost(2) > 100.0 * many.all_lost(2));
    }

    #[test]
    fn what_was_lost_while_a_table_filled_up_is_taken_back() {
        let mut trials = HostTrials::default();
        let back = |trials: &mut HostTrials| {
            trials.of(true).add(true);
            trials.on_canary();
        };
        (0..40).for_each(|_| back(&mut trials));
        trials.of(true).add(false);
        back(&mut trials);
        // Full: found and lost again, and taken for a limit.
        trials.on_path_lost();
        trials.forget();
        trials.of(true).add(false);
        trials.on_path_lost();
        trials.on_table_emptied();
        let kept = trials.kinds().open;
        assert_eq!(kept.lost, 0.0);
        assert!((24.0..40.0).contains(&kept.ok), "{kept:?}");
    }

    #[test]
    fn what_was_lost_long_before_a_table_filled_up_stays() {
        let mut trials = HostTrials::default();
        trials.of(true).add(false);
        trials.on_path_lost();
        for _ in 0..40 {
            trials.of(true).add(true);
            trials.on_canary();
        }
        trials.on_path_lost();
        trials.on_table_emptied();
        assert_eq!(trials.kinds().open.lost, 1.0);
    }

    #[test]
    fn the_chance_of_a_miss_is_a_chance() {
        for (ok, lost) in [(0.0, 0.0), (0.0, 1e9), (1e9, 0.0), (3.0, 4.0)] {
            for attempts in 0..=16 {
                let miss = Trials { ok, lost }.miss(u64::MAX - 1, attempts);
                assert!(
                    (0.0..=1.0).contains(&miss),
                    "{ok} {lost} {attempts}: {miss}"
                );
            }
        }
    }
}
