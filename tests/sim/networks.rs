//! One network a test: what the scanner makes of it, and in what time.

use std::time::{Duration, Instant};

use nishad::engine::{Note, Options, Reason, State};

use crate::network::{Bucket, HostModel, Link, Network, Port, Rng};
use crate::run::{Run, addr, ports, run, space};

const MS: Duration = Duration::from_millis(1);

/// A host whose ports up to `n` are `other`, with `open` of them open.
fn host(rtt: Duration, other: Port, n: u16, open: usize, seed: u64) -> HostModel {
    let mut model = HostModel::new(rtt, other);
    let mut rng = Rng(seed);
    while model.ports.len() < open {
        model
            .ports
            .insert(1 + rng.below(u64::from(n)) as u16, Port::Open);
    }
    model
}

fn scan_one(
    model: HostModel,
    n: u16,
    options: Options,
    seed: u64,
    link: Option<Link>,
) -> (Run, HostModel) {
    let origin = Instant::now();
    let mut network = Network::new(origin, seed);
    network.link = link;
    scan_in(network, origin, model, n, options, seed)
}

fn scan_in(
    mut network: Network,
    origin: Instant,
    model: HostModel,
    n: u16,
    options: Options,
    seed: u64,
) -> (Run, HostModel) {
    network.hosts.insert(addr(0), model.clone());
    let out = run(
        space(1, ports(n), seed),
        options,
        &mut network,
        origin,
        None,
    );
    if std::env::var_os("NISHAD_SIM_VERBOSE").is_some() {
        println!("flows {}", network.flows);
        for (at, note) in &out.notes {
            println!("{:8.3} {note}", at.as_secs_f64());
        }
        let n = out
            .verdicts
            .values()
            .filter(|v| v.state() == State::Open)
            .count();
        println!(
            "seed {seed}: {:.3} s, {} attempts, {} open of {:?}, peak {} sockets, {:?}",
            out.elapsed.as_secs_f64(),
            out.attempts,
            n,
            model.ports.len(),
            out.peak_sockets,
            out.summary
        );
    }
    (out, model)
}

/// It took less than `most`.
fn assert_within(out: &Run, most: Duration, seed: u64) {
    assert!(out.elapsed < most, "seed {seed}: {:?}", out.elapsed);
}

/// Every open port is found and none is invented.
fn assert_open(out: &Run, model: &HostModel, seed: u64) {
    for ((_, port), verdict) in &out.verdicts {
        assert_eq!(
            verdict.state() == State::Open,
            model.is_open(*port),
            "port {port}, seed {seed}: {verdict:?}"
        );
    }
}

fn counts(out: &Run, state: State) -> usize {
    out.verdicts
        .values()
        .filter(|verdict| verdict.state() == state)
        .count()
}

fn seconds(s: f64) -> Duration {
    Duration::from_secs_f64(s)
}

#[test]
fn a_host_that_refuses_is_scanned_in_little_more_than_its_round_trips() {
    for seed in 0..5 {
        let (out, model) = scan_one(
            host(40 * MS, Port::Closed, 20_000, 18, seed),
            20_000,
            Options::default(),
            seed,
            None,
        );
        assert_open(&out, &model, seed);
        assert_eq!(counts(&out, State::Closed), 20_000 - 18);
        assert_within(&out, seconds(1.0), seed);
    }
}

#[test]
fn a_default_drop_firewall_costs_little_more_than_one_timeout() {
    for seed in 0..5 {
        let (out, model) = scan_one(
            host(10 * MS, Port::Silent, 10_001, 16, seed),
            10_001,
            Options::default(),
            seed,
            None,
        );
        assert_open(&out, &model, seed);
        assert_within(&out, seconds(2.5), seed);
        assert!(
            out.hosts[0].trust.miss.is_some_and(|miss| miss <= 1e-3),
            "{:?}",
            out.hosts[0].trust
        );
    }
}

#[test]
fn a_silent_host_is_tried_twice_and_nothing_is_claimed_of_it() {
    let (out, _) = scan_one(
        HostModel::new(10 * MS, Port::Silent),
        1_024,
        Options::default(),
        1,
        None,
    );
    assert_eq!(counts(&out, State::Filtered), 1_024);
    assert!(out.verdicts.values().all(|verdict| verdict.attempts == 2));
    assert_eq!((out.summary.miss, out.summary.silent_hosts), (None, 1));
    assert!(out.elapsed < seconds(2.5), "{:?}", out.elapsed);
}

#[test]
fn loss_behind_a_firewall_is_met_with_more_attempts() {
    for seed in 0..5 {
        let mut model = host(10 * MS, Port::Silent, 5_000, 122, seed);
        model.loss = 0.03;
        let (out, model) = scan_one(model, 5_000, Options::default(), seed, None);
        assert_open(&out, &model, seed);
        assert_within(&out, seconds(3.5), seed);
    }
}

#[test]
fn loss_on_the_way_to_closed_ports_costs_no_timeouts() {
    for seed in 0..5 {
        let mut model = host(10 * MS, Port::Closed, 10_000, 162, seed);
        model.loss = 0.05;
        let (out, model) = scan_one(model, 10_000, Options::default(), seed, None);
        assert_open(&out, &model, seed);
        assert_eq!(counts(&out, State::Closed), 10_000 - 162, "seed {seed}");
        assert_within(&out, seconds(3.0), seed);
    }
}

#[test]
fn rejections_that_are_rationed_do_not_slow_the_scan() {
    for seed in 0..5 {
        let mut model = host(
            10 * MS,
            Port::Reject(Reason::AdminProhibited),
            5_000,
            44,
            seed,
        );
        model.icmp_limit = Some(Bucket::new(200.0, 50.0));
        let (out, model) = scan_one(model, 5_000, Options::default(), seed, None);
        assert_open(&out, &model, seed);
        assert_within(&out, seconds(3.0), seed);
    }
}

#[test]
fn rationed_refusals_are_told_from_a_slow_path_by_the_open_ports() {
    for seed in 0..5 {
        let mut model = host(10 * MS, Port::Closed, 5_000, 44, seed);
        model.rst_limit = Some(Bucket::new(200.0, 200.0));
        let (out, model) = scan_one(model, 5_000, Options::default(), seed, None);
        assert_open(&out, &model, seed);
        let last = out
            .found_at
            .iter()
            .filter(|((_, port), _)| model.is_open(*port))
            .map(|(_, at)| *at)
            .max();
        assert!(
            last.is_some_and(|at| at < seconds(2.0)),
            "seed {seed}: last open at {last:?}"
        );
        assert_within(&out, seconds(5.0), seed);
        assert!(out.hosts[0].trust.refusals_limited);
    }
}

#[test]
fn exact_tells_closed_from_filtered_at_the_rate_of_the_refusals() {
    for seed in 0..3 {
        let mut model = host(10 * MS, Port::Closed, 5_000, 44, seed);
        model.rst_limit = Some(Bucket::new(200.0, 200.0));
        for port in 1..=20 {
            model.ports.entry(port * 100).or_insert(Port::Silent);
        }
        let options = Options {
            exact: true,
            ..Options::default()
        };
        let (out, model) = scan_one(model, 5_000, options, seed, None);
        assert_open(&out, &model, seed);
        for ((_, port), verdict) in &out.verdicts {
            if model.port(*port) == Port::Closed {
                assert_eq!(
                    verdict.state(),
                    State::Closed,
                    "port {port}, seed {seed}: {verdict:?}"
                );
            }
        }
        assert_within(&out, seconds(27.5), seed);
    }
}

#[test]
fn late_answers_count_until_the_timeout() {
    for seed in 0..5 {
        let mut model = HostModel::new(10 * MS, Port::Closed);
        for n in 0..14u16 {
            model.ports.insert(
                1_000 + n * 31,
                Port::Late(Duration::from_millis(400 + u64::from(n) * 38)),
            );
        }
        let (out, model) = scan_one(model, 2_000, Options::default(), seed, None);
        assert_open(&out, &model, seed);
        assert_within(&out, seconds(1.5), seed);
    }
}

#[test]
fn a_router_that_passes_so_many_syns_a_second_is_filled_and_no_port_lost() {
    for seed in 0..5 {
        let mut model = host(20 * MS, Port::Closed, 8_000, 122, seed);
        model.syn_limit = Some(Bucket::new(800.0, 100.0));
        let (out, model) = scan_one(model, 8_000, Options::default(), seed, None);
        assert_open(&out, &model, seed);
        assert_eq!(counts(&out, State::Closed), 8_000 - 122, "seed {seed}");
        assert_within(&out, seconds(11.5), seed);
    }
}

#[test]
fn a_thin_link_is_filled_and_no_port_lost() {
    for seed in 0..5 {
        let model = host(20 * MS, Port::Closed, 8_000, 122, seed);
        let link = Some(Link::new(1_500.0, 150));
        let (out, model) = scan_one(model, 8_000, Options::default(), seed, link);
        assert_open(&out, &model, seed);
        assert_within(&out, seconds(6.2), seed);
    }
}

#[test]
fn a_router_out_of_flows_is_waited_for() {
    // With seed 25 the first answer came late, and no canary went before the table was full; with the four
    // after it a limit was seen in that, or loss, and each port tried up to six times.
    for seed in [0, 1, 2, 25, 4, 26, 126, 130] {
        let (out, model) = out_of_flows(seed, false);
        assert_open(&out, &model, seed);
        assert_within(&out, seconds(45.0), seed);
    }
}

/// A canary that is answered leaves its place to the next one: where those were all that was sent in a
/// while, a full table looked as if there was room, and the probes of before were believed silent.
#[test]
fn canaries_that_leave_each_other_their_places_hide_no_full_table() {
    for seed in [23, 28, 41] {
        let (out, model) = out_of_flows(seed, false);
        assert_open(&out, &model, seed);
    }
}

/// Whether silence is met was judged by what was sent, of which nothing is known in a burst: it went without
/// canaries, and 400 of its silences in a full table were believed.
#[test]
fn a_burst_of_a_machine_that_is_late_has_its_canaries() {
    for seed in [76, 146, 267] {
        let (out, model) = out_of_flows(seed, true);
        assert_open(&out, &model, seed);
        assert_within(&out, seconds(45.0), seed);
    }
}

/// Three fillings of the router's table are 6,144 flows; two attempts on each port, 6,000.
fn out_of_flows(seed: u64, busy: bool) -> (Run, HostModel) {
    let mut model = host(10 * MS, Port::Silent, 3_000, 23, seed);
    model.half_open = Some((2_048, Duration::from_secs(20)));
    let origin = Instant::now();
    let mut network = Network::new(origin, seed);
    network.busy = busy;
    scan_in(network, origin, model, 3_000, Options::default(), seed)
}

/// Or the ports tried before it would get their next attempt, and the path its canaries, no sooner than
/// where no round-trip time is known.
#[test]
fn the_first_answer_tells_how_long_the_attempts_before_it_are_waited_for() {
    for seed in 0..5 {
        let model = host(10 * MS, Port::Silent, 300, 16, seed);
        let options = Options::default();
        let last = options.initial_rtt_timeout + options.timeout;
        let (out, model) = scan_one(model, 300, options, seed, None);
        assert_open(&out, &model, seed);
        assert_within(&out, last, seed);
    }
}

#[test]
fn a_dead_stretch_costs_its_length_and_its_silences_are_tried_again() {
    for seed in 0..5 {
        let mut model = host(10 * MS, Port::Silent, 20_000, 200, seed);
        let options = Options {
            rate: Some(10_000.0),
            ..Options::default()
        };
        let (without, _) = scan_one(model.clone(), 20_000, options.clone(), seed, None);
        model.dead = vec![(1.0, 4.0)];
        let (out, model) = scan_one(model, 20_000, options, seed, None);
        assert_open(&out, &model, seed);
        let more = out.elapsed.saturating_sub(without.elapsed);
        assert!(more < seconds(3.3), "seed {seed}: {more:?} more");
        assert!(
            out.notes
                .iter()
                .any(|(_, note)| matches!(note, Note::PathFound { .. }))
        );
    }
}

/// Before anything has answered, the window opens at its own pace; with an answer, in round trips,
/// though nearly all of the host is silent. Each port is then tried twice within the first second,
/// and a path that is dead after that has cost nothing.
#[test]
fn a_firewall_that_drops_is_known_before_the_path_dies() {
    for seed in 0..5 {
        let mut model = host(20 * MS, Port::Silent, 10_001, 16, seed);
        model.dead = vec![(1.0, 4.0)];
        let (out, model) = scan_one(model, 10_001, Options::default(), seed, None);
        assert_open(&out, &model, seed);
        assert_within(&out, seconds(2.0), seed);
    }
}

#[test]
fn a_round_trip_time_that_grows_loses_nothing() {
    for seed in 0..3 {
        let mut model = host(20 * MS, Port::Closed, 8_000, 80, seed);
        model.growth = 100 * MS;
        let options = Options {
            rate: Some(4_000.0),
            ..Options::default()
        };
        let (out, model) = scan_one(model, 8_000, options, seed, None);
        assert_open(&out, &model, seed);
        assert_eq!(counts(&out, State::Closed), 8_000 - 80, "seed {seed}");
    }
}

#[test]
fn a_mostly_silent_network_is_scanned_side_by_side() {
    let origin = Instant::now();
    let mut network = Network::new(origin, 7);
    for n in (0..256u32).filter(|n| n % 8 == 0) {
        network
            .hosts
            .insert(addr(n), host(5 * MS, Port::Closed, 20, 4, u64::from(n)));
    }
    let hosts = network.hosts.clone();
    let out = run(
        space(256, ports(20), 7),
        Options::default(),
        &mut network,
        origin,
        None,
    );
    for ((ip, port), verdict) in &out.verdicts {
        let open = hosts.get(ip).is_some_and(|model| model.is_open(*port));
        assert_eq!(verdict.state() == State::Open, open, "{ip} {port}");
    }
    assert_eq!(out.summary.silent_hosts, 224);
    assert!(out.elapsed < seconds(2.5), "{:?}", out.elapsed);
}

#[test]
fn a_host_that_accepts_everything_is_called_so() {
    let (out, _) = scan_one(
        HostModel::new(10 * MS, Port::Open),
        1_024,
        Options::default(),
        3,
        None,
    );
    assert_eq!(counts(&out, State::Open), 1_024);
    assert!(out.hosts[0].trust.accepts_all >= 1_000);
    let told = out
        .notes
        .iter()
        .filter(|(_, note)| matches!(note, Note::AcceptsAll { .. }))
        .count();
    assert_eq!(told, 1);
}

#[test]
fn an_unreachable_host_is_given_up_after_confirmation() {
    let (out, _) = scan_one(
        HostModel::new(10 * MS, Port::Reject(Reason::HostUnreach)),
        2_000,
        Options::default(),
        3,
        None,
    );
    assert!(
        out.verdicts
            .values()
            .all(|verdict| verdict.reason == Reason::HostUnreach)
    );
    assert!(out.attempts < 400, "{} attempts", out.attempts);
}

#[test]
fn absurd_options_neither_hang_nor_panic() {
    let absurd = Options {
        timeout: Duration::MAX,
        retries: u8::MAX,
        miss: f64::NAN,
        rate: Some(f64::INFINITY),
        net_rate: Some(f64::INFINITY),
        max_sockets: usize::MAX,
        host_sockets: 0,
        active_ports: 0,
        min_rtt_timeout: Duration::MAX,
        initial_rtt_timeout: Duration::ZERO,
        initial_window: usize::MAX,
        give_up: Duration::MAX,
        stop_at_first_open: true,
        exact: true,
    };
    let tiny = Options {
        timeout: Duration::ZERO,
        retries: 0,
        miss: -1.0,
        rate: Some(-0.0),
        net_rate: Some(f64::NAN),
        max_sockets: 1,
        ..absurd.clone()
    };
    for options in [absurd, tiny] {
        let (out, _) = scan_one(host(MS, Port::Closed, 60, 5, 1), 60, options, 1, None);
        assert_eq!(out.verdicts.len(), 60);
    }
}
