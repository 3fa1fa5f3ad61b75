//! Few sockets cost time, and never a verdict.

use std::time::{Duration, Instant};

use nishad::engine::{Options, Reason, State};

use crate::network::{HostModel, Network, Port};
use crate::run::{addr, ports, run, space};

/// Attempts that are given up for other ports are none that a silent port has had: it was not waited
/// for. Once it was said to have no answer because it had been tried too often.
#[test]
fn attempts_that_are_cut_short_do_not_use_up_a_port() {
    for seed in 0..20 {
        for sockets in [1, 2, 3, 4, 7, 12] {
            let origin = Instant::now();
            let mut network = Network::new(origin, seed);
            for n in 0..3 {
                let rtt = Duration::from_millis(4 + seed % 3);
                let mut host = HostModel::new(rtt, Port::Closed);
                for port in 0..12 {
                    host.ports.insert(5 + 23 * port, Port::Silent);
                    host.ports.insert(7 + 23 * port, Port::Open);
                }
                network.hosts.insert(addr(n), host);
            }
            let options = Options {
                max_sockets: sockets,
                ..Options::default()
            };
            let space = space(3, ports(300), seed);
            let out = run(space, options, &mut network, origin, None);
            for ((ip, port), verdict) in &out.verdicts {
                let (state, reason) = match network.hosts[ip].port(*port) {
                    Port::Silent => (State::Filtered, Reason::NoResponse),
                    Port::Open => (State::Open, Reason::SynAck),
                    _ => (State::Closed, Reason::ConnRefused),
                };
                assert_eq!(
                    (verdict.state(), verdict.reason),
                    (state, reason),
                    "{ip} {port} with {sockets} sockets, seed {seed}"
                );
            }
        }
    }
}
