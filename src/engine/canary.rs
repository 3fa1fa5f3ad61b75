//! Ports of a host that are known to answer, to be asked again whether the path is alive.
//!
//! Open ports are the best: refusals may be rate-limited where SYN-ACKs are not. They are taken in
//! turn, so that no service sees more than its share of the connections, and one that stops
//! answering while others do (its accept queue is full, it was shut down) is dropped, but never the
//! last of its kind.

/// Canaries kept a host.
const KEPT: usize = 8;
/// Losses in a row, while the path is alive, after which a canary is dropped.
const MISSES: u8 = 3;
/// Where open and closed canaries are known, each so-manieth one asked is a closed one: that is how
/// a limit on refusals shows.
const CLOSED_EVERY: u8 = 4;

/// The canaries of one host.
#[derive(Debug, Default)]
pub struct Canaries {
    kept: Vec<Canary>,
    turn: u8,
    asked: u8,
    results: Results,
}

/// What became of the last canaries asked, by their number.
///
/// Silence counts only where the canaries next to it came back. The loss that matters is the loss
/// there: a canary is a trial of it only if its two neighbours came back. Where loss is random
/// that changes nothing; where it comes in bursts or a table is full, it leaves out what was
/// noticed anyway.
#[derive(Debug, Default)]
struct Results {
    next: u32,
    known: u64,
    ok: u64,
}

#[derive(Clone, Copy, Debug)]
struct Canary {
    index: u32,
    open: bool,
    misses: u8,
}

impl Canaries {
    /// The port at `index` was found open, or closed.
    pub fn add(&mut self, index: u32, open: bool) {
        if self.kept.len() < KEPT {
            self.kept.push(Canary {
                index,
                open,
                misses: 0,
            });
        } else if open {
            // The last closed one stays: it tells a limit on refusals.
            let mut closed = self.kept.iter_mut().filter(|canary| !canary.open);
            if let (Some(first), Some(_)) = (closed.next(), closed.next()) {
                *first = Canary {
                    index,
                    open,
                    misses: 0,
                };
            }
        }
    }

    /// Whether no port is known to answer.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Whether an open port is known.
    pub fn has_open(&self) -> bool {
        self.kept.iter().any(|canary| canary.open)
    }

    /// The next one to ask, as index and whether it is an open port. With `closed_only`, closed
    /// ones as far as there are any.
    pub fn next(&mut self, closed_only: bool) -> Option<(u32, bool)> {
        let (has_open, has_closed) = (self.has_open(), self.kept.iter().any(|canary| !canary.open));
        self.asked = (self.asked + 1) % CLOSED_EVERY;
        let open = if closed_only {
            !has_closed
        } else {
            has_open && (self.asked != 0 || !has_closed)
        };
        for _ in 0..self.kept.len() {
            self.turn = (self.turn + 1) % self.kept.len() as u8;
            let canary = self.kept[usize::from(self.turn)];
            if canary.open == open {
                return Some((canary.index, canary.open));
            }
        }
        None
    }

    /// Indices of the ports kept, and whether they are open.
    pub fn all(&self) -> impl Iterator<Item = (u32, bool)> {
        self.kept.iter().map(|canary| (canary.index, canary.open))
    }

    /// Numbers the canary that is asked now.
    pub fn number(&mut self) -> u32 {
        let number = self.results.next;
        self.results.next = number.wrapping_add(1);
        // Forget whoever had this place 64 numbers ago.
        self.results.known &= !bit(number);
        number
    }

    /// Canary `number` came back or did not; `trial` gets each result that is a trial of the loss.
    pub fn on_result(&mut self, number: u32, ok: bool, mut trial: impl FnMut(bool)) {
        if !self.results.remembers(number) {
            return;
        }
        self.results.set(number, ok);
        for center in [number.wrapping_sub(1), number, number.wrapping_add(1)] {
            if self.results.is_trial(center) {
                trial(self.results.ok & bit(center) != 0);
            }
        }
    }

    /// Canary `number`, given up as lost, was late; whether a trial was wrongly counted as lost.
    pub fn on_late(&mut self, number: u32) -> bool {
        if !self.results.remembers(number) {
            return false;
        }
        self.results.set(number, true);
        self.results.is_trial(number)
    }

    /// The canary answered.
    pub fn on_answer(&mut self, index: u32) {
        if let Some(canary) = self.kept.iter_mut().find(|canary| canary.index == index) {
            canary.misses = 0;
        }
    }

    /// The canary did not answer although the path was alive.
    pub fn on_miss(&mut self, index: u32) {
        let Some(at) = self.kept.iter().position(|canary| canary.index == index) else {
            return;
        };
        let open = self.kept[at].open;
        let alike = self
            .kept
            .iter()
            .filter(|canary| canary.open == open)
            .count();
        self.kept[at].misses = self.kept[at].misses.saturating_add(1);
        if self.kept[at].misses >= MISSES && alike > 1 {
            self.kept.remove(at);
        }
    }
}

impl Results {
    /// Whether the number, and its neighbours, still have their places.
    fn remembers(&self, number: u32) -> bool {
        self.next.wrapping_sub(number) < u64::BITS - 2
    }

    fn set(&mut self, number: u32, ok: bool) {
        self.known |= bit(number);
        self.ok = if ok {
            self.ok | bit(number)
        } else {
            self.ok & !bit(number)
        };
    }

    fn is_trial(&self, center: u32) -> bool {
        let sides = bit(center.wrapping_sub(1)) | bit(center.wrapping_add(1));
        let all = sides | bit(center);
        self.known & all == all && self.ok & sides == sides
    }
}

fn bit(number: u32) -> u64 {
    1 << (number % u64::BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_losses_between_canaries_that_came_back_are_trials() {
        let mut canaries = Canaries::default();
        let mut trials = Vec::new();
        let fates = [true, true, false, true, false, false, true, true, true];
        fates.iter().for_each(|_| {
            canaries.number();
        });
        // Losses are noticed later than answers.
        for wanted in [true, false] {
            for (number, ok) in fates.iter().enumerate().filter(|(_, ok)| **ok == wanted) {
                canaries.on_result(number as u32, *ok, |ok| trials.push(ok));
            }
        }
        trials.sort_unstable();
        assert_eq!(trials, [false, true]);
        assert!(canaries.on_late(2));
        assert!(!canaries.on_late(4));
    }

    #[test]
    fn open_ports_are_preferred_and_closed_ones_asked_now_and_then() {
        let mut canaries = Canaries::default();
        assert_eq!(canaries.next(false), None);
        (0..20).for_each(|index| canaries.add(index, false));
        assert!(matches!(canaries.next(false), Some((_, false))));
        (20..40).for_each(|index| canaries.add(index, true));
        let asked: Vec<_> = (0..40).filter_map(|_| canaries.next(false)).collect();
        assert_eq!(asked.iter().filter(|(_, open)| !open).count(), 10);
        assert!(matches!(canaries.next(true), Some((_, false))));
    }

    #[test]
    fn a_canary_that_falls_silent_alone_is_dropped_but_never_the_last_of_its_kind() {
        let mut canaries = Canaries::default();
        canaries.add(1, true);
        canaries.add(2, true);
        canaries.add(3, false);
        (0..9).for_each(|_| canaries.on_miss(3));
        assert_eq!(canaries.next(true), Some((3, false)));
        (0..MISSES).for_each(|_| canaries.on_miss(1));
        (0..9).for_each(|_| canaries.on_miss(2));
        assert_eq!(canaries.next(false), Some((2, true)));
    }
}
