//! The network of this machine goes away, or time jumps: nothing of that is held against a port.

use std::time::{Duration, Instant};

use nishad::engine::{Note, Options, Outcome, Reason, Scanner, State};

use crate::network::{HostModel, Network, Port};
use crate::run::{Run, addr, ports, run, space};

const MS: Duration = Duration::from_millis(1);

fn network(origin: Instant, hosts: u32, other: Port) -> Network {
    let mut network = Network::new(origin, 3);
    for n in 0..hosts {
        let mut model = HostModel::new(30 * MS, other);
        for port in (1..=500).step_by(7) {
            model.ports.insert(port, Port::Open);
        }
        network.hosts.insert(addr(n), model);
    }
    network
}

fn scan(network: &mut Network, origin: Instant, hosts: u32, options: Options) -> Run {
    run(space(hosts, ports(500), 5), options, network, origin, None)
}

fn told(out: &Run, what: fn(&Note) -> bool) -> usize {
    out.notes.iter().filter(|(_, note)| what(note)).count()
}

fn open(out: &Run) -> usize {
    let open = |verdict: &&nishad::engine::Verdict| verdict.state() == State::Open;
    out.verdicts.values().filter(open).count()
}

#[test]
fn a_network_that_goes_away_and_comes_back_costs_no_port() {
    for other in [Port::Silent, Port::Closed] {
        for hosts in [1, 40] {
            let origin = Instant::now();
            let mut network = network(origin, hosts, other);
            network.gone.push((0.1, 20.0, Vec::new()));
            let options = Options {
                rate: Some(f64::from(hosts) * 800.0),
                ..Options::default()
            };
            let out = scan(&mut network, origin, hosts, options);
            assert_eq!(open(&out), 72 * hosts as usize, "{other:?}, {hosts} hosts");
            let unscanned = out
                .hosts
                .iter()
                .map(|host| host.counts.unscanned)
                .sum::<u64>();
            assert_eq!(unscanned, 0, "{other:?}, {hosts} hosts");
            let gone = told(&out, |note| matches!(note, Note::NetworkGone { .. }));
            let back = told(&out, |note| matches!(note, Note::NetworkBack { .. }));
            assert_eq!((gone, back), (1, 1), "{other:?}, {hosts} hosts");
            assert!(out.elapsed > Duration::from_secs(20));
            // Tried about once a second and host meanwhile.
            let most = 500 * u64::from(hosts) * 3 + 40 * u64::from(hosts);
            assert!(out.attempts < most, "{} attempts", out.attempts);
        }
    }
}

#[test]
fn a_network_that_stays_away_ends_the_run_after_as_long_as_is_waited() {
    let origin = Instant::now();
    let hosts = 3_000;
    let mut network = network(origin, hosts, Port::Closed);
    network.gone.push((0.1, f64::MAX, Vec::new()));
    let options = Options {
        give_up: Duration::from_secs(10),
        rate: Some(20_000.0),
        ..Options::default()
    };
    let out = scan(&mut network, origin, hosts, options);
    assert!(
        (10.0..13.0).contains(&out.elapsed.as_secs_f64()),
        "{:?}",
        out.elapsed
    );
    assert!(
        out.verdicts
            .values()
            .any(|verdict| verdict.reason == Reason::NoRoute)
    );
    assert!(
        out.hosts.len() < 2_500,
        "hosts that were not begun are only counted: {}",
        out.hosts.len()
    );
}

#[test]
fn a_host_that_never_had_a_route_waits_for_nothing() {
    let origin = Instant::now();
    let mut network = network(origin, 3, Port::Closed);
    network.gone.push((0.0, f64::MAX, vec![addr(1)]));
    let out = scan(&mut network, origin, 3, Options::default());
    assert!(out.elapsed < Duration::from_secs(2), "{:?}", out.elapsed);
    assert_eq!(open(&out), 144);
    let none = out
        .verdicts
        .iter()
        .filter(|((host, _), _)| *host == addr(1));
    assert!(
        none.map(|(_, verdict)| verdict)
            .all(|verdict| verdict.reason == Reason::NoRoute)
    );
    assert_eq!(
        told(&out, |note| matches!(note, Note::NetworkGone { .. })),
        0
    );
}

/// It is tried for the first time while the network is away, and has no route when that is back.
#[test]
fn a_host_without_a_route_is_no_reason_to_end_the_run_after_an_outage() {
    let origin = Instant::now();
    let mut network = network(origin, 12, Port::Closed);
    network
        .gone
        .push((0.0, f64::MAX, (1..6).map(addr).collect()));
    // While the first host is under way, which had a route: that shows the outage.
    network.gone.push((0.05, 2.0, Vec::new()));
    let options = Options {
        // Two hosts at once: those without a route take every place.
        active_ports: 1_000,
        ..Options::default()
    };
    let out = scan(&mut network, origin, 12, options);
    let gone = told(&out, |note| matches!(note, Note::NetworkGone { .. }));
    assert_eq!(gone, 1, "the outage was noticed");
    assert!(out.elapsed < Duration::from_secs(15), "{:?}", out.elapsed);
    assert_eq!(open(&out), 7 * 72);
    let unscanned = out.hosts.iter().map(|host| host.counts.unscanned);
    assert_eq!(unscanned.sum::<u64>(), 5 * 500);
}

#[test]
fn one_host_whose_route_is_gone_does_not_hold_up_the_others() {
    let origin = Instant::now();
    let mut network = network(origin, 5, Port::Closed);
    network.gone.push((0.05, f64::MAX, vec![addr(1)]));
    let options = Options {
        rate: Some(2_500.0),
        give_up: Duration::from_secs(5),
        ..Options::default()
    };
    let out = scan(&mut network, origin, 5, options);
    let of = |n: u32| {
        let found = out.hosts.iter().find(|host| host.target.addr == addr(n));
        found.expect("every host is reported").counts
    };
    for n in [0, 2, 3, 4] {
        assert_eq!((of(n).open, of(n).unscanned), (72, 0));
    }
    assert!(of(1).unscanned > 100);
    assert!(
        (5.0..8.0).contains(&out.elapsed.as_secs_f64()),
        "{:?}",
        out.elapsed
    );
}

/// The process is stopped for a minute with attempts under way, and all their answers get lost.
#[test]
fn what_was_under_way_while_nobody_looked_is_tried_again() {
    let start = Instant::now();
    let mut scanner = Scanner::new(space(1, ports(3), 1), Options::default(), start);
    let mut attempts = Vec::new();
    let mut act = |scanner: &mut Scanner, now| {
        let mut made = 0;
        while let Some(action) = scanner.poll_action(now) {
            if let nishad::engine::Action::Connect { id, addr } = action {
                attempts.push((id, addr.port()));
                made += 1;
            }
        }
        made
    };
    assert_eq!(act(&mut scanner, start), 3);
    let later = start + Duration::from_secs(60);
    scanner.handle_gap(start + MS, later);
    scanner.handle_timeout(later);
    let mut now = later;
    let mut again = act(&mut scanner, now);
    while !scanner.is_done() {
        now = scanner
            .poll_timeout()
            .expect("it waits for something")
            .max(now);
        scanner.handle_timeout(now);
        again += act(&mut scanner, now);
    }
    // As often as without the gap: the attempts before it do not count.
    assert_eq!(again, 6, "two attempts on each port after the gap");
}

/// An answer that waited while the process was stopped tells nothing about the round-trip time.
#[test]
fn a_round_trip_that_ended_while_nobody_looked_is_not_measured() {
    let start = Instant::now();
    let mut scanner = Scanner::new(space(1, ports(3), 1), Options::default(), start);
    let mut ids = Vec::new();
    while let Some(action) = scanner.poll_action(start) {
        if let nishad::engine::Action::Connect { id, .. } = action {
            ids.push(id);
        }
    }
    let later = start + 900 * MS;
    scanner.handle_gap(start + MS, later);
    let refused = Outcome::Answered {
        reason: Reason::ConnRefused,
        from: None,
    };
    ids.iter()
        .for_each(|id| scanner.handle_outcome(later, *id, refused));
    let mut srtt = None;
    while let Some(action) = scanner.poll_action(later) {
        if let nishad::engine::Action::Report(nishad::engine::Report::Note(Note::HostState {
            srtt: of_host,
            ..
        })) = action
        {
            srtt = Some(of_host);
        }
    }
    assert_eq!(srtt, Some(None));
}

/// A tenth of a second without answers, and a third of the ports was held against it.
#[test]
fn a_host_that_accepts_everything_is_called_so_though_the_path_was_dead_for_a_moment() {
    let origin = Instant::now();
    let mut network = Network::new(origin, 3);
    let mut model = HostModel::new(5 * MS, Port::Open);
    model.dead = vec![(0.0051, 0.12)];
    network.hosts.insert(addr(0), model);
    let space = space(1, ports(2_000), 5);
    let out = run(space, Options::default(), &mut network, origin, None);
    assert!(out.attempts > 2_500, "{} attempts", out.attempts);
    assert!(out.hosts[0].trust.accepts_all >= 1_000);
}
