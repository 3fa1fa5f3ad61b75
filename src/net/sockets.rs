//! The sockets of a scan: which socket serves which attempt, and the queue of their events.
//!
//! On Linux a refused socket stays registered and serves a later attempt of its family, so that a
//! refused port costs no socket(), no setsockopt(), no epoll_ctl() and no close(). A socket's event
//! is evaluated when the queue is polled, and all events are handled before the next attempt
//! starts; so an event belongs to the attempt that the socket serves, or to none. A closed socket's
//! place in the table may be taken again: the token carries the place's generation.

mod table;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Poll, Registry, Token, Waker};

use crate::engine::{Outcome, ProbeId};
use table::Table;

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

/// Where sockets beside those of attempts are registered.
#[derive(Debug)]
pub(super) struct Beside {
    pub(super) registry: Registry,
    base: usize,
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
        let table = Table::new(registry, 0, reuse);
        Ok(Sockets::with(Some(queue), table, capacity))
    }

    /// The same in the event queue of another, whose events are given to [`take`](Self::take), with
    /// [`TOKENS`] tokens from `base` on.
    pub(super) fn embedded(registry: &Registry, base: Token, reuse: bool) -> io::Result<Sockets> {
        let registry = registry.try_clone()?;
        let table = Table::new(registry, base.0, reuse);
        Ok(Sockets::with(None, table, 1))
    }

    fn with(queue: Option<Queue>, mut table: Table, capacity: usize) -> Sockets {
        table.set_capacity(capacity);
        Sockets { queue, table }
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
        self.table.set_capacity(capacity);
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

    /// Closes all free sockets: there are no more attempts.
    pub(super) fn close_free(&mut self) {
        for family in 0..2 {
            while self.table.shed(family) {}
        }
    }

    /// Sockets that are open.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.table.places.len() + self.table.kept.len()
    }

    /// Closes the connections kept.
    pub(super) fn close_kept(&mut self) {
        self.table.kept.clear();
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
        self.close_kept();
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
