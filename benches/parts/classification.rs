//! What an errno or an ICMP message means.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use criterion::Criterion;

use crate::outcome::{Errno, Icmp, System, of_connect, of_error, of_icmp};

pub fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("classification");
    let addr = SocketAddr::from((Ipv4Addr::new(198, 18, 0, 1), 443));
    group.bench_function("of connect() under way", |bencher| {
        bencher.iter(|| of_connect(System::Linux, black_box(Errno::Pending), addr));
    });
    group.bench_function("of a refusal", |bencher| {
        bencher.iter(|| of_error(System::Linux, black_box(Errno::ConnectionRefused)));
    });
    let icmp = Icmp {
        v6: false,
        kind: 3,
        code: 13,
        from: Some(IpAddr::from(Ipv4Addr::new(198, 18, 255, 1))),
        scope_id: 0,
    };
    group.bench_function("of an ICMP message", |bencher| {
        bencher.iter(|| of_icmp(black_box(&icmp), false));
    });
    group.finish();
}
