//! Runs the scanners, counts what they found, and prints the table in Markdown.

use std::collections::HashSet;
use std::io::Write;
use std::net::IpAddr;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use crate::lab::{self, Lab};
use crate::networks::{self, Network};
use crate::tally::Tally;
use crate::truth::Output;

const LIMIT: Duration = Duration::from_secs(180);
const HEAD: &str = "| network | scanner | open found / there, each run | invented | seconds: median (least to most) | attempts sent | bound |\n|---|---|---|---|---|---|---|";

#[derive(Clone, Copy, PartialEq)]
enum Scanner {
    Nishad,
    Nmap,
    RustScan,
}

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
    if let Some(mut command) = lab::as_root()
        && std::env::var_os("NISHAD_WORLD_INSIDE").is_none()
    {
        return again(command.env("NISHAD_WORLD_INSIDE", "1"));
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

/// The same as the root of a user namespace of its own.
fn again(command: &mut Command) -> ExitCode {
    let status = std::env::current_exe().and_then(|program| {
        command
            .arg(program)
            .args(std::env::args_os().skip(1))
            .status()
    });
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("worlds: no user namespace: {error}");
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
        open(network).len()
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
    let mut there: Vec<_> = open(&network).into_iter().collect();
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
    eprintln!("{tally}");
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
    let known = [
        (Scanner::Nishad, "nishad"),
        (Scanner::Nmap, "nmap"),
        (Scanner::RustScan, "rustscan"),
    ];
    let scanners: Vec<_> = known
        .into_iter()
        .filter(|(_, name)| wanted.only.as_deref().is_none_or(|only| only == *name))
        .filter(|(scanner, name)| *scanner == Scanner::Nishad || is_installed(name))
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
        for (scanner, name) in &scanners {
            // Only nishad has a flag for it.
            if *scanner != Scanner::Nishad && !network.args.is_empty() {
                continue;
            }
            let mut runs = Vec::new();
            for run in 0..wanted.runs {
                let run = one(*scanner, network, run as u64 + 1)?;
                if wanted.verbose {
                    eprintln!(
                        "{} {name}: {:.2} s\n{}",
                        network.world.name, run.wall, run.tally
                    );
                }
                runs.push(run);
            }
            println!("{}", row(network, name, &runs));
            let _ = std::io::stdout().flush();
        }
    }
    Ok(())
}

fn is_installed(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null());
    command.stderr(Stdio::null()).status().is_ok()
}

fn row(network: &Network, scanner: &str, runs: &[Run]) -> String {
    let there = open(network).len();
    let found: Vec<_> = runs.iter().map(|run| run.found.to_string()).collect();
    let found = if found.iter().all(|count| *count == found[0]) {
        format!("{} / {there} ×{}", found[0], runs.len())
    } else {
        format!("{} / {there}", found.join(", "))
    };
    let invented: usize = runs.iter().map(|run| run.invented).sum();
    let mut walls: Vec<_> = runs.iter().map(|run| run.wall).collect();
    walls.sort_unstable_by(f64::total_cmp);
    let attempts = runs.iter().map(|run| run.tally.attempts);
    let (least, most) = (attempts.clone().min(), attempts.max());
    let dropped: u64 = runs.iter().map(|run| run.tally.tun_dropped).sum();
    let bound = network
        .bound
        .map_or("–".to_owned(), |bound| format!("{bound:.1}"));
    format!(
        "| {} | {scanner} | {found} | {invented} | {:.2} ({:.2} to {:.2}) | {} to {}{} | {bound} |",
        network.world.name,
        walls[walls.len() / 2],
        walls[0],
        walls[walls.len() - 1],
        least.unwrap_or(0),
        most.unwrap_or(0),
        if dropped > 0 {
            format!(" ({dropped} dropped by the TUN device)")
        } else {
            String::new()
        }
    )
}

/// The open ports among those that are scanned.
fn open(network: &Network) -> HashSet<(IpAddr, u16)> {
    let world = &network.world;
    (0..world.addresses())
        .flat_map(|number| (1..=network.top).map(move |port| (number, port)))
        .filter(|(number, port)| world.at(*number).port(*port).is_open())
        .map(|(number, port)| (world.address(number), port))
        .collect()
}

fn one(scanner: Scanner, network: &Network, seed: u64) -> Result<Run, String> {
    let there = open(network);
    let (result, tally) = lab::play_seeded(&network.world, seed, |lab| match scanner {
        Scanner::Nishad => nishad(lab, network, seed),
        Scanner::Nmap => nmap(lab, network),
        Scanner::RustScan => rustscan(lab, network),
    })?;
    let (found, wall) = result?;
    Ok(Run {
        found: found.intersection(&there).count(),
        invented: found.difference(&there).count(),
        wall: wall.as_secs_f64(),
        tally,
    })
}

type Found = Result<(HashSet<(IpAddr, u16)>, Duration), String>;

fn nishad(lab: &Lab, network: &Network, seed: u64) -> Found {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nishad"));
    command
        .args([network.target, "-p", &format!("1-{}", network.top)])
        .args(["--format", "ndjson", "--seed", &seed.to_string()])
        .args(network.args);
    let ended = lab
        .output(&mut command, LIMIT)
        .map_err(|error| error.to_string())?;
    if !ended.status.success() {
        eprintln!("{}: {}: {}", network.world.name, ended.status, ended.stderr);
    }
    let output = Output::read(&ended.stdout);
    let open = output.ports.iter().filter(|(_, said)| said.state == "open");
    Ok((open.map(|(key, _)| *key).collect(), ended.wall))
}

fn nmap(lab: &Lab, network: &Network) -> Found {
    let mut command = Command::new("nmap");
    command
        .args(["-sT", "-Pn", "-n", "-T4", "-oG", "-", "-p"])
        .args([&format!("1-{}", network.top), network.target]);
    let ended = lab
        .output(&mut command, LIMIT)
        .map_err(|error| error.to_string())?;
    let mut found = HashSet::new();
    for line in ended.stdout.lines() {
        let mut words = line.split_whitespace();
        let Some(address) = words.nth(1).and_then(|word| word.parse::<IpAddr>().ok()) else {
            continue;
        };
        for word in words {
            if let Some((port, "open/tcp")) = word
                .split_once('/')
                .map(|(port, rest)| (port, rest.get(..8).unwrap_or_default()))
                && let Ok(port) = port.parse()
            {
                found.insert((address, port));
            }
        }
    }
    Ok((found, ended.wall))
}

fn rustscan(lab: &Lab, network: &Network) -> Found {
    let mut command = Command::new("rustscan");
    command
        .args(["--no-config", "--greppable", "-b", "4500", "-t", "1500"])
        .args(["-a", network.target, "-r", &format!("1-{}", network.top)]);
    let ended = lab
        .output(&mut command, LIMIT)
        .map_err(|error| error.to_string())?;
    let mut found = HashSet::new();
    for line in ended.stdout.lines() {
        // "198.18.0.1 -> [22,80]"
        let Some((address, ports)) = line.split_once(" -> [") else {
            continue;
        };
        let Ok(address) = address.trim().parse::<IpAddr>() else {
            continue;
        };
        let ports = ports.trim_end().trim_end_matches(']').split(',');
        found.extend(ports.filter_map(|port| Some((address, port.trim().parse().ok()?))));
    }
    Ok((found, ended.wall))
}
