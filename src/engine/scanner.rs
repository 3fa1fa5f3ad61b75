//! The scanner: what to do next, and what each outcome means. No sockets, no clock.
//!
//! Call order: after any `handle_*`, call [`Scanner::poll_action`] until it gives `None`, then wait
//! until [`Scanner::poll_timeout`] or the next socket event. The same input and seed give the same
//! actions. Calls for probes that are no longer there are no-ops.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use slab::Slab;

use super::action::{Action, Summary};
use super::host::{Host, Next};
use super::late::Late;
use super::loss::Trials;
use super::nets::Nets;
use super::pace::Pace;
use super::path::{Moment, Path};
use super::probes::{Kind, Place, Probes};
use super::wheel::Wheel;
use super::{Counts, LocalFault, Options, Progress, Reason};
use crate::target::TargetSpace;

/// The run's window at the start, in windows of a host.
const RUN_WINDOW: usize = 8;
/// With fewer sockets than this, in all or for a host, none is spent on canaries; with all in use,
/// canaries may take one part in so many of the time that sockets have.
pub(super) const CANARY_SOCKETS: usize = 4;
const CANARY_COST: u32 = 4;
const NEVER: Duration = Duration::from_secs(3_600);
/// Hosts that take turns at least, while there are as many, so that attempts in a row go to different
/// networks.
const SIDE_BY_SIDE: usize = 128;
/// Hosts that can tell, at least, for something to be held against the run as a whole.
pub(super) const COMMON: usize = 4;
/// What an active host takes at least of [`Options::active_ports`].
const HOST_PORTS: u32 = 256;

/// The scanner's state.
#[derive(Debug)]
pub struct Scanner {
    pub(super) space: TargetSpace,
    pub(super) options: Options,
    pub(super) probes: Probes,
    /// Soft, then hard deadlines, by key of the probe.
    pub(super) deadlines: Wheel,
    pub(super) hosts: Slab<Host>,
    /// When a host may have something to send again, by its slot.
    pub(super) wakes: Wheel,
    /// Slots of hosts that may have something to send, in turn.
    pub(super) ready: VecDeque<u32>,
    /// Position of the next host to begin.
    pub(super) next_host: u64,
    pub(super) late: Late,
    /// Where networks have a rate of their own.
    pub(super) nets: Option<Nets>,
    pub(super) actions: VecDeque<Action>,
    pub(super) run: Pace,
    pub(super) run_path: Path,
    pub(super) run_trials: Trials,
    pub(super) run_last_trial: Option<u32>,
    pub(super) budget: Budget,
    /// Active hosts that there is no route to, and those of them that there was one to.
    pub(super) away: usize,
    pub(super) lost_routes: usize,
    /// Since when no attempt is to start.
    pub(super) paused: Option<Instant>,
    /// When the last stretch ended in which nobody looked at what came.
    pub(super) gap_end: Option<Instant>,
    /// What keeps everything from being sent, as of the last [`poll_action`](Self::poll_action).
    blocked_until: Option<Instant>,
    /// Why the run ends before its time.
    pub(super) ending: Option<Reason>,
    /// Whether that was told, as [`Action::Ending`].
    ending_told: bool,
    pub(super) counts: Counts,
    pub(super) attempts: u64,
    /// Product over the hosts of the chance that nothing was missed on them.
    pub(super) none_missed: Option<f64>,
    pub(super) silent_hosts: u64,
}

/// Sockets that may be in use, as this machine lets us.
#[derive(Debug)]
pub(super) struct Budget {
    pub sockets: usize,
    /// Successes towards one more socket.
    pub credit: u32,
    /// Faults in a row with no socket in use.
    pub streak: u32,
    pub pause_until: Option<Instant>,
    /// Faults that were told.
    pub told: Vec<LocalFault>,
}

impl Scanner {
    /// A scan of `space` within `options`, starting at `now`.
    pub fn new(space: TargetSpace, options: Options, now: Instant) -> Scanner {
        let options = options.within_bounds();
        let sockets = options.max_sockets;
        let window = options.initial_window.saturating_mul(RUN_WINDOW);
        Scanner {
            nets: options.net_rate.map(|rate| Nets::new(rate, now)),
            run: Pace::new(window, sockets, options.rate),
            budget: Budget {
                sockets,
                credit: 0,
                streak: 0,
                pause_until: None,
                told: Vec::new(),
            },
            probes: Probes::default(),
            deadlines: Wheel::new(now),
            // At once: grown step by step it would be copied, and for a moment there twice.
            hosts: Slab::with_capacity(expected_hosts(&space, &options)),
            space,
            options,
            wakes: Wheel::new(now),
            ready: VecDeque::new(),
            next_host: 0,
            late: Late::default(),
            actions: VecDeque::new(),
            run_path: Path::new(),
            run_trials: Trials::default(),
            run_last_trial: None,
            away: 0,
            lost_routes: 0,
            paused: None,
            gap_end: None,
            blocked_until: None,
            ending: None,
            ending_told: false,
            counts: Counts::default(),
            attempts: 0,
            none_missed: None,
            silent_hosts: 0,
        }
    }

    /// The next thing to do, `None` when there is nothing until the next event or timeout.
    pub fn poll_action(&mut self, now: Instant) -> Option<Action> {
        loop {
            if let Some(action) = self.actions.pop_front() {
                return Some(action);
            }
            if let Some(reason) = self.ending {
                if !std::mem::replace(&mut self.ending_told, true) {
                    return Some(Action::Ending);
                }
                if !self.end_one(reason, now) {
                    return None;
                }
                continue;
            }
            if let Some(action) = self.send(now) {
                return Some(action);
            }
            if self.actions.is_empty() {
                return None;
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due, `None` if nothing is waited for.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let nets = self.nets.as_ref().and_then(Nets::next);
        let timers = [self.deadlines.next(), self.wakes.next(), nets];
        let all = timers.into_iter().chain([self.blocked_until]);
        all.flatten().min()
    }

    /// Ends the scan: what has no verdict becomes unscanned, interrupted. Go on calling
    /// [`poll_action`](Self::poll_action) until it gives `None`.
    pub fn interrupt(&mut self, now: Instant) {
        self.end(Reason::Interrupted, now);
    }

    /// Whether every planned probe has its verdict, every report was polled, and no more hosts are
    /// [expected](Self::expect_hosts).
    pub fn is_done(&self) -> bool {
        let begun = self.next_host == self.total_hosts() && !self.late.is_expected();
        self.actions.is_empty() && self.hosts.is_empty() && begun
    }

    /// How far the run is.
    pub fn progress(&self) -> Progress {
        Progress {
            planned: self.planned(),
            counts: self.counts,
            silent: self
                .hosts
                .iter()
                .map(|(_, host)| u64::from(host.ledger.silent()))
                .sum(),
            sockets: self.probes.len(),
            attempts: self.attempts,
        }
    }

    /// The end of the run: hosts and chances of a miss over the hosts reported so far.
    pub fn summary(&self) -> Summary {
        Summary {
            hosts: self.space.hosts() + self.late.added(),
            miss: self.none_missed.map(|none| 1.0 - none),
            silent_hosts: self.silent_hosts,
        }
    }

    /// Hosts that have anything to be scanned.
    pub(super) fn total_hosts(&self) -> u64 {
        if self.space.ports() == 0 {
            0
        } else {
            self.space.hosts() + self.late.added()
        }
    }

    /// Probes of all hosts known so far.
    fn planned(&self) -> u64 {
        let late = self.late.added() * u64::from(self.space.ports());
        self.space.planned().saturating_add(late)
    }

    /// Puts a host in the queue of those that may have something to send.
    pub(super) fn wake(&mut self, slot: u32) {
        if let Some(host) = self.hosts.get_mut(slot as usize)
            && !host.is_ready
        {
            host.is_ready = true;
            self.ready.push_back(slot);
        }
    }

    /// The next attempt to start, if one may start now.
    fn send(&mut self, now: Instant) -> Option<Action> {
        self.blocked_until = None;
        if self.paused.is_some() {
            return None;
        }
        self.run.set_hosts(self.hosts.len());
        self.run.on_time(now, false);
        loop {
            let wait = self
                .run
                .wait_until(now)
                .max(self.budget.pause_until.filter(|until| *until > now));
            if wait.is_some() {
                self.blocked_until = wait.filter(|_| !self.ready.is_empty() || self.may_begin());
                return None;
            }
            if !self.run.has_room() {
                self.blocked_until = self.run.round_end().filter(|end| *end > now);
                return None;
            }
            let full = self.probes.len() >= self.budget.sockets;
            if full && self.probes.youngest_parked().is_none() {
                return None;
            }
            let few = self.ready.len() < SIDE_BY_SIDE;
            let slot = if few && !full && self.may_begin() {
                self.begin(now)
            } else {
                self.ready.pop_front()?
            };
            let lost = self.run_path.lost_since().is_some() && self.all_lost();
            let Some(host) = self.hosts.get_mut(slot as usize) else {
                continue;
            };
            // A host that never answered cannot tell that the path is back: another will.
            let held = lost && host.canaries.is_empty();
            if host.pace.round_is_over(now) {
                host.pace.on_time(now, host.is_queueing());
            }
            host.scarce = match self.budget.sockets {
                _ if self.options.host_sockets < CANARY_SOCKETS => NEVER,
                _ if !full => Duration::ZERO,
                n if n < CANARY_SOCKETS => NEVER,
                n => self.options.timeout * CANARY_COST / n as u32,
            };
            let net = host.net;
            let nets = self.nets.as_mut();
            let barred = nets.filter(|nets| nets.is_barred(net, now));
            match (host.next(&self.options, now).filter(|_| !held), barred) {
                // It stays ready, in the queue of its network.
                (Some(_), Some(nets)) => nets.wait(net, slot),
                // A retry is no reason to give up an attempt that is under way.
                (Some(Next::Again), None) if full => {
                    self.ready.push_front(slot);
                    return None;
                }
                (Some(next), None) => {
                    if full {
                        self.evict();
                    }
                    self.ready.push_back(slot);
                    let action = self.connect(slot, next, now);
                    self.pass_turn(net, now);
                    if self.actions.is_empty() {
                        return Some(action);
                    }
                    self.actions.push_back(action);
                    return self.actions.pop_front();
                }
                (None, _) if host.is_complete() => {
                    host.is_ready = false;
                    self.settle_host(slot, now);
                }
                (None, _) => {
                    host.is_ready = false;
                    match host.wake_at(&self.options, now) {
                        Some(at) => self
                            .wakes
                            .start(slot, at.max(now + Duration::from_micros(1))),
                        None => self.wakes.stop(slot),
                    }
                    self.pass_turn(net, now);
                }
            }
        }
    }

    /// Whether there are too few sockets for canaries.
    pub(super) fn has_few_sockets(&self) -> bool {
        self.budget.sockets.min(self.options.host_sockets) < CANARY_SOCKETS
    }

    /// Whether every host that can tell has lost its path.
    fn all_lost(&self) -> bool {
        let mut telling = self.telling().peekable();
        telling.peek().is_some() && telling.all(|host| host.path.lost_since().is_some())
    }

    /// Hosts that can tell whether the path is alive.
    pub(super) fn telling(&self) -> impl Iterator<Item = &Host> {
        let hosts = self.hosts.iter().map(|(_, host)| host);
        hosts.filter(|host| !host.canaries.is_empty())
    }

    /// Puts all hosts in the queue of those that may have something to send.
    pub(super) fn wake_all(&mut self) {
        let all: Vec<u32> = self.hosts.iter().map(|(slot, _)| slot as u32).collect();
        all.into_iter().for_each(|slot| self.wake(slot));
    }

    fn may_begin(&self) -> bool {
        let most = active_hosts(&self.space, &self.options);
        let some = self.next_host < self.total_hosts() && self.hosts.len() < most;
        let nets = self.nets.as_ref().is_none_or(Nets::has_room);
        some && nets && !self.all_away()
    }

    /// Begins the next host; its slot.
    fn begin(&mut self, now: Instant) -> u32 {
        let position = self.next_host;
        self.next_host += 1;
        let mut host = self.make_host(position, now);
        host.is_ready = true;
        self.hosts.insert(host) as u32
    }

    /// The host at `position`, untouched.
    pub(super) fn make_host(&mut self, position: u64, now: Instant) -> Host {
        let target = match position.checked_sub(self.space.hosts()) {
            None => self.late.named(self.space.host(position)),
            // The hosts behind those of the space are those that were added.
            Some(nth) => self.late.get(nth),
        };
        let net = self.nets.as_mut().map(|nets| nets.enter(&target));
        let order = match position < self.space.hosts() {
            true => self.space.port_order(position),
            false => self.space.late_port_order(target.addr),
        };
        let ports = self.space.ports();
        let mut host = Host::new(position, target, order, ports, &self.options, now);
        host.net = net.unwrap_or_default();
        host
    }

    /// Starts an attempt of the host in `slot`.
    fn connect(&mut self, slot: u32, next: Next, now: Instant) -> Action {
        let host = &mut self.hosts[slot as usize];
        let exact = self.options.exact && host.refusals_limited;
        let (index, kind) = match next {
            Next::Fresh => (host.ledger.next_fresh(), Kind::Port),
            Next::Again => (host.ledger.next_queued(), Kind::Port),
            Next::Canary => match host.canaries.next(exact) {
                Some((index, open)) => {
                    let tells = host.tells_path(open, self.options.exact);
                    let number = tells.then(|| host.canaries.number());
                    (Some(index), Kind::Canary { open, number })
                }
                None => (None, Kind::Port),
            },
        };
        // Host::next says only what is there.
        let index = index.expect("the host has what it said it has");
        let attempt = match kind {
            Kind::Port => {
                host.ledger.start(index);
                host.live += 1;
                host.ledger.made(index)
            }
            Kind::Canary { .. } => 1,
        };
        let in_window = kind == Kind::Port;
        host.pace.on_sent(now, in_window);
        host.sent = host.sent.saturating_add(1);
        host.since_canary = host.since_canary.saturating_add(1);
        self.run.on_sent(now, in_window);
        if let Some(nets) = &mut self.nets {
            nets.on_sent(host.net, now);
        }
        self.attempts += 1;
        let sent = Moment {
            at: now,
            order: self.attempts,
        };
        let port = self.space.port(&host.order, index);
        let place = Place {
            host: slot,
            index,
            port,
        };
        let id = self.probes.insert(place, kind, attempt, sent);
        if !in_window {
            host.asked.push(id.index);
            host.quiet = 0;
            host.since_canary = 0;
            host.last_canary = Some(now);
            host.canary_behind = spread(self.attempts);
        }
        self.deadlines
            .start(id.index, now + host.soft_timeout(&self.options));
        Action::Connect {
            id,
            addr: host.target.socket_addr(port),
        }
    }
}

/// A number of probes below 16 that is different each time and the same in each run.
fn spread(n: u64) -> u8 {
    (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60) as u8
}

/// Hosts that may be active at once.
fn active_hosts(space: &TargetSpace, options: &Options) -> usize {
    let ports = space.ports().max(HOST_PORTS);
    (options.active_ports / ports).max(1) as usize
}

/// As many of them as are known to come, and seldom more than there are sockets.
fn expected_hosts(space: &TargetSpace, options: &Options) -> usize {
    let known = usize::try_from(space.hosts()).unwrap_or(usize::MAX);
    let sockets = options.max_sockets.max(SIDE_BY_SIDE);
    active_hosts(space, options).min(known).min(sockets)
}
