//! Notices that nobody looked at the answers for a while: the process was stopped (SIGSTOP, a frozen
//! container, a paused virtual machine) or the machine slept.
//!
//! The monotonic clock shows the first; while the machine sleeps it stands still on some systems
//! (Linux, macOS), so the wall clock is compared too. A wall clock that was set forward looks the
//! same, and costs a few attempts more.

use std::time::{Duration, Instant, SystemTime};

/// A turn of the loop that takes this much longer than it waits is none that the loop took: a busy
/// turn takes some milliseconds.
const GAP: Duration = Duration::from_secs(2);

/// Both clocks at the last turn.
#[derive(Debug)]
pub(super) struct Watch {
    at: Instant,
    wall: SystemTime,
}

impl Watch {
    pub(super) fn start(now: Instant) -> Watch {
        Watch {
            at: now,
            wall: SystemTime::now(),
        }
    }

    /// A turn that waited for `wait` at most is at its end `now`: since when there was a gap in it, if
    /// there was one.
    pub(super) fn gap(&mut self, wait: Duration, now: Instant) -> Option<Instant> {
        self.turn(wait, now, SystemTime::now())
    }

    fn turn(&mut self, wait: Duration, now: Instant, wall: SystemTime) -> Option<Instant> {
        let before = std::mem::replace(self, Watch { at: now, wall });
        let passed = now.saturating_duration_since(before.at);
        let by_wall = wall.duration_since(before.wall).unwrap_or_default();
        (passed.max(by_wall) > wait + GAP).then_some(before.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn a_stop_and_a_sleep_are_gaps_and_a_wait_is_none() {
        let (at, wall) = (Instant::now(), SystemTime::UNIX_EPOCH + S * 1_000_000);
        let mut watch = Watch { at, wall };
        assert_eq!(watch.turn(S * 5, at + S * 6, wall + S * 6), None);
        let stopped = watch.turn(S, at + S * 16, wall + S * 16);
        assert_eq!(stopped, Some(at + S * 6));
        // The monotonic clock stands still while the machine sleeps.
        let slept = watch.turn(S, at + S * 17, wall + S * 3_600);
        assert_eq!(slept, Some(at + S * 16));
        // Set back.
        assert_eq!(watch.turn(S, at + S * 18, wall), None);
    }
}
