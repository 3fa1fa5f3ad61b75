//! Attempts a second to any one network: an IPv4 /24, or an IPv6 /64, which is what one link has.
//!
//! Each network has a schedule of its own, as the "generic cell rate algorithm" (ITU-T I.371) keeps
//! one: the time at which the next attempt is due moves on by an interval with each attempt. A host
//! whose network is not due waits in the network's queue, first come first served, and the network's
//! timer wakes the first of them; so what it costs does not grow with the hosts that wait.
//!
//! Only networks of active hosts are kept, and those that had an attempt within the last interval,
//! [`MOST`] at most: where there is no room for a network, its host is not begun yet.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use slab::Slab;

use super::scanner::Scanner;
use super::wheel::Wheel;
use crate::target::Target;

/// Networks kept at once, at some 100 bytes each.
const MOST: usize = 16_384;
/// How late an attempt may be without the rest being shifted: what a timer of 1 ms and a busy turn
/// of the loop cost.
const CATCH_UP: Duration = Duration::from_millis(2);
/// When to ask again where there is no room for a network, or during a pause.
const NO_ROOM: Duration = Duration::from_millis(100);
/// Attempts a second from which on such lateness is made up for; below, it is little of an interval.
const CATCH_UP_FROM: f64 = 50.0;

/// The schedules of the networks.
#[derive(Debug)]
pub struct Nets {
    interval: Duration,
    catch_up: Duration,
    nets: Slab<Net>,
    slots: HashMap<Key, u32>,
    /// When the first host that waits may send, or the network may be forgotten.
    timers: Wheel,
}

/// A network by its first address, and its scope.
type Key = (IpAddr, u32);

#[derive(Debug)]
struct Net {
    key: Key,
    /// Active hosts in it.
    hosts: u32,
    /// When the next attempt is due.
    next: Option<Instant>,
    /// Slots of hosts that have something to send.
    waiting: VecDeque<u32>,
    has_timer: bool,
}

impl Nets {
    /// Schedules of at most `rate` attempts, rounded up, in any one second.
    pub fn new(rate: f64, now: Instant) -> Nets {
        // In a second fall at most 1 + (1 s + catch-up) / interval attempts, less one where the
        // interval divides it and nothing is caught up: `rate` of them either way.
        let (seconds, catch_up) = if rate < CATCH_UP_FROM {
            (1.0 / rate, Duration::ZERO)
        } else {
            ((1.0 + CATCH_UP.as_secs_f64()) / (rate - 1.0), CATCH_UP)
        };
        Nets {
            // Rounded up, so that no rounding lets one more in.
            interval: Duration::from_secs_f64(seconds) + Duration::from_nanos(1),
            catch_up,
            nets: Slab::new(),
            slots: HashMap::new(),
            timers: Wheel::new(now),
        }
    }

    /// Whether a host of any network can be begun.
    pub fn has_room(&self) -> bool {
        self.nets.len() < MOST
    }

    /// A host begins; its network.
    pub fn enter(&mut self, target: &Target) -> u32 {
        let key = network(target);
        let slot = *self.slots.entry(key).or_insert_with(|| {
            self.nets.insert(Net {
                key,
                hosts: 0,
                next: None,
                waiting: VecDeque::new(),
                has_timer: false,
            }) as u32
        });
        self.nets[slot as usize].hosts += 1;
        slot
    }

    /// The host in `slot` ends.
    fn leave(&mut self, net: u32, slot: u32, now: Instant) {
        let this = &mut self.nets[net as usize];
        this.waiting.retain(|waiting| *waiting != slot);
        this.hosts -= 1;
        if this.hosts > 0 {
            return;
        }
        match this.next.filter(|next| *next > now) {
            // An attempt was made only just: the next one must find the schedule.
            Some(next) => self.start(net, next),
            None => self.forget(net),
        }
    }

    /// Whether no attempt may be made in the network now.
    pub fn is_barred(&self, net: u32, now: Instant) -> bool {
        self.nets[net as usize].next.is_some_and(|next| next > now)
    }

    /// The host in `slot` has something to send and waits for its turn.
    pub fn wait(&mut self, net: u32, slot: u32) {
        let this = &mut self.nets[net as usize];
        this.waiting.push_back(slot);
        if let (false, Some(next)) = (this.has_timer, this.next) {
            self.start(net, next);
        }
    }

    /// An attempt is made in the network.
    pub fn on_sent(&mut self, net: u32, now: Instant) {
        let this = &mut self.nets[net as usize];
        let earliest = now.checked_sub(self.catch_up).unwrap_or(now);
        let due = this.next.map_or(now, |next| next.max(earliest));
        this.next = Some(due + self.interval);
    }

    /// An attempt on `target` that no host of the scan makes: made if one may be made in its network
    /// now; else when to ask again.
    fn admit(&mut self, target: &Target, now: Instant) -> Result<(), Instant> {
        let known = self.slots.contains_key(&network(target));
        if !known && !self.has_room() {
            return Err(now + NO_ROOM);
        }
        let net = self.enter(target);
        self.nets[net as usize].hosts -= 1;
        let barred = self.nets[net as usize].next.filter(|next| *next > now);
        if barred.is_none() {
            self.on_sent(net, now);
        }
        let Net {
            hosts,
            next,
            has_timer,
            ..
        } = self.nets[net as usize];
        if let (0, Some(next), false) = (hosts, next, has_timer) {
            // The schedule is kept as long as it says anything.
            self.start(net, next);
        }
        barred.map_or(Ok(()), Err)
    }

    /// The host whose turn it is, if an attempt may be made now; else it is woken when one may.
    fn take_turn(&mut self, net: u32, now: Instant) -> Option<u32> {
        let this = self.nets.get_mut(net as usize)?;
        if this.waiting.is_empty() {
            return None;
        }
        match this.next.filter(|next| *next > now) {
            None => this.waiting.pop_front(),
            Some(next) => {
                if !this.has_timer {
                    self.start(net, next);
                }
                None
            }
        }
    }

    /// A host whose turn has come by `now`.
    fn poll(&mut self, now: Instant) -> Option<u32> {
        while let Some(net) = self.timers.poll(now) {
            let this = &mut self.nets[net as usize];
            this.has_timer = false;
            if this.hosts == 0 {
                self.forget(net);
            } else if let Some(slot) = self.take_turn(net, now) {
                return Some(slot);
            }
        }
        None
    }

    /// When [`poll`](Self::poll) has something to do.
    pub fn next(&self) -> Option<Instant> {
        self.timers.next()
    }

    fn start(&mut self, net: u32, at: Instant) {
        self.nets[net as usize].has_timer = true;
        self.timers.start(net, at);
    }

    fn forget(&mut self, net: u32) {
        self.timers.stop(net);
        let forgotten = self.nets.remove(net as usize);
        self.slots.remove(&forgotten.key);
    }
}

impl Scanner {
    /// A connection that the driver wants to make to `target` besides the scan's own: it counts as an
    /// attempt for the rates of the run and of the network. When to ask again if it may not be made now.
    ///
    /// # Errors
    /// That moment, after `now`.
    pub fn admit(&mut self, target: &Target, now: Instant) -> Result<(), Instant> {
        if self.paused.is_some() {
            return Err(now + NO_ROOM);
        }
        if let Some(at) = self.run.wait_until(now) {
            return Err(at);
        }
        if let Some(nets) = &mut self.nets {
            nets.admit(target, now)?;
        }
        self.run.spend(now);
        self.attempts += 1;
        Ok(())
    }

    /// Gives its turn in the network to the next host that waits for one.
    pub(super) fn pass_turn(&mut self, net: u32, now: Instant) {
        if let Some(nets) = &mut self.nets
            && let Some(slot) = nets.take_turn(net, now)
        {
            self.ready.push_front(slot);
        }
    }

    /// The host in `slot`, of the network `net`, has ended.
    pub(super) fn leave_net(&mut self, net: u32, slot: u32, now: Instant) {
        if let Some(nets) = &mut self.nets {
            nets.leave(net, slot, now);
            self.pass_turn(net, now);
        }
    }

    /// Hosts whose turn has come may send.
    pub(super) fn poll_nets(&mut self, now: Instant) {
        if let Some(nets) = &mut self.nets {
            while let Some(slot) = nets.poll(now) {
                self.ready.push_front(slot);
            }
        }
    }
}

/// The network of a host: a /24 or a /64.
fn network(target: &Target) -> Key {
    match target.addr {
        IpAddr::V4(addr) => {
            let bits = u32::from(addr) & !0xff;
            (Ipv4Addr::from(bits).into(), 0)
        }
        IpAddr::V6(addr) => {
            let bits = u128::from(addr) & !u128::from(u64::MAX);
            (Ipv6Addr::from(bits).into(), target.scope_id)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn target(text: &str) -> Target {
        Target::new(text.parse().expect(text))
    }

    #[test]
    fn networks_are_24_and_64_bits_long() {
        let net = |text: &str| network(&target(text)).0.to_string();
        assert_eq!(net("192.0.2.255"), "192.0.2.0");
        assert_eq!(net("2001:db8:1:2:3::4"), "2001:db8:1:2::");
        let scoped = |scope_id| Target {
            scope_id,
            ..target("fe80::1")
        };
        assert_ne!(network(&scoped(1)), network(&scoped(2)));
    }

    /// However late the turns of the loop, no second holds more attempts than asked for, and where
    /// they are not late, few less.
    #[test]
    fn no_second_holds_more_and_few_hold_less() {
        for rate in [0.5, 1.0, 3.0, 10.0, 49.0, 50.0, 99.5, 100.0, 1000.0, 7000.0] {
            for late in [0, 1, 2, 3, 7] {
                let start = Instant::now();
                let mut nets = Nets::new(rate, start);
                let net = nets.enter(&target("192.0.2.1"));
                let mut sent: Vec<Duration> = Vec::new();
                let mut now = start;
                while now < start + 20_000 * MS {
                    while !nets.is_barred(net, now) {
                        nets.on_sent(net, now);
                        sent.push(now - start);
                    }
                    now += MS + late * MS;
                }
                for (first, from) in sent.iter().enumerate() {
                    let within = sent[first..].partition_point(|at| *at < *from + 1000 * MS);
                    assert!(
                        within as f64 <= rate.ceil(),
                        "{within} a second at {rate}/s"
                    );
                }
                if late == 0 {
                    let all = sent.len() as f64;
                    assert!(all >= 0.9 * 20.0 * rate, "{all} in 20 s at {rate}/s");
                }
            }
        }
    }

    /// What others than the scan's hosts send counts as much, and leaves nothing behind.
    #[test]
    fn attempts_of_others_count() {
        let start = Instant::now();
        let mut nets = Nets::new(10.0, start);
        let (first, second) = (target("192.0.2.1"), target("192.0.2.9"));
        assert_eq!(nets.admit(&first, start), Ok(()));
        let again = nets.admit(&second, start).expect_err("too soon");
        assert!(again > start + 90 * MS && again < start + 120 * MS);
        let net = nets.enter(&second);
        assert!(nets.is_barred(net, start));
        assert_eq!(nets.admit(&first, again), Ok(()));
        nets.leave(net, 0, again);
        assert_eq!(nets.poll(again + 1_000 * MS), None);
        assert!(nets.nets.is_empty() && nets.slots.is_empty());
    }

    #[test]
    fn hosts_take_turns_and_a_network_is_forgotten_when_it_may_be() {
        let start = Instant::now();
        let mut nets = Nets::new(10.0, start);
        let hosts: Vec<Target> = (1..=3).map(|n| target(&format!("192.0.2.{n}"))).collect();
        let net = nets.enter(&hosts[0]);
        assert_eq!((nets.enter(&hosts[1]), nets.enter(&hosts[2])), (net, net));
        nets.on_sent(net, start);
        for slot in [0, 1, 2] {
            assert!(nets.is_barred(net, start));
            nets.wait(net, slot);
        }
        let mut turns = Vec::new();
        let mut now = start;
        while turns.len() < 6 {
            now = nets.next().expect("somebody waits").max(now + MS);
            while let Some(slot) = nets.poll(now) {
                turns.push(slot);
                nets.on_sent(net, now);
                nets.wait(net, slot);
            }
        }
        assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
        assert!(now >= start + 600 * MS);
        for slot in [0, 1, 2] {
            nets.leave(net, slot, now);
        }
        // The schedule outlives the hosts, until it would be as a new one's.
        assert_eq!(nets.enter(&hosts[0]), net);
        assert!(nets.is_barred(net, now));
        nets.leave(net, 0, now);
        now += 200 * MS;
        assert_eq!((nets.poll(now), nets.nets.len()), (None, 0));
        assert_eq!((nets.slots.len(), nets.next()), (0, None));
    }
}
