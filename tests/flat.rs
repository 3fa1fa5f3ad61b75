//! The scanner's memory does not grow with the number of probes, nor its time for each of them: scans
//! on virtual time of networks up to a /8, with every allocation counted.
//!
//! `cargo test` goes to 300,000 probes.
//! `NISHAD_PROBES=10000000 cargo test --release --test flat -- --nocapture` goes to that many and
//! prints a table.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use nishad::engine::{Action, Options, Outcome, ProbeId, Reason, Scanner};
use nishad::target::{HostSet, PortSet, TargetSpace};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Ports of each host.
const PORTS: u16 = 4;
/// Every answer takes as long, so that they come in the order of their probes.
const RTT: Duration = Duration::from_millis(20);
/// From this many probes on all that is bounded is full.
const SETTLED: u64 = 100_000;
/// What memory may differ by from then on.
const MARGIN: usize = 1 << 20;

/// One host in four is there, with one port in two open; from the others nothing comes.
fn answer(ip: IpAddr, port: u16) -> Option<Reason> {
    let IpAddr::V4(ip) = ip else { return None };
    match (u32::from(ip) % 4, port % 2) {
        (0, 0) => Some(Reason::SynAck),
        (0, _) => Some(Reason::ConnRefused),
        _ => None,
    }
}

/// Scans `probes` ports; the most memory in use at once, in bytes, and the time for each probe.
fn scan(probes: u64, options: &Options) -> (usize, Duration) {
    let hosts = u32::try_from(probes / u64::from(PORTS)).expect("a /8 at most");
    let mut set = HostSet::default();
    let first = 0x0a00_0000_u32;
    let address = |n: u32| IpAddr::from(n.to_be_bytes());
    set.insert_range(address(first), address(first + hosts - 1), 0);
    let ports: PortSet = (1..=PORTS).collect();
    let (before, started) = (ALLOCATOR.current_usage(), Instant::now());
    ALLOCATOR.reset_peak_usage();
    let space = TargetSpace::new(set, ports, &[], 7);
    let planned = space.planned();
    let mut now = Instant::now();
    let mut scanner = Scanner::new(space, options.clone(), now);
    let mut answers: VecDeque<(Instant, ProbeId, Reason)> = VecDeque::new();
    loop {
        while let Some(action) = scanner.poll_action(now) {
            if let Action::Connect { id, addr } = action
                && let Some(reason) = answer(addr.ip(), addr.port())
            {
                answers.push_back((now + RTT, id, reason));
            }
        }
        if scanner.is_done() {
            break;
        }
        let next = answers.front().map(|(at, ..)| *at);
        let next = next.into_iter().chain(scanner.poll_timeout()).min();
        now = now.max(next.expect("a scan that is not done waits for something"));
        while let Some(&(at, id, reason)) = answers.front()
            && at <= now
        {
            answers.pop_front();
            scanner.handle_outcome(now, id, Outcome::Answered { reason, from: None });
        }
        scanner.handle_timeout(now);
    }
    let counts = scanner.progress().counts;
    assert_eq!(counts.total(), planned);
    assert_eq!(counts.unscanned, 0);
    assert_eq!(counts.open + counts.closed, planned / 4);
    let peak = ALLOCATOR.peak_usage() - before;
    let each = started.elapsed() / u32::try_from(planned).unwrap_or(u32::MAX);
    (peak, each)
}

/// Alone in its program, so that no other test's memory is counted.
#[test]
fn memory_is_the_same_for_a_host_and_for_a_network_of_any_size() {
    let most = std::env::var("NISHAD_PROBES").map_or(300_000, |most| {
        most.parse().expect("NISHAD_PROBES is a number of probes")
    });
    for sockets in [1_000, Options::default().max_sockets] {
        let options = Options {
            max_sockets: sockets,
            ..Options::default()
        };
        let mut settled = None;
        let mut probes = 10_000;
        while probes <= most {
            let (peak, each) = scan(probes, &options);
            println!("{sockets} sockets, {probes} probes: {peak} bytes at most, {each:?} a probe");
            if probes >= SETTLED {
                let least = *settled.get_or_insert(peak);
                assert!(
                    peak.abs_diff(least) <= MARGIN,
                    "{sockets} sockets: {least} bytes for {SETTLED} probes, {peak} for {probes}"
                );
            }
            probes = if probes * 10 > most && probes < most {
                most
            } else {
                probes * 10
            };
        }
    }
}
