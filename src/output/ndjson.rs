//! NDJSON for programs: one JSON object (RFC 8259) a line, as found.
//!
//! Lines have a `type`: first `start`, then `port` and `host` and, last, `run`. Every field is always
//! there; what does not apply is `null`. Beyond what JSON asks for, characters that could drive a
//! terminal are written as `\u` escapes, which any JSON reader undoes.

mod lines;

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Write};
use std::net::IpAddr;

use jiff::Timestamp;

use super::pending::{Pending, PendingHost, PendingPort};
use super::tally::Tally;
use super::{Clock, Run, Show};
use crate::engine::{BulkReport, HostReport, Note, Report, State, Verdict};
use crate::service;
use crate::target::{Dealt, RunKey, Shard, Target, TargetSpace};

use lines::milliseconds;
pub(crate) use lines::time;
pub use lines::{
    Address, CountFields, HostLine, Line, PortLine, RunLine, ShardField, StartLine, seconds,
};

/// Version of the lines' meaning, the `schema` of the `run` line. Fields may be added within a
/// version; none is removed or changes its meaning.
pub const SCHEMA: u32 = 1;

/// The NDJSON format.
#[derive(Debug)]
pub struct Ndjson {
    show: Show,
    clock: Clock,
    about: About,
    /// The verdicts of the hosts under way, by reason.
    tallies: HashMap<(IpAddr, u32), Tally>,
    /// Open ports held back of hosts that seem to accept everything, until the host report says.
    suspects: HashMap<(IpAddr, u32), Vec<Held>>,
}

/// What a run is.
#[derive(Clone, Debug)]
pub struct About {
    /// The command line.
    pub args: Vec<String>,
    /// What decides its outcome.
    pub key: RunKey,
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
            part: space.part(),
            planned: size(space),
            run_planned: size(&space.whole()),
            targets_failed: 0,
        }
    }
}

/// A port, its verdict, and when it was found.
type Held = (u16, Verdict, Timestamp);

impl Ndjson {
    /// NDJSON of the run that `about` tells of, with port lines for the states of `show`.
    pub fn new(show: Show, clock: Clock, about: About) -> Ndjson {
        Ndjson {
            show,
            clock,
            about,
            tallies: HashMap::new(),
            suspects: HashMap::new(),
        }
    }

    /// Writes the start line. Errors are those of `out`.
    pub fn start(&mut self, out: &mut impl Write) -> io::Result<()> {
        Line::Start(self.start_line()).write(out)
    }

    fn start_line(&self) -> StartLine {
        let about = &self.about;
        StartLine {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").into(),
            args: about.args.clone(),
            seed: about.key.seed,
            run_id: about.key.id(),
            key: about.key.clone(),
            shard: about.part.map(Into::into),
            show: self.show.states(),
            started: self.clock.started(),
            hosts: about.planned.0,
            planned: about.planned.1,
            run_hosts: about.run_planned.0,
            run_planned: about.run_planned.1,
            targets_failed: about.targets_failed,
        }
    }

    /// Writes the lines of `report`. Errors are those of `out`.
    pub fn report(&mut self, out: &mut impl Write, report: &Report) -> io::Result<()> {
        match report {
            Report::Port(port) => self.port(out, &port.target, port.port, &port.verdict),
            Report::Bulk(bulk) => self.bulk(out, bulk),
            Report::Host(host) => self.host(out, host),
            Report::Note(Note::AcceptsAll { target, .. }) if !self.show.is_explicit() => {
                self.suspects
                    .entry((target.addr, target.scope_id))
                    .or_default();
                Ok(())
            }
            Report::Note(_) => Ok(()),
        }
    }

    /// Writes the run line. Errors are those of `out`.
    pub fn finish(&mut self, out: &mut impl Write, run: &Run) -> io::Result<()> {
        let line = RunLine::new(self.start_line(), run);
        Line::Run(line).write(out)
    }

    /// What is held of hosts that are under way.
    pub fn pending(&self) -> Pending {
        let hosts = self.tallies.iter().map(|(key, tally)| {
            let held = self.suspects.get(key);
            let ports = held.into_iter().flatten();
            PendingHost {
                suspect: held.is_some(),
                ports: ports
                    .map(|(port, verdict, found)| PendingPort::new(*port, *verdict, Some(*found)))
                    .collect(),
                ..PendingHost::new(*key, tally)
            }
        });
        Pending {
            hosts: hosts.collect(),
            ..Pending::default()
        }
    }

    /// Goes on, without a start line, with what another has held.
    pub fn take_up(&mut self, pending: &Pending) {
        for host in &pending.hosts {
            let tally = Tally::of_reasons(&host.reasons);
            self.tallies.insert(host.key(), tally);
            if host.suspect {
                let ports = host.ports.iter();
                let held = ports.map(|held| (held.port, held.verdict, held.found()));
                self.suspects.insert(host.key(), held.collect());
            }
        }
    }

    fn count(&mut self, target: &Target, verdict: &Verdict, ports: u64) {
        let tally = self.tallies.entry((target.addr, target.scope_id));
        tally.or_default().add(verdict.reason, ports);
    }

    fn port(
        &mut self,
        out: &mut impl Write,
        target: &Target,
        port: u16,
        verdict: &Verdict,
    ) -> io::Result<()> {
        self.count(target, verdict, 1);
        let state = verdict.state();
        if !self.show.lists(state) {
            return Ok(());
        }
        let now = self.clock.now();
        if state == State::Open
            && let Some(held) = self.suspects.get_mut(&(target.addr, target.scope_id))
        {
            held.push((port, *verdict, now));
            return Ok(());
        }
        port_line(out, target, port, verdict, now)
    }

    /// Lines that differ only in the port and its service: the rest is put into JSON once, for an
    /// interrupted run may end with millions of them.
    fn bulk(&mut self, out: &mut impl Write, bulk: &BulkReport) -> io::Result<()> {
        self.count(&bulk.target, &bulk.verdict, bulk.ports.len().into());
        if !self.show.lists(bulk.verdict.state()) {
            return Ok(());
        }
        let mut model = Vec::new();
        port_line(&mut model, &bulk.target, 0, &bulk.verdict, self.clock.now())?;
        let model = String::from_utf8(model).map_err(io::Error::other)?;
        // Quotes within strings are escaped, so that neither field is found in one.
        let parts = model.split_once(r#""port":0,"#).and_then(|(head, rest)| {
            let (middle, tail) = rest.split_once(r#""service":null,"#)?;
            Some((head, middle, tail))
        });
        let (head, middle, tail) = parts.ok_or_else(|| io::Error::other("not a port line"))?;
        let mut line = Vec::with_capacity(model.len() + 64);
        let mut names = service::names();
        for port in bulk.ports.iter() {
            line.clear();
            write!(line, r#"{head}"port":{port},{middle}"service":"#)?;
            match names(port) {
                // Letters, digits and hyphens.
                Some(name) => write!(line, r#""{name}","#)?,
                None => write!(line, "null,")?,
            }
            line.extend_from_slice(tail.as_bytes());
            out.write_all(&line)?;
        }
        Ok(())
    }

    fn host(&mut self, out: &mut impl Write, host: &HostReport) -> io::Result<()> {
        let target = &host.target;
        let key = (target.addr, target.scope_id);
        let held = self.suspects.remove(&key).unwrap_or_default();
        let reasons = self.tallies.remove(&key).unwrap_or_default();
        let accepts_all = host.trust.accepts_all > 0;
        if !accepts_all {
            for (port, verdict, found) in &held {
                port_line(out, target, *port, verdict, *found)?;
            }
        }
        let line = HostLine {
            ip: target.into(),
            host: target.name.as_deref().map(Cow::from),
            planned: host.counts.total(),
            counts: host.counts.into(),
            reasons: reasons.iter().collect(),
            miss: host.trust.miss,
            loss: host.trust.loss,
            refusals_limited: host.trust.refusals_limited,
            suspect: accepts_all.then_some("accepts-all".into()),
            suspect_ports: accepts_all.then_some(host.trust.accepts_all),
            open_not_listed: if accepts_all { held.len() as u64 } else { 0 },
            started: self.clock.at(host.started),
            elapsed_s: seconds(host.finished.saturating_duration_since(host.started)),
        };
        Line::Host(line).write(out)
    }
}

fn port_line(
    out: &mut impl Write,
    target: &Target,
    port: u16,
    verdict: &Verdict,
    found: Timestamp,
) -> io::Result<()> {
    let line = PortLine {
        ip: target.into(),
        host: target.name.as_deref().map(Cow::from),
        port,
        proto: "tcp".into(),
        state: verdict.state(),
        reason: verdict.reason,
        from: verdict.from,
        service: service::name(port).map(Cow::from),
        rtt_ms: verdict.rtt.map(milliseconds),
        attempts: verdict.attempts,
        time: found,
    };
    Line::Port(line).write(out)
}

#[cfg(test)]
mod tests;
