//! From what the engine reports to the lines of the results, of which every format is made: those of
//! a scan and those of saved results are written by the same code.

mod answers;
mod suspects;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use super::ndjson::{
    Address, HostLine, Line, PortLine, RunLine, ServiceField, StartLine, milliseconds, seconds,
};
use super::pending::{Pending, PendingHost};
use super::tally::Tally;
use super::{Clock, Run, SCHEMA, Show};
use crate::audit::Audit;
use crate::engine::{BulkReport, HostReport, Note, PortReport, Report, State, Verdict};
use crate::service::{self, Service};
use crate::target::{Dealt, PortSet, RunKey, Shard, Target, TargetSpace};

use answers::Answers;
use suspects::Suspects;

/// What formats are given, one after the other: first the start line, last the run line.
#[derive(Clone, Debug)]
pub enum Record<'a> {
    /// A line.
    Line(Line<'a>),
    /// Port lines of one host that differ only in the port and its service; `like` has neither.
    Bulk {
        /// What they have in common.
        like: PortLine<'a>,
        /// Their ports, ascending.
        ports: &'a PortSet,
    },
    /// A port that has had its line, for a host that two shards scanned, under two names say. Formats
    /// that write hosts, each with its ports and sums, have both; lists of ports have it once.
    Again(PortLine<'a>),
    /// What came of an audit, before the run line.
    Audit(&'a Audit),
}

impl Record<'_> {
    /// Hands out each of its port lines, also one that is there [again](Record::Again). Errors are
    /// those of `each`.
    pub fn ports(&self, each: &mut impl FnMut(&PortLine<'_>) -> io::Result<()>) -> io::Result<()> {
        match self {
            Record::Line(Line::Port(line)) | Record::Again(line) => each(line),
            Record::Line(_) | Record::Audit(_) => Ok(()),
            Record::Bulk { like, ports } => {
                let mut line = like.clone();
                let mut names = service::names();
                for port in ports.iter() {
                    line.port = port;
                    line.service = names(port).into();
                    each(&line)?;
                }
                Ok(())
            }
        }
    }
}

/// What a run is.
#[derive(Clone, Debug)]
pub struct About {
    /// The command line.
    pub args: Vec<String>,
    /// What decides its outcome.
    pub key: RunKey,
    /// The ports scanned, in all shards together.
    pub ports: PortSet,
    /// Which part of it is scanned here; `None`: the whole.
    pub part: Option<(Shard, Dealt)>,
    /// Hosts and probes planned here.
    pub planned: (u64, u64),
    /// Hosts and probes planned in all shards together.
    pub run_planned: (u64, u64),
    /// Targets that could not be read or resolved, as far as known.
    pub targets_failed: u64,
}

impl About {
    /// The run, or shard of it, that scans `space`.
    pub fn new(space: &TargetSpace, key: RunKey, args: Vec<String>) -> About {
        let size = |space: &TargetSpace| (space.hosts(), space.planned());
        About {
            args,
            key,
            ports: space.port_set().clone(),
            part: space.part(),
            planned: size(space),
            run_planned: size(&space.whole()),
            targets_failed: 0,
        }
    }
}

/// Turns reports into records. It holds the sums of the hosts that are under way, and open ports of those
/// that seem to accept everything.
#[derive(Debug)]
pub struct Recorder {
    show: Show,
    clock: Clock,
    start: StartLine,
    /// The verdicts of the hosts under way, by reason. Looked up for each port: hashed, a single host
    /// would cost more, and hundreds no less.
    tallies: BTreeMap<(IpAddr, u32), Tally>,
    /// Open ports held back of hosts that seem to accept everything.
    suspects: Suspects,
    /// Open ports whose lines wait for what answers there, where that is asked.
    answers: Option<Answers>,
}

/// An open port whose line waits.
#[derive(Debug)]
struct HeldPort {
    port: u16,
    verdict: Verdict,
    found: Timestamp,
    /// What answers there, if it was asked.
    service: Option<Arc<Service>>,
}

impl Recorder {
    /// For the run that `about` tells of, with port lines for the states of `show`.
    pub fn new(show: Show, clock: Clock, about: About) -> Recorder {
        let start = StartLine {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").into(),
            args: about.args,
            seed: about.key.seed,
            run_id: about.key.id(),
            key: about.key,
            ports: Some(about.ports.to_string()),
            shard: about.part.map(Into::into),
            show: show.states(),
            started: clock.started(),
            hosts: about.planned.0,
            planned: about.planned.1,
            run_hosts: about.run_planned.0,
            run_planned: about.run_planned.1,
            targets_failed: about.targets_failed,
        };
        Recorder {
            show,
            clock,
            start,
            tallies: BTreeMap::new(),
            suspects: Suspects::default(),
            answers: None,
        }
    }

    /// The first record. A run that is gone on with has it behind it.
    pub fn start(&self) -> Record<'static> {
        Record::Line(Line::Start(self.start.clone()))
    }

    /// Hands out what `report` adds. Errors are those of `each`.
    pub fn report(
        &mut self,
        report: &Report,
        each: &mut impl FnMut(&Record<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        match report {
            Report::Port(port) => self.port(port, each),
            Report::Bulk(bulk) => self.bulk(bulk, each),
            Report::Host(host) => self.host(host, each),
            Report::Note(Note::AcceptsAll { target, .. }) if !self.show.is_explicit() => {
                self.suspects.tell(target);
                Ok(())
            }
            Report::Note(_) => Ok(()),
        }
    }

    /// The last record.
    pub fn finish(&self, run: &Run) -> Record<'static> {
        Record::Line(Line::Run(RunLine::new(self.start.clone(), run)))
    }

    /// What is held of hosts that are under way.
    pub fn pending(&self) -> Pending {
        let hosts = self.tallies.iter().map(|(key, tally)| {
            let (suspect, ports) = self.suspects.pending(*key);
            PendingHost::new(*key, tally, suspect, ports)
        });
        Pending {
            hosts: hosts.collect(),
            answers: self.pending_answers(),
        }
    }

    /// Goes on, without a start line, with what another has held.
    pub fn take_up(&mut self, pending: &Pending) {
        for host in &pending.hosts {
            let tally = Tally::of_reasons(host.reasons.iter().copied());
            self.tallies.insert(host.key(), tally);
            let held = host.ports.iter().map(|held| HeldPort {
                port: held.port,
                verdict: held.verdict,
                found: held.found(),
                service: held.service.clone().map(Arc::new),
            });
            self.suspects
                .take_up(host.key(), host.suspect, held.collect());
        }
        self.take_up_answers(&pending.answers);
    }

    fn count(&mut self, target: &Target, verdict: &Verdict, ports: u64) {
        let tally = self.tallies.entry((target.addr, target.scope_id));
        tally.or_default().add(verdict.reason, ports);
    }

    fn port(
        &mut self,
        report: &PortReport,
        each: &mut impl FnMut(&Record<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let PortReport {
            target,
            port,
            verdict,
        } = report;
        self.count(target, verdict, 1);
        let state = verdict.state();
        if state != State::Open {
            self.clear(target, each)?;
        }
        if !self.show.lists(state) {
            return Ok(());
        }
        let found = self.clock.now();
        if state != State::Open {
            let name = target.name.as_deref();
            let line = port_line(target.into(), name, *port, verdict, found);
            return each(&Record::Line(Line::Port(line)));
        }
        if self.waits(report, found) {
            return Ok(());
        }
        let held = HeldPort {
            port: *port,
            verdict: *verdict,
            found,
            service: None,
        };
        self.open_port(target, held, each)
    }

    fn bulk(
        &mut self,
        bulk: &BulkReport,
        each: &mut impl FnMut(&Record<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        self.count(&bulk.target, &bulk.verdict, bulk.ports.len().into());
        self.clear(&bulk.target, each)?;
        if !self.show.lists(bulk.verdict.state()) {
            return Ok(());
        }
        let BulkReport {
            target, verdict, ..
        } = bulk;
        let name = target.name.as_deref();
        let mut like = port_line(target.into(), name, 0, verdict, self.clock.now());
        like.service = ServiceField::default();
        each(&Record::Bulk {
            like,
            ports: &bulk.ports,
        })
    }

    fn host(
        &mut self,
        host: &HostReport,
        each: &mut impl FnMut(&Record<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let target = &host.target;
        let reasons = self.tallies.get(&(target.addr, target.scope_id));
        let accepts_all = host.trust.accepts_all > 0;
        let line = HostLine {
            ip: target.into(),
            host: target.name.as_deref().map(|name| name.to_string().into()),
            planned: host.counts.total(),
            counts: host.counts.into(),
            reasons: reasons.into_iter().flat_map(Tally::iter).collect(),
            miss: host.trust.miss,
            loss: host.trust.loss,
            refusals_limited: host.trust.refusals_limited,
            suspect: accepts_all.then_some("accepts-all".into()),
            suspect_ports: accepts_all.then_some(host.trust.accepts_all),
            alike: None,
            alike_ports: None,
            open_not_listed: 0,
            started: self.clock.at(host.started),
            elapsed_s: seconds(host.finished.saturating_duration_since(host.started)),
        };
        match self.host_waits(line) {
            Some(line) => self.host_line(line, each),
            None => Ok(()),
        }
    }

    /// Hands out the line of a host whose ports have theirs, but for those held back.
    fn host_line(
        &mut self,
        mut line: HostLine<'static>,
        each: &mut impl FnMut(&Record<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let key = (line.ip.addr, line.ip.scope_id);
        self.tallies.remove(&key);
        let held = self.suspects.take(key);
        match line.suspect {
            Some(_) => line.open_not_listed = held.len() as u64,
            None => held
                .into_iter()
                .try_for_each(|port| each(&port.record(line.ip, line.host.as_deref())))?,
        }
        if let Some((how, ports)) = self.take_likeness(key).verdict() {
            line.alike = Some(how.as_str().into());
            line.alike_ports = Some(ports);
        }
        each(&Record::Line(Line::Host(line)))
    }
}

impl HeldPort {
    /// Its line, on the host at `ip`.
    fn record(self, ip: Address, name: Option<&str>) -> Record<'_> {
        let mut line = port_line(ip, name, self.port, &self.verdict, self.found);
        line.service.found = self.service;
        Record::Line(Line::Port(line))
    }
}

fn port_line<'a>(
    ip: Address,
    name: Option<&'a str>,
    port: u16,
    verdict: &Verdict,
    found: Timestamp,
) -> PortLine<'a> {
    PortLine {
        ip,
        host: name.map(Cow::from),
        port,
        proto: "tcp".into(),
        state: verdict.state(),
        reason: verdict.reason,
        from: verdict.from,
        service: service::name(port).into(),
        rtt_ms: verdict.rtt.map(milliseconds),
        attempts: verdict.attempts,
        time: found,
    }
}
