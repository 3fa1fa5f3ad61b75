//! The lines of NDJSON as types, to write them and to read them back. The README's tables tell what
//! each field means.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::ser::{CompactFormatter, Formatter};

use super::ServiceField;
use crate::engine::{Counts, Reason, State, Verdict};
use crate::output::escape::is_dangerous;
use crate::output::{Run, times};
use crate::target::{Dealt, PortSet, RunKey, Shard, Target};

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Line<'a> {
    /// The first line: what is about to be scanned.
    Start(StartLine),
    /// A port.
    Port(PortLine<'a>),
    /// A complete host.
    Host(HostLine<'a>),
    /// The last line: the sums.
    Run(RunLine),
    /// A line of a type that this version does not know.
    #[serde(other, skip_serializing)]
    Other,
}

/// The `start` line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartLine {
    /// Version of the schema.
    pub schema: u32,
    /// Version of nishad.
    pub version: String,
    /// The command line.
    pub args: Vec<String>,
    /// Seed of the order.
    pub seed: u64,
    /// Id of the run, the same for all its shards.
    pub run_id: String,
    /// What the id follows from.
    pub key: RunKey,
    /// The ports scanned, in all shards together, as they would be typed; `None` in results of a
    /// version that did not tell.
    #[serde(default)]
    pub ports: Option<String>,
    /// Which part of the run this is; `None`: the whole.
    pub shard: Option<ShardField>,
    /// States listed port by port; `None`: open ports, those of hosts that accept everything only
    /// in sum.
    pub show: Option<Vec<State>>,
    /// When the run began.
    #[serde(with = "time")]
    pub started: Timestamp,
    /// Hosts planned here, as far as known.
    pub hosts: u64,
    /// Probes planned here, as far as known.
    pub planned: u64,
    /// Hosts planned in all shards together, as far as known.
    pub run_hosts: u64,
    /// Probes planned in all shards together, as far as known.
    pub run_planned: u64,
    /// Targets that could not be read or resolved, as far as known.
    pub targets_failed: u64,
}

impl StartLine {
    /// The ports scanned; `None` if the line does not tell, or what it tells are no ports.
    pub fn port_set(&self) -> Option<PortSet> {
        let ports = self.ports.as_deref()?;
        if ports.is_empty() {
            return Some(PortSet::default());
        }
        // Nothing scanned has a name here.
        PortSet::parse(ports, |_| None).ok()
    }
}

/// Which shard of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardField {
    /// From 1 on.
    pub index: u32,
    /// How many there are.
    pub count: u32,
    /// What each has a part of.
    pub by: Dealt,
}

impl From<(Shard, Dealt)> for ShardField {
    fn from((shard, by): (Shard, Dealt)) -> ShardField {
        ShardField {
            index: shard.index(),
            count: shard.count(),
            by,
        }
    }
}

/// A `port` line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PortLine<'a> {
    /// The host's address.
    pub ip: Address,
    /// Its name, as given.
    pub host: Option<Cow<'a, str>>,
    /// Port number.
    pub port: u16,
    /// `tcp`.
    pub proto: Cow<'a, str>,
    /// The state.
    pub state: State,
    /// Why.
    pub reason: Reason,
    /// Who sent the ICMP error.
    pub from: Option<IpAddr>,
    /// Registered service name, or what was found out.
    #[serde(default)]
    pub service: ServiceField<'a>,
    /// Round-trip time in milliseconds.
    pub rtt_ms: Option<f64>,
    /// Attempts made.
    pub attempts: u8,
    /// When the verdict was reached.
    #[serde(with = "time")]
    pub time: Timestamp,
}

impl PortLine<'_> {
    /// The verdict it tells.
    pub fn verdict(&self) -> Verdict {
        let seconds = |ms: f64| Duration::try_from_secs_f64(ms / 1e3).ok();
        Verdict {
            reason: self.reason,
            attempts: self.attempts,
            rtt: self.rtt_ms.and_then(seconds),
            from: self.from,
        }
    }
}

/// A `host` line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostLine<'a> {
    /// Its address.
    pub ip: Address,
    /// Its name, as given.
    pub host: Option<Cow<'a, str>>,
    /// Ports planned.
    pub planned: u64,
    /// Ports by state.
    #[serde(flatten)]
    pub counts: CountFields,
    /// Ports by reason; their sum is `planned`.
    #[serde(default)]
    pub reasons: BTreeMap<Reason, u64>,
    /// Estimated chance that an open port was missed.
    pub miss: Option<f64>,
    /// Estimated share of probes lost.
    pub loss: Option<f64>,
    /// Whether some ports counted filtered may be closed.
    pub refusals_limited: bool,
    /// `accepts-all`
    pub suspect: Option<Cow<'a, str>>,
    /// How many unlikely ports were all open.
    pub suspect_ports: Option<u16>,
    /// `silent`, `closes`, `resets` or `same`: what all open ports that were talked to did or said.
    #[serde(default)]
    pub alike: Option<Cow<'a, str>>,
    /// How many they are.
    #[serde(default)]
    pub alike_ports: Option<u32>,
    /// Open ports without a `port` line.
    pub open_not_listed: u64,
    /// When its first probe was sent.
    #[serde(with = "time")]
    pub started: Timestamp,
    /// Seconds to its last verdict, with services to the end of its last talk.
    pub elapsed_s: f64,
}

/// The `run` line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunLine {
    /// Version of the schema.
    pub schema: u32,
    /// Version of nishad.
    pub version: String,
    /// The command line.
    pub args: Vec<String>,
    /// Seed of the order.
    pub seed: u64,
    /// Id of the run, the same for all its shards.
    pub run_id: String,
    /// Which part of the run this is; `None`: the whole.
    pub shard: Option<ShardField>,
    /// When the run began.
    #[serde(with = "time")]
    pub started: Timestamp,
    /// Seconds it took.
    pub elapsed_s: f64,
    /// Hosts planned.
    pub hosts: u64,
    /// Hosts that never answered.
    pub silent_hosts: u64,
    /// Probes planned.
    pub planned: u64,
    /// Probes by state.
    #[serde(flatten)]
    pub counts: CountFields,
    /// Connection attempts made.
    pub attempts: u64,
    /// Estimated chance that an open port was missed on a host that answered.
    pub miss: Option<f64>,
    /// Targets that could not be read or resolved.
    #[serde(default)]
    pub targets_failed: u64,
    /// Of the unscanned probes, those that were not wanted any more.
    #[serde(default)]
    pub left_out: u64,
    /// Whether nothing else is unscanned and no target failed.
    pub complete: bool,
}

impl RunLine {
    /// The end of the run that `start` is the start of.
    pub fn new(start: StartLine, run: &Run) -> RunLine {
        RunLine {
            schema: start.schema,
            version: start.version,
            args: start.args,
            seed: start.seed,
            run_id: start.run_id,
            shard: start.shard,
            started: start.started,
            elapsed_s: seconds(run.elapsed),
            hosts: run.hosts,
            silent_hosts: run.silent_hosts,
            planned: run.counts.total(),
            counts: run.counts.into(),
            attempts: run.attempts,
            miss: run.miss,
            targets_failed: run.targets_failed,
            left_out: run.counts.left_out,
            complete: run.counts.is_complete() && run.targets_failed == 0,
        }
    }
}

/// Probes by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountFields {
    /// Open.
    pub open: u64,
    /// Closed.
    pub closed: u64,
    /// Filtered.
    pub filtered: u64,
    /// Without a verdict.
    pub unscanned: u64,
}

impl From<Counts> for CountFields {
    fn from(counts: Counts) -> CountFields {
        let Counts {
            open,
            closed,
            filtered,
            unscanned,
            left_out: _,
        } = counts;
        CountFields {
            open,
            closed,
            filtered,
            unscanned,
        }
    }
}

impl From<CountFields> for Counts {
    fn from(counts: CountFields) -> Counts {
        let CountFields {
            open,
            closed,
            filtered,
            unscanned,
        } = counts;
        Counts {
            open,
            closed,
            filtered,
            unscanned,
            left_out: 0,
        }
    }
}

/// An address with its scope: `192.0.2.1`, `fe80::1%2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// The address.
    pub addr: IpAddr,
    /// IPv6 scope of a link-local address, else 0.
    pub scope_id: u32,
}

impl Address {
    /// The host at this address, of that name.
    pub fn target(self, name: Option<&str>) -> Target {
        Target {
            addr: self.addr,
            scope_id: self.scope_id,
            name: name.map(Into::into),
        }
    }
}

impl From<&Target> for Address {
    fn from(target: &Target) -> Address {
        Address {
            addr: target.addr,
            scope_id: target.scope_id,
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.target(None).fmt(f)
    }
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Address, &'static str> {
        let (addr, scope) = text.split_once('%').unwrap_or((text, "0"));
        let addr = addr.parse().map_err(|_| "no address")?;
        let scope_id = scope.parse().map_err(|_| "no index of an interface")?;
        Ok(Address { addr, scope_id })
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse()
            .map_err(|error| D::Error::custom(format!("`ip` is {error}")))
    }
}

/// RFC 3339 in UTC, to the microsecond.
pub(crate) mod time {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{time:.6}"))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        times::read(&text).ok_or_else(|| D::Error::custom("not a time of RFC 3339"))
    }
}

/// Times that there may be none of, as exact as they are.
pub(crate) mod maybe_time {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        time: &Option<Timestamp>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => to.collect_str(time),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<Cow<str>>::deserialize(from)?;
        let time = text.map(|text| times::read(&text));
        match time {
            Some(None) => Err(D::Error::custom("not a time of RFC 3339")),
            time => Ok(time.flatten()),
        }
    }
}

/// Milliseconds, to the microsecond.
pub(in crate::output) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// Seconds, to the microsecond.
pub fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e6
}

impl Line<'_> {
    /// Writes it, in one write. Errors are those of `out`.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        write_line(out, self)
    }
}

/// Writes `line` and its end, in one write. Errors are those of `out`.
pub(super) fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    let mut text = Vec::with_capacity(256);
    write_json(&mut text, line)?;
    text.push(b'\n');
    out.write_all(&text)
}

/// Writes `value` as JSON in which dangerous characters are escaped. Errors are those of `out`.
pub(crate) fn write_json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(out, Safe))?;
    Ok(())
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
