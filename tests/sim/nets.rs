//! Limits of hosts and of networks, and how attempts are spread over networks. That the limits hold
//! at every instant is asserted by the driver.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use nishad::engine::{Options, State};
use nishad::target::{HostSet, TargetSpace};

use crate::network::{HostModel, Network, Port, Rng};
use crate::run::{Run, addr, net, ports, run, space};

const MS: Duration = Duration::from_millis(1);

/// A host of each kind, as chance has it.
fn model(rng: &mut Rng) -> HostModel {
    let others = [Port::Closed, Port::Closed, Port::Silent, Port::Open];
    let rtt = Duration::from_secs_f64(rng.between(0.0005, 0.2));
    let mut model = HostModel::new(rtt, rng.pick(&others));
    model.loss = rng.pick(&[0.0, 0.0, 0.02]);
    model
}

#[test]
fn limits_of_hosts_and_networks_hold_at_every_instant() {
    for seed in 0..120 {
        let mut rng = Rng(seed ^ 0x6e65_7473);
        let origin = Instant::now();
        let mut network = Network::new(origin, seed);
        let mut hosts = HostSet::default();
        for n in 0..1 + rng.below(5) as u32 {
            for host in 0..1 + rng.below(40) as u32 {
                let host = addr(n * 256 + host);
                hosts.insert_range(host, host, 0);
                if rng.chance(0.6) {
                    network.hosts.insert(host, model(&mut rng));
                }
            }
        }
        let rate = match rng.below(3) {
            0 => rng.between(2.0, 50.0),
            1 => rng.between(50.0, 500.0),
            _ => rng.between(500.0, 5_000.0),
        };
        let options = Options {
            net_rate: Some(rate),
            rate: rng.chance(0.2).then(|| rng.between(100.0, 1_000.0)),
            host_sockets: rng.pick(&[1, 2, 5, 32, 32_768]),
            max_sockets: rng.pick(&[3, 50, 32_768]),
            retries: rng.below(4) as u8,
            ..Options::default()
        };
        let ports = ports(1 + rng.below(30) as u16);
        let space = match rng.chance(0.3) {
            true => TargetSpace::in_order(hosts, ports, &[], 1),
            false => TargetSpace::new(hosts, ports, &[], seed),
        };
        let (wanted, interrupt) = (space.planned(), rng.chance(0.2).then_some(300 * MS));
        let out = run(space, options, &mut network, origin, interrupt);
        if interrupt.is_none() {
            assert_eq!(out.verdicts.len() as u64, wanted, "seed {seed}");
        }
    }
}

fn many(options: Options, space: TargetSpace, nets: u32, other: Port) -> Run {
    let origin = Instant::now();
    let mut network = Network::new(origin, 1);
    for n in 0..nets * 256 {
        network
            .hosts
            .insert(addr(n), HostModel::new(10 * MS, other));
    }
    run(space, options, &mut network, origin, None)
}

#[test]
fn the_rate_of_a_network_is_used_up() {
    for (rate, hosts) in [(20.0, 256), (200.0, 256), (2_000.0, 256), (2_000.0, 1)] {
        let options = Options {
            net_rate: Some(rate),
            ..Options::default()
        };
        let n = (8.0 * rate) as u32 / hosts;
        let ports = ports(n.max(1) as u16);
        let planned = hosts * n.max(1);
        let out = many(options, space(hosts, ports, 1), 1, Port::Closed);
        let least = f64::from(planned) / rate;
        let took = out.elapsed.as_secs_f64();
        assert!(
            took < 1.12 * least + 0.5,
            "{took} s for {least} s at {rate}/s"
        );
        let closed = out.verdicts.values().filter(|v| v.state() == State::Closed);
        assert_eq!(closed.count(), planned as usize);
    }
}

#[test]
fn a_network_with_a_rate_does_not_hold_up_the_others() {
    let options = Options {
        net_rate: Some(50.0),
        ..Options::default()
    };
    let mut hosts = HostSet::default();
    // 128 hosts in one network, and one in each of 64 others.
    hosts.insert_range(addr(0), addr(127), 0);
    for n in 1..=64 {
        hosts.insert_range(addr(n * 256), addr(n * 256), 0);
    }
    let space = TargetSpace::new(hosts, ports(20), &[], 9);
    let out = many(options, space, 65, Port::Closed);
    let last_of = |crowded: bool| {
        let of = out
            .found_at
            .iter()
            .filter(|((host, _), _)| (net(*host) == addr(0)) == crowded);
        of.map(|(_, at)| *at).max().expect("some")
    };
    assert!(
        last_of(false) < Duration::from_secs(1),
        "{:?}",
        last_of(false)
    );
    assert!(last_of(true) > Duration::from_secs(50));
}

#[test]
fn hosts_of_a_network_get_equal_shares_of_its_rate() {
    let options = Options {
        net_rate: Some(100.0),
        ..Options::default()
    };
    let out = many(options, space(16, ports(200), 1), 1, Port::Closed);
    let half = out.order.len() / 2;
    let mut counts: HashMap<IpAddr, usize> = HashMap::new();
    for host in &out.order[..half] {
        *counts.entry(*host).or_default() += 1;
    }
    let (least, most) = (counts.values().min(), counts.values().max());
    assert_eq!(counts.len(), 16);
    assert!(
        most <= least.map(|n| n * 3 / 2).as_ref(),
        "{least:?} to {most:?}"
    );
}

/// 4,096 hosts in 16 networks of 256: of any 256 attempts in a row, which would be 16 in each network
/// if they were spread perfectly, no network has more than 56.
#[test]
fn attempts_in_a_row_go_to_different_networks() {
    for seed in 0..3 {
        let out = many(
            Options::default(),
            space(4096, ports(20), seed),
            16,
            Port::Closed,
        );
        let most = crowding(&out.order, 256);
        assert!(most <= 56, "seed {seed}: {most} of 256 in one network");
        let together = out
            .order
            .windows(2)
            .filter(|two| net(two[0]) == net(two[1]));
        // One in sixteen by chance.
        let share = together.count() as f64 / out.order.len() as f64;
        assert!(
            share < 0.1,
            "seed {seed}: {share} of neighbours in one network"
        );
    }
    // In order, all go to one network at first: that is what the order is for.
    let mut hosts = HostSet::default();
    hosts.insert_range(addr(0), addr(4095), 0);
    let space = TargetSpace::in_order(hosts, ports(20), &[], 1);
    let out = many(Options::default(), space, 16, Port::Closed);
    assert_eq!(crowding(&out.order[..256], 256), 256);
}

/// The most attempts on one network among any `window` in a row.
fn crowding(order: &[IpAddr], window: usize) -> usize {
    let mut counts: HashMap<IpAddr, usize> = HashMap::new();
    let mut most = 0;
    for (index, host) in order.iter().enumerate() {
        let count = counts.entry(net(*host)).or_default();
        *count += 1;
        most = most.max(*count);
        if index + 1 >= window {
            *counts.entry(net(order[index + 1 - window])).or_default() -= 1;
        }
    }
    most
}
