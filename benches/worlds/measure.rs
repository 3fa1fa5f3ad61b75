//! Runs the scanners, counts what they found, and prints the table in Markdown.

use std::io::Write;
use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::figures::Spread;
use crate::lab;
use crate::networks::{self, Network};
use crate::root;
use crate::scanners::{Asked, Scanner, there};
use crate::tally::Tally;

const LIMIT: Duration = Duration::from_secs(180);
const HEAD: &str = "| network | scanner | open found / there, each run | invented | seconds: median (least–most) | attempts sent | bound |\n|---|---|---|---|---|---|---|";

/// What is asked of the bench.
struct Wanted {
    runs: usize,
    only: Option<String>,
    names: Vec<String>,
    verbose: bool,
}

/// One scan by one scanner.
struct Run {
    found: usize,
    invented: usize,
    wall: f64,
    tally: Tally,
}

pub fn main() -> ExitCode {
    if let Some(ended) = root::again() {
        return ended;
    }
    // Cargo itself adds --bench.
    let mut args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    let result = match args.first().map(String::as_str) {
        Some("--list") => {
            list();
            Ok(())
        }
        Some("--try") => try_by_hand(args.drain(1..).collect()),
        _ => wanted(args).and_then(|wanted| table(&wanted)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("worlds: {error}");
            ExitCode::FAILURE
        }
    }
}

fn wanted(args: Vec<String>) -> Result<Wanted, String> {
    let mut wanted = Wanted {
        runs: 5,
        only: None,
        names: Vec::new(),
        verbose: false,
    };
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--runs" => {
                let runs = value()?;
                wanted.runs = runs
                    .parse()
                    .map_err(|_| format!("--runs {runs}: a number"))?;
            }
            "--only" => wanted.only = Some(value()?),
            "-v" => wanted.verbose = true,
            flag if flag.starts_with('-') => {
                return Err(format!(
                    "{flag}: known are --runs N, --only SCANNER, -v, --list and --try NAME"
                ));
            }
            _ => wanted.names.push(arg),
        }
    }
    Ok(wanted)
}

fn list() {
    for network in networks::table() {
        println!("{}", describe(&network));
    }
}

fn describe(network: &Network) -> String {
    format!(
        "{}: {} ports 1-{}, {} open",
        network.world.name,
        network.target,
        network.top,
        there(network).len()
    )
}

/// A command, or a shell, in a world.
fn try_by_hand(mut args: Vec<String>) -> Result<(), String> {
    if args.is_empty() {
        return Err("--try needs the name of a network; --list names them".to_owned());
    }
    let name = args.remove(0);
    args.retain(|arg| arg != "--");
    let network = networks::table()
        .into_iter()
        .find(|network| network.world.name == name)
        .ok_or(format!("no network is called {name}; --list names them"))?;
    if args.is_empty() {
        args.push(std::env::var("SHELL").unwrap_or_else(|_| "sh".to_owned()));
    }
    eprintln!("{}", describe(&network));
    let mut there: Vec<_> = there(&network).into_iter().collect();
    there.sort_unstable();
    for (address, port) in there.iter().take(40) {
        eprint!("{address}:{port} ");
    }
    eprintln!("{}", if there.len() > 40 { "…" } else { "" });
    eprintln!("nishad is {}", env!("CARGO_BIN_EXE_nishad"));
    let (status, tally) = lab::play(&network.world, |_| {
        Command::new(&args[0])
            .args(&args[1..])
            .env("PATH", path_with_nishad())
            .status()
    })?;
    eprintln!("{tally}\nSYNs in each 100 ms: {:?}", tally.timeline());
    let status = status.map_err(|error| format!("{}: {error}", args[0]))?;
    status
        .success()
        .then_some(())
        .ok_or(format!("{} ended with {status}", args[0]))
}

/// So that a shell in a world finds the program.
fn path_with_nishad() -> String {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_nishad"));
    let folder = program.parent().map(|folder| folder.display().to_string());
    format!(
        "{}:{}",
        folder.unwrap_or_default(),
        std::env::var("PATH").unwrap_or_default()
    )
}

fn table(wanted: &Wanted) -> Result<(), String> {
    let scanners: Vec<_> = Scanner::ALL
        .into_iter()
        .filter(|scanner| {
            let only = wanted.only.as_deref();
            only.is_none_or(|only| only == scanner.name()) && scanner.is_installed()
        })
        .collect();
    let all = networks::table();
    let named = |network: &&Network| {
        wanted.names.is_empty() || wanted.names.iter().any(|name| name == network.world.name)
    };
    if let Some(name) = wanted
        .names
        .iter()
        .find(|name| all.iter().all(|network| network.world.name != **name))
    {
        return Err(format!("no network is called {name}; --list names them"));
    }
    println!("{HEAD}");
    for network in all.iter().filter(named) {
        for scanner in &scanners {
            // Only nishad has a flag for it.
            if *scanner != Scanner::Nishad && !network.args.is_empty() {
                continue;
            }
            let mut runs = Vec::new();
            for run in 0..wanted.runs {
                let run = one(*scanner, network, run as u64 + 1)?;
                if wanted.verbose {
                    eprintln!(
                        "{} {}: {:.2} s\n{}",
                        network.world.name,
                        scanner.name(),
                        run.wall,
                        run.tally
                    );
                }
                runs.push(run);
            }
            println!("{}", row(network, scanner.name(), &runs));
            let _ = std::io::stdout().flush();
        }
    }
    Ok(())
}

fn row(network: &Network, scanner: &str, runs: &[Run]) -> String {
    let there = there(network).len();
    let found: Vec<_> = runs.iter().map(|run| run.found.to_string()).collect();
    let found = if found.iter().all(|count| *count == found[0]) {
        format!("{} / {there} ×{}", found[0], runs.len())
    } else {
        format!("{} / {there}", found.join(", "))
    };
    let invented: usize = runs.iter().map(|run| run.invented).sum();
    let walls = Spread::new(runs.iter().map(|run| run.wall));
    let attempts = runs.iter().map(|run| run.tally.attempts);
    let (least, most) = (attempts.clone().min(), attempts.max());
    let dropped: u64 = runs.iter().map(|run| run.tally.tun_dropped).sum();
    let bound = network
        .bound
        .map_or("–".to_owned(), |bound| format!("{bound:.1}"));
    format!(
        "| {} | {scanner} | {found} | {invented} | {walls} | {} to {}{} | {bound} |",
        network.world.name,
        least.unwrap_or(0),
        most.unwrap_or(0),
        if dropped > 0 {
            format!(" ({dropped} dropped by the TUN device)")
        } else {
            String::new()
        }
    )
}

fn one(scanner: Scanner, network: &Network, seed: u64) -> Result<Run, String> {
    let asked = Asked {
        target: network.target,
        top: network.top,
        args: network.args,
        seed,
    };
    let (ended, tally) = lab::play_seeded(&network.world, seed, |lab| {
        lab.output(&mut scanner.command(&asked), LIMIT)
    })?;
    let ended = ended.map_err(|error| format!("{}: {error}", scanner.name()))?;
    if scanner == Scanner::Nishad && !ended.status.success() {
        eprintln!("{}: {}: {}", network.world.name, ended.status, ended.stderr);
    }
    let (found, there) = (scanner.open(&ended.stdout), there(network));
    Ok(Run {
        found: found.intersection(&there).count(),
        invented: found.difference(&there).count(),
        wall: ended.wall.as_secs_f64(),
        tally,
    })
}
