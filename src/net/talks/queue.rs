//! Open ports that wait for their talk, by host: hosts take turns, each has so many talks at once, and
//! all is bounded.
//!
//! How many a host has at once follows from what it does, as the scan's window does: one more with
//! each talk that ends well while that is what holds others up, half as many when a connection to an
//! open port cannot be made.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use crate::target::Target;

/// Ports that wait at most, at two bytes each. A port that finds no place is told of without a talk.
const MOST: usize = 1 << 16;

/// Talks with a host that accepts everything: enough to tell that they are all alike.
const SAMPLE: u32 = 32;

/// Talks at once with a host of which nothing is known yet: about what a browser opens to a few sites,
/// and enough to keep waits for silent ports side by side.
const FIRST_WINDOW: usize = 16;

/// Talks at once with a host that makes no more connections: enough to get on.
const LEAST_WINDOW: usize = 4;

/// A host by its address and scope.
pub(super) type Key = (IpAddr, u32);

/// The host of `target`.
pub(super) fn key(target: &Target) -> Key {
    (target.addr, target.scope_id)
}

/// The ports that wait, and how many talks each host has.
#[derive(Debug)]
pub(super) struct Queue {
    hosts: HashMap<Key, Host>,
    /// Hosts that have a port waiting and room for it, in turn.
    turns: VecDeque<Key>,
    /// Ports waiting, of all hosts.
    waiting: usize,
    /// Talks at once, at most, with a host that is being scanned, and with one that is complete.
    most: (usize, usize),
}

#[derive(Debug)]
struct Host {
    target: Target,
    waiting: VecDeque<u16>,
    /// Talks under way, and begun at all.
    active: usize,
    begun: u32,
    /// Talks at once that it bears.
    window: usize,
    /// The scan has ended here.
    complete: bool,
    accepts_all: bool,
    has_turn: bool,
}

/// What becomes of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Its talk begins.
    Begin,
    Waits,
    /// There is no talk with it.
    None,
}

impl Queue {
    /// Nothing waits. `most`: talks at once with a host while it is scanned, and afterwards.
    pub(super) fn new(most: (usize, usize)) -> Queue {
        Queue {
            hosts: HashMap::new(),
            turns: VecDeque::new(),
            waiting: 0,
            most,
        }
    }

    /// A port was found open. `room`: another talk can begin now.
    pub(super) fn add(&mut self, target: &Target, port: u16, room: bool) -> Place {
        let host = self.host(target);
        if host.accepts_all && host.begun >= SAMPLE {
            return Place::None;
        }
        let share = self.share_of(key(target));
        let host = self.host(target);
        if room && host.waiting.is_empty() && host.active < share {
            host.active += 1;
            host.begun += 1;
            return Place::Begin;
        }
        if self.waiting >= MOST {
            self.tidy(key(target));
            return Place::None;
        }
        self.host(target).waiting.push_back(port);
        self.waiting += 1;
        self.give_turn(key(target));
        Place::Waits
    }

    /// The next port whose talk can begin.
    pub(super) fn begin(&mut self) -> Option<(Target, u16)> {
        let key = self.turns.pop_front()?;
        let host = self.hosts.get_mut(&key)?;
        host.has_turn = false;
        let port = host.waiting.pop_front()?;
        host.active += 1;
        host.begun += 1;
        self.waiting -= 1;
        let target = host.target.clone();
        self.give_turn(key);
        Some((target, port))
    }

    /// A talk with `target` has ended; `failed`: a connection could not be made.
    pub(super) fn ended(&mut self, target: &Target, failed: bool) {
        if let Some(host) = self.hosts.get_mut(&key(target)) {
            host.resize(failed);
            host.active = host.active.saturating_sub(1);
            self.give_turn(key(target));
            self.tidy(key(target));
        }
    }

    /// The scan of `target` has ended: its sockets are free for talks.
    pub(super) fn complete(&mut self, target: &Target) {
        if let Some(host) = self.hosts.get_mut(&key(target)) {
            host.complete = true;
            self.give_turn(key(target));
            self.tidy(key(target));
        }
    }

    /// `target` seems to accept everything: ports of it beyond a sample, for which there are no talks.
    pub(super) fn accepts_all(&mut self, target: &Target) -> Vec<u16> {
        let host = self.host(target);
        host.accepts_all = true;
        let room = SAMPLE.saturating_sub(host.begun) as usize;
        let kept = room.min(host.waiting.len());
        let dropped = host.waiting.split_off(kept);
        self.waiting -= dropped.len();
        dropped.into()
    }

    /// The scan has ended for all hosts.
    pub(super) fn scan_ended(&mut self) {
        self.most.0 = self.most.1;
        self.hosts
            .values_mut()
            .for_each(|host| host.complete = true);
        let keys: Vec<Key> = self.hosts.keys().copied().collect();
        for key in keys {
            self.give_turn(key);
            self.tidy(key);
        }
    }

    /// Everything that waits, which waits no more.
    pub(super) fn clear(&mut self) -> Vec<(Target, u16)> {
        self.turns.clear();
        self.waiting = 0;
        let hosts = self.hosts.drain().map(|(_, host)| host);
        let ports = hosts.flat_map(|host| {
            let target = host.target;
            let ports = host.waiting.into_iter();
            ports.map(move |port| (target.clone(), port))
        });
        ports.collect()
    }

    /// Whether a port can begin.
    pub(super) fn has_turn(&self) -> bool {
        !self.turns.is_empty()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    fn host(&mut self, target: &Target) -> &mut Host {
        self.hosts.entry(key(target)).or_insert_with(|| Host {
            target: target.clone(),
            waiting: VecDeque::new(),
            active: 0,
            begun: 0,
            window: FIRST_WINDOW,
            complete: false,
            accepts_all: false,
            has_turn: false,
        })
    }

    fn share_of(&self, key: Key) -> usize {
        let host = self.hosts.get(&key);
        let most = match host.is_some_and(|host| host.complete) {
            true => self.most.1,
            false => self.most.0,
        };
        most.min(host.map_or(FIRST_WINDOW, |host| host.window))
    }

    /// Gives the host a turn if a port of it can begin.
    fn give_turn(&mut self, key: Key) {
        let share = self.share_of(key);
        if let Some(host) = self.hosts.get_mut(&key)
            && !host.has_turn
            && !host.waiting.is_empty()
            && host.active < share
        {
            host.has_turn = true;
            self.turns.push_back(key);
        }
    }

    /// Forgets a host of which nothing is to come.
    fn tidy(&mut self, key: Key) {
        let over = |host: &Host| host.complete && host.active == 0 && host.waiting.is_empty();
        if self.hosts.get(&key).is_some_and(over) {
            self.hosts.remove(&key);
        }
    }
}

impl Host {
    /// A talk ends. What was begun when the window was larger does not make it smaller again.
    fn resize(&mut self, failed: bool) {
        if failed && self.active <= self.window {
            self.window = (self.window / 2).max(LEAST_WINDOW);
        } else if !failed && self.active >= self.window && !self.waiting.is_empty() {
            self.window += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(last: u8) -> Target {
        Target::new(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn a_host_has_its_share_and_more_when_it_is_complete() {
        let mut queue = Queue::new((1, 3));
        let one = target(1);
        assert_eq!(queue.add(&one, 22, true), Place::Begin);
        for port in [80, 443, 8080, 8443] {
            assert_eq!(queue.add(&one, port, true), Place::Waits);
        }
        assert_eq!(queue.begin(), None);
        queue.ended(&one, false);
        assert_eq!(queue.begin(), Some((one.clone(), 80)));
        assert_eq!(queue.begin(), None);
        queue.complete(&one);
        assert_eq!(queue.begin(), Some((one.clone(), 443)));
        assert_eq!(queue.begin(), Some((one.clone(), 8080)));
        assert_eq!(queue.begin(), None);
        for _ in 0..3 {
            queue.ended(&one, false);
        }
        assert_eq!(queue.begin(), Some((one.clone(), 8443)));
        queue.ended(&one, false);
        assert!(queue.is_empty() && queue.hosts.is_empty());
    }

    #[test]
    fn a_host_has_more_at_once_while_all_goes_well_and_half_when_it_does_not() {
        let mut queue = Queue::new((64, 64));
        let host = target(1);
        for port in 1..=1000 {
            queue.add(&host, port, false);
        }
        let fill = |queue: &mut Queue| {
            while queue.begin().is_some() {}
            queue.hosts[&key(&host)].active
        };
        assert_eq!(fill(&mut queue), FIRST_WINDOW);
        // A round later all have been replaced by two.
        (0..FIRST_WINDOW).for_each(|_| {
            queue.ended(&host, false);
            fill(&mut queue);
        });
        assert_eq!(fill(&mut queue), 2 * FIRST_WINDOW);
        (0..100).for_each(|_| {
            queue.ended(&host, false);
            fill(&mut queue);
        });
        assert_eq!(fill(&mut queue), 64, "no more than is allowed");
        // Many failures at once are one sign.
        (0..10).for_each(|_| queue.ended(&host, true));
        assert!(queue.begin().is_none());
        (0..100).for_each(|_| queue.ended(&host, true));
        assert_eq!(fill(&mut queue), LEAST_WINDOW);
        assert_eq!(queue.add(&target(2), 1, true), Place::Begin);
    }

    #[test]
    fn hosts_take_turns() {
        let mut queue = Queue::new((4, 4));
        for port in 1..=3 {
            for host in 1..=2 {
                queue.add(&target(host), port, false);
            }
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.begin()).collect();
        let order: Vec<_> = order.iter().map(|(target, port)| (target, *port)).collect();
        let (one, two) = (&target(1), &target(2));
        let wanted = [(one, 1), (two, 1), (one, 2), (two, 2), (one, 3), (two, 3)];
        assert_eq!(order, wanted);
    }

    #[test]
    fn of_a_host_that_accepts_everything_a_sample_is_asked() {
        let mut queue = Queue::new((8, 8));
        let host = target(1);
        for port in 1..=100 {
            queue.add(&host, port, true);
        }
        let dropped = queue.accepts_all(&host);
        assert_eq!(dropped, (33..=100).collect::<Vec<u16>>());
        for _ in 0..24 {
            queue.ended(&host, false);
            assert!(queue.begin().is_some());
        }
        assert!(queue.is_empty());
        assert_eq!(queue.add(&host, 101, true), Place::None);
        assert_eq!(queue.add(&target(2), 101, true), Place::Begin);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut queue = Queue::new((0, 1));
        let places = (0..=MOST).map(|n| queue.add(&target((n >> 15) as u8), n as u16, true));
        let places: Vec<_> = places.collect();
        assert!(places[..MOST].iter().all(|place| *place == Place::Waits));
        assert_eq!(places[MOST], Place::None);
        assert_eq!(queue.clear().len(), MOST);
        assert!(queue.is_empty() && queue.begin().is_none());
    }
}
