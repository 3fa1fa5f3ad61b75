//! A network on virtual time: what a SYN meets on its way and what comes back, from a seed.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use nishad::engine::{LocalFault, Outcome, ProbeId, Reason};

/// Splitmix64: enough for a simulation, and the same everywhere.
#[derive(Clone, Debug)]
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// 0 to 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

/// What a port does with a SYN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Port {
    Open,
    /// Open, and its SYN-ACK takes this much longer.
    Late(Duration),
    Closed,
    Silent,
    Reject(Reason),
}

/// One host and the path to it.
#[derive(Clone, Debug)]
pub struct HostModel {
    pub rtt: Duration,
    pub jitter: Duration,
    /// Loss each way.
    pub loss: f64,
    pub ports: HashMap<u16, Port>,
    pub other: Port,
    pub rst_limit: Option<Bucket>,
    pub icmp_limit: Option<Bucket>,
    /// SYNs a second that pass.
    pub syn_limit: Option<Bucket>,
    /// Half-open flows a router on the path can hold, and for how long.
    pub half_open: Option<(usize, Duration)>,
    /// From second to second, nothing passes.
    pub dead: Vec<(f64, f64)>,
    /// The round-trip time grows by this much a second.
    pub growth: Duration,
}

impl HostModel {
    pub fn new(rtt: Duration, other: Port) -> HostModel {
        HostModel {
            rtt,
            jitter: rtt / 20,
            loss: 0.0,
            ports: HashMap::new(),
            other,
            rst_limit: None,
            icmp_limit: None,
            syn_limit: None,
            half_open: None,
            dead: Vec::new(),
            growth: Duration::ZERO,
        }
    }

    pub fn port(&self, port: u16) -> Port {
        self.ports.get(&port).copied().unwrap_or(self.other)
    }

    pub fn is_open(&self, port: u16) -> bool {
        matches!(self.port(port), Port::Open | Port::Late(_))
    }
}

/// A token bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    pub rate: f64,
    pub burst: f64,
    tokens: f64,
    at: Duration,
}

impl Bucket {
    pub fn new(rate: f64, burst: f64) -> Bucket {
        Bucket {
            rate,
            burst,
            tokens: burst,
            at: Duration::ZERO,
        }
    }
    fn take(&mut self, at: Duration) -> bool {
        self.tokens += at.saturating_sub(self.at).as_secs_f64() * self.rate;
        self.tokens = self.tokens.min(self.burst);
        self.at = self.at.max(at);
        let some = self.tokens >= 1.0;
        self.tokens -= f64::from(u8::from(some));
        some
    }
}

/// A link that all hosts share: packets a second, and a queue with tail drop.
#[derive(Clone, Debug)]
pub struct Link {
    pub rate: f64,
    pub queue: f64,
    free_at: Duration,
}

impl Link {
    pub fn new(rate: f64, queue: usize) -> Link {
        Link {
            rate,
            queue: queue as f64,
            free_at: Duration::ZERO,
        }
    }
    /// When a packet that comes at `at` is through; `None` if it is dropped.
    fn pass(&mut self, at: Duration) -> Option<Duration> {
        let waiting = self.free_at.saturating_sub(at).as_secs_f64() * self.rate;
        if waiting >= self.queue {
            return None;
        }
        self.free_at = self.free_at.max(at) + Duration::from_secs_f64(1.0 / self.rate);
        Some(self.free_at)
    }
}

/// What this machine lacks, from second to second: no more than so many sockets.
#[derive(Clone, Copy, Debug)]
pub struct Shortage {
    pub from: f64,
    pub to: f64,
    pub sockets: usize,
    pub fault: LocalFault,
}

/// All of it.
pub struct Network {
    pub hosts: HashMap<IpAddr, HostModel>,
    pub link: Option<Link>,
    pub shortages: Vec<Shortage>,
    /// From second to second, this machine has no route to these hosts, to any if there are none.
    pub gone: Vec<(f64, f64, Vec<IpAddr>)>,
    /// This machine is busy with other things: one turn of the loop in twenty is some 2 to 30 ms late, each
    /// other one up to 2 ms.
    pub busy: bool,
    pub rng: Rng,
    origin: Instant,
    /// What comes back, by time.
    pending: BinaryHeap<Reverse<(Duration, u64, ProbeId, Event)>>,
    sequence: u64,
    half_open: HashMap<IpAddr, Vec<(Duration, ProbeId)>>,
    /// Half-open flows that took a place.
    pub flows: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Answer(Reason),
    /// The kernel sends the SYN again.
    Again(IpAddr, u16, u8),
}

impl Network {
    pub fn new(origin: Instant, seed: u64) -> Network {
        Network {
            hosts: HashMap::new(),
            link: None,
            shortages: Vec::new(),
            gone: Vec::new(),
            busy: false,
            rng: Rng(seed),
            origin,
            pending: BinaryHeap::new(),
            sequence: 0,
            half_open: HashMap::new(),
            flows: 0,
        }
    }

    /// A connect() at `now` with `in_use` sockets besides it; an outcome that it has at once.
    pub fn connect(
        &mut self,
        now: Instant,
        id: ProbeId,
        addr: IpAddr,
        port: u16,
        in_use: usize,
    ) -> Option<Outcome> {
        let at = now - self.origin;
        let short = |s: &&Shortage| {
            s.from <= at.as_secs_f64() && at.as_secs_f64() < s.to && in_use >= s.sockets
        };
        if let Some(shortage) = self.shortages.iter().find(short) {
            return Some(Outcome::Fault(shortage.fault));
        }
        if self.is_gone(at, addr) {
            return Some(Outcome::Unsendable(Reason::NoRoute));
        }
        self.syn(at, id, addr, port);
        self.push(
            at + Duration::from_millis(1_003),
            id,
            Event::Again(addr, port, 1),
        );
        None
    }

    fn is_gone(&self, at: Duration, addr: IpAddr) -> bool {
        let at = at.as_secs_f64();
        self.gone.iter().any(|(from, to, hosts)| {
            (*from..*to).contains(&at) && (hosts.is_empty() || hosts.contains(&addr))
        })
    }

    /// How late the next turn of the loop is.
    pub fn lateness(&mut self) -> Duration {
        Duration::from_micros(match self.busy {
            false => 0,
            true if self.rng.below(20) == 0 => 2_000 + self.rng.below(28_000),
            true => self.rng.below(2_000),
        })
    }

    /// Whoever waited for what is under way is gone.
    pub fn forget(&mut self) {
        self.pending.clear();
    }

    /// When something comes back next.
    pub fn next(&self) -> Option<Instant> {
        self.pending
            .peek()
            .map(|Reverse((at, ..))| self.origin + *at)
    }

    /// What has come back by `now`; `open` tells whether a socket is still there to receive it.
    pub fn take(
        &mut self,
        now: Instant,
        open: impl Fn(ProbeId) -> bool,
    ) -> Option<(ProbeId, Outcome)> {
        loop {
            let Reverse((at, ..)) = self.pending.peek()?;
            if self.origin + *at > now {
                return None;
            }
            let Reverse((at, _, id, event)) = self.pending.pop()?;
            if !open(id)
                || self.gone.iter().any(|(from, to, hosts)| {
                    hosts.is_empty() && (*from..*to).contains(&at.as_secs_f64())
                })
            {
                continue;
            }
            match event {
                Event::Answer(reason) => {
                    return Some((id, Outcome::Answered { reason, from: None }));
                }
                Event::Again(addr, port, n) => {
                    self.syn(at, id, addr, port);
                    if n < 4 {
                        self.push(
                            at + Duration::from_secs(1),
                            id,
                            Event::Again(addr, port, n + 1),
                        );
                    }
                }
            }
        }
    }

    fn push(&mut self, at: Duration, id: ProbeId, event: Event) {
        self.sequence += 1;
        self.pending.push(Reverse((at, self.sequence, id, event)));
    }

    fn syn(&mut self, at: Duration, id: ProbeId, addr: IpAddr, port: u16) {
        let Some(host) = self.hosts.get_mut(&addr) else {
            return;
        };
        let seconds = at.as_secs_f64();
        if host
            .dead
            .iter()
            .any(|(from, to)| *from <= seconds && seconds < *to)
        {
            return;
        }
        let mut through = at;
        if let Some(link) = &mut self.link {
            match link.pass(at) {
                Some(time) => through = time,
                None => return,
            }
        }
        if self.rng.chance(host.loss)
            || host
                .syn_limit
                .as_mut()
                .is_some_and(|limit| !limit.take(through))
        {
            return;
        }
        let kind = host.port(port);
        if let Some((most, hold)) = host.half_open {
            let flows = self.half_open.entry(addr).or_default();
            flows.retain(|(until, _)| *until > through);
            // A SYN sent again belongs to the flow that is there.
            let known = flows.iter().any(|(_, flow)| *flow == id);
            if flows.len() >= most && !known {
                return;
            }
            if !known {
                flows.push((through + hold, id));
                self.flows += u32::from(kind == Port::Silent);
            }
        }
        let reason = match kind {
            Port::Silent => return,
            Port::Open | Port::Late(_) => Reason::SynAck,
            Port::Closed => Reason::ConnRefused,
            Port::Reject(reason) => reason,
        };
        let limit = match reason {
            Reason::SynAck => None,
            Reason::ConnRefused => host.rst_limit.as_mut(),
            _ => host.icmp_limit.as_mut(),
        };
        if limit.is_some_and(|limit| !limit.take(through)) || self.rng.chance(host.loss) {
            return;
        }
        let late = if let Port::Late(late) = kind {
            late
        } else {
            Duration::ZERO
        };
        let jitter = host.jitter.mul_f64(self.rng.unit());
        let back = through + host.rtt + jitter + late + host.growth.mul_f64(seconds);
        // An answered flow leaves the table with the answer, or with what this machine says to it.
        if let Some(flow) = self.half_open.get_mut(&addr).and_then(|flows| {
            let mut newest_first = flows.iter_mut().rev();
            newest_first.find(|(_, flow)| *flow == id)
        }) {
            flow.0 = flow.0.min(back);
        }
        self.push(back, id, Event::Answer(reason));
    }
}
