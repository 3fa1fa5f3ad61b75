//! One open port talked to: what to send, what to wait for, when to stop. No I/O and no clock.
//!
//! First the connection is listened to. If no greeting comes within a moment, probes follow, chosen
//! by the port and by what was learned; what is known to be there is asked for more. A connection on
//! which nothing was asked yet, or whose service answered, is kept; else another one is made, three
//! at most.
//!
//! The order of calls: [`Talk::want`] says what is wanted now, after each call anew, and
//! [`Talk::poll_timeout`] until when. The driver does it and tells: [`connected`](Talk::connected),
//! [`sent`](Talk::sent), [`received`](Talk::received), [`closed`](Talk::closed),
//! [`timeout`](Talk::timeout). A call that does not fit, or comes early, changes nothing. What the
//! port does can not make it last longer than [`Moments::total`], read more than [`MAX_READ`], or
//! hold more than [`TALK_MEMORY`].

mod exchange;
mod options;
mod plan;

use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::found::{Manner, Service};
use super::read;
use super::rules::Rules;
use super::tls::{Progress, Session};
use plan::{Exchange, Reaction};

pub use options::{MAX_ANSWER, MAX_CONNECTIONS, MAX_READ, Moments, Options};

/// Bytes that a talk holds at most, its TLS session included: an answer, a TLS message of 64 KiB
/// with what was read behind it, and what was found. `tests/services/memory.rs` measures 203 KiB for a
/// chain of certificates of 60 KB, 52 for endless text.
pub const TALK_MEMORY: usize = 256 << 10;

/// Ports of printers, which print what they are sent.
const PRINTERS: std::ops::RangeInclusive<u16> = 9100..=9107;

/// How often an answer is matched while it still comes; then only when it pauses.
const MAX_LOOKS: u8 = 8;

/// Exchanges with a port at most: a probe for each connection, and more where the service is known.
const MAX_EXCHANGES: usize = 12;

/// What a [`Talk`] wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want<'a> {
    /// A connection, the former one closed; then [`Talk::connected`] or [`Talk::closed`]. How long
    /// it takes is the driver's.
    Connect,
    /// These bytes sent, as many of them as can be; then [`Talk::sent`].
    Send(&'a [u8]),
    /// What comes, at most so many bytes at once; then [`Talk::received`].
    Read(usize),
    /// Nothing more: the connection closed, and [`Talk::into_service`].
    Done,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The other side closed it.
    Closed,
    /// The other side reset it.
    Reset,
    /// It was not made, or this machine ended it.
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Talking,
    Done,
}

/// The state of a talk with one port; see the [module](self).
#[derive(Debug)]
pub struct Talk {
    rules: Arc<Rules>,
    port: u16,
    target: Arc<str>,
    /// The target as HTTP names it.
    host: String,
    moments: Moments,
    /// Whether nothing may be sent.
    listens_only: bool,
    phase: Phase,
    connections: u8,
    read: usize,
    /// Time left for the port while no connection is open.
    left: Duration,
    /// When that is over, while one is.
    end: Instant,
    /// When the exchange is over, at the latest.
    deadline: Instant,
    /// When the answer is taken for complete.
    quiet: Option<Instant>,
    /// What this exchange asks.
    probe: Option<usize>,
    /// What is asked once the TLS handshake is made again.
    resumed: Option<usize>,
    /// Whether something was sent on this connection.
    asked: bool,
    /// Whether the connection has been through an exchange before this one.
    kept: bool,
    out: Vec<u8>,
    out_sent: usize,
    /// What of the request goes out after a moment each, the next piece last, if the connection is still
    /// there; and in how many pieces the request goes.
    held: Vec<Vec<u8>>,
    pieces: usize,
    heard: Vec<u8>,
    looks: u8,
    tls: Option<Box<Session>>,
    /// The time of day.
    wall: Timestamp,
    past: Vec<Exchange>,
    service: Service,
}

impl Talk {
    /// A talk with `port`. It wants a connection first: the one that found the port open will do,
    /// told by [`connected`](Self::connected).
    pub fn new(rules: Arc<Rules>, port: u16, options: &Options, now: Instant) -> Talk {
        let moments = Moments::of(options.rtt);
        Talk {
            rules,
            port,
            target: Arc::clone(&options.target),
            host: url_host(&options.target),
            moments,
            listens_only: PRINTERS.contains(&port) && !options.ask_printers,
            phase: Phase::Connecting,
            connections: 0,
            read: 0,
            left: moments.total,
            end: now,
            deadline: now,
            quiet: None,
            probe: None,
            resumed: None,
            asked: false,
            kept: false,
            out: Vec::new(),
            out_sent: 0,
            held: Vec::new(),
            pieces: 1,
            heard: Vec::new(),
            looks: 0,
            tls: None,
            wall: options.wall,
            past: Vec::new(),
            service: Service::default(),
        }
    }

    /// What is to be done now. It stays the same until something is told.
    pub fn want(&self) -> Want<'_> {
        match self.phase {
            Phase::Done => Want::Done,
            Phase::Connecting => Want::Connect,
            Phase::Talking if self.out_sent < self.out.len() => {
                Want::Send(&self.out[self.out_sent..])
            }
            Phase::Talking => Want::Read(MAX_ANSWER.min(MAX_READ - self.read)),
        }
    }

    /// When [`timeout`](Self::timeout) is to be called; `None` while a connection is wanted, and at
    /// the end.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deadline = self.quiet.unwrap_or(self.deadline);
        (self.phase == Phase::Talking).then(|| deadline.min(self.deadline).min(self.end))
    }

    /// There is a connection.
    pub fn connected(&mut self, now: Instant) {
        if self.phase != Phase::Connecting {
            return;
        }
        self.phase = Phase::Talking;
        self.connections += 1;
        self.end = now + self.left;
        self.asked = false;
        self.kept = false;
        self.tls = None;
        self.begin(now, self.probe);
    }

    /// `count` bytes of what [`Want::Send`] had were sent.
    pub fn sent(&mut self, now: Instant, count: usize) {
        if self.phase != Phase::Talking || self.out.is_empty() {
            return;
        }
        self.out_sent = self.out.len().min(self.out_sent.saturating_add(count));
        if self.out_sent == self.out.len() {
            self.out.clear();
            self.out_sent = 0;
            // What TLS sends by itself while a greeting is waited for changes nothing.
            if self.probe.is_some() {
                self.deadline = match self.held.is_empty() {
                    true => now + self.moments.answer,
                    false => now + self.moments.brief,
                };
            }
        }
    }

    /// These bytes came. What is beyond the [bound](MAX_READ) is not looked at.
    pub fn received(&mut self, now: Instant, bytes: &[u8]) {
        if self.phase != Phase::Talking || bytes.is_empty() {
            return;
        }
        let bytes = &bytes[..bytes.len().min(MAX_READ - self.read)];
        self.read += bytes.len();
        let before = self.heard.len();
        let shaking = self.is_shaking();
        if let Some(session) = &mut self.tls {
            session.receive(bytes);
            session.outgoing(&mut self.out);
            if !shaking {
                session.data(&mut self.heard);
            }
        }
        if shaking || self.tls.is_none() {
            self.heard.extend_from_slice(bytes);
        }
        self.heard.truncate(MAX_ANSWER);
        if shaking {
            if !self.is_shaking() {
                self.shaken(now);
            }
            if self.phase == Phase::Talking && (self.read == MAX_READ || now >= self.end) {
                self.settle(now, None);
            }
            return;
        }
        if self.heard.len() > before {
            self.quiet = Some(now + self.moments.quiet);
        }
        let over = matches!(&self.tls, Some(session) if session.progress() == Progress::Over);
        if over {
            self.settle(now, Some(Ended::Closed));
        } else if self.is_full() || now >= self.end || self.is_complete() {
            self.settle(now, None);
        }
    }

    /// Whether no more of an answer, or of the port, is looked at.
    fn is_full(&self) -> bool {
        self.heard.len() == MAX_ANSWER || self.read == MAX_READ
    }

    /// The connection is no more.
    pub fn closed(&mut self, now: Instant, how: Ended) {
        match self.phase {
            Phase::Connecting => {
                self.finish();
            }
            Phase::Talking => self.settle(now, Some(how)),
            Phase::Done => {}
        }
    }

    /// [`poll_timeout`](Self::poll_timeout) has come; before that nothing happens.
    pub fn timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|deadline| now < deadline) {
            return;
        }
        if self.heard.is_empty()
            && now < self.end
            && let Some(next) = self.held.pop()
        {
            self.say(&next);
            self.deadline = now + self.moments.answer;
            return;
        }
        // A pause within what is no whole answer yet.
        if now < self.deadline.min(self.end) && self.is_worth_waiting() {
            self.quiet = None;
            return;
        }
        // Servers wait for seconds within their greeting to see who does not (Postfix's postscreen).
        if now < self.end && self.probe.is_none() && read::goes_on(&self.heard) {
            self.deadline = now + self.moments.answer;
            return;
        }
        self.settle(now, None);
    }

    /// What was found out.
    pub fn into_service(self) -> Service {
        let mut service = self.service;
        let was = |wanted| self.past.iter().any(|past| past.reaction == wanted);
        let ignored = |past: &Exchange| past.probe.is_some() && past.reaction == Reaction::Silent;
        service.manner = if was(Reaction::Answered) {
            Manner::Answers
        } else if self.past.iter().any(ignored) {
            Manner::Silent
        } else if was(Reaction::Closed) {
            Manner::Closes
        } else if was(Reaction::Reset) {
            Manner::Resets
        } else {
            Manner::Unasked
        };
        service
    }
}

/// A target as it stands in a URL: an IPv6 address in brackets, without its zone (RFC 6874).
fn url_host(target: &str) -> String {
    let address = target.split('%').next().unwrap_or(target);
    match address.parse::<Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => target.into(),
    }
}

#[cfg(all(test, feature = "services"))]
mod tests;
