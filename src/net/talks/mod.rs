//! Talks with open ports, in the scan's own event loop and beside it.
//!
//! A [`Talk`] is a state machine without sockets; here are its sockets, deadlines and bounds. A talk
//! begins on the connection that proved its port open where that can be kept, and makes others
//! itself. `queue` holds the ports that wait, `line` is one talk and its connection.
//!
//! The scan goes first. Sockets for talks are taken out of the scan's budget at the start, and what
//! a turn spends on talks is the time in which the loop had nothing to do and a twentieth of the rest
//! ([`SHARE`]). A talk's own slowness is never taken for its peer's: what has arrived is read before
//! deadlines are looked at. A failure of this machine puts a connection back, as it does a probe.

mod line;
mod queue;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::Token;
use mio::net::TcpStream;
use slab::Slab;

use super::socket::Inspector;
use super::sockets::Beside;
use super::{ServiceReport, Services};
use crate::engine::{Note, Options, PortReport, Reason, Report, State, Wheel};
use crate::service::Service;
use crate::target::Target;
use line::{Line, Progress};
use queue::{Place, Queue};

/// Of the sockets that there are, one in so many is for talks while the scan is under way.
const SOCKETS_SHARE: usize = 4;

/// Talks may take one part in so many of the time that the scan is busy.
const SHARE: u32 = 20;

/// Time that a turn of the loop spends on talks at most, so that answers to probes are seen soon.
const SLICE: Duration = Duration::from_millis(2);

/// How long the loop waits where talks have work but no time.
const PAUSE: Duration = Duration::from_millis(1);

/// Bytes read at once.
const BUFFER: usize = 8 * 1024;

/// What lets a talk connect: `Err` says when to ask again.
pub(super) type Admit<'a> = &'a mut dyn FnMut(&Target, Instant) -> Result<(), Instant>;

/// The talks of a scan.
#[derive(Debug)]
pub(super) struct Talks {
    services: Services,
    beside: Beside,
    inspector: Inspector,
    queue: Queue,
    lines: Slab<Line>,
    /// Of each line: its talk's deadline, or when it may connect.
    timers: Wheel,
    /// Lines whose sockets may have something.
    ready: VecDeque<u32>,
    /// Lines at once: as far as this machine lets us, while the scan goes on, and afterwards.
    capacity: usize,
    most: (usize, usize),
    scanning: bool,
    /// Time for talks: left, or used beforehand; and when that was last reckoned.
    credit: Duration,
    owed: Duration,
    reckoned: Instant,
    reports: VecDeque<ServiceReport>,
    /// Talks that were ended before their end.
    cut: u64,
    generation: u32,
    buffer: Box<[u8]>,
}

/// Divides `sockets` between the scan, which keeps the rest, and at most `most` talks: their part while
/// the scan is under way, and afterwards. A single socket is the scan's first.
fn divide(sockets: &mut usize, most: usize) -> (usize, usize) {
    let all = *sockets;
    let part = match all {
        0 | 1 => 0,
        n => (n / SOCKETS_SHARE).clamp(1, most),
    };
    *sockets -= part;
    (part, most.min(all.max(1)))
}

impl Talks {
    /// Talks as `services` say, by sockets registered `beside` those of the scan. Takes its part of the sockets
    /// that `options` lets the scan have.
    pub(super) fn new(
        services: Services,
        beside: Beside,
        options: &mut Options,
        now: Instant,
    ) -> Talks {
        let at_once = services.at_once.max(1);
        let most = divide(&mut options.max_sockets, at_once);
        let of_host = divide(&mut options.host_sockets, at_once);
        Talks {
            services,
            beside,
            inspector: Inspector::new(false),
            queue: Queue::new(of_host),
            lines: Slab::new(),
            timers: Wheel::new(now),
            ready: VecDeque::new(),
            capacity: most.0,
            most,
            scanning: true,
            credit: SLICE,
            owed: Duration::ZERO,
            reckoned: now,
            reports: VecDeque::new(),
            cut: 0,
            generation: 0,
            buffer: vec![0; BUFFER].into(),
        }
    }

    /// Connections worth keeping now.
    pub(super) fn room(&self) -> usize {
        self.capacity.saturating_sub(self.lines.len())
    }

    /// The scan reports something; `kept` is the connection to a port, if there is one.
    pub(super) fn report(
        &mut self,
        report: &Report,
        kept: impl FnOnce(SocketAddr) -> Option<TcpStream>,
        now: Instant,
    ) {
        match report {
            Report::Port(port) if port.verdict.state() == State::Open => {
                let kept = kept(port.target.socket_addr(port.port));
                self.open(port, kept, now);
            }
            Report::Host(host) => self.queue.complete(&host.target),
            Report::Note(Note::AcceptsAll { target, .. }) => {
                for port in self.queue.accepts_all(target) {
                    self.tell(target.clone(), port, Service::default());
                }
            }
            _ => {}
        }
    }

    fn open(&mut self, port: &PortReport, kept: Option<TcpStream>, now: Instant) {
        match self.queue.add(&port.target, port.port, self.room() > 0) {
            Place::Begin => {
                let key = self.begin(port.target.clone(), port.port, port.verdict.rtt, now);
                let line = &mut self.lines[key as usize];
                if port.verdict.reason == Reason::SynAckReset {
                    line.was_reset(now);
                } else if let Some(stream) = kept {
                    line.take_up(stream);
                }
            }
            Place::Waits => {}
            Place::None => self.tell(port.target.clone(), port.port, Service::default()),
        }
    }

    /// A port that was found open in an earlier process and has had no talk.
    pub(super) fn again(&mut self, target: &Target, port: u16) {
        match self.queue.add(target, port, false) {
            Place::Begin | Place::Waits => {}
            Place::None => self.tell(target.clone(), port, Service::default()),
        }
    }

    /// Begins a talk; its line.
    fn begin(&mut self, target: Target, port: u16, rtt: Option<Duration>, now: Instant) -> u32 {
        self.generation = self.generation.wrapping_add(1);
        let entry = self.lines.vacant_entry();
        let key = entry.key();
        let token = self.beside.token(key, self.generation);
        entry.insert(Line::new(&self.services, target, port, rtt, token, now));
        self.ready.push_back(key as u32);
        key as u32
    }

    /// The socket with `token` has an event.
    pub(super) fn wake(&mut self, token: Token) {
        let key = self.beside.key(token);
        if let Some(line) = self.lines.get_mut(key)
            && line.token() == token
            && !line.is_ready
        {
            line.is_ready = true;
            self.ready.push_back(key as u32);
        }
    }

    /// The scan has ended: what it used is for talks, and no more ports come.
    pub(super) fn scan_ended(&mut self) {
        if std::mem::replace(&mut self.scanning, false) {
            self.capacity = self.capacity.max(self.most.1);
            self.queue.scan_ended();
        }
    }

    /// Whether all talks have ended and every report was taken.
    pub(super) fn is_done(&self) -> bool {
        self.lines.is_empty() && self.queue.is_empty() && self.reports.is_empty()
    }

    /// How long the loop may wait from `now` on; `None`: for ever.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        if !self.ready.is_empty() || self.can_begin() {
            let spent = self.scanning && self.credit.is_zero();
            return Some(if spent { PAUSE } else { Duration::ZERO });
        }
        let due = self.timers.next()?;
        Some(due.saturating_duration_since(now))
    }

    /// Goes on with the talks, within the time that is theirs. `idle`: how long the loop has waited
    /// since the last turn.
    pub(super) fn turn(&mut self, idle: Duration, now: Instant, admit: Admit) {
        let passed = now.saturating_duration_since(self.reckoned);
        self.earn(idle + passed / (SHARE + 1));
        let mut clock = now;
        while clock.saturating_duration_since(now) < self.credit && self.step(clock, admit) {
            clock = Instant::now();
        }
        let spent = clock.saturating_duration_since(now);
        // A step is done to its end: what it takes beyond the credit is waited for later.
        self.owed = spent.saturating_sub(self.credit);
        self.credit = self.credit.saturating_sub(spent);
        self.reckoned = clock;
    }

    /// So much time more is for talks.
    fn earn(&mut self, time: Duration) {
        if !self.scanning {
            (self.credit, self.owed) = (SLICE, Duration::ZERO);
            return;
        }
        let paid = time.min(self.owed);
        self.owed -= paid;
        self.credit = (self.credit + time - paid).min(SLICE);
    }

    /// Does one thing; whether there was one to do.
    fn step(&mut self, now: Instant, admit: Admit) -> bool {
        let key = match self.ready.pop_front() {
            Some(key) => {
                if let Some(line) = self.lines.get_mut(key as usize) {
                    line.is_ready = false;
                }
                key
            }
            // All that has arrived was read: what is late now is late.
            None => match self.timers.poll(now) {
                Some(key) => {
                    if let Some(line) = self.lines.get_mut(key as usize) {
                        line.late(now);
                    }
                    key
                }
                None => return self.begin_next(now),
            },
        };
        self.go_on(key, now, admit);
        true
    }

    fn can_begin(&self) -> bool {
        self.room() > 0 && self.queue.has_turn()
    }

    fn begin_next(&mut self, now: Instant) -> bool {
        if self.room() == 0 {
            return false;
        }
        let Some((target, port)) = self.queue.begin() else {
            return false;
        };
        self.begin(target, port, None, now);
        true
    }

    fn go_on(&mut self, key: u32, now: Instant, admit: Admit) {
        let Some(line) = self.lines.get_mut(key as usize) else {
            return;
        };
        let mut net = line::Net {
            registry: &self.beside.registry,
            inspector: &mut self.inspector,
            buffer: &mut self.buffer,
            admit,
        };
        match line.go_on(&mut net, now) {
            Progress::Until(at) => self.timers.start(key, at),
            Progress::More => {
                line.is_ready = true;
                self.ready.push_back(key);
            }
            Progress::Fault(at) => {
                // No more lines than there are sockets for; one more with each that ends.
                self.capacity = self.lines.len().saturating_sub(1).max(1);
                self.timers.start(key, at);
            }
            Progress::Over => self.end_line(key),
        }
    }

    fn end_line(&mut self, key: u32) {
        let most = if self.scanning {
            self.most.0
        } else {
            self.most.1
        };
        self.capacity = (self.capacity + 1).min(most);
        self.timers.stop(key);
        let line = self.lines.remove(key as usize);
        self.queue.ended(line.target(), line.has_failed());
        let (target, port, service) = line.end();
        self.tell(target, port, service);
    }

    /// Ends all talks at once, with what is known.
    pub(super) fn end(&mut self) {
        let under_way: Vec<u32> = self.lines.iter().map(|(key, _)| key as u32).collect();
        self.cut += under_way.len() as u64;
        under_way.into_iter().for_each(|key| self.end_line(key));
        for (target, port) in self.queue.clear() {
            self.cut += 1;
            self.tell(target, port, Service::default());
        }
    }

    /// Talks that were ended before their end.
    pub(super) fn cut(&self) -> u64 {
        self.cut
    }

    /// The next service found.
    pub(super) fn take(&mut self) -> Option<ServiceReport> {
        self.reports.pop_front()
    }

    fn tell(&mut self, target: Target, port: u16, service: Service) {
        self.reports.push_back(ServiceReport {
            target,
            port,
            service: service.into(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn talks_have_a_quarter_of_the_sockets_and_a_single_one_is_the_scans() {
        for (all, most, left, part) in [
            (1, 256, 1, (0, 1)),
            (2, 256, 1, (1, 2)),
            (6, 256, 5, (1, 6)),
            (100, 256, 75, (25, 100)),
            (20_000, 256, 19_744, (256, 256)),
            (32_768, 16, 32_752, (16, 16)),
        ] {
            let mut sockets = all;
            assert_eq!(divide(&mut sockets, most), part, "{all}");
            assert_eq!(sockets, left, "{all}");
        }
    }
}
