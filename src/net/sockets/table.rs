//! Which socket serves which attempt.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Events, Interest, Registry, Token};
use slab::Slab;
use socket2::Domain;

use super::super::outcome::{self, System};
use super::super::socket::{self, Inspector, Step};
use super::super::sys::{self, SYSTEM};
use super::{BELL, BESIDE, PLACE_BITS, TOKENS, canonical, token};
use crate::engine::{LocalFault, Outcome, ProbeId, Reason};

/// No place.
const NOWHERE: u32 = u32::MAX;

/// All but the event queue, so that both can be borrowed at once.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) registry: Registry,
    inspector: Inspector,
    pub(super) places: Slab<Place>,
    /// The place of the socket that serves a probe, by the probe's index.
    by_probe: Vec<u32>,
    /// Places of sockets that serve no attempt: IPv4, IPv6.
    pub(super) free: [Vec<u32>; 2],
    /// Sockets open at once, free ones included.
    capacity: usize,
    /// Of the last place taken.
    generation: u32,
    /// The first token.
    pub(super) base: usize,
    /// Connections that were made, and how many are kept at most.
    pub(super) kept: HashMap<SocketAddr, TcpStream>,
    pub(super) keep: usize,
    /// Tokens of sockets beside those here that have events.
    pub(super) beside: Vec<Token>,
}

#[derive(Debug)]
pub(super) struct Place {
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

impl Table {
    /// An empty table for one socket, with tokens of `registry` from `base` on.
    pub(super) fn new(registry: Registry, base: usize, reuse: bool) -> Table {
        Table {
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
        }
    }

    pub(super) fn set_capacity(&mut self, capacity: usize) {
        // Keys are below the capacity, and tokens have so many bits for them.
        self.capacity = capacity.clamp(1, BESIDE - 1);
    }

    pub(super) fn connect(&mut self, id: ProbeId, addr: SocketAddr) -> Option<Outcome> {
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
    pub(super) fn shed(&mut self, family: usize) -> bool {
        match self.free[family].pop() {
            Some(key) => {
                self.places.remove(key as usize);
                true
            }
            None => false,
        }
    }

    pub(super) fn close(&mut self, id: ProbeId) {
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
    pub(super) fn take(&mut self, events: &Events, mut outcome: impl FnMut(ProbeId, Outcome)) {
        for event in events {
            self.handle(event.token(), event.is_writable(), &mut outcome);
        }
    }

    fn handle(&mut self, token: Token, writable: bool, outcome: &mut impl FnMut(ProbeId, Outcome)) {
        let of_scan = token.0.checked_sub(self.base).filter(|at| *at < TOKENS);
        let Some(key) = of_scan.filter(|_| token != BELL) else {
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
