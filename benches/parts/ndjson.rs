//! Writing NDJSON into memory.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use criterion::{Criterion, Throughput};
use nishad::engine::{BulkReport, PortReport, Reason, Report, State, Verdict};
use nishad::output::{About, Clock, Recorder, Show, ndjson};
use nishad::target::{HostSet, PortSet, RunKey, Target, TargetSpace, targets_digest};

pub fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ndjson");
    let mut recorder = Recorder::new(Show::with(&State::ALL), Clock::start(), about());
    let mut out = Vec::new();
    let open = Report::Port(PortReport {
        target: target(),
        port: 443,
        verdict: Verdict {
            rtt: Some(Duration::from_micros(20_123)),
            ..verdict(Reason::SynAck)
        },
    });
    group.bench_function("an open port", |bencher| {
        bencher.iter(|| {
            out.clear();
            recorder.report(black_box(&open), &mut |record| {
                ndjson::write(&mut out, record)
            })
        });
    });
    let silent = Report::Bulk(BulkReport {
        target: target(),
        verdict: verdict(Reason::NoResponse),
        ports: PortSet::all(),
    });
    group.throughput(Throughput::Elements(65_535));
    group.bench_function("all ports silent", |bencher| {
        bencher.iter(|| {
            out.clear();
            recorder.report(black_box(&silent), &mut |record| {
                ndjson::write(&mut out, record)
            })
        });
    });
    let mut unseen = Recorder::new(Show::default(), Clock::start(), about());
    group.throughput(Throughput::Elements(1));
    let closed = Report::Port(PortReport {
        target: target(),
        port: 444,
        verdict: verdict(Reason::ConnRefused),
    });
    group.bench_function("a closed port, not listed", |bencher| {
        bencher.iter(|| {
            unseen.report(black_box(&closed), &mut |record| {
                ndjson::write(&mut out, record)
            })
        });
    });
    group.finish();
}

fn about() -> About {
    let hosts = HostSet::default();
    let key = RunKey::new(targets_digest(&hosts, []), &PortSet::all(), 42, None);
    let space = TargetSpace::new(hosts, PortSet::all(), &[], 42);
    About::new(&space, key, Vec::new())
}

fn target() -> Target {
    Target::new(IpAddr::from(Ipv4Addr::new(198, 18, 0, 1)))
}

fn verdict(reason: Reason) -> Verdict {
    Verdict {
        reason,
        attempts: 1,
        rtt: None,
        from: None,
    }
}
