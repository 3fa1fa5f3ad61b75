//! The socket layer on real sockets, with and without reuse of refused ones.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use super::sockets::Sockets;
use super::sys;
use crate::engine::{LocalFault, Outcome, ProbeId, Reason};

#[path = "../../tests/support/lab.rs"]
mod lab;

use lab::{Lab, run, runs, skip};

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
    for listener in listeners("reset_and_closed_at_once_are_open") {
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
                sockets.wait(PATIENCE).expect("poll");
                sockets.drain(|id, outcome| seen.push((id.generation, outcome)));
            }
            let reset = Outcome::Answered {
                reason: Reason::SynAckReset,
                from: None,
            };
            assert_eq!(seen, [(1, reset), (2, OPEN)], "{addr} reuse {reuse}");
        }
    }
}

/// An open port's connection ends with a reset, not with a TIME_WAIT that keeps a port.
#[test]
fn an_open_connection_is_reset() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    let addr = listener.local_addr().expect("a bound address");
    let mut sockets = Sockets::new(4, sys::REUSE).expect("an event queue");
    assert_eq!(probe_one(&mut sockets, addr), OPEN);
    let (mut stream, _) = listener.accept().expect("the connection");
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
            let mut seen = Vec::new();
            sockets.wait(PATIENCE).expect("poll");
            sockets.drain(|id, outcome| seen.push((id, outcome)));
            assert_eq!(seen, [(id(2), OPEN)], "{addr} reuse {reuse}");
            sockets.close(id(2));
            assert_eq!(probe_one(&mut sockets, closed), CLOSED);
        }
    }
}

/// connect() itself fails. In a namespace: with a default route, 240.0.0.1 would be sent to.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn what_cannot_be_sent_is_not_a_verdict() {
    let test = "net::tests::what_cannot_be_sent_is_not_a_verdict";
    let Some(_lab) = Lab::enter(test) else { return };
    for (addr, reason) in [
        ("240.0.0.1:80", Reason::NoRoute),
        ("255.255.255.255:80", Reason::BadAddress),
        ("[fe80::1]:80", Reason::BadAddress),
    ] {
        let mut sockets = Sockets::new(1, sys::REUSE).expect("an event queue");
        let addr: SocketAddr = addr.parse().expect("an address");
        // Twice: a socket that failed so may serve again.
        for _ in 0..2 {
            let outcome = sockets.connect(
                ProbeId {
                    index: 0,
                    generation: 0,
                },
                addr,
            );
            assert_eq!(outcome, Some(Outcome::Unsendable(reason)), "{addr}");
        }
    }
}

/// TCP connects a socket whose source port is the very port it calls to itself.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_self_connect_is_not_open() {
    let Some(_lab) = Lab::enter("net::tests::a_self_connect_is_not_open") else {
        return;
    };
    std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40001").expect("a sysctl");
    for ip in [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()] {
        for &reuse in ways() {
            let mut sockets = Sockets::new(1, reuse).expect("an event queue");
            let targets: Vec<SocketAddr> = (0..40)
                .map(|n| SocketAddr::new(ip, 40000 + n % 2))
                .collect();
            let outcomes = probe(&mut sockets, &targets, 1);
            assert!(
                !outcomes.contains(&OPEN),
                "{ip} reuse {reuse}: {outcomes:?}"
            );
            assert!(
                outcomes.contains(&Outcome::SelfConnect),
                "{ip}: {outcomes:?}"
            );
        }
    }
}

/// A reused socket takes a new source port, as a new one would; where none is left, that is no
/// verdict, and the socket serves on.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_shortage_of_ports_is_a_fault() {
    let Some(_lab) = Lab::enter("net::tests::a_shortage_of_ports_is_a_fault") else {
        return;
    };
    std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40001").expect("a sysctl");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 1000)).expect("a listener");
    let addr = listener.local_addr().expect("a bound address");
    // Both ports are taken towards that very port.
    let _held: Vec<TcpStream> = (0..2)
        .map(|_| TcpStream::connect(addr).expect("a connection"))
        .collect();
    for &reuse in ways() {
        let mut sockets = Sockets::new(1, reuse).expect("an event queue");
        let closed = SocketAddr::from((Ipv4Addr::LOCALHOST, 1001));
        let outcomes = probe(&mut sockets, &[closed, addr, closed, addr, closed], 1);
        let fault = Outcome::Fault(LocalFault::Ports);
        assert_eq!(
            outcomes,
            [CLOSED, fault, CLOSED, fault, CLOSED],
            "reuse {reuse}"
        );
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod rejections;
