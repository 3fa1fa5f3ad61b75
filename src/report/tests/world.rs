//! Runs that were never made: what is saved of them follows from a few numbers.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::engine::{
    BulkReport, Counts, HostReport, PortReport, Reason, Report, State, Trust, Verdict,
};
use crate::output::{About, Clock, Record, Recorder, Run, Show, ndjson};
use crate::target::{HostSet, PortSet, RunKey, Shard, TargetSpace, targets_digest};

/// A run, and what its ports are.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) hosts: u32,
    pub(super) ports: u16,
    pub(super) seed: u64,
    pub(super) show: Show,
    pub(super) shards: u64,
}

impl World {
    pub(super) fn space(&self) -> TargetSpace {
        let mut hosts = HostSet::default();
        let addr = |low: u32| IpAddr::V4(Ipv4Addr::from(0xc000_0200 + low));
        hosts.insert_range(addr(0), addr(self.hosts - 1), 0);
        hosts.insert_named(addr(0), 0, "h\u{202e}.example");
        TargetSpace::new(hosts, (1..=self.ports).collect(), &[7, 3], self.seed)
    }

    pub(super) fn key(&self, shards: Option<u32>) -> RunKey {
        let ports: PortSet = (1..=self.ports).collect();
        let targets = targets_digest(&HostSet::default(), [&*format!("{}", self.hosts)]);
        RunKey::new(targets, &ports, self.seed, shards).with("timeout", "1s")
    }

    pub(super) fn reason(&self, addr: IpAddr, port: u16) -> Reason {
        let hash = format!("{addr} {port} {}", self.seed);
        let hash = hash.bytes().fold(7u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        match hash >> 20 & 7 {
            0 | 1 => Reason::SynAck,
            2 => Reason::SynAckReset,
            3 | 4 => Reason::ConnRefused,
            5 => Reason::AdminProhibited,
            _ => Reason::NoResponse,
        }
    }

    /// What a scan of the shard, or of the whole, saves.
    pub(super) fn saved(&self, shard: Option<u64>) -> Vec<u8> {
        let shard = shard.map(|index| Shard::new(index, self.shards).expect("a shard"));
        let whole = self.space();
        let space = shard.map_or(whole.clone(), |shard| whole.shard(shard, 0));
        let key = self.key(shard.map(|shard| shard.count()));
        let about = About::new(&space, key, vec!["nishad".into()]);
        let mut recorder = Recorder::new(self.show, Clock::start(), about);
        let mut out = Vec::new();
        let mut write = |record: &Record<'_>| ndjson::write(&mut out, record);
        write(&recorder.start()).expect("a Vec takes all");
        let mut counts = Counts::default();
        let hosts = if space.ports() == 0 { 0 } else { space.hosts() };
        for position in 0..hosts {
            for report in self.host(&space, position, &mut counts) {
                recorder
                    .report(&report, &mut write)
                    .expect("a Vec takes all");
            }
        }
        let run = Run {
            counts,
            hosts: space.hosts(),
            miss: (hosts > 0).then_some(0.25),
            silent_hosts: 0,
            attempts: 3 * counts.total(),
            targets_failed: 0,
            elapsed: Duration::from_secs(1),
        };
        write(&recorder.finish(&run)).expect("a Vec takes all");
        out
    }

    pub(super) fn host(&self, space: &TargetSpace, position: u64, sum: &mut Counts) -> Vec<Report> {
        let target = space.host(position);
        let order = space.port_order(position);
        let (mut reports, mut silent, mut counts) = (Vec::new(), Vec::new(), Counts::default());
        let verdict = |reason| Verdict {
            reason,
            attempts: 2,
            rtt: Some(Duration::from_micros(1234)),
            from: None,
        };
        for index in 0..space.ports() {
            let port = space.port(&order, index);
            let reason = self.reason(target.addr, port);
            counts.add(reason.state(), 1);
            sum.add(reason.state(), 1);
            if reason == Reason::NoResponse {
                silent.push(port);
                continue;
            }
            reports.push(Report::Port(PortReport {
                target: target.clone(),
                port,
                verdict: verdict(reason),
            }));
        }
        reports.push(Report::Bulk(BulkReport {
            target: target.clone(),
            verdict: verdict(Reason::NoResponse),
            ports: silent.into_iter().collect(),
        }));
        let started = Instant::now();
        let trust = Trust {
            miss: Some(0.25),
            loss: Some(0.5),
            ..Trust::default()
        };
        reports.push(Report::Host(HostReport {
            target,
            counts,
            started,
            finished: started + Duration::from_millis(1),
            trust,
        }));
        reports
    }

    pub(super) fn shards(&self) -> Vec<Vec<u8>> {
        (1..=self.shards)
            .map(|index| self.saved(Some(index)))
            .collect()
    }
}

pub(super) fn world() -> impl Strategy<Value = World> {
    let shows = prop_oneof![
        Just(Show::default()),
        Just(Show::with(&[State::Filtered])),
        Just(Show::with(&State::ALL))
    ];
    (1..12u32, 1..30u16, any::<u64>(), shows, 1..16u64).prop_map(
        |(hosts, ports, seed, show, shards)| World {
            hosts,
            ports,
            seed,
            show,
            shards,
        },
    )
}
