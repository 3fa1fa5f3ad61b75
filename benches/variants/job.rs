//! What every variant is asked for, and what it says.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{baseline, blocking, event_loop, tasks};

/// Times that a port is tried again because this machine could not try it, or connected to itself.
const TRIES: u32 = 1_000;
/// Pause before that.
const PAUSE: Duration = Duration::from_millis(1);

/// One scan of TCP ports 1 to `top`, each once.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Job {
    pub target: Ipv4Addr,
    pub top: u16,
    /// Attempts at once, at most.
    pub in_flight: usize,
    /// How long an answer is waited for.
    pub timeout: Duration,
}

/// What a scan found.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Found {
    pub open: Vec<u16>,
    pub closed: u32,
    pub filtered: u32,
    /// Threads at work.
    pub threads: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open,
    Closed,
    Filtered,
}

/// A way to scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    Nishad,
    Tokio,
    Threads,
    Sequential,
    Baseline,
}

impl Variant {
    pub const ALL: [Variant; 5] = [
        Variant::Nishad,
        Variant::Tokio,
        Variant::Threads,
        Variant::Sequential,
        Variant::Baseline,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Variant::Nishad => "nishad",
            Variant::Tokio => "tokio",
            Variant::Threads => "threads",
            Variant::Sequential => "sequential",
            Variant::Baseline => "baseline",
        }
    }

    pub fn scan(self, job: &Job) -> io::Result<Found> {
        match self {
            Variant::Nishad => event_loop::scan(job),
            Variant::Tokio => tasks::scan(job),
            Variant::Threads => blocking::pool(job),
            Variant::Sequential => blocking::sequential(job),
            Variant::Baseline => baseline::scan(job),
        }
    }
}

impl Job {
    pub fn addr(&self, port: u16) -> SocketAddr {
        SocketAddrV4::new(self.target, port).into()
    }

    /// How many workers there is something to do for.
    pub fn workers(&self) -> usize {
        self.in_flight.clamp(1, usize::from(self.top).max(1))
    }
}

impl Found {
    pub fn add(&mut self, port: u16, state: State) {
        match state {
            State::Open => self.open.push(port),
            State::Closed => self.closed += 1,
            State::Filtered => self.filtered += 1,
        }
    }

    pub fn merge(&mut self, other: Found) {
        self.open.extend(other.open);
        self.closed += other.closed;
        self.filtered += other.filtered;
    }

    pub fn total(&self) -> u32 {
        self.open.len() as u32 + self.closed + self.filtered
    }
}

/// What an error of connect() says of the port; an error of this machine says nothing and comes back.
pub fn state_of(error: io::Error) -> io::Result<State> {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Ok(State::Closed),
        // Only an established connection can be reset.
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Ok(State::Open),
        io::ErrorKind::TimedOut
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::PermissionDenied => Ok(State::Filtered),
        _ => Err(error),
    }
}

/// TCP connected the socket to itself, which is no answer.
pub fn self_connected() -> io::Error {
    io::ErrorKind::AddrInUse.into()
}

/// Counts the times that a port could not be tried.
#[derive(Default)]
pub struct Patience(u32);

impl Patience {
    /// The pause before the next try, or the error if there were too many.
    pub fn after(&mut self, error: io::Error) -> io::Result<Duration> {
        self.0 += 1;
        if self.0 == TRIES {
            Err(error)
        } else {
            Ok(PAUSE)
        }
    }
}

/// The number after `key` in /proc/self/status.
pub fn status(key: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim_start_matches(':')
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

/// Threads of this process now.
pub fn threads() -> usize {
    status("Threads").unwrap_or(0) as usize
}
