//! Listeners on 127.0.0.1, and what listens there anyway.

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::thread::{self, JoinHandle};

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::model;

/// The state LISTEN in /proc/net/tcp (include/net/tcp_states.h).
const LISTEN: &str = "0A";

/// Ports of 127.0.0.1 that are open while this lives; whoever connects is accepted and hung up on.
pub struct Listeners {
    ports: Vec<u16>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl Listeners {
    /// `count` of them, spread over the ports below the ephemeral ones.
    pub fn open(count: usize) -> io::Result<Listeners> {
        let top = ephemeral_ports().start().saturating_sub(1).max(1);
        let mut poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), Token(usize::MAX))?;
        let mut sockets = Vec::new();
        let mut ports = Vec::new();
        // Some candidates are taken, or need root.
        for port in model::spread(usize::from(top) / 4, top) {
            if sockets.len() == count {
                break;
            }
            let Ok(mut socket) = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
            else {
                continue;
            };
            let token = Token(sockets.len());
            poll.registry()
                .register(&mut socket, token, Interest::READABLE)?;
            sockets.push(socket);
            ports.push(port);
        }
        let thread = thread::spawn(move || accept(&mut poll, &sockets));
        Ok(Listeners {
            ports,
            waker,
            thread: Some(thread),
        })
    }

    pub fn ports(&self) -> &[u16] {
        &self.ports
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        let woken = self.waker.wake();
        if let (Ok(()), Some(thread)) = (woken, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

/// Until the waker is called.
fn accept(poll: &mut Poll, sockets: &[TcpListener]) {
    let mut events = Events::with_capacity(256);
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
            Ok(()) => {}
        }
        for event in &events {
            let Some(socket) = sockets.get(event.token().0) else {
                return;
            };
            loop {
                match socket.accept() {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // A connection that is gone again is an error here.
                    _ => {}
                }
            }
        }
    }
}

/// Ports of 127.0.0.1 on which something listens.
pub fn listening() -> io::Result<HashSet<u16>> {
    let v4 = std::fs::read_to_string("/proc/self/net/tcp")?;
    // Absent without IPv6. [::] listens to IPv4 too, unless it is told not to.
    let v6 = std::fs::read_to_string("/proc/self/net/tcp6").unwrap_or_default();
    let lines = v4.lines().chain(v6.lines());
    Ok(lines.filter_map(listener).collect())
}

/// The port of a line of such a table, if it is a listener's.
fn listener(line: &str) -> Option<u16> {
    let mut words = line.split_whitespace().skip(1);
    let (local, state) = (words.next()?, words.nth(1)?);
    let (_, port) = local.split_once(':')?;
    (state == LISTEN)
        .then(|| u16::from_str_radix(port, 16).ok())
        .flatten()
}

/// The ports that connect() takes its own from. On this machine itself a connection attempt to one
/// of them can meet another attempt, or itself, and so be open for a moment.
pub fn ephemeral_ports() -> RangeInclusive<u16> {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let bounds = range.ok().and_then(|text| {
        let mut words = text.split_whitespace();
        Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    });
    let (first, last) = bounds.unwrap_or((32_768, 60_999));
    first..=last
}
