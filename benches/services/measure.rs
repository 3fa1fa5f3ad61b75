//! Scans the ports with and without `--services`, taking turns, and prints figures in Markdown.

use std::process::{Command, ExitCode};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::figures::Spread;
use crate::lab;
use crate::loopback_net;
use crate::places::{self, OPEN, Place, TALKS};
use crate::server::{self, Nginx};
use crate::timed::timed;

/// Runs with and without services to tell how many are identified, and to tell what they cost the scan.
const RUNS: usize = 5;
const PAIRS: usize = 9;

/// A run that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// One run of the program.
struct Run {
    /// Until the program ended, and until the last verdict of an open port.
    wall: f64,
    scan: f64,
    /// The processor's time.
    cpu: f64,
    identified: usize,
}

pub fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("services: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<(), String> {
    let only_slower = std::env::args().any(|arg| arg == "slower");
    loopback_net::enter()?;
    let served = server::serve(&places::open(1), &TALKS);
    served.map_err(|error| format!("cannot serve: {error}"))?;
    let nginx = Nginx::start(&places::open_nginx()).map_err(|error| error.to_string())?;
    let places = places::all(nginx.is_some());
    if !only_slower {
        println!("| ports | identified of {OPEN} | seconds | a second | processor, µs a port |");
        println!("|---|---|---|---|---|");
        for place in &places {
            identify(place)?;
        }
        println!();
    }
    println!("| ports | seconds of the scan with `-V` | without | slower, pair by pair |");
    println!("|---|---|---|---|");
    places.iter().try_for_each(slow_down)
}

/// How many are identified a second.
fn identify(place: &Place) -> Result<(), String> {
    let pairs = pairs(place, &place.ports, RUNS)?;
    let with = || pairs.iter().map(|(with, _)| with);
    let cost = |(with, without): &(Run, Run)| (with.cpu - without.cpu) / OPEN as f64 * 1e6;
    println!(
        "| {} | {:.0} | {} | {:.0} | {:.0} |",
        place.name,
        Spread::new(with().map(|run| run.identified as f64)),
        Spread::new(with().map(|run| run.wall)),
        Spread::new(with().map(|run| run.identified as f64 / run.wall)),
        Spread::new(pairs.iter().map(cost)),
    );
    Ok(())
}

/// How much slower the scan is.
fn slow_down(place: &Place) -> Result<(), String> {
    let range = format!("{}-{}", place.range.start(), place.range.end());
    let pairs = pairs(place, &range, PAIRS)?;
    let slower = |(with, without): &(Run, Run)| (with.scan / without.scan - 1.0) * 100.0;
    println!(
        "| {} | {:.3} | {:.3} | {:.0}% |",
        place.name,
        Spread::new(pairs.iter().map(|(with, _)| with.scan)),
        Spread::new(pairs.iter().map(|(_, without)| without.scan)),
        Spread::new(pairs.iter().map(slower)),
    );
    Ok(())
}

/// Runs with services and without, in turns.
fn pairs(place: &Place, ports: &str, count: usize) -> Result<Vec<(Run, Run)>, String> {
    let both = || -> Result<Vec<(Run, Run)>, String> {
        (0..count)
            .map(|_| {
                // The order of the two changes what is in the processor's caches.
                let without = run(place, ports, &[])?;
                Ok((run(place, ports, &["-V"])?, without))
            })
            .collect()
    };
    match &place.world {
        Some(world) => lab::play(world, |_| both())?.0,
        None => both(),
    }
}

fn run(place: &Place, ports: &str, args: &[&str]) -> Result<Run, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nishad"));
    let asked = [
        "-q",
        "--seed",
        "1",
        "--format",
        "ndjson",
        place.target,
        "-p",
        ports,
    ];
    let (ended, cpu) = timed(command.args(asked).args(args), LIMIT).map_err(|e| e.to_string())?;
    let lines = ended.stdout.lines();
    let lines: Vec<Value> = lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let of = |kind: &'static str| lines.iter().filter(move |line| line["type"] == kind);
    let begun = of("run").find_map(started).ok_or("the scan has no end")?;
    // A host's own time is until its last talk. The open ports are spread over all.
    let last = of("port").filter_map(|port| {
        let reached: Timestamp = port["time"].as_str()?.parse().ok()?;
        Some((reached - begun).as_secs_f64())
    });
    let named = |line: &&Value| line["service"]["product"].is_string();
    Ok(Run {
        wall: ended.wall.as_secs_f64(),
        scan: last.fold(0.0, f64::max),
        cpu: cpu.as_secs_f64(),
        identified: of("port").filter(named).count(),
    })
}

fn started(line: &Value) -> Option<Timestamp> {
    line["started"].as_str()?.parse().ok()
}
