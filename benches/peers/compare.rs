//! Scanners take turns in each network, run by run; each run is set against nishad's next to it.

use std::collections::HashSet;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::figures::Spread;
use crate::lab;
use crate::loopback::{Listeners, ephemeral_ports, listening};
use crate::networks::{self, Network};
use crate::root;
use crate::scanners::{Asked, Open, Scanner, there};
use crate::timed::timed;

const LIMIT: Duration = Duration::from_secs(180);
const LISTENERS: usize = 40;
const LOOPBACK: &str = "loopback";
/// Of the simulated networks, those of the figures that nishad is to reach.
const WORLDS: [&str; 3] = ["lan", "far", "drop"];
const HEAD: &str = "\
| network | scanner | open found / there | seconds: median (least–most) | CPU, s | nishad's wall / its | nishad's CPU / its |
|---|---|---|---|---|---|---|";

/// Scans with nishad, with nmap and with RustScan, taking turns, and prints the ratios.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo bench --bench peers --")]
struct Options {
    /// Networks: loopback, lan, far, drop; all without
    #[arg(value_name = "NETWORK")]
    networks: Vec<String>,
    /// Runs of each scanner
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Cargo adds it
    #[arg(long, hide = true)]
    bench: bool,
}

/// Where is scanned.
enum Place {
    /// All ports of 127.0.0.1, some of them ours while this lives.
    Loopback(#[expect(dead_code, reason = "open while it lives")] Listeners),
    World(Network),
}

struct Run {
    wall: f64,
    cpu: f64,
    found: usize,
    invented: usize,
}

pub fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(ended) = root::again() {
        return ended;
    }
    match compare(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &Options) -> Result<(), String> {
    let known = || WORLDS.into_iter().chain([LOOPBACK]);
    if let Some(unknown) = options
        .networks
        .iter()
        .find(|name| known().all(|known| known != name.as_str()))
    {
        return Err(format!(
            "no network is called {unknown}; there are {LOOPBACK}, {}",
            WORLDS.join(", ")
        ));
    }
    let named =
        |name: &str| options.networks.is_empty() || options.networks.iter().any(|n| n == name);
    let scanners: Vec<_> = Scanner::ALL
        .into_iter()
        .filter(|scanner| {
            let installed = scanner.is_installed();
            if !installed {
                eprintln!("{} is not installed", scanner.name());
            }
            installed
        })
        .collect();
    println!("{HEAD}");
    if named(LOOPBACK) {
        let listeners =
            Listeners::open(LISTENERS).map_err(|error| format!("cannot listen: {error}"))?;
        table(&Place::Loopback(listeners), &scanners, options.runs)?;
    }
    for network in networks::table() {
        let name = network.world.name;
        if WORLDS.contains(&name) && named(name) {
            table(&Place::World(network), &scanners, options.runs)?;
        }
    }
    Ok(())
}

fn table(place: &Place, scanners: &[Scanner], runs: u32) -> Result<(), String> {
    let mut rows: Vec<Vec<Run>> = scanners.iter().map(|_| Vec::new()).collect();
    for run in 0..runs {
        for (scanner, row) in scanners.iter().zip(&mut rows) {
            match place.scan(*scanner, u64::from(run) + 1) {
                Ok(run) => row.push(run),
                Err(error) => return Err(format!("{}, {}: {error}", place.name(), scanner.name())),
            }
        }
    }
    let there = place.there()?.0.len();
    for (scanner, row) in scanners.iter().zip(&rows) {
        println!("{}", line(place.name(), *scanner, there, row, &rows[0]));
        let _ = std::io::stdout().flush();
    }
    Ok(())
}

fn line(place: &str, scanner: Scanner, there: usize, runs: &[Run], nishad: &[Run]) -> String {
    let mut found: Vec<_> = runs.iter().map(|run| run.found.to_string()).collect();
    found.dedup();
    let invented: usize = runs.iter().map(|run| run.invented).sum();
    let invented = match invented {
        0 => String::new(),
        count => format!(", {count} invented"),
    };
    let ratio = |figure: fn(&Run) -> f64| match scanner {
        Scanner::Nishad => "–".to_owned(),
        _ => {
            let pairs = nishad.iter().zip(runs);
            Spread::new(pairs.map(|(ours, its)| figure(ours) / figure(its))).to_string()
        }
    };
    format!(
        "| {place} | {} | {} / {there}{invented} | {} | {} | {} | {} |",
        scanner.name(),
        found.join(", "),
        Spread::new(runs.iter().map(|run| run.wall)),
        Spread::new(runs.iter().map(|run| run.cpu)),
        ratio(|run| run.wall),
        ratio(|run| run.cpu),
    )
}

impl Place {
    fn name(&self) -> &'static str {
        match self {
            Place::Loopback(_) => LOOPBACK,
            Place::World(network) => network.world.name,
        }
    }

    /// What is open, and what may be besides.
    fn there(&self) -> Result<(Open, Open), String> {
        match self {
            Place::World(network) => Ok((there(network), HashSet::new())),
            Place::Loopback(_) => {
                let here = |port| (IpAddr::from(Ipv4Addr::LOCALHOST), port);
                let open = listening().map_err(|error| format!("/proc/self/net: {error}"))?;
                Ok((
                    open.into_iter().map(here).collect(),
                    ephemeral_ports().map(here).collect(),
                ))
            }
        }
    }

    fn scan(&self, scanner: Scanner, seed: u64) -> Result<Run, String> {
        let (target, top) = match self {
            Place::Loopback(_) => ("127.0.0.1", u16::MAX),
            Place::World(network) => (network.target, network.top),
        };
        let mut command = scanner.command(&Asked {
            target,
            top,
            args: &[],
            seed,
        });
        let mut run = || timed(&mut command, LIMIT);
        let ended = match self {
            Place::Loopback(_) => run(),
            Place::World(network) => lab::play_seeded(&network.world, seed, |_| run())?.0,
        };
        let (ended, cpu) = ended.map_err(|error| error.to_string())?;
        let said = scanner.open(&ended.stdout);
        let (open, perhaps) = self.there()?;
        Ok(Run {
            wall: ended.wall.as_secs_f64(),
            cpu: cpu.as_secs_f64(),
            found: said.intersection(&open).count(),
            invented: said
                .iter()
                .filter(|port| !open.contains(port) && !perhaps.contains(port))
                .count(),
        })
    }
}
