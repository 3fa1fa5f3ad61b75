//! Plays a world: takes packets and gives packets, on a clock that it is told. No I/O.
//!
//! A packet goes scanner → path dead? → link (queue) → SYN limit → flow table → loss → host, and its
//! answer host → limits → loss → link (queue) → path dead? → flow table → scanner. Half of the
//! round-trip time passes between router and host, half between host and router.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use crate::model::{FlowTable, Limit, Link, Port, Stray, World};
use crate::packet::{self, Answer, Flags, Segment};
use crate::tally::Tally;

/// Nanoseconds after the first SYN.
pub type Time = u64;

pub struct Sim<'a> {
    world: &'a World,
    random: fastrand::Rng,
    events: BinaryHeap<Event>,
    /// Orders events of the same time.
    count: u64,
    start: Option<Time>,
    router: Middle,
    hosts: HashMap<u32, HostState>,
    pub tally: Tally,
}

struct HostState {
    address: IpAddr,
    syns: Option<Bucket>,
    rsts: Option<Bucket>,
    icmp: Option<Bucket>,
    up: Option<Queue>,
    down: Option<Queue>,
}

/// What all hosts share.
struct Middle {
    syns: Option<Bucket>,
    up: Option<Queue>,
    down: Option<Queue>,
    flows: Option<Flows>,
}

struct Event {
    at: Time,
    nth: u64,
    segment: Segment,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    /// The segment reaches the host.
    Arrive,
    /// The host sends the answer, late perhaps.
    Answer(Answer),
    /// The answer reaches the router.
    Return(Answer),
    /// The answer reaches the scanner.
    Deliver(Answer),
}

impl<'a> Sim<'a> {
    pub fn new(world: &'a World, seed: u64) -> Sim<'a> {
        Sim {
            world,
            random: fastrand::Rng::with_seed(seed),
            events: BinaryHeap::new(),
            count: 0,
            start: None,
            router: Middle {
                syns: world.syns.map(Bucket::new),
                up: world.link.map(Queue::new),
                down: world.link.map(Queue::new),
                flows: world.flows.map(Flows::new),
            },
            hosts: HashMap::new(),
            tally: Tally::default(),
        }
    }

    /// When the next thing happens, on the clock of the calls.
    pub fn next(&self) -> Option<Time> {
        let event = self.events.peek()?;
        Some(event.at + self.start.unwrap_or(0))
    }

    /// The scanner's kernel sent a packet at `clock`.
    pub fn take(&mut self, clock: Time, packet: &[u8]) {
        let found = packet::read(packet)
            .and_then(|(to, segment)| Some((to, self.world.locate(to)?, segment)));
        let Some((address, host, segment)) = found else {
            self.tally.stray += 1;
            return;
        };
        let segment = Segment { host, ..segment };
        let now = clock - *self.start.get_or_insert(clock);
        self.count_sent(&segment, now);
        if let Some(at) = self.go_up(&segment, address, now) {
            self.push(at, segment, What::Arrive);
        }
    }

    /// Does all that is due at `clock`; each packet for the scanner is built in `out` and sent.
    pub fn run(&mut self, clock: Time, out: &mut Vec<u8>, mut send: impl FnMut(&[u8]) -> bool) {
        let Some(start) = self.start else { return };
        let now = clock - start;
        while self.events.peek().is_some_and(|event| event.at <= now) {
            let Some(Event {
                at, segment, what, ..
            }) = self.events.pop()
            else {
                return;
            };
            match what {
                What::Arrive => self.arrive(at, segment),
                What::Answer(answer) => self.answer(at, segment, answer),
                What::Return(answer) => self.go_down(at, segment, answer),
                What::Deliver(answer) => {
                    let Some(host) = self.hosts.get(&segment.host) else {
                        continue;
                    };
                    packet::build(out, host.address, &segment, answer);
                    if !send(out) {
                        self.tally.write_failed += 1;
                    }
                }
            }
        }
    }

    fn push(&mut self, at: Time, segment: Segment, what: What) {
        self.count += 1;
        self.events.push(Event {
            at,
            nth: self.count,
            segment,
            what,
        });
    }

    fn count_sent(&mut self, segment: &Segment, now: Time) {
        match segment.flags {
            Flags::Syn => self.tally.syn(
                segment.host,
                segment.dport,
                (segment.sport, segment.seq),
                now,
            ),
            Flags::Ack => self.tally.acks += 1,
            Flags::Fin | Flags::Rst => self.tally.closes += 1,
        }
    }

    /// When the packet reaches its host, if it does.
    fn go_up(&mut self, segment: &Segment, address: IpAddr, now: Time) -> Option<Time> {
        let host = self.world.at(segment.host);
        if is_dead(&self.world.dead, now) || is_dead(&host.dead, now) {
            self.tally.dead += 1;
            return None;
        }
        let state = self.hosts.entry(segment.host).or_insert_with(|| HostState {
            address,
            syns: host.syns.map(Bucket::new),
            rsts: host.rsts.map(Bucket::new),
            icmp: host.icmp.map(Bucket::new),
            up: host.link.map(Queue::new),
            down: host.link.map(Queue::new),
        });
        let mut at = now;
        for queue in [&mut self.router.up, &mut state.up].into_iter().flatten() {
            let Some(sent) = queue.pass(at) else {
                self.tally.queue_up += 1;
                return None;
            };
            at = sent;
        }
        if segment.flags == Flags::Syn {
            for bucket in [&mut self.router.syns, &mut state.syns]
                .into_iter()
                .flatten()
            {
                if !bucket.pass(at) {
                    self.tally.syns_over += 1;
                    return None;
                }
            }
        }
        if let Some(flows) = &mut self.router.flows
            && !flows.up(segment, at)
        {
            self.tally.table_full += 1;
            return None;
        }
        if self.random.f64() < host.loss.0 {
            self.tally.lost += 1;
            return None;
        }
        Some(at + self.half_way(segment.host, now))
    }

    /// The segment is at the host.
    fn arrive(&mut self, at: Time, segment: Segment) {
        let port = self.world.at(segment.host).port(segment.dport);
        let answer = match (segment.flags, port) {
            (Flags::Rst, _) => return,
            (Flags::Ack, Port::Reset) | (Flags::Fin, _) => Answer::Reset,
            (Flags::Ack, Port::Talks(talk)) => match segment {
                Segment { data: 0, .. } if !segment.completes_handshake() => return,
                Segment { data: 0, .. } => Answer::Says(talk.greeting),
                Segment { is_line: true, .. } => Answer::Says(talk.answer),
                _ => Answer::Says(&[]),
            },
            (Flags::Ack, _) => return,
            (Flags::Syn, Port::Silent) => return,
            (Flags::Syn, Port::Closed) => Answer::Refuse,
            (Flags::Syn, Port::Reject(kind, code)) => Answer::Icmp(kind, code, false),
            (Flags::Syn, Port::RouterReject(kind, code)) => Answer::Icmp(kind, code, true),
            (Flags::Syn, Port::Open | Port::Talks(_) | Port::Reset) => Answer::SynAck,
            (Flags::Syn, Port::Busy(drops)) => {
                let seen = self.tally.ports.get(&(segment.host, segment.dport));
                if seen.is_none_or(|seen| seen.attempts + seen.again <= drops) {
                    self.tally.busy += 1;
                    return;
                }
                Answer::SynAck
            }
            (Flags::Syn, Port::Late(from, to)) => {
                let late = between(from, to, self.world.seed, &segment);
                return self.push(at + nanos(late), segment, What::Answer(Answer::SynAck));
            }
        };
        if segment.flags == Flags::Syn {
            self.stray(at, segment, answer);
        }
        self.answer(at, segment, answer);
    }

    /// Puts on its way what follows `answer`.
    fn stray(&mut self, at: Time, segment: Segment, answer: Answer) {
        for &(stray, from, to) in &self.world.at(segment.host).strays {
            let answer = match stray {
                Stray::Again => answer,
                Stray::SynAck => Answer::SynAck,
                Stray::Refusal => Answer::Refuse,
                Stray::Icmp(kind, code) => Answer::Icmp(kind, code, false),
                Stray::RouterIcmp(kind, code) => Answer::Icmp(kind, code, true),
            };
            let late = self.random.u64(nanos(from)..=nanos(to));
            self.tally.strays += 1;
            self.push(at + late, segment, What::Answer(answer));
        }
    }

    /// The host answers.
    fn answer(&mut self, at: Time, segment: Segment, answer: Answer) {
        let Some(state) = self.hosts.get_mut(&segment.host) else {
            return;
        };
        let (limit, over, sent) = match answer {
            Answer::SynAck => (&mut None, &mut 0, &mut self.tally.syn_acks),
            Answer::Says(_) => (&mut None, &mut 0, &mut self.tally.said),
            Answer::Reset => (&mut None, &mut 0, &mut self.tally.rsts),
            Answer::Refuse => (
                &mut state.rsts,
                &mut self.tally.rsts_over,
                &mut self.tally.rsts,
            ),
            Answer::Icmp(..) => (
                &mut state.icmp,
                &mut self.tally.icmp_over,
                &mut self.tally.icmp,
            ),
        };
        if let Some(bucket) = limit
            && !bucket.pass(at)
        {
            *over += 1;
            return;
        }
        *sent += 1;
        if self.random.f64() < self.world.at(segment.host).loss.1 {
            self.tally.lost += 1;
            return;
        }
        let half = self.half_way(segment.host, at);
        self.push(at + half, segment, What::Return(answer));
    }

    /// The answer is at the router.
    fn go_down(&mut self, at: Time, segment: Segment, answer: Answer) {
        let Some(state) = self.hosts.get_mut(&segment.host) else {
            return;
        };
        let mut sent = at;
        for queue in [&mut state.down, &mut self.router.down]
            .into_iter()
            .flatten()
        {
            let Some(passed) = queue.pass(sent) else {
                self.tally.queue_down += 1;
                return;
            };
            sent = passed;
        }
        if is_dead(&self.world.dead, at) || is_dead(&self.world.at(segment.host).dead, at) {
            self.tally.dead += 1;
            return;
        }
        if let Some(flows) = &mut self.router.flows {
            flows.down(&segment, answer);
        }
        self.push(sent, segment, What::Deliver(answer));
    }

    /// Half of the round-trip time at `now`, with jitter.
    fn half_way(&mut self, host: u32, now: Time) -> Time {
        let host = self.world.at(host);
        let mut rtt = host.rtt.as_secs_f64();
        if let Some((to, over)) = host.grows {
            let share = (now as f64 / 1e9 / over.as_secs_f64()).min(1.0);
            rtt += (to.as_secs_f64() - rtt) * share;
        }
        let mut half = (rtt / 2.0 * 1e9) as Time;
        if !host.jitter.is_zero() {
            half += self.random.u64(0..=nanos(host.jitter));
        }
        half
    }
}

// The earliest first, and of those the first one made.
impl Ord for Event {
    fn cmp(&self, other: &Event) -> Ordering {
        (other.at, other.nth).cmp(&(self.at, self.nth))
    }
}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Event) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Event) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Event {}

fn nanos(duration: Duration) -> Time {
    Time::try_from(duration.as_nanos()).expect("a world lasts less than centuries")
}

fn is_dead(stretches: &[(Duration, Duration)], now: Time) -> bool {
    stretches
        .iter()
        .any(|(from, to)| (nanos(*from)..nanos(*to)).contains(&now))
}

/// A delay that is the port's own.
fn between(from: Duration, to: Duration, seed: u64, segment: &Segment) -> Duration {
    let port = u64::from(segment.host) << 16 | u64::from(segment.dport);
    from + (to - from).mul_f64(fastrand::Rng::with_seed(seed ^ port).f64())
}

/// A token bucket.
struct Bucket {
    limit: Limit,
    tokens: f64,
    last: Time,
}

impl Bucket {
    fn new(limit: Limit) -> Bucket {
        Bucket {
            limit,
            tokens: limit.burst,
            last: 0,
        }
    }

    fn pass(&mut self, now: Time) -> bool {
        let gone = now.saturating_sub(self.last) as f64 / 1e9;
        self.last = self.last.max(now);
        self.tokens = (self.tokens + gone * self.limit.per_second).min(self.limit.burst);
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

/// A link with a queue: a packet leaves when all before it have, if there is room to wait.
struct Queue {
    each: f64,
    room: f64,
    free_at: f64,
}

impl Queue {
    fn new(link: Link) -> Queue {
        let each = 1e9 / link.per_second;
        Queue {
            each,
            room: each * f64::from(link.queue),
            free_at: 0.0,
        }
    }

    /// When a packet that comes at `now` has left, if it is not dropped.
    fn pass(&mut self, now: Time) -> Option<Time> {
        let now = now as f64;
        if self.free_at - now > self.room {
            return None;
        }
        self.free_at = self.free_at.max(now) + self.each;
        Some(self.free_at as Time)
    }
}

/// The router's half-open flows.
struct Flows {
    table: FlowTable,
    flows: HashMap<(u32, u16, u16), Time>,
    /// In the order in which they end.
    ends: VecDeque<(Time, (u32, u16, u16))>,
}

impl Flows {
    fn new(table: FlowTable) -> Flows {
        Flows {
            table,
            flows: HashMap::with_capacity(table.entries),
            ends: VecDeque::new(),
        }
    }

    /// Whether the packet passes.
    fn up(&mut self, segment: &Segment, now: Time) -> bool {
        while let Some((end, flow)) = self.ends.front().copied()
            && end <= now
        {
            self.ends.pop_front();
            if self.flows.get(&flow) == Some(&end) {
                self.flows.remove(&flow);
            }
        }
        let flow = (segment.host, segment.sport, segment.dport);
        match segment.flags {
            Flags::Ack => true,
            Flags::Rst | Flags::Fin => {
                self.flows.remove(&flow);
                true
            }
            Flags::Syn if self.flows.contains_key(&flow) => true,
            Flags::Syn if self.flows.len() >= self.table.entries => false,
            Flags::Syn => {
                let end = now + nanos(self.table.hold);
                self.flows.insert(flow, end);
                self.ends.push_back((end, flow));
                true
            }
        }
    }

    fn down(&mut self, segment: &Segment, answer: Answer) {
        if matches!(answer, Answer::Refuse | Answer::Reset) {
            self.flows
                .remove(&(segment.host, segment.sport, segment.dport));
        }
    }
}
