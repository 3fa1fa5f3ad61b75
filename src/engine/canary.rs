//! Ports of a host that are known to answer, to be asked again whether the path is alive.
//!
//! Open ports are the best: refusals may be rate-limited where SYN-ACKs are not. They are taken in
//! turn, so that no service sees more than its share of the connections, and one that stops
//! answering while others do (its accept queue is full, it was shut down) is dropped.

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

    /// The canary answered.
    pub fn on_answer(&mut self, index: u32) {
        if let Some(canary) = self.kept.iter_mut().find(|canary| canary.index == index) {
            canary.misses = 0;
        }
    }

    /// The canary did not answer although the path was alive.
    pub fn on_miss(&mut self, index: u32) {
        let more = self.kept.len() > 1;
        if let Some(at) = self.kept.iter().position(|canary| canary.index == index) {
            self.kept[at].misses += 1;
            if self.kept[at].misses >= MISSES && more {
                self.kept.remove(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_canary_that_falls_silent_alone_is_dropped_but_never_the_last() {
        let mut canaries = Canaries::default();
        canaries.add(1, true);
        canaries.add(2, true);
        (0..MISSES).for_each(|_| canaries.on_miss(1));
        (0..9).for_each(|_| canaries.on_miss(2));
        assert_eq!(canaries.next(false), Some((2, true)));
    }
}
