//! Pauses, and hosts that end with their first open port.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use nishad::engine::{Options, Reason, State};

use crate::network::{HostModel, Network, Port, Rng};
use crate::random::{Tally, judge, setup};
use crate::run::{addr, ports, run, run_paused, space};

/// Networks of each test here.
const NETWORKS: u64 = 40;

fn within(rng: &mut Rng, least: f64, most: f64) -> Duration {
    Duration::from_secs_f64(rng.between(least, most))
}

/// Nothing is sent during a pause (the driver asserts it), and what is said is as true as without.
#[test]
fn a_pause_changes_no_verdict() {
    let mut tally = Tally::default();
    for seed in 0..NETWORKS {
        let mut rng = Rng(seed ^ 0x9a5e);
        let (space, options, mut network, origin) = setup(seed);
        let mut at = Duration::ZERO;
        let mut pauses = Vec::new();
        for _ in 0..rng.below(4) + 1 {
            at += within(&mut rng, 0.0, 0.6);
            let length = within(&mut rng, 0.0, 1.0) * if rng.chance(0.2) { 200 } else { 1 };
            pauses.push((at, length));
            at += length;
        }
        let out = run_paused(space, options, &mut network, origin, pauses);
        judge(seed, &out, &network, &mut tally);
    }
    assert!(tally.open > 0 && tally.missed <= 1, "{tally:?}");
}

/// Longer than a lost path is waited for.
#[test]
fn a_pause_is_no_outage() {
    for dead in [false, true] {
        let origin = Instant::now();
        let mut network = Network::new(origin, 7);
        let mut model = HostModel::new(Duration::from_millis(20), Port::Silent);
        model.ports.insert(80, Port::Open);
        if dead {
            // The path is lost when the pause begins, and long back when it ends.
            model.dead = vec![(0.05, 30.0)];
        }
        network.hosts.insert(addr(0), model);
        let options = Options {
            give_up: Duration::from_secs(5),
            ..Options::default()
        };
        let pause = (Duration::from_millis(300), Duration::from_secs(100));
        let space = space(1, ports(20_000), 7);
        let out = run_paused(space, options, &mut network, origin, vec![pause]);
        let counts = out.hosts[0].counts;
        assert_eq!(
            (counts.open, counts.filtered),
            (1, 19_999),
            "{:?}",
            out.notes
        );
        assert!(out.elapsed > Duration::from_secs(100));
    }
}

/// Whatever the network is like: the driver asserts that each probe is counted once.
#[test]
fn a_host_ends_with_its_first_open_port() {
    let (mut open, mut left_out) = (0, 0);
    for seed in 0..NETWORKS {
        let (space, mut options, mut network, origin) = setup(seed);
        options.stop_at_first_open = true;
        let out = run(space, options, &mut network, origin, None);
        let mut reasons: HashMap<_, HashMap<Reason, u64>> = HashMap::new();
        for ((ip, port), verdict) in &out.verdicts {
            *reasons
                .entry(*ip)
                .or_default()
                .entry(verdict.reason)
                .or_default() += 1;
            let truth = network
                .hosts
                .get(ip)
                .map_or(Port::Silent, |host| host.port(*port));
            let is_open = matches!(truth, Port::Open | Port::Late(_));
            assert!(
                verdict.state() != State::Open || is_open,
                "seed {seed}: {ip} {port}"
            );
        }
        for host in &out.hosts {
            let count = |reason| {
                let reasons = &reasons[&host.target.addr];
                reasons.get(&reason).copied().unwrap_or(0)
            };
            assert!(host.counts.open <= 1, "seed {seed}: {:?}", host.counts);
            assert_eq!(
                host.counts.left_out,
                count(Reason::FirstOpen),
                "seed {seed}"
            );
            if host.counts.open == 1 {
                assert!(host.counts.is_complete(), "seed {seed}: {:?}", host.counts);
            } else {
                assert_eq!(host.counts.left_out, 0, "seed {seed}");
            }
            open += host.counts.open;
            left_out += host.counts.left_out;
        }
    }
    assert!(open > NETWORKS && left_out > NETWORKS, "{open} {left_out}");
}

/// Popular ports go first, so that little is sent to a host that has one of them open.
#[test]
fn little_is_sent_to_a_host_with_a_popular_port() {
    let origin = Instant::now();
    let mut network = Network::new(origin, 7);
    for host in 0..50 {
        let mut model = HostModel::new(Duration::from_millis(5), Port::Closed);
        model.ports.insert(443, Port::Open);
        network.hosts.insert(addr(host), model);
    }
    let options = Options {
        stop_at_first_open: true,
        ..Options::default()
    };
    let out = run(
        space(50, ports(10_000), 7),
        options,
        &mut network,
        origin,
        None,
    );
    assert!(out.attempts < 50 * 500, "{} attempts", out.attempts);
    assert!(out.hosts.iter().all(|host| host.counts.open == 1));
}
