//! From an index to a host and a port, and back.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use nishad::target::{HostSet, Permutation, PortSet, TargetSpace};

pub fn bench(criterion: &mut Criterion) {
    permutation(criterion);
    space(criterion);
}

fn permutation(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("permutation");
    for len in [65_535, 1 << 32] {
        let order = Permutation::new(len, 42);
        let mut index = 0;
        group.bench_function(BenchmarkId::new("nth", len), |bencher| {
            bencher.iter(|| {
                index = (index + 1) % len;
                order.nth(black_box(index))
            });
        });
        group.bench_function(BenchmarkId::new("index_of", len), |bencher| {
            bencher.iter(|| {
                index = (index + 1) % len;
                order.index_of(black_box(index))
            });
        });
    }
    group.finish();
}

fn space(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("target space");
    for (name, hosts) in [("one host", "10.0.0.1"), ("a /8", "10.0.0.0/8")] {
        let space = space_of(hosts);
        let order = space.port_order(0);
        let (mut position, mut index) = (0, 0);
        group.bench_function(BenchmarkId::new("host", name), |bencher| {
            bencher.iter(|| {
                position = (position + 1) % space.hosts();
                space.host(black_box(position))
            });
        });
        group.bench_function(BenchmarkId::new("port", name), |bencher| {
            bencher.iter(|| {
                index = (index + 1) % space.ports();
                space.port(&order, black_box(index))
            });
        });
        group.bench_function(BenchmarkId::new("new", name), |bencher| {
            bencher.iter(|| space_of(black_box(hosts)));
        });
    }
    group.finish();
}

/// All ports of `hosts`.
pub fn space_of(hosts: &str) -> TargetSpace {
    let mut set = HostSet::default();
    set.insert_spec(&hosts.parse().expect("hosts"), 0);
    TargetSpace::new(set, PortSet::all(), nishad::service::popular(), 42)
}
