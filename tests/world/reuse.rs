//! A socket that serves one attempt after another takes nothing of one into the next: answers that
//! come twice, late, or in contradiction to each other never change a verdict.
//!
//! One thing no scanner can know: an ICMP error that meets a call on its socket is handled at once, the
//! packets before it only when the call returns, so that the stray is the first answer: with a SYN-ACK
//! the port is open, as far as TCP goes. The kernel counts these, and only so many verdicts may be the
//! stray's.
//!
//! Each world is scanned from few source ports, so that the same two addresses and ports meet again
//! soon: a stray packet of an attempt finds a socket that now serves another. Its delays lie around
//! the moment at which a refused socket is connected again, which is within a millisecond or two.

use std::time::Duration;

use crate::check::scan;
use crate::model::{Host, Port, Stray, World, ms, spread};
use crate::network;

const V4: &str = "198.18.0.1";
const V6: &str = "fd00:18::1";
const PORTS: u16 = 2_000;
const SEEDS: [u64; 3] = [101, 102, 103];
/// At once, around the next attempt on the socket, and long after it.
const DELAYS: [(Duration, Duration); 3] = [(ms(0), ms(0)), (ms(0), ms(3)), (ms(1), ms(60))];

/// Scans a host whose ports are `most`, some open and some rejecting, and each of whose answers is
/// followed by each of `strays`, with every delay and seed.
fn check(test: &str, target: &'static str, most: Port, strays: &[Stray]) {
    for (delay, seed) in DELAYS
        .iter()
        .flat_map(|delay| SEEDS.map(|seed| (delay, seed)))
    {
        let other = match target {
            V6 => [Port::RouterReject(1, 1), Port::Reject(1, 4)],
            _ => [Port::RouterReject(3, 13), Port::Reject(3, 3)],
        };
        let host = Host::all(most)
            .with(spread(200, PORTS), other[0])
            .with(spread(201, PORTS), other[1])
            .open(spread(100, PORTS))
            .rtt(ms(seed % 3), Duration::ZERO);
        let host = strays.iter().fold(host, |host, stray| {
            host.followed_by(*stray, delay.0, delay.1)
        });
        let world = World::new("reuse")
            .host(target, host)
            .source_ports(40_000, 40_031);
        let net = network(world, target, PORTS);
        let Some(scanned) = scan(test, &net, seed) else {
            return;
        };
        println!(
            "{target} {strays:?} after {delay:?}: {} strays",
            scanned.tally.strays
        );
        scanned
            .right_but(scanned.tally.met_a_call)
            .require("strays came", scanned.tally.strays >= u64::from(PORTS));
    }
}

#[test]
fn a_refusal_that_comes_twice() {
    let again = [Stray::Again, Stray::Again];
    check(
        "reuse::a_refusal_that_comes_twice",
        V4,
        Port::Closed,
        &again,
    );
}

#[test]
fn a_refusal_that_comes_twice_in_ipv6() {
    let again = [Stray::Again, Stray::Again];
    check(
        "reuse::a_refusal_that_comes_twice_in_ipv6",
        V6,
        Port::Closed,
        &again,
    );
}

#[test]
fn a_syn_ack_after_the_refusal() {
    let strays = [Stray::SynAck];
    check(
        "reuse::a_syn_ack_after_the_refusal",
        V4,
        Port::Closed,
        &strays,
    );
}

#[test]
fn a_syn_ack_after_the_refusal_in_ipv6() {
    let strays = [Stray::SynAck];
    check(
        "reuse::a_syn_ack_after_the_refusal_in_ipv6",
        V6,
        Port::Closed,
        &strays,
    );
}

#[test]
fn a_rejection_after_the_refusal() {
    let strays = [Stray::RouterIcmp(3, 1), Stray::Icmp(3, 3)];
    check(
        "reuse::a_rejection_after_the_refusal",
        V4,
        Port::Closed,
        &strays,
    );
}

#[test]
fn a_rejection_after_the_refusal_in_ipv6() {
    let strays = [Stray::RouterIcmp(1, 0), Stray::Icmp(1, 4)];
    check(
        "reuse::a_rejection_after_the_refusal_in_ipv6",
        V6,
        Port::Closed,
        &strays,
    );
}

#[test]
fn a_refusal_after_the_rejection() {
    let (most, strays) = (Port::RouterReject(3, 10), [Stray::Refusal, Stray::Again]);
    check("reuse::a_refusal_after_the_rejection", V4, most, &strays);
}

#[test]
fn a_refusal_after_the_rejection_in_ipv6() {
    let (most, strays) = (Port::RouterReject(1, 6), [Stray::Refusal, Stray::Again]);
    check(
        "reuse::a_refusal_after_the_rejection_in_ipv6",
        V6,
        most,
        &strays,
    );
}

/// All of it, in every order.
#[test]
fn everything_at_once() {
    let strays = [
        Stray::Again,
        Stray::Refusal,
        Stray::SynAck,
        Stray::Icmp(3, 2),
    ];
    check("reuse::everything_at_once", V4, Port::Closed, &strays);
}

#[test]
fn everything_at_once_in_ipv6() {
    let strays = [
        Stray::Again,
        Stray::Refusal,
        Stray::SynAck,
        Stray::Icmp(1, 3),
    ];
    check(
        "reuse::everything_at_once_in_ipv6",
        V6,
        Port::Closed,
        &strays,
    );
}
