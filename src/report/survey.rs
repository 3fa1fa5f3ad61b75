//! The first pass: which runs the inputs hold, whether they are one, and what of it is there.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use super::problem::{Problem, Weight, ranges};
use super::read::{BadLine, Lines};
use super::section::Section;
use crate::output::escape;
use crate::output::ndjson::Line;

/// Bad lines told of one input.
const BAD_TOLD: u64 = 5;

/// Places told in one message.
const PLACES_TOLD: usize = 20;

/// What the inputs hold.
#[derive(Debug, Default)]
pub struct Survey {
    /// Their names, safe to show.
    pub(super) inputs: Vec<String>,
    pub(super) sections: Vec<Section>,
    problems: Vec<Problem>,
}

/// Results of different runs cannot be joined. `Display` is one line, safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{other} is of another run than {first}: {differences}")]
pub struct MixedRuns {
    first: String,
    other: String,
    differences: String,
}

impl Survey {
    /// Reads the next input, which is to be called `name`. It may hold several runs, one after the
    /// other.
    ///
    /// # Errors
    /// Those of the input, which then is told among the problems too.
    pub fn add(&mut self, name: &str, input: impl BufRead) -> io::Result<()> {
        let name = escape(name).to_string();
        let (before, told) = (self.sections.len(), self.problems.len());
        self.inputs.push(name.clone());
        let read = self.read(&name, Lines::new(input));
        if let Err(error) = &read {
            self.tell(Weight::Wrong, format!("{name} cannot be read: {error}"));
        } else if self.sections.len() == before {
            // Whatever else it is, its lines are not worth telling.
            self.problems.truncate(told);
            let what = "has no start line; it is nothing that --format ndjson saved";
            self.tell(Weight::Wrong, format!("{name} {what}"));
        }
        read
    }

    /// Tells of an input that cannot be opened. It has its place among the inputs.
    pub fn add_failed(&mut self, name: &str, error: &io::Error) {
        let name = escape(name).to_string();
        self.tell(Weight::Wrong, format!("{name} cannot be read: {error}"));
        self.inputs.push(name);
    }

    /// Whether no input holds a run.
    pub fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    /// What is wrong with the inputs so far.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// That all inputs are of one run.
    ///
    /// # Errors
    /// The first that is not, and what differs.
    pub fn check_run(&self) -> Result<(), MixedRuns> {
        let Some(first) = self.sections.first() else {
            return Ok(());
        };
        for other in &self.sections {
            if other.start.run_id == first.start.run_id {
                continue;
            }
            let differences = match first.start.key.differences(&other.start.key) {
                // Hashed by another version, or not by nishad.
                none if none.is_empty() => "their run_id differs".into(),
                some => format!("they differ in {}", some.join(", ")),
            };
            return Err(MixedRuns {
                first: self.place(first),
                other: self.place(other),
                differences: escape(&differences).to_string(),
            });
        }
        Ok(())
    }

    /// Decides which sections make up the run, each shard once, and tells what is missing. The inputs
    /// must be of [one run](Self::check_run).
    pub(super) fn choose(&mut self) {
        let mut shards = BTreeMap::<u32, Vec<usize>>::new();
        for (index, section) in self.sections.iter().enumerate() {
            shards.entry(section.shard()).or_default().push(index);
        }
        // The whole run leaves nothing to its shards.
        let whole = shards.contains_key(&0);
        for (shard, candidates) in &shards {
            if whole && *shard > 0 {
                let places = self.places(candidates);
                let text = format!("{places}: not used, the whole run is there too");
                self.tell(Weight::Incomplete, text);
                continue;
            }
            self.choose_one(*shard, candidates);
        }
        self.tell_missing(&shards, whole);
    }

    /// Of the sections of one shard the one that has most.
    fn choose_one(&mut self, shard: u32, candidates: &[usize]) {
        let rank = |index: &&usize| {
            let section = &self.sections[**index];
            (section.is_complete(), section.run.is_some(), **index)
        };
        let Some(&best) = candidates.iter().max_by_key(rank) else {
            return;
        };
        self.sections[best].used = true;
        if candidates.len() > 1 {
            let places = self.places(candidates);
            let complete = candidates
                .iter()
                .filter(|i| self.sections[**i].is_complete());
            // One that was begun again is no loss.
            let weight = match complete.count() {
                1 => Weight::Note,
                _ => Weight::Incomplete,
            };
            let what = match shard {
                0 => "the run is".into(),
                shard => format!("shard {shard} is"),
            };
            let used = self.place(&self.sections[best]);
            let text = format!(
                "{what} there {} times: {places}; used: {used}",
                candidates.len()
            );
            self.tell(weight, text);
        }
        self.tell_incomplete(best);
    }

    fn tell_incomplete(&mut self, index: usize) {
        let section = &self.sections[index];
        let place = self.place(section);
        let text = match &section.run {
            None => format!("{place} is cut off; what it lacks is counted unscanned"),
            Some(_) if section.lacks_lines() => {
                format!("{place} lacks lines: they do not add up to its run line")
            }
            Some(run) if run.counts.unscanned > run.left_out => {
                let unscanned = run.counts.unscanned - run.left_out;
                format!("{place} is incomplete: {unscanned} unscanned")
            }
            Some(run) if run.targets_failed > 0 => {
                let n = run.targets_failed;
                let s = if n == 1 { "" } else { "s" };
                format!("{place} is incomplete: {n} target{s} not read or resolved")
            }
            Some(run) if !run.complete => format!("{place} is incomplete"),
            Some(_) => return,
        };
        self.tell(Weight::Incomplete, text);
    }

    fn tell_missing(&mut self, shards: &BTreeMap<u32, Vec<usize>>, whole: bool) {
        let count = self.sections.iter().find_map(|section| section.start.shard);
        let (false, Some(count)) = (whole, count.map(|shard| shard.count)) else {
            return;
        };
        let missing = || (1..=count).filter(|shard| !shards.contains_key(shard));
        let text = match missing().count() {
            0 => return,
            1 => format!("shard {} of {count} is missing", ranges(missing())),
            _ => format!("shards {} of {count} are missing", ranges(missing())),
        };
        self.tell(Weight::Incomplete, text);
    }

    fn read(&mut self, name: &str, mut lines: Lines<impl BufRead>) -> io::Result<()> {
        let input = self.inputs.len() - 1;
        let (mut bad, mut current) = (0u64, None);
        while let Some(line) = lines.next_line()? {
            let section = current.and_then(|index| self.sections.get_mut(index));
            let wrong = match (line.line, section) {
                (Ok(Line::Start(start)), _) => {
                    current = Some(self.sections.len());
                    self.sections.push(Section::new(input, line.number, start));
                    None
                }
                (Ok(Line::Port(_) | Line::Host(_) | Line::Run(_)), None) => {
                    Some("a line before the start line".to_string())
                }
                (Ok(Line::Port(_) | Line::Host(_)), Some(section)) if section.run.is_some() => {
                    Some("a line after the run line".to_string())
                }
                (Ok(Line::Port(port)), Some(section)) => {
                    section.port(&port);
                    None
                }
                (Ok(Line::Host(host)), Some(section)) => {
                    section.host(&host);
                    None
                }
                (Ok(Line::Run(run)), Some(section)) => {
                    let same = run.run_id == section.start.run_id && section.run.is_none();
                    section.run.get_or_insert(run);
                    (!same).then(|| "the run line of another run".to_string())
                }
                (Ok(Line::Other), _) | (Err(BadLine::Torn), Some(_)) => None,
                (Err(error), _) => Some(error.to_string()),
            };
            if let Some(reason) = wrong {
                bad += 1;
                if let Some(section) = current.and_then(|index| self.sections.get_mut(index)) {
                    section.bad += 1;
                }
                if bad <= BAD_TOLD {
                    self.tell(Weight::Wrong, format!("{name}:{}: {reason}", line.number));
                }
            }
        }
        if bad > BAD_TOLD {
            let more = bad - BAD_TOLD;
            self.tell(Weight::Wrong, format!("{name}: {more} more wrong lines"));
        }
        Ok(())
    }

    /// How to call several in a message.
    fn places(&self, sections: &[usize]) -> String {
        let told = sections.iter().take(PLACES_TOLD);
        let told = told.map(|index| self.place(&self.sections[*index]));
        let told = told.collect::<Vec<_>>().join(", ");
        match sections.len().saturating_sub(PLACES_TOLD) {
            0 => told,
            more => format!("{told} and {more} more"),
        }
    }

    /// How to call a section in a message.
    pub(super) fn place(&self, section: &Section) -> String {
        let name = &self.inputs[section.input];
        let alone = self
            .sections
            .iter()
            .filter(|other| other.input == section.input);
        match alone.count() {
            1 => name.clone(),
            _ => format!("{name}:{}", section.line),
        }
    }

    pub(super) fn tell(&mut self, weight: Weight, text: String) {
        self.problems.push(Problem::new(weight, text));
    }
}
