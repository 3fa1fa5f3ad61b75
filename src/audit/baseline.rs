//! An earlier result, read back to be compared with: hosts, and the ports that it lists.
//!
//! A port that is not listed is known not to be open if its host's line tells that all ports of the
//! run are accounted for and that those listed are all that are open. Memory follows what is listed:
//! some 200 bytes for a host and 4 for a port.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufRead};

use jiff::Timestamp;

use super::known::{self, Known, Ports};
use crate::engine::{Reason, State};
use crate::output::{Show, escape};
use crate::report::{Address, BadLine, HostLine, Line, Lines, PortLine, RunLine, StartLine};
use crate::service;
use crate::target::{Dealt, PortSet, RunKey};

/// An earlier result: any number of [files](Self::add), each with any number of shards of one run.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    files: Vec<String>,
    run: Option<Run>,
    hosts: HashMap<Address, Host>,
    /// What became of each shard; 0 is the whole run.
    shards: BTreeMap<u32, Section>,
}

/// What is wrong with a baseline. `Display` is one line, safe to show: `old.ndjson:7: …`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BaselineError(String);

/// What all its parts have in common.
#[derive(Clone, Debug)]
struct Run {
    place: String,
    id: String,
    key: RunKey,
    started: Timestamp,
    /// The ports of each host; `None`: an older version did not tell.
    ports: Option<PortSet>,
    show: Show,
    /// How many shards there are that have ports of each host; 1: hosts are dealt out, if anything.
    by_ports: u32,
    /// How many shards there are; 0: the whole run.
    count: u32,
}

/// How a shard, or the whole, ended: the better of several tries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Section {
    ended: bool,
    /// Whether no target failed and nothing of it is unscanned but what was left out on purpose, of
    /// which the hosts tell.
    complete: bool,
}

/// A host.
#[derive(Clone, Debug, Default)]
pub(super) struct Host {
    pub(super) name: Option<Box<str>>,
    /// Once sealed, ascending and each port once.
    ports: Ports,
    /// By shard, ascending.
    parts: Vec<Part>,
    pub(super) accepts_all: bool,
    /// Whether it was met in the result that is compared.
    pub(super) seen: bool,
}

/// What one shard tells of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    shard: u32,
    planned: u32,
    open: u32,
    closed: u32,
    unscanned: u32,
    /// Of the unscanned ports, those that were not wanted any more.
    left_out: u32,
}

impl Baseline {
    /// Reads an input, which is to be called `name`, to its end.
    ///
    /// # Errors
    /// The first line that cannot be read or is of another run, or that there is none at all. What
    /// was cut off at its end is no error.
    pub fn add(&mut self, name: &str, input: impl BufRead) -> Result<(), BaselineError> {
        let shown = escape(name).to_string();
        self.files.push(name.into());
        let wrong = |line: u64, what: &str| BaselineError(format!("{shown}:{line}: {what}"));
        let unread = |error: io::Error| BaselineError(format!("{shown} cannot be read: {error}"));
        let mut lines = Lines::new(input);
        // The shard that is being read, and whether its run line came.
        let mut current: Option<(u32, bool)> = None;
        while let Some(line) = lines.next_line().map_err(unread)? {
            let number = line.number;
            match (line.line, current) {
                (Ok(Line::Start(start)), _) => {
                    let shard = start.shard.map_or(0, |shard| shard.index);
                    self.start(start, format!("{shown}:{number}"))?;
                    self.shards.entry(shard).or_default();
                    current = Some((shard, false));
                }
                (Ok(Line::Port(_) | Line::Host(_) | Line::Run(_)), None) => {
                    return Err(self.no_start(&shown));
                }
                (Ok(Line::Port(_) | Line::Host(_)), Some((_, true))) => {
                    return Err(wrong(number, "a line after the run line"));
                }
                (Ok(Line::Port(port)), Some(_)) => self.port(&port),
                (Ok(Line::Host(host)), Some((shard, _))) => self.host(&host, shard),
                (Ok(Line::Run(run)), Some((shard, ended))) => {
                    let same = self
                        .run
                        .as_ref()
                        .is_some_and(|known| known.id == run.run_id);
                    if !same || ended {
                        return Err(wrong(number, "the run line of another run"));
                    }
                    self.end(&run, shard);
                    current = Some((shard, true));
                }
                (Ok(Line::Other), _) | (Err(BadLine::Torn), Some(_)) => {}
                (Err(BadLine::Torn), None) => return Err(self.no_start(&shown)),
                (Err(BadLine::Wrong(what)), Some(_)) => return Err(wrong(number, &what)),
                (Err(BadLine::Wrong(what)), None) => {
                    let BaselineError(text) = self.no_start(&shown);
                    return Err(BaselineError(format!("{text} (line {number}: {what})")));
                }
            }
        }
        match current {
            Some(_) => Ok(()),
            None => Err(self.no_start(&shown)),
        }
    }

    fn no_start(&self, shown: &str) -> BaselineError {
        let what = "has no start line; it is nothing that --format ndjson saved";
        BaselineError(format!("{shown} {what}"))
    }

    fn start(&mut self, start: StartLine, place: String) -> Result<(), BaselineError> {
        let Some(run) = &mut self.run else {
            let shard = start.shard;
            let ports = start.ports.as_deref();
            self.run = Some(Run {
                place,
                id: start.run_id,
                started: start.started,
                ports: ports.and_then(|ports| PortSet::parse(ports, service::port).ok()),
                show: Show::saved(start.show.as_deref()),
                by_ports: match shard {
                    Some(shard) if shard.by == Dealt::Ports => shard.count,
                    _ => 1,
                },
                count: shard.map_or(0, |shard| shard.count),
                key: start.key,
            });
            return Ok(());
        };
        if run.id != start.run_id {
            let differences = match run.key.differences(&start.key) {
                none if none.is_empty() => "their run_id differs".into(),
                some => format!("they differ in {}", some.join(", ")),
            };
            return Err(BaselineError(format!(
                "{place} is of another run than {}: {}",
                run.place,
                escape(&differences)
            )));
        }
        run.started = run.started.min(start.started);
        if let Some(shard) = start.shard {
            run.count = run.count.max(shard.count);
        }
        Ok(())
    }

    fn port(&mut self, port: &PortLine) {
        let host = self.hosts.entry(port.ip).or_default();
        host.call(port.host.as_deref());
        host.ports.push((port.port, Known::of(port.state)));
    }

    fn host(&mut self, line: &HostLine, shard: u32) {
        let host = self.hosts.entry(line.ip).or_default();
        host.call(line.host.as_deref());
        host.accepts_all |= line.suspect.is_some();
        let left_out = line.reasons.get(&Reason::FirstOpen).copied();
        // A host has 65,536 ports at most; what a damaged file says beyond is as wrong as this.
        let small = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let part = Part {
            shard,
            planned: small(line.planned),
            open: small(line.counts.open),
            closed: small(line.counts.closed),
            unscanned: small(line.counts.unscanned),
            left_out: small(left_out.unwrap_or(0).min(line.counts.unscanned)),
        };
        host.add(part);
    }

    fn end(&mut self, run: &RunLine, shard: u32) {
        let section = Section {
            ended: true,
            complete: run.complete && run.counts.unscanned == run.left_out,
        };
        let known = self.shards.entry(shard).or_default();
        *known = section.max(*known);
    }

    /// Puts what is listed in order. To be called when all is read.
    pub(super) fn seal(&mut self) {
        for host in self.hosts.values_mut() {
            known::seal(&mut host.ports);
        }
    }

    /// The files it was read from, as named.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// When the run began.
    pub(super) fn started(&self) -> Option<Timestamp> {
        Some(self.run.as_ref()?.started)
    }

    /// The ports of each host, if that is known.
    pub(super) fn ports(&self) -> Option<&PortSet> {
        self.run.as_ref()?.ports.as_ref()
    }

    /// Whether ports in `state` are listed.
    pub(super) fn lists(&self, state: State) -> bool {
        self.run.as_ref().is_some_and(|run| run.show.lists(state))
    }

    pub(super) fn host_mut(&mut self, ip: Address) -> Option<&mut Host> {
        self.hosts.get_mut(&ip)
    }

    /// The hosts that were not met, ascending.
    pub(super) fn unseen(&self) -> Vec<(Address, &Host)> {
        let hosts = self.hosts.iter().filter(|(_, host)| !host.seen);
        let mut hosts: Vec<_> = hosts.map(|(ip, host)| (*ip, host)).collect();
        hosts.sort_unstable_by_key(|(ip, _)| *ip);
        hosts
    }

    /// How many shards have ports of each host; 1: each host is in one of them.
    pub(super) fn by_ports(&self) -> u32 {
        self.run.as_ref().map_or(1, |run| run.by_ports)
    }

    /// Why it does not tell of all that was to be scanned, if so it is.
    pub(super) fn gap(&self) -> Option<String> {
        let count = self.run.as_ref().map_or(0, |run| run.count);
        let what = |shard: u32| match shard {
            0 => "the baseline".to_string(),
            shard => format!("shard {shard} of {count} of the baseline"),
        };
        let whole = self.shards.get(&0).map(|section| (&0, section));
        let sections = whole.into_iter().chain(&self.shards);
        // The whole run leaves nothing to its shards.
        let mut sections = sections.take(if whole.is_some() {
            1
        } else {
            self.shards.len()
        });
        if whole.is_none()
            && let Some(missing) = (1..=count).find(|shard| !self.shards.contains_key(shard))
        {
            return Some(format!("{} is missing", what(missing)));
        }
        sections.find_map(|(shard, section)| match section {
            Section { ended: false, .. } => Some(format!("{} is cut off", what(*shard))),
            Section {
                complete: false, ..
            } => Some(format!("{} is incomplete", what(*shard))),
            _ => None,
        })
    }
}

impl Host {
    fn call(&mut self, name: Option<&str>) {
        if let (None, Some(name)) = (&self.name, name) {
            self.name = Some(name.into());
        }
    }

    /// Adds what a shard tells. Of several tries the one with the fewest gaps counts.
    fn add(&mut self, part: Part) {
        match self
            .parts
            .binary_search_by_key(&part.shard, |part| part.shard)
        {
            Ok(at) if self.parts[at].unscanned > part.unscanned => self.parts[at] = part,
            Ok(_) => {}
            Err(at) => {
                // Nearly all hosts have but one.
                self.parts.reserve_exact(1);
                self.parts.insert(at, part);
            }
        }
    }

    /// The ports listed, ascending, and what is known of them.
    pub(super) fn listed(&self) -> &[(u16, Known)] {
        &self.ports
    }

    /// What is known of `port`, of a run on `ports` of each host; `rest`: see [`rest`](Self::rest).
    pub(super) fn known(&self, port: u16, ports: Option<&PortSet>, rest: Known) -> Known {
        if let Some(known) = known::listed(&self.ports, port) {
            return known;
        }
        match ports {
            Some(ports) if !ports.contains(port) => Known::NotPlanned,
            _ => rest,
        }
    }

    /// What is known of a port that is not listed, of a run on `ports` of each host, which `shards` dealt
    /// out.
    pub(super) fn rest(&self, ports: &PortSet, shards: u32) -> Known {
        match () {
            () if self.tells(ports, shards, |part| part.unscanned == 0) => Known::NotOpen,
            () if self.tells(ports, shards, |_| true) => Known::NotOpenIfScanned,
            () => Known::Nothing,
        }
    }

    /// Whether those of its parts that are `good` have all `ports`, and their open ones are listed.
    fn tells(&self, ports: &PortSet, shards: u32, good: impl Fn(&Part) -> bool) -> bool {
        let open = |known: &Known| matches!(known, Known::Is(State::Open) | Known::Two);
        let listed = self.ports.iter().filter(|(_, known)| open(known)).count() as u64;
        let whole = |planned, open| planned == u64::from(ports.len()) && open <= listed;
        let mut good = self.parts.iter().filter(|part| good(part));
        if shards <= 1 {
            return good.any(|part| whole(part.planned.into(), part.open.into()));
        }
        // Shards have no port in common: all ports are there if as many are.
        let (planned, open) = good.fold((0, 0), |(planned, open), part| {
            (
                planned + u64::from(part.planned),
                open + u64::from(part.open),
            )
        });
        whole(planned, open)
    }

    /// Whether any of its ports answered.
    pub(super) fn answered(&self) -> bool {
        self.parts
            .iter()
            .any(|part| part.open > 0 || part.closed > 0)
    }

    /// Ports that were unscanned, at most, and how many of them were left out on purpose.
    pub(super) fn unscanned(&self) -> (u64, u64) {
        let sum = |of: fn(&Part) -> u32| self.parts.iter().map(|part| u64::from(of(part))).sum();
        (sum(|part| part.unscanned), sum(|part| part.left_out))
    }
}

#[cfg(test)]
mod tests;
