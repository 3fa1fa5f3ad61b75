//! The second pass: the inputs once more, written as one document.
//!
//! Where hosts are dealt out to the shards, a host is written when its line comes. Where the ports of
//! each host are, there are fewer hosts than shards, and each is held until all its parts are
//! known.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::time::Duration;

use jiff::Timestamp;

use super::problem::{Problem, Weight};
use super::read::{Lines, MOST_PORTS};
use super::section::Section;
use super::sum::{Hosts, Sum};
use super::survey::Survey;
use super::twice::Twice;
use crate::engine::{Counts, Reason};
use crate::output::ndjson::{Address, HostLine, Line, PortLine, RunLine, StartLine, seconds};
use crate::output::times::end;
use crate::output::{Record, Run, Show};
use crate::target::Dealt;

/// Why inputs that were surveyed cannot be written as one document.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// An input cannot be read.
    #[error("{name} cannot be read: {error}")]
    Read {
        /// Its name, safe to show.
        name: String,
        /// Why.
        error: io::Error,
    },
    /// What takes the records failed.
    #[error(transparent)]
    Write(io::Error),
}

/// Inputs of one run, about to be merged.
#[derive(Debug)]
pub struct Merge {
    survey: Survey,
    show: Show,
    by_ports: bool,
}

impl Merge {
    /// The run that `survey` found, or `None` if it found none. What of it is missing is among its
    /// [`problems`](Self::problems) then. All inputs must be of [one run](Survey::check_run).
    pub fn new(mut survey: Survey) -> Option<Merge> {
        survey.choose();
        let mut used = survey.sections.iter().filter(|section| section.used);
        let start = &used.next()?.start;
        let show = Show::saved(start.show.as_deref());
        let by_ports = start.shard.is_some_and(|shard| shard.by == Dealt::Ports);
        Some(Merge {
            survey,
            show,
            by_ports,
        })
    }

    /// What is wrong with the inputs.
    pub fn problems(&self) -> &[Problem] {
        self.survey.problems()
    }

    /// The states that the inputs list port by port.
    pub fn saved(&self) -> Show {
        self.show
    }

    /// Hands out the run as records, with ports in the states of `show`. `open` opens an input again,
    /// by its position among those surveyed. Gives what is wrong in addition to what the survey found.
    ///
    /// # Errors
    /// Those of an input and of `each`.
    pub fn write<R: BufRead>(
        &self,
        show: Show,
        mut open: impl FnMut(usize) -> io::Result<R>,
        each: &mut impl FnMut(&Record<'_>) -> io::Result<()>,
    ) -> Result<Vec<Problem>, MergeError> {
        let sections = self.used();
        let sections = sections.map(|section| (&section.start, section.run.as_ref()));
        let sum = Sum::new(sections, self.by_ports);
        let mut pass = Pass {
            merge: self,
            document: Document::new(show, sum.start.clone(), each),
            sum,
            twice: Twice::new(self.has_hosts_twice()),
            held: Hosts::default(),
        };
        pass.document.start().map_err(MergeError::Write)?;
        for (input, name) in self.survey.inputs.iter().enumerate() {
            if self.used().all(|section| section.input != input) {
                continue;
            }
            let read = |error| MergeError::Read {
                name: name.clone(),
                error,
            };
            let mut lines = Lines::new(open(input).map_err(read)?);
            let mut part = None;
            while let Some(line) = lines.next_line().map_err(read)? {
                if let Ok(said) = line.line {
                    pass.line(input, line.number, said, &mut part)
                        .map_err(MergeError::Write)?;
                }
            }
            pass.close(part).map_err(MergeError::Write)?;
        }
        pass.finish().map_err(MergeError::Write)
    }

    /// Whether a host may be there more than once: in several shards, or in what was made of them.
    fn has_hosts_twice(&self) -> bool {
        let joined = |start: &StartLine| start.shard.is_none() && start.key.shards.is_some();
        self.used().count() > 1 || self.used().any(|section| joined(&section.start))
    }

    fn used(&self) -> impl Iterator<Item = &Section> {
        self.survey.sections.iter().filter(|section| section.used)
    }
}

/// A document under way.
struct Pass<'a, E> {
    merge: &'a Merge,
    sum: Sum,
    document: Document<'a, E>,
    twice: Twice,
    /// Hosts of which more parts may come.
    held: Hosts,
}

impl<'a, E: FnMut(&Record<'_>) -> io::Result<()>> Pass<'a, E> {
    /// Takes a line of an input, of which `part` is what is being read.
    fn line(
        &mut self,
        input: usize,
        number: u64,
        line: Line<'static>,
        part: &mut Option<Part<'a>>,
    ) -> io::Result<()> {
        match (line, &mut *part) {
            (Line::Start(_), _) => {
                // What was cut off ends here.
                self.close(part.take())?;
                let sections = &self.merge.survey.sections;
                let mut sections = sections.iter().zip(0..).filter(|(section, _)| section.used);
                let here =
                    sections.find(|(section, _)| (section.input, section.line) == (input, number));
                *part = here.map(|(section, number)| Part::new(section, number));
                Ok(())
            }
            (Line::Port(port), Some(part)) => {
                part.port(&port);
                let survey = &self.merge.survey;
                let place = |number: u32| survey.place(&survey.sections[number as usize]);
                match self.twice.is_new(&port, part.number, place) {
                    true => self
                        .document
                        .port(port, |port| Record::Line(Line::Port(port))),
                    // A host that is written twice has its ports in both places.
                    false if !self.merge.by_ports => self.document.port(port, Record::Again),
                    false => Ok(()),
                }
            }
            (Line::Host(host), Some(part)) => {
                part.host(&host);
                self.twice.host(host.ip);
                self.host(host)
            }
            _ => Ok(()),
        }
    }

    fn host(&mut self, host: HostLine<'static>) -> io::Result<()> {
        if self.merge.by_ports {
            self.held.add(host);
            return Ok(());
        }
        self.sum.host(&host);
        self.document.host(host)
    }

    /// The end of a section.
    fn close(&mut self, part: Option<Part<'_>>) -> io::Result<()> {
        let Some(part) = part else {
            return Ok(());
        };
        self.sum.section(part.section.run.as_ref(), part.last);
        part.cut_off().try_for_each(|host| self.host(host))
    }

    /// The end of the document, and what is wrong with it.
    fn finish(mut self) -> io::Result<Vec<Problem>> {
        let mut problems = self.partial_hosts();
        problems.extend(self.held.overlapping().map(|ip| {
            let text =
                format!("{ip} has more ports in all shards than a host has: not all are used");
            Problem::new(Weight::Incomplete, text)
        }));
        for host in self.held.into_lines() {
            self.sum.host(&host);
            self.document.host(host)?;
        }
        self.document.finish(&self.sum.run())?;
        problems.extend(self.twice.into_problems());
        problems.extend(self.document.unlisted());
        Ok(problems)
    }

    /// Hosts that only some of the shards with ports to scan have scanned, though all are complete.
    fn partial_hosts(&self) -> Vec<Problem> {
        let mut wanted = 0;
        for section in self.merge.used() {
            match &section.run {
                Some(run) if run.counts.unscanned == run.left_out => {
                    wanted += usize::from(run.planned > 0)
                }
                _ => return Vec::new(),
            }
        }
        let told = self.held.partial(wanted).map(|(ip, parts)| {
            let text = format!(
                "{ip} was scanned in {parts} of {wanted} shards: its name has other addresses in others"
            );
            Problem::new(Weight::Incomplete, text)
        });
        told.collect()
    }
}

/// The section that is being read.
struct Part<'a> {
    section: &'a Section,
    /// Which one of the survey it is.
    number: u32,
    /// Hosts with ports but as yet without a line, and what is known of them.
    under_way: BTreeMap<Address, UnderWay>,
    /// The last time known.
    last: Timestamp,
}

struct UnderWay {
    name: Option<String>,
    reasons: BTreeMap<Reason, u64>,
    seen: (Timestamp, Timestamp),
}

impl<'a> Part<'a> {
    fn new(section: &'a Section, number: u32) -> Part<'a> {
        Part {
            section,
            number,
            under_way: BTreeMap::new(),
            last: section.start.started,
        }
    }

    fn port(&mut self, port: &PortLine) {
        let host = self.under_way.entry(port.ip).or_insert_with(|| UnderWay {
            name: port.host.as_deref().map(str::to_string),
            reasons: BTreeMap::new(),
            seen: (port.time, port.time),
        });
        *host.reasons.entry(port.reason).or_default() += 1;
        host.seen.0 = host.seen.0.min(port.time);
        host.seen.1 = host.seen.1.max(port.time);
        self.last = self.last.max(port.time);
    }

    fn host(&mut self, host: &HostLine) {
        self.under_way.remove(&host.ip);
        self.last = self.last.max(end(host.started, host.elapsed_s));
    }

    /// A line for each host that has ports but no line. Of those what is not listed is unknown and so
    /// unscanned.
    fn cut_off(self) -> impl Iterator<Item = HostLine<'static>> {
        let start = &self.section.start;
        let each = start.planned.checked_div(start.hosts).unwrap_or(0);
        let each = each.min(MOST_PORTS);
        self.under_way.into_iter().map(move |(ip, host)| {
            let mut reasons = host.reasons;
            let known: u64 = reasons.values().sum();
            let lost = each.saturating_sub(known);
            if lost > 0 {
                *reasons.entry(Reason::Interrupted).or_default() += lost;
            }
            let mut counts = Counts::default();
            for (reason, n) in &reasons {
                counts.add_reason(*reason, *n);
            }
            let (first, last) = host.seen;
            let took = Duration::try_from(last.duration_since(first)).unwrap_or_default();
            HostLine {
                ip,
                host: host.name.map(Into::into),
                planned: counts.total(),
                counts: counts.into(),
                reasons,
                // What answered was not missed; how often silence was tried again is lost.
                miss: (counts.filtered == 0).then_some(0.0),
                loss: None,
                refusals_limited: false,
                suspect: None,
                suspect_ports: None,
                alike: None,
                alike_ports: None,
                open_not_listed: 0,
                started: first,
                elapsed_s: seconds(took),
            }
        })
    }
}

/// The document as it is written.
struct Document<'a, E> {
    show: Show,
    start: StartLine,
    each: &'a mut E,
    /// Open ports of hosts that accept everything, which were to be listed but were not saved.
    unlisted: u64,
}

impl<'a, E: FnMut(&Record<'_>) -> io::Result<()>> Document<'a, E> {
    fn new(show: Show, mut start: StartLine, each: &'a mut E) -> Document<'a, E> {
        start.show = show.states();
        Document {
            show,
            start,
            each,
            unlisted: 0,
        }
    }

    fn start(&mut self) -> io::Result<()> {
        (self.each)(&Record::Line(Line::Start(self.start.clone())))
    }

    fn port<'b>(
        &mut self,
        port: PortLine<'b>,
        record: impl FnOnce(PortLine<'b>) -> Record<'b>,
    ) -> io::Result<()> {
        match self.show.lists(port.state) {
            true => (self.each)(&record(port)),
            false => Ok(()),
        }
    }

    fn host(&mut self, host: HostLine<'static>) -> io::Result<()> {
        if self.show.is_explicit() {
            self.unlisted = self.unlisted.saturating_add(host.open_not_listed);
        }
        (self.each)(&Record::Line(Line::Host(host)))
    }

    fn finish(&mut self, run: &Run) -> io::Result<()> {
        let start = self.start.clone();
        (self.each)(&Record::Line(Line::Run(RunLine::new(start, run))))
    }

    fn unlisted(&self) -> Option<Problem> {
        let n = self.unlisted;
        let text = format!(
            "{n} open ports of hosts that accept everything were not saved; scan with --show open"
        );
        (n > 0).then(|| Problem::new(Weight::Incomplete, text))
    }
}
