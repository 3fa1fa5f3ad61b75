//! Deadlines of everything in flight: a hierarchical timing wheel.
//!
//! Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (1987), scheme 7. Four levels of 64
//! slots; a tick is 1 ms, so the levels span 64 ms, 4 s, 4.4 min and 4.7 h. A timer sits on the
//! level of the highest six-bit digit in which its tick differs from the present one and moves down
//! as that digit is reached: each timer moves at most three times. Later deadlines wait on the last
//! level and are looked at again each time it turns. Starting and stopping is O(1), finding the
//! next occupied slot is one bit scan a level.
//!
//! Slots are doubly linked lists through one table indexed by the caller's key, so that a timer
//! costs 16 bytes and no allocation of its own.
//!
//! Rounding: a deadline is rounded up to a tick and the clock down, so no timer fires early and
//! none later than one tick after the caller looks.

use std::time::{Duration, Instant};

const LEVELS: usize = 4;
const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
const MASK: u64 = SLOTS as u64 - 1;
const TICK: Duration = Duration::from_millis(1);
const TICKS_A_SECOND: u64 = 1_000;
/// Ticks that the levels span; a later timer is parked a slot short of it and looked at again.
const SPAN: u64 = 1 << (BITS * LEVELS as u32);
const LAST_SLOT: u64 = 1 << (BITS * (LEVELS as u32 - 1));

const NIL: u32 = u32::MAX;
/// Marks a `prev` that is not a key but the list whose head the timer is.
const HEAD: u32 = 1 << 31;
/// The list of timers that are due; numbered behind the slots.
const DUE: u32 = (LEVELS * SLOTS) as u32;

/// Timers by key, one a key; keys are small and dense, as slab keys are.
#[derive(Debug)]
pub struct Wheel {
    origin: Instant,
    /// Ticks up to which timers have been made due.
    elapsed: u64,
    occupied: [u64; LEVELS],
    heads: [u32; LEVELS * SLOTS + 1],
    links: Vec<Link>,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    /// When it is due, or `u64::MAX` where the key has no timer.
    tick: u64,
    prev: u32,
    next: u32,
}

const UNUSED: Link = Link {
    tick: u64::MAX,
    prev: NIL,
    next: NIL,
};

impl Wheel {
    /// A wheel without timers whose clock stands at `origin`.
    pub fn new(origin: Instant) -> Wheel {
        Wheel {
            origin,
            elapsed: 0,
            occupied: [0; LEVELS],
            heads: [NIL; LEVELS * SLOTS + 1],
            links: Vec::new(),
        }
    }

    /// Starts the timer of `key`, in place of one it may have. Keys are below 2^31.
    pub fn start(&mut self, key: u32, deadline: Instant) {
        debug_assert!(key < HEAD);
        self.stop(key);
        let index = key as usize;
        if index >= self.links.len() {
            self.links.resize(index + 1, UNUSED);
        }
        let tick = ceil_ticks(deadline.saturating_duration_since(self.origin));
        self.links[index].tick = tick;
        self.place(key, tick);
    }

    /// Stops the timer of `key`; without one, nothing happens.
    pub fn stop(&mut self, key: u32) {
        let Some(link) = self.links.get(key as usize).copied() else {
            return;
        };
        if link.tick == u64::MAX {
            return;
        }
        if link.prev & HEAD != 0 {
            let list = link.prev & !HEAD;
            self.heads[list as usize] = link.next;
            if link.next == NIL && list != DUE {
                self.occupied[list as usize / SLOTS] &= !(1 << (list as usize % SLOTS));
            }
        } else {
            self.links[link.prev as usize].next = link.next;
        }
        if link.next != NIL {
            self.links[link.next as usize].prev = link.prev;
        }
        self.links[key as usize] = UNUSED;
    }

    /// A key whose deadline is at or before `now`, its timer stopped; `None` when there is no more.
    pub fn poll(&mut self, now: Instant) -> Option<u32> {
        let now = floor_ticks(now.saturating_duration_since(self.origin));
        loop {
            let due = self.heads[DUE as usize];
            if due != NIL {
                self.stop(due);
                return Some(due);
            }
            match self.next_slot() {
                Some((tick, list)) if tick <= now => {
                    self.elapsed = self.elapsed.max(tick);
                    self.empty(list);
                }
                _ => {
                    self.elapsed = self.elapsed.max(now);
                    return None;
                }
            }
        }
    }

    /// When to look again: at the latest when the next timer is due, perhaps earlier.
    pub fn next(&self) -> Option<Instant> {
        if self.heads[DUE as usize] != NIL {
            return Some(self.origin + ticks(self.elapsed));
        }
        self.next_slot().map(|(tick, _)| self.origin + ticks(tick))
    }

    /// The occupied slot that is reached first, and the tick at which it is.
    fn next_slot(&self) -> Option<(u64, u32)> {
        for level in 0..LEVELS {
            let occupied = self.occupied[level];
            if occupied == 0 {
                continue;
            }
            let shift = BITS * level as u32;
            let present = (self.elapsed >> shift) & MASK;
            let ahead = u64::from(occupied.rotate_right(present as u32).trailing_zeros());
            let slot = (present + ahead) & MASK;
            // The start of this level's turn, plus the slot, plus a turn if the slot lies behind.
            let turn = (self.elapsed >> shift) & !MASK;
            let behind = if slot < present { SLOTS as u64 } else { 0 };
            let tick = (turn + slot + behind) << shift;
            return Some((tick.max(self.elapsed), (level * SLOTS) as u32 + slot as u32));
        }
        None
    }

    /// Moves the timers of a slot that was reached to where they belong now.
    fn empty(&mut self, list: u32) {
        let mut key = self.heads[list as usize];
        self.heads[list as usize] = NIL;
        self.occupied[list as usize / SLOTS] &= !(1 << (list as usize % SLOTS));
        while key != NIL {
            let Link { tick, next, .. } = self.links[key as usize];
            self.place(key, tick);
            key = next;
        }
    }

    /// Puts `key` at the head of the list for `tick`.
    fn place(&mut self, key: u32, tick: u64) {
        let list = self.list_for(tick);
        let head = self.heads[list as usize];
        if head != NIL {
            self.links[head as usize].prev = key;
        }
        if list != DUE {
            self.occupied[list as usize / SLOTS] |= 1 << (list as usize % SLOTS);
        }
        self.heads[list as usize] = key;
        let link = &mut self.links[key as usize];
        link.prev = HEAD | list;
        link.next = head;
    }

    fn list_for(&self, tick: u64) -> u32 {
        if tick <= self.elapsed {
            return DUE;
        }
        let tick = tick.min(self.elapsed + SPAN - LAST_SLOT);
        let differing = (tick ^ self.elapsed) | 1;
        let level = ((63 - differing.leading_zeros()) / BITS).min(LEVELS as u32 - 1);
        let slot = (tick >> (BITS * level)) & MASK;
        level * SLOTS as u32 + slot as u32
    }
}

/// Without the division of 128 bits that as_millis() and as_nanos() come to.
fn floor_ticks(d: Duration) -> u64 {
    let whole = d.as_secs().saturating_mul(TICKS_A_SECOND);
    whole
        .saturating_add(u64::from(d.subsec_millis()))
        .min(u64::MAX >> 1)
}

fn ceil_ticks(d: Duration) -> u64 {
    let begun = d.subsec_nanos().div_ceil(TICK.subsec_nanos());
    let whole = d.as_secs().saturating_mul(TICKS_A_SECOND);
    whole.saturating_add(u64::from(begun)).min(u64::MAX >> 1)
}

fn ticks(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Fires what is due at `now` and checks it against the model: key to deadline.
    fn fire(wheel: &mut Wheel, model: &mut BTreeMap<u32, Instant>, now: Instant) {
        while let Some(key) = wheel.poll(now) {
            let deadline = model
                .remove(&key)
                .expect("only started timers fire, and once");
            assert!(deadline <= now, "timer {key} fired early");
        }
        for (key, deadline) in model {
            assert!(
                *deadline + TICK > now,
                "timer {key} is late by more than a tick"
            );
        }
    }

    #[test]
    fn fires_on_both_sides_of_every_slot_and_level_boundary() {
        let origin = Instant::now();
        for start in [
            0u64,
            1,
            63,
            64,
            4_095,
            4_096,
            262_143,
            SPAN - 1,
            SPAN,
            3 * SPAN + 77,
        ] {
            for power in [0u32, 6, 12, 18, 24] {
                for delta in [-1i64, 0, 1] {
                    let wait = ((1i64 << power) + delta).max(0) as u64;
                    let mut wheel = Wheel::new(origin);
                    let begin = origin + ticks(start);
                    assert_eq!(wheel.poll(begin), None);
                    wheel.start(3, begin + ticks(wait));
                    if wait > 0 {
                        assert_eq!(
                            wheel.poll(begin + ticks(wait) - TICK),
                            None,
                            "{start} {wait}"
                        );
                    }
                    assert_eq!(wheel.poll(begin + ticks(wait)), Some(3), "{start} {wait}");
                    assert_eq!(wheel.next(), None);
                }
            }
        }
    }

    #[test]
    fn waking_at_next_reaches_every_deadline_in_time() {
        let origin = Instant::now();
        let mut wheel = Wheel::new(origin);
        let deadlines = [5u64, 64, 65, 4_096, 300_000, SPAN + 9];
        for (key, tick) in deadlines.iter().enumerate() {
            wheel.start(key as u32, origin + ticks(*tick));
        }
        let mut fired = Vec::new();
        while let Some(wake) = wheel.next() {
            while let Some(key) = wheel.poll(wake) {
                assert_eq!(wake, origin + ticks(deadlines[key as usize]));
                fired.push(key);
            }
        }
        assert_eq!(fired, [0, 1, 2, 3, 4, 5]);
    }

    #[derive(Clone, Debug)]
    enum Op {
        Start(u32, u64),
        Stop(u32),
        Pass(u64),
    }

    fn micros() -> impl Strategy<Value = u64> {
        let near = |t: u64| (t.saturating_sub(1_500))..(t + 1_500);
        prop_oneof![
            4 => 0..200_000u64,
            2 => near(64_000),
            2 => near(4_096_000),
            1 => near(262_144_000),
            1 => near(SPAN * 1_000),
            1 => 0..200_000_000_000u64,
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_a_sorted_map(
            ops in prop::collection::vec(
                prop_oneof![
                    5 => (0..40u32, micros()).prop_map(|(k, t)| Op::Start(k, t)),
                    2 => (0..40u32).prop_map(Op::Stop),
                    3 => micros().prop_map(Op::Pass),
                ],
                1..200,
            )
        ) {
            let mut now = Instant::now();
            let mut wheel = Wheel::new(now);
            let mut model = BTreeMap::new();
            for op in ops {
                match op {
                    Op::Start(key, wait) => {
                        wheel.start(key, now + Duration::from_micros(wait));
                        model.insert(key, now + Duration::from_micros(wait));
                    }
                    Op::Stop(key) => {
                        wheel.stop(key);
                        model.remove(&key);
                    }
                    Op::Pass(time) => now += Duration::from_micros(time),
                }
                fire(&mut wheel, &mut model, now);
                prop_assert_eq!(wheel.next().is_some(), !model.is_empty());
                if let (Some(wake), Some(first)) = (wheel.next(), model.values().min()) {
                    prop_assert!(wake < *first + TICK, "would sleep past a deadline");
                }
            }
        }
    }
}
