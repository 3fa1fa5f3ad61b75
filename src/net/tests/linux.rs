//! What Linux says when it cannot send, in network namespaces.

use std::net::TcpStream;

use super::*;
use crate::engine::LocalFault;

/// connect() itself fails. In a namespace: with a default route, 240.0.0.1 would be sent to.
#[test]
fn what_cannot_be_sent_is_not_a_verdict() {
    let test = "net::tests::linux::what_cannot_be_sent_is_not_a_verdict";
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
#[test]
fn a_self_connect_is_not_open() {
    let Some(_lab) = Lab::enter("net::tests::linux::a_self_connect_is_not_open") else {
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
#[test]
fn a_shortage_of_ports_is_a_fault() {
    let Some(_lab) = Lab::enter("net::tests::linux::a_shortage_of_ports_is_a_fault") else {
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
