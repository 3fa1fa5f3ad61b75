//! Text for people: a block for each host when it is complete, its ports ascending.
//!
//! `^Port (\d+): OPEN` finds the open ports, whatever the flags. A host's lines are held until the
//! host is complete; nothing is held for ports that are not listed. In a run of several hosts,
//! those without an open, a closed or a listed port get no block but are summed at the end.

mod audit;

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use jiff::tz::TimeZone;

use super::held::{Held, HeldPort};
use super::ndjson::{HostLine, Line, RunLine, ShardField, StartLine};
use super::tally::Tally;
use super::times::Seconds;
use super::words::{
    Because, Chance, Sums, Word, chance_of, digits, hosts, ports, trust_lines, unknown,
};
use super::{Record, answers, escape};
use crate::engine::{Counts, State};
use crate::target::Dealt;

const RULE: &str = "--------------------------------------------------";

/// What a [`Text`] is to look like.
#[derive(Clone, Debug)]
pub struct TextOptions {
    /// Colour on the words for states.
    pub color: bool,
    /// Reasons on port lines, with who rejected, and sums by reason.
    pub reasons: bool,
    /// The same, with round-trip times and attempts; a block for every host.
    pub verbose: bool,
    /// Hosts that the start line does not count: names that are being resolved, each taken for one.
    pub more_hosts: u64,
    /// Time zone of the times shown.
    pub zone: TimeZone,
}

/// The text format.
#[derive(Debug)]
pub struct Text {
    options: TextOptions,
    /// What the start line says: hosts planned, which shard it is, and whether it is put together from
    /// what shards saved.
    hosts: u64,
    part: Option<ShardField>,
    merged: bool,
    held: Held,
    /// Host blocks written, and the ports in them.
    blocks: u64,
    ports: u64,
    /// Hosts without a block, and why their ports are what they are.
    unlisted: u64,
    unlisted_tally: Tally,
    /// What is to stand at the end.
    audit: Option<String>,
}

impl Text {
    /// Text that looks as `options` say.
    pub fn new(options: TextOptions) -> Text {
        Text {
            options,
            hosts: 0,
            part: None,
            merged: false,
            held: Held::default(),
            blocks: 0,
            ports: 0,
            unlisted: 0,
            unlisted_tally: Tally::default(),
            audit: None,
        }
    }

    /// Takes a record; writes a host's block when the host is complete. Errors are those of `out`.
    pub fn record(&mut self, out: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
        match record {
            Record::Line(Line::Host(host)) => return self.host(out, host),
            Record::Line(Line::Run(run)) => return self.finish(out, run),
            Record::Line(Line::Start(start)) => self.begin(start),
            Record::Audit(audit) => {
                let TextOptions { zone, color, .. } = &self.options;
                self.audit = Some(audit::block(audit, zone, *color));
            }
            _ => {}
        }
        self.held.add(record);
        Ok(())
    }

    fn begin(&mut self, start: &StartLine) {
        self.hosts = start.hosts.saturating_add(self.options.more_hosts);
        self.part = start.shard;
        self.merged = start.shard.is_none() && start.key.shards.is_some();
    }

    /// Writes the sums of a run of several hosts, or of a shard, and what came of an audit.
    fn finish(&mut self, out: &mut impl Write, run: &RunLine) -> io::Result<()> {
        let alone = run.hosts == 1 && self.blocks == 1 && self.part.is_none();
        let mut text = String::new();
        if !alone || self.ports != run.planned || run.targets_failed > 0 {
            // Writing to a String does not fail.
            let _ = self.run_block(&mut text, run);
        }
        if let Some(audit) = self.audit.take() {
            text += "\n";
            text += &audit;
        }
        out.write_all(text.as_bytes())
    }

    fn host(&mut self, out: &mut impl Write, host: &HostLine<'_>) -> io::Result<()> {
        let lines = self.held.take(host);
        let tally = Tally::of_reasons(host.reasons.iter().map(|(reason, n)| (*reason, *n)));
        let answered = host.counts.open > 0 || host.counts.closed > 0;
        let alone = self.hosts == 1;
        if !alone && !answered && lines.is_empty() && !self.options.verbose {
            self.unlisted += 1;
            self.unlisted_tally.merge(&tally);
            return Ok(());
        }
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = self.host_block(&mut text, host, &lines, &tally);
        self.blocks += 1;
        self.ports = self.ports.saturating_add(host.planned);
        out.write_all(text.as_bytes())
    }

    fn host_block(
        &self,
        text: &mut String,
        host: &HostLine<'_>,
        lines: &[HeldPort],
        tally: &Tally,
    ) -> fmt::Result {
        if self.blocks > 0 {
            writeln!(text)?;
        }
        let started = self.options.zone.to_datetime(host.started);
        write!(text, "{RULE}\nScanning target: {}", host.ip)?;
        if let Some(name) = &host.host {
            write!(text, " ({})", escape(name))?;
        }
        writeln!(text, "\nScan started at: {:.0}\n{RULE}", started.time())?;
        let counts = Counts::from(host.counts);
        self.port_lines(text, lines)?;
        if self.held.sums_open(host) {
            writeln!(
                text,
                "{} accepted every connection and are not listed (--show open lists them)",
                ports(counts.open)
            )?;
        }
        writeln!(text, "{RULE}\n{}: {}", ports(counts.total()), Sums(&counts))?;
        self.reason_lines(text, tally)?;
        trust_lines(text, host, self.merged)?;
        let took = Seconds(host.elapsed_s);
        writeln!(text, "Scan finished in {took} seconds.\n{RULE}")
    }

    /// What stands behind a port's state: its service, what that tells of itself and, if that is asked
    /// for, why the state is what it is.
    fn columns(&self, held: &HeldPort) -> [String; 3] {
        let label = held.service.label();
        let found = held.service.found.as_deref();
        let because = self.tells_reasons().then_some(Because {
            verdict: &held.verdict,
            details: self.options.verbose,
        });
        // Escaped, and so as wide as they have characters.
        [
            label.map_or(String::new(), |label| escape(&label).to_string()),
            found.map_or(String::new(), answers::description),
            because.map_or(String::new(), |because| because.to_string()),
        ]
    }

    fn port_lines(&self, text: &mut String, lines: &[HeldPort]) -> fmt::Result {
        let rows = lines.iter().map(|held| (held, self.columns(held)));
        let rows: Vec<_> = rows.collect();
        let head = |held: &HeldPort| {
            "Port : ".len() + digits(held.port) + held.verdict.state().as_str().len()
        };
        let mut widths = [0; 3];
        for (held, columns) in &rows {
            let columns = columns.iter().map(|column| column.chars().count());
            for (width, one) in widths
                .iter_mut()
                .zip([head(held)].into_iter().chain(columns))
            {
                *width = one.max(*width);
            }
        }
        for (held, columns) in &rows {
            let word = Word {
                state: held.verdict.state(),
                color: self.options.color,
            };
            write!(text, "Port {}: {word}", held.port)?;
            let mut gap = widths[0] - head(held);
            let widths = widths[1..].iter().copied().chain([0]);
            for (column, width) in columns.iter().zip(widths) {
                if !column.is_empty() {
                    write!(text, "{:gap$}  {column}", "")?;
                    gap = 0;
                }
                let left = width.saturating_sub(column.chars().count());
                gap += match column.is_empty() {
                    true if width > 0 => left + 2,
                    _ => left,
                };
            }
            writeln!(text)?;
            if let Some(found) = held
                .service
                .found
                .as_deref()
                .filter(|_| self.options.verbose)
            {
                for line in answers::details(found) {
                    writeln!(text, "    {line}")?;
                }
            }
        }
        Ok(())
    }

    fn tells_reasons(&self) -> bool {
        self.options.reasons || self.options.verbose
    }

    /// Why ports have no verdict; if that is asked for, why others are closed or filtered.
    fn reason_lines(&self, text: &mut String, tally: &Tally) -> fmt::Result {
        for (state, name, wanted) in [
            (State::Closed, "Closed", self.tells_reasons()),
            (State::Filtered, "Filtered", self.tells_reasons()),
            (State::Unscanned, "Unscanned", true),
        ] {
            let reasons = tally.of(state);
            if wanted && !reasons.is_empty() {
                writeln!(text, "{name}: {reasons}")?;
            }
        }
        Ok(())
    }

    fn run_block(&self, text: &mut String, run: &RunLine) -> fmt::Result {
        let counts = Counts::from(run.counts);
        if self.blocks > 0 {
            writeln!(text)?;
        }
        writeln!(text, "{RULE}")?;
        if self.unlisted > 0 {
            let filtered = self.unlisted_tally.of(State::Filtered);
            let unscanned = self.unlisted_tally.of(State::Unscanned);
            let reasons = [filtered, unscanned]
                .iter()
                .filter(|reasons| !reasons.is_empty())
                .map(|reasons| reasons.to_string())
                .collect::<Vec<_>>();
            let which = if self.blocks > 0 { "more " } else { "" };
            writeln!(
                text,
                "{} {which}without an open or closed port: {}",
                hosts(self.unlisted),
                reasons.join(", ")
            )?;
        }
        let (all, every) = (hosts(run.hosts), ports(counts.total()));
        writeln!(text, "{all}, {every}: {}", Sums(&counts))?;
        let begun = self.blocks + self.unlisted;
        if begun < run.hosts {
            let why = match self.merged {
                true => "not in what was saved",
                false => "never begun: interrupted",
            };
            writeln!(text, "{} {why}", hosts(run.hosts - begun))?;
        }
        if run.targets_failed > 0 {
            let s = if run.targets_failed == 1 { "" } else { "s" };
            writeln!(
                text,
                "{} target{s} not scanned: cannot be read or resolved",
                run.targets_failed
            )?;
        }
        if let Some(miss) = run.miss {
            let answered = counts.total() - counts.unscanned - counts.filtered;
            let chance = Chance {
                miss,
                all_answered: answered == counts.total(),
            };
            write!(text, "{}: {chance}", chance_of(&counts))?;
            match run.silent_hosts {
                0 => writeln!(text)?,
                n => writeln!(
                    text,
                    "; cannot be known for {} without any answer",
                    hosts(n)
                )?,
            }
        } else if counts.filtered > 0 {
            writeln!(
                text,
                "{}: {}",
                chance_of(&counts),
                unknown(&counts, self.merged)
            )?;
        }
        if let Some(ShardField { index, count, by }) = self.part {
            let of = match by {
                Dealt::Hosts => "its hosts",
                Dealt::Ports => "its ports of each host",
            };
            writeln!(text, "Shard {index} of {count}: {of} alone")?;
        }
        writeln!(
            text,
            "Run finished in {} seconds.\n{RULE}",
            Seconds(run.elapsed_s)
        )
    }
}

#[cfg(test)]
mod tests;
