//! One file of NDJSON, line by line.

use std::io::{self, BufRead, Read};

use crate::engine::Counts;
use crate::output::escape;
use crate::output::ndjson::{CountFields, Line, SCHEMA};
use crate::target::{PortSet, Shard};

/// Longest line read, in bytes. A command line, the longest thing in one, has at most 2 MiB on
/// Linux, each byte of which may be written as six.
const MAX_LINE: u64 = 16 << 20;

/// Ports of a host, 0 included.
pub(super) const MOST_PORTS: u64 = 1 << 16;

/// How the first line of every run begins.
const START: &[u8] = br#"{"type":"start","#;

/// The lines of one input. Blank ones are skipped.
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    number: u64,
    buffer: Vec<u8>,
    /// A start line found behind what was left of a line cut off.
    behind: Option<Vec<u8>>,
}

/// A line, or why it is none.
#[derive(Clone, Debug)]
pub struct NumberedLine {
    /// From 1 on.
    pub number: u64,
    /// What it says.
    pub line: Result<Line<'static>, BadLine>,
}

/// Why a line cannot be read. `Display` is one line, safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// The end of what was written is missing: the run was cut off there.
    #[error("cut off")]
    Torn,
    /// Anything else.
    #[error("{0}")]
    Wrong(String),
}

impl<R: BufRead> Lines<R> {
    /// The lines of `input`.
    pub fn new(input: R) -> Lines<R> {
        Lines {
            input,
            number: 0,
            buffer: Vec::new(),
            behind: None,
        }
    }

    /// The next line that is not blank; `None` at the end. Errors are those of the input.
    pub fn next_line(&mut self) -> io::Result<Option<NumberedLine>> {
        loop {
            if let Some(start) = self.behind.take() {
                return Ok(Some(self.numbered(parse(&start))));
            }
            self.buffer.clear();
            let mut limited = self.input.by_ref().take(MAX_LINE);
            if limited.read_until(b'\n', &mut self.buffer)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            let ended = self.buffer.ends_with(b"\n");
            if !ended && self.buffer.len() as u64 == MAX_LINE {
                self.skip_line()?;
                let why = format!("longer than {} MiB", MAX_LINE >> 20);
                return Ok(Some(self.numbered(Err(BadLine::Wrong(why)))));
            }
            if self.buffer.trim_ascii().is_empty() {
                continue;
            }
            let line = parse(&self.buffer).map_err(|error| {
                // What is written next to a line cut off begins on the same line.
                let mut windows = self.buffer.windows(START.len()).skip(1);
                if let Some(at) = windows.position(|window| window == START) {
                    self.behind = Some(self.buffer.split_off(at + 1));
                    return BadLine::Torn;
                }
                if ended { error } else { BadLine::Torn }
            });
            return Ok(Some(self.numbered(line)));
        }
    }

    fn numbered(&self, line: Result<Line<'static>, BadLine>) -> NumberedLine {
        NumberedLine {
            number: self.number,
            line,
        }
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let held = self.input.fill_buf()?;
            let (used, ended) = match held.iter().position(|byte| *byte == b'\n') {
                Some(at) => (at + 1, true),
                None => (held.len(), held.is_empty()),
            };
            self.input.consume(used);
            if ended {
                return Ok(());
            }
        }
    }
}

fn parse(line: &[u8]) -> Result<Line<'static>, BadLine> {
    // Most lines are these two. Where the type comes first, it need not be looked for.
    let line = if line.starts_with(br#"{"type":"port","#) {
        serde_json::from_slice(line).map(Line::Port)
    } else if line.starts_with(br#"{"type":"host","#) {
        serde_json::from_slice(line).map(Line::Host)
    } else {
        serde_json::from_slice(line)
    };
    let line = line.map_err(|error| {
        // The only line there is has no number worth telling.
        let text = error.to_string();
        let text = text
            .rsplit_once(" at line ")
            .map_or(&*text, |(text, _)| text);
        BadLine::Wrong(escape(text).to_string())
    })?;
    check(&line).map_err(BadLine::Wrong)?;
    Ok(line)
}

/// That what the line says agrees with itself.
fn check(line: &Line) -> Result<(), String> {
    match line {
        Line::Start(start) => {
            check_schema(start.schema)?;
            if let Some(shard) = start.shard {
                Shard::new(shard.index.into(), shard.count.into())
                    .map_err(|error| error.to_string())?;
                let shards = start.key.shards.unwrap_or(0);
                check_number("shard.count", shard.count.into(), shards.into())?;
            }
            if let Some(ports) = &start.ports {
                let ports = PortSet::parse(ports, |_| None).map_err(|error| error.to_string())?;
                if !start.key.is_of_ports(&ports) {
                    return Err("ports are others than key.ports is the digest of".into());
                }
            }
            check_number("seed", start.seed, start.key.seed)
        }
        Line::Port(port) => {
            let (state, wanted) = (port.state.as_str(), port.reason.state().as_str());
            match state == wanted {
                true => Ok(()),
                false => Err(format!("{} is {wanted}, not {state}", port.reason.as_str())),
            }
        }
        Line::Host(host) => {
            check_number("planned", host.planned, sum(host.counts)?)?;
            if host.planned > MOST_PORTS {
                return Err(format!(
                    "planned is {}, and a host has {MOST_PORTS} ports",
                    host.planned
                ));
            }
            if host.reasons.is_empty() {
                return Ok(());
            }
            let mut reasons = Counts::default();
            for (reason, n) in &host.reasons {
                if n.checked_add(reasons.total()).is_none() {
                    return Err("its counts are too large".into());
                }
                reasons.add(reason.state(), *n);
            }
            match CountFields::from(reasons) == host.counts {
                true => Ok(()),
                false => Err("the reasons do not add up to the states".into()),
            }
        }
        Line::Run(run) => {
            check_schema(run.schema)?;
            check_number("planned", run.planned, sum(run.counts)?)
        }
        Line::Other => Ok(()),
    }
}

fn check_schema(schema: u32) -> Result<(), String> {
    match schema {
        SCHEMA => Ok(()),
        _ => Err(format!(
            "schema {schema}; this version reads schema {SCHEMA}"
        )),
    }
}

fn check_number(what: &str, told: u64, wanted: u64) -> Result<(), String> {
    match told == wanted {
        true => Ok(()),
        false => Err(format!("{what} is {told}, and the rest makes {wanted}")),
    }
}

fn sum(counts: CountFields) -> Result<u64, String> {
    let states = [
        counts.open,
        counts.closed,
        counts.filtered,
        counts.unscanned,
    ];
    states
        .into_iter()
        .try_fold(0u64, u64::checked_add)
        .ok_or_else(|| "its counts are too large".into())
}
