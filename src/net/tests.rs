//! The socket layer on real sockets, with and without reuse of refused ones.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use super::sockets::Sockets;
use super::sys;
use crate::engine::{Outcome, ProbeId, Reason};

#[cfg_attr(windows, allow(dead_code, reason = "there is no lab"))]
#[path = "../../tests/support/lab.rs"]
mod lab;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod rejections;
mod table;
#[path = "../../tests/support/wine.rs"]
mod wine;

use lab::{Lab, skip};

/// How long an answer is waited for that must come.
const PATIENCE: Duration = Duration::from_secs(20);

const OPEN: Outcome = Outcome::Answered {
    reason: Reason::SynAck,
    from: None,
};
const CLOSED: Outcome = Outcome::Answered {
    reason: Reason::ConnRefused,
    from: None,
};

/// The ways of looking at a socket that this system has.
fn ways() -> &'static [bool] {
    if sys::REUSE { &[false, true] } else { &[false] }
}

fn listeners(test: &str) -> Vec<TcpListener> {
    let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener on 127.0.0.1");
    match TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
        Ok(v6) => vec![v4, v6],
        Err(error) => {
            skip(test, &format!("::1 cannot be listened on: {error}"));
            vec![v4]
        }
    }
}

/// A port of `listener`'s address that was free a moment ago; nobody else is given it meanwhile.
fn refused_port(domain: Domain, ip: std::net::IpAddr) -> (Socket, SocketAddr) {
    let socket = Socket::new(domain, Type::STREAM, None).expect("a socket");
    socket
        .bind(&SockAddr::from(SocketAddr::new(ip, 0)))
        .expect("a free port");
    let addr = socket.local_addr().ok().and_then(|addr| addr.as_socket());
    (socket, addr.expect("a bound address"))
}

/// Probes `targets` in their order with `window` sockets at most; what each came to.
fn probe(sockets: &mut Sockets, targets: &[SocketAddr], window: usize) -> Vec<Outcome> {
    let mut outcomes: BTreeMap<usize, Outcome> = BTreeMap::new();
    let mut serving = BTreeMap::new();
    let mut keys: Vec<u32> = (0..window as u32).rev().collect();
    let deadline = Instant::now() + PATIENCE;
    let mut generation = 0;
    let mut next = 0;
    while outcomes.len() < targets.len() {
        assert!(
            Instant::now() < deadline,
            "answered: {outcomes:?} of {targets:?}"
        );
        while next < targets.len()
            && let Some(index) = keys.pop()
        {
            generation += 1;
            let id = ProbeId { index, generation };
            match sockets.connect(id, targets[next]) {
                Some(outcome) => {
                    outcomes.insert(next, outcome);
                    keys.push(index);
                }
                None => {
                    serving.insert(id, next);
                }
            }
            next += 1;
        }
        if serving.is_empty() {
            continue;
        }
        sockets.wait(Duration::from_millis(100)).expect("poll");
        sockets.drain(|id, outcome| {
            let target = serving.remove(&id).expect("one outcome for an attempt");
            outcomes.insert(target, outcome);
            keys.push(id.index);
        });
    }
    outcomes.into_values().collect()
}

/// The next `count` outcomes. Events that mean nothing may come before them.
fn outcomes(sockets: &mut Sockets, count: usize) -> Vec<(ProbeId, Outcome)> {
    let mut seen = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while seen.len() < count {
        assert!(Instant::now() < deadline, "told: {seen:?}");
        sockets.wait(Duration::from_millis(100)).expect("poll");
        sockets.drain(|id, outcome| seen.push((id, outcome)));
    }
    seen
}

fn probe_one(sockets: &mut Sockets, target: SocketAddr) -> Outcome {
    probe(sockets, &[target], 1)[0]
}

#[test]
fn open_and_refused_in_both_families() {
    for listener in listeners("open_and_refused_in_both_families") {
        let open = listener.local_addr().expect("a bound address");
        let (_held, closed) = refused_port(Domain::for_address(open), open.ip());
        for &reuse in ways() {
            let mut sockets = Sockets::new(1, reuse).expect("an event queue");
            let order = [open, closed, closed, open, closed, open, open];
            let expected = order.map(|addr| if addr == open { OPEN } else { CLOSED });
            assert_eq!(
                probe(&mut sockets, &order, 1),
                expected,
                "{open} reuse {reuse}"
            );
        }
    }
}

#[test]
fn ipv4_mapped_addresses_are_reached_by_ipv4() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    let port = listener.local_addr().expect("a bound address").port();
    let mapped = SocketAddr::new(Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(), port);
    let mut sockets = Sockets::new(4, sys::REUSE).expect("an event queue");
    assert_eq!(probe_one(&mut sockets, mapped), OPEN);
}

/// A few sockets serve thousands of refused ports, with open ones in between and both families
/// alternating; no answer may slip to a neighbour.
#[test]
fn few_sockets_serve_thousands_of_ports_rightly() {
    let test = "net::tests::few_sockets_serve_thousands_of_ports_rightly";
    let Some(_lab) = Lab::enter(test) else { return };
    let listeners: Vec<TcpListener> = (0..20)
        .flat_map(|_| {
            [
                TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener"),
                TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).expect("a listener"),
            ]
        })
        .collect();
    let open: Vec<SocketAddr> = listeners
        .iter()
        .map(|listener| listener.local_addr().expect("bound"))
        .collect();
    let mut targets = Vec::new();
    // Below the ephemeral range, where no attempt of ours has its source port.
    for port in 1000..9000 {
        targets.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port));
        if port % 3 == 0 {
            targets.push(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port));
        }
        if port % 50 == 0 {
            targets.push(open[usize::from(port / 50) % open.len()]);
        }
    }
    for &reuse in ways() {
        for window in [1, 2, 7, 100] {
            let mut sockets = Sockets::new(window, reuse).expect("an event queue");
            let outcomes = probe(&mut sockets, &targets, window);
            for (target, outcome) in targets.iter().zip(outcomes) {
                let expected = if open.contains(target) { OPEN } else { CLOSED };
                assert_eq!(outcome, expected, "{target} window {window} reuse {reuse}");
            }
        }
    }
}

/// What a peer does right after the handshake does not make its port less open.
#[test]
fn reset_and_closed_at_once_are_open() {
    let test = "net::tests::reset_and_closed_at_once_are_open";
    if wine::differs(test, "an attempt is forgotten that was reset at once") {
        return;
    }
    for listener in listeners(test) {
        let addr = listener.local_addr().expect("a bound address");
        for &reuse in ways() {
            let mut sockets = Sockets::new(4, reuse).expect("an event queue");
            let id = ProbeId {
                index: 0,
                generation: 1,
            };
            let mut seen = Vec::new();
            for (generation, linger) in [(1, Some(Duration::ZERO)), (2, None)] {
                let id = ProbeId { generation, ..id };
                assert_eq!(sockets.connect(id, addr), None);
                let (stream, _) = listener.accept().expect("the attempt");
                SockRef::from(&stream).set_linger(linger).expect("linger");
                drop(stream);
                seen.extend(outcomes(&mut sockets, 1));
            }
            let reset = Outcome::Answered {
                reason: Reason::SynAckReset,
                from: None,
            };
            let seen = seen.iter().map(|(id, outcome)| (id.generation, *outcome));
            let expected = [(1, reset), (2, OPEN)];
            assert_eq!(seen.collect::<Vec<_>>(), expected, "{addr} reuse {reuse}");
        }
    }
}

/// An open port's connection ends with a reset, not with a TIME_WAIT that keeps a port.
#[test]
fn an_open_connection_is_reset() {
    let test = "net::tests::an_open_connection_is_reset";
    if wine::differs(test, "closing a socket shuts it down first") {
        return;
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    let addr = listener.local_addr().expect("a bound address");
    let mut sockets = Sockets::new(4, sys::REUSE).expect("an event queue");
    let id = ProbeId {
        index: 0,
        generation: 1,
    };
    assert_eq!(sockets.connect(id, addr), None);
    // Before the reset: some systems hand out no connection after it.
    let (mut stream, _) = listener.accept().expect("the connection");
    assert_eq!(outcomes(&mut sockets, 1), [(id, OPEN)]);
    let error = stream.read(&mut [0; 1]).expect_err("a reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

/// After `close` no outcome of the attempt comes, and the key serves another at once.
#[test]
fn a_closed_attempt_is_heard_of_no_more() {
    for listener in listeners("a_closed_attempt_is_heard_of_no_more") {
        let addr = listener.local_addr().expect("a bound address");
        let (_held, closed) = refused_port(Domain::for_address(addr), addr.ip());
        for &reuse in ways() {
            let mut sockets = Sockets::new(1, reuse).expect("an event queue");
            let id = |generation| ProbeId {
                index: 0,
                generation,
            };
            assert_eq!(sockets.connect(id(1), closed), None);
            // An id that is not served is nobody's.
            sockets.close(id(7));
            sockets.close(ProbeId {
                index: 9,
                generation: 1,
            });
            sockets.close(id(1));
            assert_eq!(sockets.connect(id(2), addr), None);
            let seen = outcomes(&mut sockets, 1);
            assert_eq!(seen, [(id(2), OPEN)], "{addr} reuse {reuse}");
            sockets.close(id(2));
            assert_eq!(probe_one(&mut sockets, closed), CLOSED);
        }
    }
}
