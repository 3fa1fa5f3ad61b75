//! Hosts that become known while the scan runs.

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use nishad::engine::{Options, Reason, Scanner, State};
use nishad::target::{HostSet, Target, TargetSpace};

use crate::network::{HostModel, Network, Port, Rng};
use crate::run::{Late, Run, addr, ports, run_with, space};

const MS: Duration = Duration::from_millis(1);

fn named(n: u32, name: &str) -> Target {
    Target {
        name: Some(name.into()),
        ..Target::new(addr(n))
    }
}

fn nothing() -> TargetSpace {
    TargetSpace::new(HostSet::default(), ports(10), &[], 1)
}

/// Hosts 10.0.0.0 and on, all refusing but on port 7.
fn network(hosts: u32, origin: Instant) -> Network {
    let mut network = Network::new(origin, 5);
    for n in 0..hosts {
        let mut model = HostModel::new(10 * MS, Port::Closed);
        model.ports.insert(7, Port::Open);
        network.hosts.insert(addr(n), model);
    }
    network
}

/// Two hosts at once, `late` ones after a while, no more from `end` on.
fn play(late: Vec<(Duration, Target)>, end: Duration, interrupt: Option<Duration>) -> Run {
    let origin = Instant::now();
    let mut network = network(8, origin);
    let late = Some(Late { hosts: late, end });
    let options = Options::default();
    run_with(
        space(2, ports(10), 3),
        options,
        &mut network,
        origin,
        interrupt,
        late,
    )
}

fn open(out: &Run) -> BTreeSet<IpAddr> {
    let open = out
        .verdicts
        .iter()
        .filter(|(_, v)| v.state() == State::Open);
    open.map(|((host, port), _)| {
        assert_eq!(*port, 7);
        *host
    })
    .collect()
}

#[test]
fn hosts_are_scanned_as_they_become_known() {
    let late = vec![
        (Duration::ZERO, named(4, "four")),
        (700 * MS, named(5, "five")),
    ];
    let out = play(late, 900 * MS, None);
    assert_eq!(open(&out), [0, 1, 4, 5].map(addr).into());
    assert_eq!((out.summary.hosts, out.hosts.len()), (4, 4));
    let names: Vec<_> = out
        .hosts
        .iter()
        .map(|host| host.target.name.as_deref())
        .collect();
    assert_eq!(names.iter().flatten().count(), 2);
    // Those known at the start did not wait for the others.
    assert!(out.found_at[&(addr(0), 7)] < 100 * MS);
    assert!(out.found_at[&(addr(4), 7)] < 100 * MS);
    assert!(out.found_at[&(addr(5), 7)] > 700 * MS);
    assert_eq!(out.elapsed, 900 * MS, "the end of the names is waited for");
}

#[test]
fn the_last_host_may_come_long_after_all_others_are_done() {
    let origin = Instant::now();
    let mut network = network(1, origin);
    let late = Late {
        hosts: vec![(Duration::from_secs(600), named(0, "zero"))],
        end: Duration::from_secs(600),
    };
    let options = Options::default();
    let out = run_with(nothing(), options, &mut network, origin, None, Some(late));
    assert_eq!(open(&out), [addr(0)].into());
    assert!(out.elapsed < Duration::from_secs(601), "{:?}", out.elapsed);
}

#[test]
fn a_run_may_turn_out_to_have_no_host() {
    let origin = Instant::now();
    let late = Late {
        hosts: Vec::new(),
        end: 50 * MS,
    };
    let options = Options::default();
    let mut network = network(0, origin);
    let out = run_with(nothing(), options, &mut network, origin, None, Some(late));
    assert_eq!((out.summary.hosts, out.verdicts.len()), (0, 0));
    assert_eq!(out.elapsed, 50 * MS);
}

#[test]
fn an_address_is_scanned_once_whoever_names_it() {
    let late = vec![
        (Duration::ZERO, named(1, "in-the-space")),
        (Duration::ZERO, named(1, "second-name")),
        (Duration::ZERO, named(5, "first")),
        (Duration::ZERO, named(5, "second")),
        (300 * MS, named(5, "third")),
        (300 * MS, named(0, "too-late")),
        (300 * MS, Target::new(addr(6))),
        // The same by its mapped address, and by a scope that an IPv4 address does not have.
        (
            300 * MS,
            Target {
                scope_id: 3,
                ..Target::new("::ffff:10.0.0.6".parse().expect("an address"))
            },
        ),
    ];
    let out = play(late, 400 * MS, None);
    assert_eq!((out.hosts.len(), out.verdicts.len()), (4, 40));
    let mut names: Vec<_> = out
        .hosts
        .iter()
        .map(|host| (host.target.addr, host.target.name.as_deref()))
        .collect();
    names.sort();
    let wanted = [None, Some("in-the-space"), Some("first"), None];
    let wanted: Vec<_> = [0, 1, 5, 6].map(addr).into_iter().zip(wanted).collect();
    assert_eq!(names, wanted);
}

#[test]
fn an_interrupted_run_counts_the_hosts_known_so_far() {
    let late = (2..8).map(|n| (n * 200 * MS, named(n, "late"))).collect();
    let out = play(
        late,
        Duration::from_secs(60),
        Some(Duration::from_millis(900)),
    );
    // At 400, 600 and 800 ms; the driver asserts that planned is the sum of the counts.
    assert_eq!(out.summary.hosts, 2 + 3);
    assert!(out.elapsed < Duration::from_secs(1));
}

#[test]
fn once_the_scan_is_ending_nothing_is_added() {
    let now = Instant::now();
    let mut scanner = Scanner::new(nothing(), Options::default(), now);
    scanner.expect_hosts(true);
    assert!(!scanner.is_done());
    assert_eq!(scanner.poll_timeout(), None);
    assert!(scanner.add_host(named(1, "one")));
    scanner.interrupt(now);
    assert!(!scanner.add_host(named(2, "two")));
    scanner.expect_hosts(true);
    while scanner.poll_action(now).is_some() {}
    assert!(scanner.is_done());
    let counts = scanner.progress().counts;
    assert_eq!((counts.unscanned, counts.total()), (10, 10));
    assert_eq!(Reason::Interrupted.state(), State::Unscanned);
}

/// Whatever comes when, each address is scanned once and completely.
#[test]
fn hosts_that_come_at_random_are_each_scanned_once() {
    for seed in 0..200 {
        let mut rng = Rng(seed);
        let origin = Instant::now();
        let mut network = network(40, origin);
        let mut hosts: Vec<_> = (0..rng.below(60))
            .map(|_| {
                let at = Duration::from_secs_f64(rng.between(0.0, 3.0));
                (at, named(rng.below(40) as u32, "name"))
            })
            .collect();
        hosts.sort_by_key(|(at, _)| *at);
        let known: HashSet<IpAddr> = hosts
            .iter()
            .map(|(_, target)| target.addr)
            .chain((0..8).map(addr))
            .collect();
        let end = Duration::from_secs_f64(rng.between(3.0, 4.0));
        let options = Options {
            max_sockets: 1 + rng.below(100) as usize,
            net_rate: rng.chance(0.3).then(|| rng.between(100.0, 2_000.0)),
            ..Options::default()
        };
        let late = Some(Late { hosts, end });
        let space = space(8, ports(10), seed);
        let out = run_with(space, options, &mut network, origin, None, late);
        assert_eq!(out.hosts.len(), known.len(), "seed {seed}");
        let open = open(&out);
        assert_eq!(open.len(), known.len(), "seed {seed}");
        assert!(open.iter().all(|host| known.contains(host)), "seed {seed}");
    }
}
