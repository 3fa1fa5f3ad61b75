//! How many probes may be on their way at once: the window of a pace and its growth, round by round.

use std::time::{Duration, Instant};

/// Until the first answer the window doubles this often.
const ROUND_BLIND: Duration = Duration::from_millis(50);
/// The longest round: without answers of most hosts, the window they share doubles this often.
const ROUND_MAX: Duration = Duration::from_millis(100);
const ROUND_MIN: Duration = Duration::from_millis(5);
/// Up to these windows each answer of the host makes room for so many probes more, beyond them for one,
/// so that it grows eight-, then four-, then twofold a round trip where ports answer: what is opened too
/// far costs sockets.
const GAINS: [(f64, f64); 2] = [(512.0, 7.0), (4096.0, 3.0)];
/// In a round in which more than this share of a window is answered, the answers have opened it.
const ANSWERED: f64 = 0.33;

/// The probes on their way, and how many there may be.
#[derive(Clone, Debug)]
pub struct Window {
    size: f64,
    initial: f64,
    ceiling: f64,
    taken: usize,
    /// Whether several hosts share it now: some that answer soon do not make its rounds short.
    shared: bool,
    /// How long a round takes: a round trip, once that is known.
    round: Duration,
    round_start: Option<Instant>,
    /// What happened in this round, and the size with which it began.
    began_with: f64,
    was_full: bool,
    lost: bool,
    answers: u32,
    sent: u32,
}

impl Window {
    /// Starts with room for `initial` probes, and grows to `ceiling` at most.
    pub fn new(initial: usize, ceiling: usize) -> Window {
        let ceiling = ceiling.max(1) as f64;
        let initial = (initial.max(1) as f64).min(ceiling);
        Window {
            size: initial,
            initial,
            ceiling,
            taken: 0,
            shared: false,
            round: ROUND_BLIND,
            round_start: None,
            began_with: 0.0,
            was_full: false,
            lost: false,
            answers: 0,
            sent: 0,
        }
    }

    pub fn set_shared(&mut self, shared: bool) {
        self.shared = shared;
    }

    pub fn size(&self) -> usize {
        self.size as usize
    }

    /// Whether one more probe fits in.
    pub fn has_room(&mut self) -> bool {
        let room = (self.taken as f64) < self.size;
        self.was_full |= !room;
        room
    }

    /// A probe is sent, which takes a place or, as a canary, does not.
    pub fn on_sent(&mut self, takes_place: bool) {
        self.taken += usize::from(takes_place);
        self.sent += 1;
    }

    /// A probe gives its place back.
    pub fn on_left(&mut self) {
        debug_assert!(self.taken > 0);
        self.taken = self.taken.saturating_sub(1);
    }

    /// A probe was answered. `fast`: it had a place, which a canary has not, and the host itself
    /// answered; others say less of what the path bears. A window that is not used up does not grow.
    pub fn on_answer(&mut self, fast: bool, may_grow: bool) {
        self.answers += 1;
        if may_grow && (self.was_full || self.taken as f64 > self.size / 2.0) {
            let gains = GAINS.iter().filter(|_| fast);
            let gain = gains.copied().find(|(until, _)| self.size < *until);
            self.size = (self.size + gain.map_or(1.0, |(_, gain)| gain)).min(self.ceiling);
        }
    }

    /// A probe that should have been answered was not: nothing is added at the end of this round.
    pub fn on_loss(&mut self) {
        self.lost = true;
    }

    /// The round trip takes so long: that is the length of a round, where hosts share the window only
    /// while a good part of them answers.
    pub fn on_round_trip(&mut self, srtt: Duration) {
        if !(self.shared && self.few_answered()) {
            self.round = srtt.clamp(ROUND_MIN, ROUND_MAX);
        }
    }

    fn few_answered(&self) -> bool {
        self.answers < self.sent / 4
    }

    pub fn round_is_over(&self, now: Instant) -> bool {
        self.round_start
            .is_none_or(|start| now >= start + self.round)
    }

    /// When the present round ends, if the window is what holds sending back.
    pub fn round_end(&self) -> Option<Instant> {
        self.round_start
            .filter(|_| self.was_full)
            .map(|start| start + self.round)
    }

    /// Begins the next round.
    pub fn end_round(&mut self, may_grow: bool, now: Instant) {
        let opened = f64::from(self.answers) > self.began_with * ANSWERED;
        let grows = may_grow && self.was_full && !self.lost && !opened;
        if self.shared && self.few_answered() {
            self.round = ROUND_MAX;
        }
        if grows && self.round_start.is_some() {
            self.size = (self.size * 2.0).min(self.ceiling);
        }
        self.began_with = self.size;
        self.was_full = false;
        self.lost = false;
        (self.answers, self.sent) = (0, 0);
        self.round_start = Some(now);
    }

    /// As at the start.
    pub fn start_again(&mut self) {
        self.size = self.initial;
    }

    pub fn halve(&mut self) {
        self.size = (self.size / 2.0).max(self.initial);
    }
}
