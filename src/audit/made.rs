//! Results that were never scanned, as reports and as what is saved of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{Audit, Auditor, Baseline, Policy};
use crate::engine::{BulkReport, Counts, HostReport, PortReport, Reason, Report, State};
use crate::engine::{Trust, Verdict};
use crate::output::{About, Clock, Record, Recorder, Run, Show, ndjson};
use crate::report::{Line, Lines};
use crate::service::{self, Service};
use crate::target::{HostSet, PortSet, RunKey, Shard, Target, TargetSpace};

/// A result on some ports of some hosts. What it does not say of a port: it is closed.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) ports: PortSet,
    pub(super) show: Show,
    pub(super) hosts: Vec<MadeHost>,
    pub(super) shard: Option<(u64, u64)>,
    pub(super) started: Timestamp,
    /// What answers on open ports of every host, if that was asked.
    pub(super) services: Option<Vec<(u16, Service)>>,
}

#[derive(Clone, Debug)]
pub(super) struct MadeHost {
    pub(super) addr: &'static str,
    pub(super) name: Option<&'static str>,
    /// What the ports are that are not among these.
    pub(super) rest: Reason,
    pub(super) ports: Vec<(u16, Reason)>,
    pub(super) accepts_all: bool,
}

/// A result on `ports`, of `hosts` with their open ports.
pub(super) fn made(ports: &str, hosts: &[(&'static str, &[u16])]) -> Made {
    let hosts = hosts.iter().map(|(addr, open)| MadeHost {
        addr,
        name: None,
        rest: Reason::ConnRefused,
        ports: open.iter().map(|port| (*port, Reason::SynAck)).collect(),
        accepts_all: false,
    });
    Made {
        ports: PortSet::parse(ports, service::port).expect("ports"),
        show: Show::default(),
        hosts: hosts.collect(),
        shard: None,
        started: "2026-06-15T12:00:00Z".parse().expect("a time"),
        services: None,
    }
}

impl MadeHost {
    fn target(&self) -> Target {
        Target {
            name: self.name.map(Into::into),
            ..Target::new(self.addr.parse().expect("an address"))
        }
    }
}

impl Made {
    /// The same with another reason for one port of the host at `addr`.
    pub(super) fn with(mut self, addr: &str, port: u16, reason: Reason) -> Made {
        let host = self.hosts.iter_mut().find(|host| host.addr == addr);
        let ports = &mut host.expect("a host").ports;
        ports.retain(|(known, _)| *known != port);
        ports.push((port, reason));
        self
    }

    /// The same where ports of the host at `addr` that have nothing else have `rest`.
    pub(super) fn rest(mut self, addr: &str, rest: Reason) -> Made {
        let host = self.hosts.iter_mut().find(|host| host.addr == addr);
        host.expect("a host").rest = rest;
        self
    }

    /// The same with a host that accepts everything.
    pub(super) fn accepts_all(mut self, addr: &str) -> Made {
        let host = self.hosts.iter_mut().find(|host| host.addr == addr);
        let host = host.expect("a host");
        (host.rest, host.accepts_all) = (Reason::SynAck, true);
        self
    }

    /// The same with a name for the host at `addr`.
    pub(super) fn named(mut self, addr: &str, name: &'static str) -> Made {
        let host = self.hosts.iter_mut().find(|host| host.addr == addr);
        host.expect("a host").name = Some(name);
        self
    }

    /// The same with the states of `states` listed.
    pub(super) fn show(mut self, states: &[State]) -> Made {
        self.show = Show::with(states);
        self
    }

    fn space(&self) -> TargetSpace {
        let mut hosts = HostSet::default();
        for host in &self.hosts {
            let addr = host.target().addr;
            hosts.insert_range(addr, addr, 0);
        }
        let whole = TargetSpace::in_order(hosts, self.ports.clone(), &[], 1);
        match self.shard {
            Some((index, count)) => whole.shard(Shard::new(index, count).expect("a shard"), 0),
            None => whole,
        }
    }

    /// What a scan reports, and how it ends.
    pub(super) fn reports(&self) -> (Vec<Report>, Run) {
        let space = self.space();
        let (mut reports, mut sum) = (Vec::new(), Counts::default());
        for position in 0..space.hosts() {
            let addr = space.host(position).addr;
            let host = self.hosts.iter().find(|host| host.target().addr == addr);
            let order = space.port_order(position);
            let ports = (0..space.ports()).map(|index| space.port(&order, index));
            let counts = host.expect("a host").reports(ports, &mut reports);
            for state in State::ALL {
                sum.add(state, counts.get(state));
            }
            sum.left_out += counts.left_out;
        }
        let run = Run {
            counts: sum,
            hosts: space.hosts(),
            miss: None,
            silent_hosts: 0,
            attempts: sum.total(),
            targets_failed: 0,
            elapsed: Duration::from_secs(1),
        };
        (reports, run)
    }

    /// What of it is saved.
    pub(super) fn saved(&self) -> String {
        let space = self.space();
        let shards = self.shard.map(|(_, count)| count as u32);
        let key = RunKey::new("targets".into(), &self.ports, 1, shards);
        let about = About::new(&space, key, vec!["nishad".into()]);
        let clock = Clock::go_on(self.started, Duration::ZERO);
        let mut recorder = Recorder::new(self.show, clock, about);
        let mut out = Vec::new();
        let mut write = |record: &Record| ndjson::write(&mut out, record);
        write(&recorder.start()).expect("a Vec takes all");
        let (reports, run) = self.reports();
        if self.services.is_some() {
            recorder.expect_services();
        }
        for report in reports {
            recorder
                .report(&report, &mut write)
                .expect("a Vec takes all");
            let (Some(services), Report::Port(port)) = (&self.services, &report) else {
                continue;
            };
            let found = services.iter().find(|(known, _)| *known == port.port);
            let found = found.map(|(_, service)| Arc::new(service.clone()));
            recorder
                .service(
                    &port.target,
                    port.port,
                    &found.unwrap_or_default(),
                    &mut write,
                )
                .expect("a Vec takes all");
        }
        write(&recorder.finish(&run)).expect("a Vec takes all");
        String::from_utf8(out).expect("UTF-8")
    }

    /// The audit of it.
    pub(super) fn audit(&self, baseline: Option<&str>, policy: Option<&str>) -> Audit {
        let mut baseline = baseline.map(|saved| {
            let mut baseline = Baseline::default();
            let added = baseline.add("old.ndjson", saved.as_bytes());
            added.map(|()| baseline).expect("a baseline")
        });
        let mut policy = policy.map(|text| match Policy::parse("p.toml", text) {
            Ok(policy) => policy,
            Err(error) => panic!("{error}"),
        });
        let saved = self.saved();
        let mut lines = Lines::new(saved.as_bytes());
        let mut auditor: Option<Auditor> = None;
        while let Some(line) = lines.next_line().expect("it is in memory") {
            match (line.line.expect("a line"), &mut auditor) {
                (Line::Start(start), _) => {
                    auditor = Some(Auditor::new(&start, baseline.take(), policy.take()));
                }
                (line, Some(auditor)) => auditor.record(&Record::Line(line)),
                (line, None) => panic!("{line:?} comes first"),
            }
        }
        auditor.expect("a start line").finish()
    }
}

impl MadeHost {
    fn reports(&self, ports: impl Iterator<Item = u16>, reports: &mut Vec<Report>) -> Counts {
        let target = self.target();
        let verdict = |reason| Verdict {
            reason,
            attempts: 1,
            rtt: None,
            from: None,
        };
        let (mut counts, mut unscanned) = (Counts::default(), BTreeMap::<Reason, Vec<u16>>::new());
        if self.accepts_all {
            reports.push(Report::Note(crate::engine::Note::AcceptsAll {
                target: target.clone(),
                ports: 30,
            }));
        }
        for port in ports {
            let told = self.ports.iter().find(|(known, _)| *known == port);
            let reason = told.map_or(self.rest, |(_, reason)| *reason);
            counts.add_reason(reason, 1);
            if reason.state() == State::Unscanned {
                unscanned.entry(reason).or_default().push(port);
                continue;
            }
            reports.push(Report::Port(PortReport {
                target: target.clone(),
                port,
                verdict: verdict(reason),
            }));
        }
        reports.extend(unscanned.into_iter().map(|(reason, ports)| {
            Report::Bulk(BulkReport {
                target: target.clone(),
                verdict: verdict(reason),
                ports: ports.into_iter().collect(),
            })
        }));
        let now = Instant::now();
        reports.push(Report::Host(HostReport {
            target,
            counts,
            started: now,
            finished: now,
            trust: Trust {
                accepts_all: if self.accepts_all { 30 } else { 0 },
                ..Trust::default()
            },
        }));
        counts
    }
}

/// The findings in lines: `opened 10.0.0.1 port 22: is open, was not open`.
pub(super) fn lines(audit: &Audit) -> Vec<String> {
    let findings = audit.findings();
    findings
        .map(|finding| format!("{} {finding}", finding.kind.as_str()))
        .collect()
}
