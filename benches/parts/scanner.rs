//! The whole engine without sockets: all ports of a host on virtual time, every one refused.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use nishad::engine::{Action, Options, Outcome, Reason, Scanner};

use crate::target::space_of;

pub fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scanner");
    group.sample_size(20);
    group.throughput(Throughput::Elements(65_535));
    for rtt in [1, 50] {
        let id = BenchmarkId::new("65,535 refused ports, round trip in ms", rtt);
        group.bench_function(id, |bencher| {
            bencher.iter(|| refused(Duration::from_millis(rtt)));
        });
    }
    group.finish();
}

/// Plays the driver; closed ports at the end.
fn refused(rtt: Duration) -> u64 {
    let mut now = Instant::now();
    let mut scanner = Scanner::new(space_of("10.0.0.1"), Options::default(), now);
    let mut answers = VecDeque::new();
    while !scanner.is_done() {
        while let Some(action) = scanner.poll_action(now) {
            if let Action::Connect { id, .. } = action {
                answers.push_back((now + rtt, id));
            }
        }
        let answer = answers.front().map(|(at, _)| *at);
        let Some(next) = answer.into_iter().chain(scanner.poll_timeout()).min() else {
            break;
        };
        now = now.max(next);
        while let Some((at, id)) = answers.front().copied()
            && at <= now
        {
            answers.pop_front();
            let outcome = Outcome::Answered {
                reason: Reason::ConnRefused,
                from: None,
            };
            scanner.handle_outcome(now, id, outcome);
        }
        scanner.handle_timeout(now);
    }
    let closed = scanner.progress().counts.closed;
    assert_eq!(closed, 65_535, "every port is refused");
    closed
}
