//! What the pace measures: trials in batches, and events a second.

use std::time::{Duration, Instant};

use super::path::Moment;

/// Trials looked at together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Batch {
    /// Came back.
    pub ok: u32,
    /// Did not.
    pub lost: u32,
    /// When the first of them was sent, and the first of the lost ones.
    pub first_sent: Option<Moment>,
    pub first_lost: Option<Moment>,
}

impl Batch {
    pub fn add(&mut self, sent: Moment, ok: bool) {
        if ok {
            self.ok += 1;
        } else {
            self.lost += 1;
            self.first_lost = earlier(self.first_lost, Some(sent));
        }
        self.first_sent = earlier(self.first_sent, Some(sent));
    }
    pub fn len(&self) -> u32 {
        self.ok + self.lost
    }
    pub fn loss(&self) -> f64 {
        f64::from(self.lost) / f64::from(self.len().max(1))
    }
    pub fn plus(self, other: Batch) -> Batch {
        Batch {
            ok: self.ok + other.ok,
            lost: self.lost + other.lost,
            first_sent: earlier(self.first_sent, other.first_sent),
            first_lost: earlier(self.first_lost, other.first_lost),
        }
    }
}

fn earlier(one: Option<Moment>, other: Option<Moment>) -> Option<Moment> {
    [one, other].into_iter().flatten().min()
}

/// Events a second over the last one to two buckets of time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    /// When the bucket ends that is being filled.
    end: Option<Instant>,
    now: u32,
    before: Option<u32>,
}

impl Meter {
    const BUCKET: Duration = Duration::from_millis(128);

    pub fn count(&mut self, now: Instant) {
        self.turn(now);
        self.now += 1;
    }

    pub fn turn(&mut self, now: Instant) {
        let end = *self.end.get_or_insert(now + Self::BUCKET);
        // Several times a probe this is all there is to do.
        if now < end {
            return;
        }
        let late = now.saturating_duration_since(end);
        let skipped = late >= Self::BUCKET;
        self.before = Some(if skipped { 0 } else { self.now });
        self.now = 0;
        let whole = (late.as_nanos() / Self::BUCKET.as_nanos()) as u32;
        self.end = Some(end + Self::BUCKET * whole.saturating_add(1));
    }

    pub fn rate(&mut self, now: Instant) -> f64 {
        self.turn(now);
        let left = self.end.map(|end| end.saturating_duration_since(now));
        let age = Self::BUCKET.saturating_sub(left.unwrap_or(Self::BUCKET));
        let span = age
            + if self.before.is_some() {
                Self::BUCKET
            } else {
                Duration::ZERO
            };
        f64::from(self.now + self.before.unwrap_or(0))
            / span.max(Duration::from_millis(10)).as_secs_f64()
    }
}
