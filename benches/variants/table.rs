//! The table: variants take turns, run by run, so that what else the machine does hits all alike.

use std::io::Write;
use std::time::Duration;

use super::job::{Job, Variant};
use super::options::Options;
use super::place::Place;
use super::run::{self, Contestant, Ran};
use crate::figures::Spread;

pub const HEAD: &str = "\
| network | variant | ports | seconds: median (least–most) | CPU, µs a port | wall / baseline | CPU / baseline | peak memory, MiB | system calls a port | threads | right |
|---|---|---|---|---|---|---|---|---|---|---|";

/// Ports of a quick look.
const QUICK: u16 = 5_000;
/// Ports whose system calls are counted: counting slows each down.
const COUNTED: u16 = 10_000;

/// How long an answer is waited for.
pub const TIMEOUT: Duration = Duration::from_secs(1);

/// One contestant's runs.
struct Row<'a> {
    who: &'a Contestant,
    job: Job,
    runs: Vec<Ran>,
    failed: Option<String>,
}

/// Measures in one place and prints its part of the table.
pub fn measure(place: &Place, contestants: &[Contestant], options: &Options) {
    let mut rows: Vec<_> = contestants
        .iter()
        .map(|who| Row {
            who,
            job: job(who, place, options),
            runs: Vec::new(),
            failed: None,
        })
        .collect();
    for run in 0..options.runs() {
        for row in rows.iter_mut().filter(|row| row.failed.is_none()) {
            match run::once(row.who, place, &row.job, u64::from(run) + 1) {
                Ok(ran) => row.runs.push(ran),
                Err(error) => row.failed = Some(error),
            }
        }
    }
    let baseline = rows
        .iter()
        .find(|row| row.who.variant() == Some(Variant::Baseline));
    for row in &rows {
        println!("{}", row.line(place, baseline));
        let _ = std::io::stdout().flush();
    }
}

fn job(who: &Contestant, place: &Place, options: &Options) -> Job {
    let mut top = match who.variant() {
        Some(Variant::Sequential) => place.sequential,
        _ => place.top,
    };
    if options.quick {
        top = top.min(QUICK);
    }
    Job {
        target: place.target,
        top,
        in_flight: options.in_flight as usize,
        timeout: TIMEOUT,
    }
}

impl Row<'_> {
    fn line(&self, place: &Place, baseline: Option<&Row>) -> String {
        let head = format!(
            "| {} | {} | {} |",
            place.name,
            self.who.name(),
            self.job.top
        );
        if let Some(error) = &self.failed {
            return format!(
                "{head} failed: {} | | | | | | | |",
                error.replace('\n', " ")
            );
        }
        let ports = f64::from(self.job.top);
        let all = |figure: fn(&Ran) -> f64| Spread::new(self.runs.iter().map(figure));
        let each = Spread::new(self.runs.iter().map(|run| cpu(run) * 1e6 / ports));
        let ratio = |figure| baseline.map_or("–".to_owned(), |row| self.ratio(row, figure));
        format!(
            "{head} {:.3} | {each:.1} | {} | {} | {:.1} | {} | {} | {} |",
            all(wall),
            ratio(wall),
            ratio(cpu),
            Spread::new(self.runs.iter().map(|run| run.peak_kib as f64 / 1_024.0)),
            self.calls(place),
            self.threads(),
            self.right(),
        )
    }

    /// The median of the runs' ratios to the baseline's next to them, a port.
    fn ratio(&self, baseline: &Row, figure: fn(&Ran) -> f64) -> String {
        let ports = f64::from(self.job.top) / f64::from(baseline.job.top);
        let pairs = self.runs.iter().zip(&baseline.runs);
        let ratios = pairs.map(|(run, base)| figure(run) / figure(base) / ports);
        let median = Spread::new(ratios).median();
        median.map_or("–".to_owned(), |median| format!("{median:.2}"))
    }

    fn calls(&self, place: &Place) -> String {
        let top = self.job.top.min(COUNTED);
        let counted = self
            .who
            .variant()
            .and_then(|variant| run::calls(variant, place, &Job { top, ..self.job }));
        counted.map_or("–".to_owned(), |calls| {
            format!("{:.1}", calls as f64 / f64::from(top))
        })
    }

    fn threads(&self) -> String {
        let said = self.runs.iter().filter_map(|run| run.said.as_ref());
        let most = said.map(|(threads, _)| threads).max();
        most.map_or("–".to_owned(), |threads| threads.to_string())
    }

    fn right(&self) -> String {
        let said = || self.runs.iter().filter_map(|run| run.said.as_ref());
        let faults: Vec<_> = said().filter_map(|(_, fault)| fault.as_ref()).collect();
        match faults.first() {
            _ if said().next().is_none() => "–".to_owned(),
            None => "yes".to_owned(),
            Some(first) => format!("not in {} runs: {first}", faults.len()),
        }
    }
}

fn wall(run: &Ran) -> f64 {
    run.wall.as_secs_f64()
}

fn cpu(run: &Ran) -> f64 {
    run.cpu.as_secs_f64()
}
