//! NDJSON for programs: one JSON object (RFC 8259) a line, as found.
//!
//! Lines have a `type`: `port`, `host` and, last, `run`. Every field is always there; what does not
//! apply is `null`. Beyond what JSON asks for, characters that could drive a terminal are written
//! as `\u` escapes, which any JSON reader undoes.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use super::escape::is_dangerous;
use super::{Clock, Run, Show};
use crate::engine::{BulkReport, Counts, HostReport, Note, Report, State, Verdict};
use crate::service;
use crate::target::Target;

/// Version of the lines' meaning, the `schema` of the `run` line. Fields may be added within a
/// version; none is removed or changes its meaning.
pub const SCHEMA: u32 = 1;

/// The NDJSON format.
#[derive(Debug)]
pub struct Ndjson {
    show: Show,
    clock: Clock,
    args: Vec<String>,
    seed: u64,
    /// Open ports held back of hosts that seem to accept everything, until the host report says.
    suspects: HashMap<(IpAddr, u32), Vec<Held>>,
}

/// A port, its verdict, and when it was found.
type Held = (u16, Verdict, Timestamp);

impl Ndjson {
    /// NDJSON with port lines for the states of `show`; `args` and `seed` are for the run line.
    pub fn new(show: Show, clock: Clock, args: Vec<String>, seed: u64) -> Ndjson {
        Ndjson {
            show,
            clock,
            args,
            seed,
            suspects: HashMap::new(),
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
        line(
            out,
            &RunLine {
                r#type: "run",
                schema: SCHEMA,
                version: env!("CARGO_PKG_VERSION"),
                args: &self.args,
                seed: self.seed,
                started: rfc3339(self.clock.started()),
                elapsed_s: seconds(run.elapsed),
                hosts: run.hosts,
                silent_hosts: run.silent_hosts,
                planned: run.counts.total(),
                counts: run.counts.into(),
                attempts: run.attempts,
                miss: run.miss,
                targets_failed: run.targets_failed,
                complete: run.counts.unscanned == 0 && run.targets_failed == 0,
            },
        )
    }

    fn port(
        &mut self,
        out: &mut impl Write,
        target: &Target,
        port: u16,
        verdict: &Verdict,
    ) -> io::Result<()> {
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
    fn bulk(&self, out: &mut impl Write, bulk: &BulkReport) -> io::Result<()> {
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
        let held = self
            .suspects
            .remove(&(target.addr, target.scope_id))
            .unwrap_or_default();
        let accepts_all = host.trust.accepts_all > 0;
        if !accepts_all {
            for (port, verdict, found) in &held {
                port_line(out, target, *port, verdict, *found)?;
            }
        }
        line(
            out,
            &HostLine {
                r#type: "host",
                ip: target.to_string(),
                host: target.name.as_deref(),
                planned: host.counts.total(),
                counts: host.counts.into(),
                miss: host.trust.miss,
                loss: host.trust.loss,
                refusals_limited: host.trust.refusals_limited,
                suspect: accepts_all.then_some("accepts-all"),
                suspect_ports: accepts_all.then_some(host.trust.accepts_all),
                open_not_listed: if accepts_all { held.len() } else { 0 },
                started: rfc3339(self.clock.at(host.started)),
                elapsed_s: seconds(host.finished.saturating_duration_since(host.started)),
            },
        )
    }
}

#[derive(Serialize)]
struct PortLine<'a> {
    r#type: &'static str,
    ip: String,
    host: Option<&'a str>,
    port: u16,
    proto: &'static str,
    state: &'static str,
    reason: &'static str,
    from: Option<IpAddr>,
    service: Option<&'static str>,
    rtt_ms: Option<f64>,
    attempts: u8,
    time: String,
}

#[derive(Serialize)]
struct HostLine<'a> {
    r#type: &'static str,
    ip: String,
    host: Option<&'a str>,
    planned: u64,
    #[serde(flatten)]
    counts: CountFields,
    miss: Option<f64>,
    loss: Option<f64>,
    refusals_limited: bool,
    suspect: Option<&'static str>,
    suspect_ports: Option<u16>,
    open_not_listed: usize,
    started: String,
    elapsed_s: f64,
}

#[derive(Serialize)]
struct RunLine<'a> {
    r#type: &'static str,
    schema: u32,
    version: &'static str,
    args: &'a [String],
    seed: u64,
    started: String,
    elapsed_s: f64,
    hosts: u64,
    silent_hosts: u64,
    planned: u64,
    #[serde(flatten)]
    counts: CountFields,
    attempts: u64,
    miss: Option<f64>,
    targets_failed: u64,
    complete: bool,
}

#[derive(Serialize)]
struct CountFields {
    open: u64,
    closed: u64,
    filtered: u64,
    unscanned: u64,
}

impl From<Counts> for CountFields {
    fn from(counts: Counts) -> CountFields {
        let Counts {
            open,
            closed,
            filtered,
            unscanned,
        } = counts;
        CountFields {
            open,
            closed,
            filtered,
            unscanned,
        }
    }
}

fn port_line(
    out: &mut impl Write,
    target: &Target,
    port: u16,
    verdict: &Verdict,
    found: Timestamp,
) -> io::Result<()> {
    line(
        out,
        &PortLine {
            r#type: "port",
            ip: target.to_string(),
            host: target.name.as_deref(),
            port,
            proto: "tcp",
            state: verdict.state().as_str(),
            reason: verdict.reason.as_str(),
            from: verdict.from,
            service: service::name(port),
            rtt_ms: verdict.rtt.map(milliseconds),
            attempts: verdict.attempts,
            time: rfc3339(found),
        },
    )
}

/// Writes `value` as one line, in one write.
fn line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut text = Vec::with_capacity(256);
    value.serialize(&mut Serializer::with_formatter(&mut text, Safe))?;
    text.push(b'\n');
    out.write_all(&text)
}

/// Compact JSON in which dangerous characters are escaped as well.
struct Safe;

impl Formatter for Safe {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_dangerous(*c)) {
            CompactFormatter.write_string_fragment(writer, &rest[..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + c.len_utf8()..];
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

fn rfc3339(time: Timestamp) -> String {
    format!("{time:.6}")
}

/// Milliseconds, to the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// Seconds, to the microsecond.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests;
