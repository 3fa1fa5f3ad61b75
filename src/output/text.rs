//! Text for people: a block for each host when it is complete, its ports ascending.
//!
//! `^Port (\d+): OPEN` finds the open ports, whatever the flags. A host's lines are held until the
//! host is complete; nothing is held for ports that are not listed. In a run of several hosts,
//! those without an open, a closed or a listed port get no block but are summed at the end.

mod words;

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::net::IpAddr;

use jiff::tz::TimeZone;

use super::pending::{Pending, PendingHost, PendingPort};
use super::tally::Tally;
use super::{Clock, Run, Show, escape};
use crate::engine::{HostReport, Reason, Report, State, Verdict};
use crate::service;
use crate::target::{Dealt, Shard, Target};
use words::{
    Because, Chance, Seconds, Sums, Word, chance_of, digits, hosts, ports, trust_lines, unknown,
};

const RULE: &str = "--------------------------------------------------";

/// What a [`Text`] is to look like.
#[derive(Clone, Debug)]
pub struct TextOptions {
    /// States listed port by port.
    pub show: Show,
    /// Colour on the words for states.
    pub color: bool,
    /// Reasons and round-trip times on port lines, a block for every host.
    pub verbose: bool,
    /// Hosts planned, each name that is not yet resolved taken for one.
    pub hosts: u64,
    /// Which shard of a run it is; `None`: the whole.
    pub part: Option<(Shard, Dealt)>,
    /// Whether it is put together from what shards saved.
    pub merged: bool,
    /// Time zone of the times shown.
    pub zone: TimeZone,
    /// Wall-clock time.
    pub clock: Clock,
}

/// The text format.
#[derive(Debug)]
pub struct Text {
    options: TextOptions,
    active: HashMap<(IpAddr, u32), Lines>,
    /// Host blocks written, and the ports in them.
    blocks: u64,
    ports: u64,
    /// Hosts without a block, and why their ports are what they are.
    unlisted: u64,
    unlisted_tally: Tally,
}

/// What is held of a host that is not complete.
#[derive(Debug, Default)]
struct Lines {
    ports: Vec<(u16, Verdict)>,
    tally: Tally,
}

impl Text {
    /// Text that looks as `options` say.
    pub fn new(options: TextOptions) -> Text {
        Text {
            options,
            active: HashMap::new(),
            blocks: 0,
            ports: 0,
            unlisted: 0,
            unlisted_tally: Tally::default(),
        }
    }

    /// Takes a report; writes a host's block when the host is complete. Errors are those of `out`.
    pub fn report(&mut self, out: &mut impl Write, report: &Report) -> io::Result<()> {
        match report {
            Report::Port(port) => self.take(&port.target, &port.verdict, [port.port].into_iter()),
            Report::Bulk(bulk) => {
                self.take(&bulk.target, &bulk.verdict, bulk.ports.iter());
            }
            Report::Host(host) => return self.host(out, host),
            Report::Note(_) => {}
        }
        Ok(())
    }

    /// Says by which reasons the ports of a host that is under way have their state, those that are
    /// not listed included: for results read back, where only listed ports are reported.
    pub fn set_reasons(&mut self, target: &Target, reasons: impl Iterator<Item = (Reason, u64)>) {
        let mut tally = Tally::default();
        for (reason, n) in reasons {
            if matches!(reason.state(), State::Filtered | State::Unscanned) {
                tally.add(reason, n);
            }
        }
        let key = (target.addr, target.scope_id);
        self.active.entry(key).or_default().tally = tally;
    }

    /// What is held of hosts that are under way.
    pub fn pending(&self) -> Pending {
        let hosts = self.active.iter().map(|(key, lines)| {
            let ports = lines.ports.iter();
            PendingHost {
                ports: ports
                    .map(|(port, verdict)| PendingPort::new(*port, *verdict, None))
                    .collect(),
                ..PendingHost::new(*key, &lines.tally)
            }
        });
        Pending {
            hosts: hosts.collect(),
            blocks: self.blocks,
            ports: self.ports,
            unlisted: self.unlisted,
            unlisted_reasons: self.unlisted_tally.iter().collect(),
        }
    }

    /// Goes on with what another text has held.
    pub fn take_up(&mut self, pending: &Pending) {
        for host in &pending.hosts {
            let ports = host.ports.iter();
            let lines = Lines {
                ports: ports.map(|held| (held.port, held.verdict)).collect(),
                tally: Tally::of_reasons(&host.reasons),
            };
            self.active.insert(host.key(), lines);
        }
        self.blocks = pending.blocks;
        self.ports = pending.ports;
        self.unlisted = pending.unlisted;
        self.unlisted_tally = Tally::of_reasons(&pending.unlisted_reasons);
    }

    /// Writes the sums of a run of several hosts, or of a shard. Errors are those of `out`.
    pub fn finish(&mut self, out: &mut impl Write, run: &Run) -> io::Result<()> {
        let alone = run.hosts == 1 && self.blocks == 1 && self.options.part.is_none();
        if alone && self.ports == run.counts.total() && run.targets_failed == 0 {
            return Ok(());
        }
        let mut text = String::new();
        let _ = self.run_block(&mut text, run);
        out.write_all(text.as_bytes())
    }

    fn take(&mut self, target: &Target, verdict: &Verdict, ports: impl Iterator<Item = u16>) {
        let state = verdict.state();
        let listed = self.options.show.lists(state);
        let tallied = matches!(state, State::Filtered | State::Unscanned);
        if !listed && !tallied {
            return;
        }
        let lines = self
            .active
            .entry((target.addr, target.scope_id))
            .or_default();
        let mut n = 0;
        for port in ports {
            n += 1;
            if listed {
                lines.ports.push((port, *verdict));
            }
        }
        lines.tally.add(verdict.reason, n);
    }

    fn host(&mut self, out: &mut impl Write, host: &HostReport) -> io::Result<()> {
        let key = (host.target.addr, host.target.scope_id);
        let mut lines = self.active.remove(&key).unwrap_or_default();
        let counts = &host.counts;
        let answered = counts.open > 0 || counts.closed > 0;
        let alone = self.options.hosts == 1;
        if !alone && !answered && lines.ports.is_empty() && !self.options.verbose {
            self.unlisted += 1;
            self.unlisted_tally.merge(&lines.tally);
            return Ok(());
        }
        lines.ports.sort_unstable_by_key(|(port, _)| *port);
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = self.host_block(&mut text, host, &lines);
        self.blocks += 1;
        self.ports = self.ports.saturating_add(host.counts.total());
        out.write_all(text.as_bytes())
    }

    fn host_block(&self, text: &mut String, host: &HostReport, lines: &Lines) -> fmt::Result {
        if self.blocks > 0 {
            writeln!(text)?;
        }
        let started = self
            .options
            .clock
            .at(host.started)
            .to_zoned_datetime(self.options.zone.clone());
        write!(text, "{RULE}\nScanning target: {}", host.target)?;
        if let Some(name) = &host.target.name {
            write!(text, " ({})", escape(name))?;
        }
        writeln!(
            text,
            "\nScan started at: {}\n{RULE}",
            started.strftime("%H:%M:%S")
        )?;
        let summed = host.trust.accepts_all > 0 && !self.options.show.is_explicit();
        let listed = |verdict: &Verdict| !(summed && verdict.state() == State::Open);
        self.port_lines(text, lines, listed)?;
        if summed {
            writeln!(
                text,
                "{} accepted every connection and are not listed (--show open lists them)",
                ports(host.counts.open)
            )?;
        }
        writeln!(
            text,
            "{RULE}\n{}: {}",
            ports(host.counts.total()),
            Sums(&host.counts)
        )?;
        self.reason_lines(text, &lines.tally)?;
        trust_lines(text, &host.counts, &host.trust, self.options.merged)?;
        let took = host.finished.saturating_duration_since(host.started);
        writeln!(text, "Scan finished in {} seconds.\n{RULE}", Seconds(took))
    }

    fn port_lines(
        &self,
        text: &mut String,
        lines: &Lines,
        listed: impl Fn(&Verdict) -> bool,
    ) -> fmt::Result {
        let lines = || lines.ports.iter().filter(|(_, verdict)| listed(verdict));
        let head = |port: u16, state: State| "Port : ".len() + digits(port) + state.as_str().len();
        let width = lines()
            .map(|(port, v)| head(*port, v.state()))
            .max()
            .unwrap_or(0);
        let mut names = service::names();
        let name_width = lines()
            .filter_map(|(port, _)| names(*port))
            .map(str::len)
            .max()
            .unwrap_or(0);
        let mut names = service::names();
        for (port, verdict) in lines() {
            let state = verdict.state();
            write!(
                text,
                "Port {port}: {}",
                Word {
                    state,
                    color: self.options.color
                }
            )?;
            let mut gap = width - head(*port, state) + 2;
            if let Some(name) = names(*port) {
                write!(text, "{:gap$}{name}", "")?;
                gap = name_width - name.len() + 2;
            } else {
                gap += if name_width > 0 { name_width + 2 } else { 0 };
            }
            if self.options.verbose {
                write!(text, "{:gap$}{}", "", Because(verdict))?;
            }
            writeln!(text)?;
        }
        Ok(())
    }

    /// Why ports have no verdict; with -v, why others are filtered.
    fn reason_lines(&self, text: &mut String, tally: &Tally) -> fmt::Result {
        let filtered = tally.of(State::Filtered);
        if self.options.verbose && !filtered.is_empty() {
            writeln!(text, "Filtered: {filtered}")?;
        }
        let unscanned = tally.of(State::Unscanned);
        if !unscanned.is_empty() {
            writeln!(text, "Unscanned: {unscanned}")?;
        }
        Ok(())
    }

    fn run_block(&self, text: &mut String, run: &Run) -> fmt::Result {
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
        let (all, every) = (hosts(run.hosts), ports(run.counts.total()));
        writeln!(text, "{all}, {every}: {}", Sums(&run.counts))?;
        let begun = self.blocks + self.unlisted;
        if begun < run.hosts {
            let why = match self.options.merged {
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
            let answered = run.counts.total() - run.counts.unscanned - run.counts.filtered;
            let chance = Chance {
                miss,
                all_answered: answered == run.counts.total(),
            };
            write!(text, "{}: {chance}", chance_of(&run.counts))?;
            match run.silent_hosts {
                0 => writeln!(text)?,
                n => writeln!(
                    text,
                    "; cannot be known for {} without any answer",
                    hosts(n)
                )?,
            }
        } else if run.counts.filtered > 0 {
            writeln!(
                text,
                "{}: {}",
                chance_of(&run.counts),
                unknown(&run.counts, self.options.merged)
            )?;
        }
        if let Some((shard, dealt)) = self.options.part {
            let of = match dealt {
                Dealt::Hosts => "its hosts",
                Dealt::Ports => "its ports of each host",
            };
            let (index, count) = (shard.index(), shard.count());
            writeln!(text, "Shard {index} of {count}: {of} alone")?;
        }
        writeln!(
            text,
            "Run finished in {} seconds.\n{RULE}",
            Seconds(run.elapsed)
        )
    }
}

#[cfg(test)]
mod tests;
