//! When the network goes away, or time does: nothing that happens meanwhile is held against a port.
//!
//! A host that could be sent to and cannot any more ("no route", "interface down") has not changed;
//! this machine has lost its network. Its probes are put back and tried again with growing pauses.
//! While all hosts are in that state no other is begun. A host that could never be sent to has no
//! route, unless others have just lost theirs: it waits for as long as they do.
//!
//! When this process was stopped, or the machine slept, answers may have come to nobody: silence of
//! what was under way is in doubt.

use std::time::{Duration, Instant};

use super::host::Host;
use super::path::Moment;
use super::probes::Probe;
use super::scanner::{COMMON, Scanner};
use super::{Note, Reason};

/// Pause after a first "no route" of a host that had one; it doubles up to the second.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A host that there is no route to.
#[derive(Clone, Copy, Debug)]
pub struct Away {
    since: Instant,
    pause: Duration,
    /// It had one before, which shows that this machine has lost it.
    had_route: bool,
}

impl Host {
    /// Whether anything was ever sent to it.
    fn was_sent_to(&self) -> bool {
        self.fate.answered || self.silences > 0 || self.counts.total() > 0
    }
}

impl Scanner {
    /// Takes that this machine has no route to the host any more, if so it is; the probe was put
    /// back.
    pub(super) fn has_gone(&mut self, slot: u32, now: Instant) -> bool {
        let host = &mut self.hosts[slot as usize];
        let had_route = host.was_sent_to();
        if !had_route && self.lost_routes == 0 {
            self.came_back(slot);
            return false;
        }
        let first = self.lost_routes == 0;
        if host.away.is_none() {
            self.away += 1;
            self.lost_routes += usize::from(had_route);
        }
        let away = host.away.get_or_insert(Away {
            since: now,
            pause: PAUSE / 2,
            had_route,
        });
        away.pause = (away.pause * 2).min(PAUSE_MAX);
        host.pause_until = Some(now + away.pause);
        let target = host.target.clone();
        if first {
            self.note(Note::NetworkGone { target });
        }
        self.wake(slot);
        true
    }

    /// An attempt on the host did not fail at once: if it was made since the host was away, it is no
    /// longer.
    pub(super) fn is_sent(&mut self, probe: &Probe, now: Instant) {
        let slot = probe.host;
        let host = &mut self.hosts[slot as usize];
        let Some(away) = host.away.filter(|away| probe.sent.at > away.since) else {
            return;
        };
        self.came_back(slot);
        let host = &mut self.hosts[slot as usize];
        // What was under way when the network went has had no answer for that reason.
        let from = away.since.checked_sub(self.options.timeout);
        let from = Moment {
            at: from.unwrap_or(away.since),
            order: 0,
        };
        host.path.doubt(from, Moment::end_of(probe.sent.at));
        self.run_path.doubt(from, Moment::end_of(probe.sent.at));
        host.pace.on_path_found(
            now.saturating_duration_since(away.since),
            Duration::ZERO,
            now,
        );
        let target = host.target.clone();
        if away.had_route && self.lost_routes == 0 {
            let after = now.saturating_duration_since(away.since);
            self.note(Note::NetworkBack { target, after });
            self.wake_all();
        }
    }

    /// The host ends, or is away no longer.
    pub(super) fn came_back(&mut self, slot: u32) {
        let host = &mut self.hosts[slot as usize];
        if let Some(away) = host.away.take() {
            self.away -= 1;
            self.lost_routes -= usize::from(away.had_route);
            host.pause_until = None;
        }
    }

    /// Whether every active host is away, so that no other is worth beginning.
    pub(super) fn all_away(&self) -> bool {
        self.away > 0 && self.away == self.hosts.len()
    }

    /// Gives a host up that has been away, or whose path has been lost, for as long as is waited; or
    /// the run, if that is so with all.
    pub(super) fn check_outage(&mut self, slot: u32, now: Instant) {
        if self.paused.is_some() {
            // Nothing is sent that could show the end of it.
            return;
        }
        let host = &self.hosts[slot as usize];
        let patience = self.options.give_up;
        let is_over = |since: Instant| now.saturating_duration_since(since) >= patience;
        if host.away.is_some_and(|away| is_over(away.since)) {
            if self.all_away() {
                return self.end(Reason::NoRoute, now);
            }
            return self.give_up(slot, Reason::NoRoute, now);
        }
        if host.path.lost_since().is_some_and(is_over) {
            let telling = self.telling().count();
            let lost = self
                .telling()
                .filter(|host| host.path.lost_since().is_some())
                .count();
            if lost == telling && lost >= COMMON {
                return self.end(Reason::PathLost, now);
            }
            self.give_up(slot, Reason::PathLost, now);
        }
    }

    /// Lets no new attempt start, or lets them again. Attempts under way end as they do; how long a
    /// network is waited for does not count the pause.
    pub fn set_paused(&mut self, paused: bool, now: Instant) {
        match (self.paused, paused) {
            (None, true) => self.paused = Some(now),
            (Some(since), false) => {
                self.paused = None;
                let length = now.saturating_duration_since(since);
                self.run_path.shift_loss(length);
                for (_, host) in &mut self.hosts {
                    host.path.shift_loss(length);
                    if let Some(away) = &mut host.away {
                        away.since += length;
                    }
                }
                self.wake_all();
            }
            _ => {}
        }
    }

    /// Nobody looked at what came from `from` to `to`: this process was stopped, or the machine slept.
    /// Call it before the outcomes that waited are handled. Silence of what was under way then says
    /// nothing, and round trips that ended then are not measured.
    pub fn handle_gap(&mut self, from: Instant, to: Instant) {
        let first = Moment {
            at: from.checked_sub(self.options.timeout).unwrap_or(from),
            order: 0,
        };
        let last = Moment {
            at: to,
            order: self.attempts,
        };
        self.run_path.doubt(first, last);
        for (_, host) in &mut self.hosts {
            host.path.doubt(first, last);
        }
        self.gap_end = Some(to);
        self.note(Note::Gap {
            length: to.saturating_duration_since(from),
        });
    }
}
