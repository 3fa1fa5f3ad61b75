//! A process that is killed and started again from what it had saved: as if nothing had happened.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use nishad::engine::{Options, Reason, Scanner, Snapshot, SnapshotError, State};
use nishad::target::Target;

use crate::network::{HostModel, Network, Port, Rng};
use crate::random::{Tally, judge, setup};
use crate::run::{Kill, Run, addr, ports, run_killed, space};

const MS: Duration = Duration::from_millis(1);
const HOSTS: u32 = 4;
const PORTS: u16 = 60;

/// Four hosts: one refuses, one drops, one answers a part, one is not there.
fn small(origin: Instant) -> Network {
    let mut network = Network::new(origin, 7);
    for (n, other) in [
        Port::Closed,
        Port::Silent,
        Port::Reject(Reason::PortUnreach),
    ]
    .into_iter()
    .enumerate()
    {
        let mut model = HostModel::new(20 * MS, other);
        for port in [3, 22, 59] {
            model.ports.insert(port, Port::Open);
        }
        model.ports.insert(40, Port::Closed);
        network.hosts.insert(addr(n as u32), model);
    }
    network
}

fn scan_small(options: Options, kills: Vec<Kill>) -> Run {
    let origin = Instant::now();
    let mut network = small(origin);
    let space = space(HOSTS, ports(PORTS), 11);
    run_killed(space, options, &mut network, origin, kills)
}

fn states(out: &Run) -> HashMap<(std::net::IpAddr, u16), Reason> {
    let verdicts = out.verdicts.iter();
    verdicts
        .map(|(key, verdict)| (*key, verdict.reason))
        .collect()
}

#[test]
fn killed_at_any_turn_the_result_is_the_same() {
    let whole = scan_small(Options::default(), Vec::new());
    assert_eq!(whole.hosts.len(), HOSTS as usize);
    for turn in 1..=whole.turns {
        let out = scan_small(
            Options::default(),
            vec![Kill {
                saved: turn,
                killed: turn,
            }],
        );
        // The driver asserts that no port has two verdicts and that the counts are complete.
        assert_eq!(states(&out), states(&whole), "killed at turn {turn}");
        let mut hosts: Vec<_> = out.hosts.iter().map(|host| host.target.addr).collect();
        hosts.sort_unstable();
        hosts.dedup();
        assert_eq!(hosts.len(), HOSTS as usize, "killed at turn {turn}");
        assert_eq!(out.hosts.len(), HOSTS as usize, "killed at turn {turn}");
    }
}

/// How often a silent port is tried depends on what canaries have shown by then; not here.
#[test]
fn killed_at_any_turn_no_more_is_tried_twice_than_was_under_way() {
    let options = || Options {
        retries: 1,
        ..Options::default()
    };
    let whole = scan_small(options(), Vec::new());
    for turn in 1..=whole.turns {
        let kill = Kill {
            saved: turn,
            killed: turn,
        };
        let out = scan_small(options(), vec![kill]);
        let again = out.attempts_on.iter().map(|(port, made)| {
            let ordinary = whole.attempts_on.get(port).copied().unwrap_or_default();
            u64::from(made.saturating_sub(ordinary))
        });
        // Ports that answer are canaries, asked as often as it takes.
        let (again, canaries) = (again.sum::<u64>(), 24);
        assert!(
            again <= out.cut_off + canaries,
            "killed at turn {turn}: {again} attempts were made again, {} had been under way",
            out.cut_off
        );
    }
}

#[test]
fn killed_again_and_again_some_time_after_it_was_saved() {
    let whole = scan_small(Options::default(), Vec::new());
    for seed in 0..200 {
        let mut rng = Rng(seed);
        let mut turn = 0;
        let kills = (0..5).map(|_| {
            let saved = turn + 1 + rng.below(whole.turns / 4);
            let killed = saved + rng.below(whole.turns / 8);
            turn = killed;
            Kill { saved, killed }
        });
        let out = scan_small(Options::default(), kills.collect());
        assert_eq!(states(&out), states(&whole), "seed {seed}");
        assert_eq!(out.hosts.len(), HOSTS as usize, "seed {seed}");
    }
}

#[test]
fn networks_at_random_survive_a_kill() {
    let mut tally = Tally::default();
    for seed in 0..200 {
        let mut rng = Rng(seed ^ 0x5eed);
        let (space, options, mut network, origin) = setup(seed);
        let saved = 1 + rng.below(400);
        let killed = saved + rng.below(100);
        let kills = vec![Kill { saved, killed }];
        let out = run_killed(space, options, &mut network, origin, kills);
        judge(seed, &out, &network, &mut tally);
    }
    let allowed = (Options::default().miss * tally.open as f64).max(4.0);
    println!("{tally:?}");
    assert!(tally.missed as f64 <= allowed, "{} missed", tally.missed);
}

/// A scanner after `turns` actions on a space of 10.0.0.0 and on.
fn some_snapshot(hosts: u32, ports_each: u16, actions: usize) -> Snapshot {
    let now = Instant::now();
    let mut scanner = Scanner::new(
        space(hosts, ports(ports_each), 1),
        Options {
            initial_window: 100_000,
            max_sockets: 1 << 20,
            ..Options::default()
        },
        now,
    );
    (0..actions).for_each(|_| {
        scanner.poll_action(now);
    });
    scanner.snapshot().expect("connections only")
}

#[test]
fn a_snapshot_of_a_million_hosts_is_small() {
    let snapshot = some_snapshot(1_000_000, 100, 400_000);
    assert!(snapshot.hosts.len() > 1_000, "{}", snapshot.hosts.len());
    let text = serde_json::to_string(&snapshot).expect("it can be written");
    assert!(text.len() < 1_000_000, "{} bytes", text.len());
}

#[test]
fn a_snapshot_that_does_not_fit_is_refused() {
    let now = Instant::now();
    let resume = |snapshot: &Snapshot| {
        let space = space(3, ports(10), 1);
        Scanner::resume(space, Options::default(), snapshot, now).map(|_| ())
    };
    let good = some_snapshot(3, 10, 15);
    assert_eq!(resume(&good), Ok(()));
    let wrong = |change: fn(&mut Snapshot)| {
        let mut snapshot = good.clone();
        change(&mut snapshot);
        resume(&snapshot).expect_err("it is wrong")
    };
    assert_eq!(wrong(|s| s.next_host = 4), SnapshotError::OtherRun);
    assert_eq!(wrong(|s| s.hosts[0].tried = 11), SnapshotError::OtherRun);
    for change in [
        (|s| s.hosts[0].position = 9) as fn(&mut Snapshot),
        |s| s.hosts[1].position = s.hosts[0].position,
        |s| s.hosts[0].ports = vec![0; 6],
        |s| s.hosts[0].counts.open = 1,
        |s| s.hosts[0].ports[0] = 0xff,
        |s| s.hosts[0].answering = vec![(10, true)],
        |s| s.hosts[0].trials[0].ok = -1.0,
    ] {
        assert!(matches!(wrong(change), SnapshotError::Contradiction(_)));
    }
}

#[test]
fn hosts_that_were_added_are_there_again() {
    let now = Instant::now();
    let space = || space(1, ports(4), 1);
    let mut scanner = Scanner::new(space(), Options::default(), now);
    scanner.expect_hosts(true);
    for n in [5, 6] {
        let name = Some(format!("host{n}").into());
        scanner.add_host(Target {
            name,
            ..Target::new(addr(n))
        });
    }
    (0..9).for_each(|_| {
        scanner.poll_action(now);
    });
    let snapshot = scanner.snapshot().expect("connections only");
    assert_eq!(snapshot.late.len(), 2);
    let mut again = Scanner::resume(space(), Options::default(), &snapshot, now).expect("it fits");
    assert_eq!(again.summary().hosts, 3);
    // Their names are resolved again, and found to be known.
    assert!(!again.add_host(Target::new(addr(5))));
    again.interrupt(now);
    let mut names = Vec::new();
    while let Some(action) = again.poll_action(now) {
        if let nishad::engine::Action::Report(nishad::engine::Report::Host(host)) = action {
            assert_eq!(host.counts.get(State::Unscanned), 4);
            names.push(host.target.name.map(|name| name.to_string()));
        }
    }
    names.sort();
    assert_eq!(names[1..], [Some("host5".into()), Some("host6".into())]);
}
