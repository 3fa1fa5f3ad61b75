//! A scan that is killed again and again, and goes on each time, says what one says that is not.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::check::scan_by;
use crate::lab::Lab;
use crate::model::{Host, Port, World, ms, secs, spread};
use crate::network;
use crate::networks::Network;
use crate::truth::Output;

const PORTS: u16 = 500;
/// Kills of all scans together.
const KILLS: u64 = 200;

/// A host that refuses, one that drops, one that rejects, one that is not there.
fn world() -> World {
    let host = |other| Host::all(other).open(spread(12, PORTS)).rtt(ms(8), ms(1));
    World::new("killed")
        .host("198.18.0.0", host(Port::Closed))
        .host("198.18.0.1", host(Port::Silent))
        .host("198.18.0.2", host(Port::Reject(3, 13)))
        .host("198.18.0.3", Host::all(Port::Silent))
}

fn command(network: &Network, seed: u64, outputs: &[PathBuf]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nishad"));
    command
        .args([network.target, "-p", &format!("1-{}", network.top), "-q"])
        .args(["--show", "all", "--rate", "4000/s", "--force"])
        .args(["--seed", &seed.to_string()]);
    for output in outputs {
        command.arg("-o").arg(output);
    }
    command
}

/// Runs the program until it ends by itself; kills it before that after 20 to 200 ms each time, at
/// most `most` times.
fn run_killed(
    start: impl Fn(bool) -> Command,
    random: &mut fastrand::Rng,
    most: u64,
) -> Result<u64, String> {
    let mut kills = 0;
    loop {
        let mut child = start(kills > 0)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let life = Duration::from_micros(random.u64(20_000..200_000));
        let end = Instant::now() + if kills < most { life } else { secs(60) };
        let status = loop {
            match child.try_wait().map_err(|error| error.to_string())? {
                Some(status) => break status,
                None if Instant::now() >= end => {
                    let _ = child.kill();
                    break child.wait().map_err(|error| error.to_string())?;
                }
                None => sleep(ms(1)),
            }
        };
        match status.code() {
            None => kills += 1,
            Some(0) => return Ok(kills),
            Some(code) => {
                let output = child
                    .wait_with_output()
                    .map_err(|error| error.to_string())?;
                let error = String::from_utf8_lossy(&output.stderr);
                panic!("exit code {code} after {kills} kills: {error}");
            }
        }
    }
}

/// The command that begins, or goes on: killed before its first checkpoint, it begins again.
fn begin_or_go_on(mut command: Command, folder: &Path) -> Command {
    let checkpoint = folder.join("saved");
    let flag = match checkpoint.exists() {
        true => "--resume",
        false => "--checkpoint",
    };
    command.arg(flag).arg(checkpoint);
    command.args(["--checkpoint-every", "20ms"]);
    command
}

#[test]
fn a_scan_killed_at_200_moments_tells_of_every_port_exactly_once() {
    let test = "killed::a_scan_killed_at_200_moments_tells_of_every_port_exactly_once";
    let net = network(world(), "198.18.0.0/30", PORTS);
    let killed = AtomicU64::new(0);
    let way = |_: &Lab, network: &Network, seed: u64| {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let found = folder.path().join("found.ndjson");
        let outputs = [found.clone()];
        let start = |_| begin_or_go_on(command(network, seed, &outputs), folder.path());
        let mut random = fastrand::Rng::with_seed(seed);
        let kills = run_killed(start, &mut random, 60)?;
        killed.fetch_add(kills, Ordering::Relaxed);
        let text = std::fs::read_to_string(found).map_err(|error| error.to_string())?;
        let starts = text.matches("\"type\":\"start\"").count();
        assert_eq!(starts, 1, "seed {seed}, {kills} kills");
        Ok((Output::read(&text), format!("{kills} kills")))
    };
    let mut seed = 100;
    while killed.load(Ordering::Relaxed) < KILLS {
        let Some(scanned) = scan_by(test, &net, seed, &way) else {
            return;
        };
        // No port twice, none left out, every state right, all sums right.
        scanned.all_right(0);
        seed += 1;
    }
    println!("{} kills in {} scans", killed.into_inner(), seed - 100);
}

#[test]
fn several_outputs_are_gone_on_with() {
    let test = "killed::several_outputs_are_gone_on_with";
    let net = network(world(), "198.18.0.0/30", PORTS);
    let way = |_: &Lab, network: &Network, seed: u64| {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let outputs = |name: &str| {
            let endings = ["csv", "list", "ndjson"];
            endings.map(|ending| folder.path().join(format!("{name}.{ending}")))
        };
        let start = |_| begin_or_go_on(command(network, seed, &outputs("found")), folder.path());
        let kills = run_killed(start, &mut fastrand::Rng::with_seed(seed), 8)?;
        assert!(kills > 0, "the scan is too short to be killed");
        let mut once = command(network, seed, &outputs("whole"));
        assert!(once.status().map_err(|error| error.to_string())?.success());
        for (found, whole) in outputs("found").iter().zip(&outputs("whole")) {
            let (found, whole) = (facts(found), facts(whole));
            assert!(whole.len() > 2, "{whole:?}");
            assert_eq!(found, whole, "seed {seed}, {kills} kills");
        }
        Ok((Output::default(), String::new()))
    };
    if scan_by(test, &net, 7, &way).is_none() {
        println!("skipped");
    }
}

/// The lines of a file in order, as far as they do not depend on time.
fn facts(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).expect("the file is there");
    let steady = |line: &str| {
        let Ok(json) = serde_json::from_str::<serde_json::Value>(line) else {
            // A row without the round-trip time, the attempts and the time at its end.
            return line.split(',').take(8).collect::<Vec<_>>().join(",");
        };
        let port = (json["type"] == "port").then(|| &json["port"]);
        format!("{} {port:?} {}", json["type"], json["ip"])
    };
    let mut lines: Vec<_> = text.lines().map(steady).collect();
    lines.sort();
    lines
}
