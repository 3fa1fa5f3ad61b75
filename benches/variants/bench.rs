//! The order of everything: the tables, then the plots.

mod baseline;
mod blocking;
mod event_loop;
mod job;
mod options;
mod place;
mod plot;
mod run;
mod table;
mod tasks;

use std::process::ExitCode;

use clap::Parser;

use crate::root;
use job::Variant;
use options::Options;
use place::Place;
use run::Contestant;

pub fn main() -> ExitCode {
    if let Some(result) = run::as_child() {
        return ended(result);
    }
    let options = Options::parse();
    if options.list {
        options::list();
        return ExitCode::SUCCESS;
    }
    match root::again() {
        Some(ended) => ended,
        None => ended(bench(&options)),
    }
}

fn ended(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("variants: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(options: &Options) -> Result<(), String> {
    let contestants = options.contestants()?;
    println!("{}", table::HEAD);
    for name in place::NAMES.into_iter().filter(|name| options.names(name)) {
        // One at a time: what listens for one must not be there for another.
        let place = Place::new(name)?;
        match place.missing() {
            Some(why) => eprintln!("{name} is left out: {why}"),
            None => table::measure(&place, &contestants, options),
        }
    }
    if options.no_plots {
        return Ok(());
    }
    let variants: Vec<Variant> = contestants.iter().filter_map(Contestant::variant).collect();
    plot::draw(&variants, options)
}
