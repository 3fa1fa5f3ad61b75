//! The sockets of a scan: which socket serves which attempt, and the queue of their events.
//!
//! On Linux a refused socket stays registered and serves a later attempt of its family, so that a
//! refused port costs no socket(), no setsockopt(), no epoll_ctl() and no close(). A socket's event
//! is evaluated when the queue is polled, and all events are handled before the next attempt
//! starts; so an event belongs to the attempt that the socket serves, or to none. A closed socket's
//! place in the table may be taken again: the token carries the place's generation.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use slab::Slab;
use socket2::Domain;

use super::outcome::{self, System};
use super::socket::{self, Inspector, Step};
use super::sys::{self, SYSTEM};
use crate::engine::{LocalFault, Outcome, ProbeId, Reason};

/// Events taken from the system at once.
const EVENTS: usize = 1024;

/// Free sockets closed at once.
const SPARE: usize = 64;

/// Bits of a token that name the place, and those above them that hold the generation.
const PLACE_BITS: u32 = if usize::BITS >= 64 { 32 } else { 20 };
const GENERATION_BITS: u32 = if usize::BITS >= 64 { 16 } else { 10 };

/// Tokens that a scan takes for its sockets, from the first one on that it is given: 2^48, or 2^30
/// where a token has 32 bits.
pub const TOKENS: usize = 1 << (PLACE_BITS + GENERATION_BITS);

/// Set in the place of a token that is not of an attempt's socket: places have keys below.
const BESIDE: usize = 1 << (PLACE_BITS - 1);

/// Of the waker. No place has all these bits: keys end well below.
const BELL: Token = Token(TOKENS - 1);

/// No place.
const NOWHERE: u32 = u32::MAX;

/// The sockets and their events.
#[derive(Debug)]
pub(super) struct Sockets {
    /// The event queue, unless events come from another's.
    queue: Option<Queue>,
    table: Table,
}

#[derive(Debug)]
struct Queue {
    poll: Poll,
    events: Events,
}

/// All but the event queue, so that both can be borrowed at once.
#[derive(Debug)]
struct Table {
    registry: Registry,
    inspector: Inspector,
    places: Slab<Place>,
    /// The place of the socket that serves a probe, by the probe's index.
    by_probe: Vec<u32>,
    /// Places of sockets that serve no attempt: IPv4, IPv6.
    free: [Vec<u32>; 2],
    /// Sockets open at once, free ones included.
    capacity: usize,
    /// Of the last place taken.
    generation: u32,
    /// The first token.
    base: usize,
    /// Connections that were made, and how many are kept at most.
    kept: HashMap<SocketAddr, TcpStream>,
    keep: usize,
    /// Tokens of sockets beside those here that have events.
    beside: Vec<Token>,
}

/// Where sockets beside those of attempts are registered.
#[derive(Debug)]
pub(super) struct Beside {
    pub(super) registry: Registry,
    base: usize,
}

#[derive(Debug)]
struct Place {
    stream: TcpStream,
    generation: u32,
    /// The attempt served; `None`: the socket is free.
    attempt: Option<Attempt>,
}

#[derive(Clone, Copy, Debug)]
struct Attempt {
    id: ProbeId,
    addr: SocketAddr,
    /// It has ended without an answer; its events mean nothing.
    silent: bool,
}

impl Sockets {
    /// An empty table of at most `capacity` sockets. `reuse`: refused ones serve again; only where
    /// [`sys::REUSE`] holds.
    pub(super) fn new(capacity: usize, reuse: bool) -> io::Result<Sockets> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let queue = Queue {
            poll,
            events: Events::with_capacity(EVENTS),
        };
        Ok(Sockets::with(Some(queue), registry, 0, capacity, reuse))
    }

    /// The same in the event queue of another, whose events are given to [`take`](Self::take), with
    /// [`TOKENS`] tokens from `base` on.
    pub(super) fn embedded(registry: &Registry, base: Token, reuse: bool) -> io::Result<Sockets> {
        let registry = registry.try_clone()?;
        Ok(Sockets::with(None, registry, base.0, 1, reuse))
    }

    fn with(
        queue: Option<Queue>,
        registry: Registry,
        base: usize,
        capacity: usize,
        reuse: bool,
    ) -> Sockets {
        let table = Table {
            registry,
            inspector: Inspector::new(reuse),
            places: Slab::new(),
            by_probe: Vec::new(),
            free: [Vec::new(), Vec::new()],
            capacity: 1,
            generation: 0,
            base,
            kept: HashMap::new(),
            keep: 0,
            beside: Vec::new(),
        };
        let mut sockets = Sockets { queue, table };
        sockets.set_capacity(capacity);
        sockets
    }

    /// What ends a [`wait`](Self::wait) from any thread; `None` in another's event queue. For one call
    /// only.
    pub(super) fn waker(&self) -> io::Result<Option<Waker>> {
        let queue = self.queue.as_ref();
        queue
            .map(|queue| Waker::new(queue.poll.registry(), BELL))
            .transpose()
    }

    /// Lets at most `capacity` sockets (1 at least) be open at once.
    pub(super) fn set_capacity(&mut self, capacity: usize) {
        self.table.capacity = capacity.clamp(1, (1 << (PLACE_BITS - 1)) - 1);
    }

    /// Starts attempt `id`; its outcome, if that is known at once.
    pub(super) fn connect(&mut self, id: ProbeId, addr: SocketAddr) -> Option<Outcome> {
        self.table.connect(id, addr)
    }

    /// Ends attempt `id` if it is under way.
    pub(super) fn close(&mut self, id: ProbeId) {
        self.table.close(id);
    }

    /// Closes some of the free sockets if there are more than serve attempts: time to spare is better
    /// spent on that than the end of the run.
    pub(super) fn close_spare(&mut self) {
        for _ in 0..SPARE {
            let free = self.table.free[0].len() + self.table.free[1].len();
            if free <= self.table.places.len() / 2 {
                return;
            }
            let family = usize::from(self.table.free[0].len() < self.table.free[1].len());
            self.table.shed(family);
        }
    }

    /// Waits for events for at most `timeout`; whether there may be more than were taken. An
    /// interrupted wait is one without events.
    pub(super) fn wait(&mut self, timeout: Duration) -> io::Result<bool> {
        let Some(Queue { poll, events }) = &mut self.queue else {
            return Ok(false);
        };
        match poll.poll(events, Some(timeout)) {
            Ok(()) => Ok(events.iter().count() >= EVENTS),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                events.clear();
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Hands over what the events of the last [`wait`](Self::wait) mean.
    pub(super) fn drain(&mut self, outcome: impl FnMut(ProbeId, Outcome)) {
        if let Some(Queue { events, .. }) = &mut self.queue {
            self.table.take(events, outcome);
            events.clear();
        }
    }

    /// Hands over what `events` mean, of which some may be others'.
    pub(super) fn take(&mut self, events: &Events, outcome: impl FnMut(ProbeId, Outcome)) {
        self.table.take(events, outcome);
    }

    /// A way to register other sockets, for one user only.
    pub(super) fn beside(&self) -> io::Result<Beside> {
        Ok(Beside {
            registry: self.table.registry.try_clone()?,
            base: self.table.base,
        })
    }

    /// Tokens of such sockets that had events since the last call.
    pub(super) fn take_beside(&mut self) -> Vec<Token> {
        std::mem::take(&mut self.table.beside)
    }

    /// Forgets the connections kept, and keeps `most` of those that are made from now on.
    pub(super) fn keep(&mut self, most: usize) {
        self.table.kept.clear();
        self.table.keep = most;
    }

    /// The connection to `addr` if it was made since [`keep`](Self::keep), still registered.
    pub(super) fn take_kept(&mut self, addr: SocketAddr) -> Option<TcpStream> {
        self.table.kept.remove(&canonical(addr))
    }
}

impl Beside {
    /// The token of a socket by its key and generation.
    pub(super) fn token(&self, key: usize, generation: u32) -> Token {
        token(self.base, key | BESIDE, generation)
    }

    /// The key of the socket with this token.
    pub(super) fn key(&self, token: Token) -> usize {
        token.0.wrapping_sub(self.base) & (BESIDE - 1)
    }
}

impl Table {
    fn connect(&mut self, id: ProbeId, addr: SocketAddr) -> Option<Outcome> {
        // An IPv4-mapped address is reached by IPv4, whose errors an IPv6 socket does not queue.
        let addr = canonical(addr);
        let Some(key) = self.free[family(addr)].pop() else {
            return self.connect_new(id, addr);
        };
        let place = &mut self.places[key as usize];
        match ending(self.inspector.start(&place.stream, addr)) {
            None => {
                place.attempt = Some(Attempt {
                    id,
                    addr,
                    silent: false,
                });
                self.set_place(id, key);
                None
            }
            Some((outcome, reusable)) => {
                self.release(key, family(addr), reusable);
                Some(outcome)
            }
        }
    }

    fn connect_new(&mut self, id: ProbeId, addr: SocketAddr) -> Option<Outcome> {
        let mut stream = match self.open(addr) {
            Ok(stream) => stream,
            Err(error) => return Some(outcome::of_socket(sys::errno(&error))),
        };
        // Connected before it is registered: epoll reports an unconnected socket as hung up.
        if let Some((outcome, _)) = ending(self.inspector.start(&stream, addr)) {
            return Some(outcome);
        }
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        let entry = self.places.vacant_entry();
        let key = entry.key();
        let token = token(self.base, key, generation);
        if let Err(error) = self
            .registry
            .register(&mut stream, token, Interest::WRITABLE)
        {
            return Some(outcome::of_socket(sys::errno(&error)));
        }
        entry.insert(Place {
            stream,
            generation,
            attempt: Some(Attempt {
                id,
                addr,
                silent: false,
            }),
        });
        // Keys are below the capacity, which set_capacity() keeps below 2^31.
        self.set_place(id, key as u32);
        None
    }

    /// A new socket; a free one of the other family makes room for it.
    fn open(&mut self, addr: SocketAddr) -> io::Result<TcpStream> {
        let other = 1 - family(addr);
        if self.places.len() >= self.capacity {
            self.shed(other);
        }
        let domain = Domain::for_address(addr);
        match socket::open(domain) {
            Err(_) if self.shed(other) => socket::open(domain),
            result => result,
        }
    }

    /// Closes a free socket of `family`, if there is one.
    fn shed(&mut self, family: usize) -> bool {
        match self.free[family].pop() {
            Some(key) => {
                self.places.remove(key as usize);
                true
            }
            None => false,
        }
    }

    fn close(&mut self, id: ProbeId) {
        let Some(&key) = self.by_probe.get(id.index as usize) else {
            return;
        };
        let attempt = self
            .places
            .get(key as usize)
            .and_then(|place| place.attempt);
        if attempt.is_some_and(|attempt| attempt.id == id) {
            self.places.remove(key as usize);
        }
    }

    /// Hands over what those of `events` mean that are of sockets here.
    fn take(&mut self, events: &Events, mut outcome: impl FnMut(ProbeId, Outcome)) {
        for event in events {
            self.handle(event.token(), event.is_writable(), &mut outcome);
        }
    }

    fn handle(&mut self, token: Token, writable: bool, outcome: &mut impl FnMut(ProbeId, Outcome)) {
        let Some(key) = token.0.checked_sub(self.base) else {
            return;
        };
        let key = key & ((1 << PLACE_BITS) - 1);
        if key & BESIDE != 0 {
            return self.beside.push(token);
        }
        let Some(place) = self.places.get_mut(key) else {
            return;
        };
        let Some(attempt) = place.attempt else {
            return;
        };
        if attempt.silent || self::token(self.base, key, place.generation) != token {
            return;
        }
        let step = self.inspector.check(&place.stream, attempt.addr, writable);
        if let Step::Silent = step {
            place.attempt = Some(Attempt {
                silent: true,
                ..attempt
            });
        }
        let Some((mut result, mut reusable)) = ending(step) else {
            if sys::REARM {
                let stream = &mut place.stream;
                let _ = self.registry.reregister(stream, token, Interest::WRITABLE);
            }
            return;
        };
        if let Some(twin) = self.crossed(step) {
            (result, reusable) = (Outcome::SelfConnect, false);
            if let Some(attempt) = self.places.remove(twin).attempt {
                outcome(attempt.id, Outcome::SelfConnect);
            }
        }
        let open = matches!(
            (step, result),
            (Step::Connected { .. }, Outcome::Answered { .. })
        );
        if open && self.kept.len() < self.keep {
            self.kept
                .insert(attempt.addr, self.places.remove(key).stream);
        } else {
            self.release(key as u32, family(attempt.addr), reusable);
        }
        outcome(attempt.id, result);
    }

    /// The place of another attempt of ours that this one was connected to: both were on their way
    /// from the other's target port (RFC 9293 3.5, simultaneous open). Only on this machine itself.
    fn crossed(&self, step: Step) -> Option<usize> {
        let Step::Connected {
            local: Some(local),
            peer,
        } = step
        else {
            return None;
        };
        if local.ip() != peer.ip() || local.port() == peer.port() {
            return None;
        }
        let ours = |place: &Place| {
            place.attempt.is_some_and(|attempt| {
                attempt.addr.port() == local.port() && attempt.addr.ip() == local.ip()
            }) && place
                .stream
                .local_addr()
                .is_ok_and(|from| from.port() == peer.port())
        };
        self.places
            .iter()
            .find(|(_, place)| ours(place))
            .map(|(key, _)| key)
    }

    /// The socket's attempt is over: it is free, or closed.
    fn release(&mut self, key: u32, family: usize, reusable: bool) {
        if reusable && self.places.len() <= self.capacity {
            self.places[key as usize].attempt = None;
            self.free[family].push(key);
        } else {
            self.places.remove(key as usize);
        }
    }

    fn set_place(&mut self, id: ProbeId, key: u32) {
        let index = id.index as usize;
        if index >= self.by_probe.len() {
            self.by_probe.resize(index + 1, NOWHERE);
        }
        self.by_probe[index] = key;
    }
}

/// What ended an attempt, and whether its socket can serve again; `None` if nothing did.
fn ending(step: Step) -> Option<(Outcome, bool)> {
    match step {
        Step::Connected {
            local: Some(local),
            peer,
        } if local.port() == peer.port() && local.ip() == peer.ip() => {
            Some((Outcome::SelfConnect, false))
        }
        // Without its own address a connection to itself cannot be told from another. Others name
        // no address once the peer has reset the connection.
        Step::Connected { local: None, .. } if SYSTEM == System::Linux => {
            Some((Outcome::Fault(LocalFault::Busy), false))
        }
        Step::Connected { .. } => Some((
            Outcome::Answered {
                reason: Reason::SynAck,
                from: None,
            },
            false,
        )),
        Step::Over { outcome, reusable } => Some((outcome, reusable)),
        Step::Pending | Step::Silent => None,
    }
}

fn family(addr: SocketAddr) -> usize {
    usize::from(addr.is_ipv6())
}

fn token(base: usize, key: usize, generation: u32) -> Token {
    let generation = generation as usize & ((1 << GENERATION_BITS) - 1);
    Token(base + (key | generation << PLACE_BITS))
}

/// `addr` as IPv4 if it is an IPv4-mapped IPv6 address.
pub(super) fn canonical(addr: SocketAddr) -> SocketAddr {
    match addr.ip().to_canonical() {
        IpAddr::V4(v4) => SocketAddr::from((v4, addr.port())),
        IpAddr::V6(_) => addr,
    }
}
