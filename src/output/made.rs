//! Runs that were never made, for the tests of the formats.

use std::time::{Duration, Instant};

use super::{About, Clock, Output, Record, Recorder, Run, Show, TextOptions};
use crate::engine::{Counts, HostReport, PortReport, Reason, Report, Trust, Verdict};
use crate::target::{HostSet, PortSet, RunKey, Shard, Target, TargetSpace, targets_digest};

/// Four ports on each of as many hosts, or a shard of them.
pub(super) fn about(hosts: u8, shard: Option<Shard>) -> About {
    let mut set = HostSet::default();
    set.insert_range([192, 0, 2, 7].into(), [192, 0, 2, 6 + hosts].into(), 0);
    let ports: PortSet = (1..=4).collect();
    let targets = targets_digest(&set, []);
    let key = RunKey::new(targets, &ports, 7, shard.map(|shard| shard.count()));
    let whole = TargetSpace::new(set, ports, &[], 7);
    let space = shard.map_or(whole.clone(), |shard| whole.shard(shard, 0));
    let args = vec!["nishad".into(), "\u{202e}\u{e0041}x".into()];
    About::new(&space, key.with("timeout", "1s"), args)
}

pub(super) fn recorder(show: Show) -> Recorder {
    Recorder::new(show, Clock::start(), about(3, None))
}

/// Text without anything special.
pub(super) fn plain() -> TextOptions {
    TextOptions {
        color: false,
        reasons: false,
        verbose: false,
        more_hosts: 0,
        zone: jiff::tz::TimeZone::UTC,
    }
}

/// What `output` makes of `reports`.
pub(super) fn told(recorder: &mut Recorder, output: &mut Output, reports: &[Report]) -> String {
    let mut out = Vec::new();
    for report in reports {
        let mut each = |record: &Record<'_>| output.record(&mut out, record);
        recorder.report(report, &mut each).expect("a Vec takes all");
    }
    String::from_utf8(out).expect("UTF-8")
}

/// The document of a run in `format`, from its first line to its last.
pub(super) fn document(
    recorder: &mut Recorder,
    output: &mut Output,
    reports: &[Report],
    run: &Run,
) -> String {
    let one = |output: &mut Output, record: Record<'_>| {
        let mut out = Vec::new();
        output.record(&mut out, &record).expect("a Vec takes all");
        String::from_utf8(out).expect("UTF-8")
    };
    let start = one(output, recorder.start());
    let told = told(recorder, output, reports);
    start + &told + &one(output, recorder.finish(run))
}

pub(super) fn target(name: Option<&str>) -> Target {
    Target {
        name: name.map(Into::into),
        ..Target::new([192, 0, 2, 7].into())
    }
}

pub(super) fn verdict(reason: Reason) -> Verdict {
    Verdict {
        reason,
        attempts: 1,
        rtt: Some(Duration::from_nanos(310_400)),
        from: None,
    }
}

pub(super) fn port(name: Option<&str>, port: u16, reason: Reason) -> Report {
    Report::Port(PortReport {
        target: target(name),
        port,
        verdict: verdict(reason),
    })
}

pub(super) fn counts(open: u64, closed: u64, filtered: u64, unscanned: u64) -> Counts {
    Counts {
        open,
        closed,
        filtered,
        unscanned,
        ..Counts::default()
    }
}

/// A host that took 40 ms.
pub(super) fn host(name: Option<&str>, counts: Counts, trust: Trust) -> Report {
    let started = Instant::now();
    Report::Host(HostReport {
        target: target(name),
        counts,
        started,
        finished: started + Duration::from_millis(40),
        trust,
    })
}

pub(super) fn run(hosts: u64, counts: Counts) -> Run {
    Run {
        counts,
        hosts,
        miss: None,
        silent_hosts: 0,
        attempts: 99,
        targets_failed: 0,
        elapsed: Duration::from_millis(2310),
    }
}
