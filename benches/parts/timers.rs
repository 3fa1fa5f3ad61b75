//! The timer wheel with 10^3, 10^4 and 10^5 timers running: a call must cost the same.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};

use crate::wheel::Wheel;

const LIVE: [u32; 3] = [1_000, 10_000, 100_000];
/// Deadlines of a scan: the least adaptive one to a few times the default timeout.
const SHORTEST: u64 = 20_000;
const LONGEST: u64 = 4_000_000;

pub fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wheel");
    for live in LIVE {
        let start = Instant::now();
        group.bench_function(BenchmarkId::new("stop and start", live), |bencher| {
            let (mut wheel, mut random) = full(live, start);
            bencher.iter(|| {
                let key = random.next() as u32 % live;
                wheel.stop(black_box(key));
                wheel.start(key, start + random.wait());
            });
        });
        group.bench_function(BenchmarkId::new("fire and start", live), |bencher| {
            let (mut wheel, mut random) = full(live, start);
            let mut now = start;
            bencher.iter(|| {
                let key = loop {
                    if let Some(key) = wheel.poll(now) {
                        break key;
                    }
                    now = wheel
                        .next()
                        .expect("each timer that fires is started again");
                };
                wheel.start(black_box(key), now + random.wait());
            });
        });
    }
    group.finish();
}

/// A wheel with `live` timers, and chance.
fn full(live: u32, start: Instant) -> (Wheel, Random) {
    let mut wheel = Wheel::new(start);
    let mut random = Random(7);
    for key in 0..live {
        wheel.start(key, start + random.wait());
    }
    (wheel, random)
}

/// A linear congruential generator (Knuth's MMIX): cheap beside what is measured.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn wait(&mut self) -> Duration {
        Duration::from_micros(SHORTEST + self.next() % (LONGEST - SHORTEST))
    }
}
