//! What a scan costs in system calls, counted by strace (Linux).
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::process::Command;

#[path = "support/lab.rs"]
#[allow(dead_code, reason = "one namespace is enough here")]
mod lab;

use lab::{Lab, runs, skip};

/// Calls by name, from the table that `strace -c` writes: the fourth column is the number of calls,
/// the last the name.
fn calls(table: &str) -> BTreeMap<String, u64> {
    let row = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let count = columns.get(3)?.parse().ok()?;
        let name = *columns.last()?;
        (name != "total").then(|| (name.to_owned(), count))
    };
    table.lines().filter_map(row).collect()
}

/// A refused port costs two connect() calls on a socket that is there already, one look into its
/// error queue, and a share of everything else.
#[test]
fn a_refused_port_costs_two_connects() {
    const TEST: &str = "a_refused_port_costs_two_connects";
    const PORTS: u64 = 65_535;
    if !runs("strace -c -o /dev/null true") {
        return skip(TEST, "strace is not installed, or may not trace here");
    }
    let Some(_lab) = Lab::enter(TEST) else { return };
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let output = Command::new("strace")
        .args(["-f", "-c", "-o"])
        .arg(file.path())
        .arg(env!("CARGO_BIN_EXE_nishad"))
        .args(["127.0.0.1", "-p-", "--format", "ndjson"])
        .output()
        .expect("strace is there");
    let table = std::fs::read_to_string(file.path()).expect("strace wrote its table");
    let text = String::from_utf8_lossy(&output.stdout);
    let run = text.lines().last().unwrap_or_default();
    let run: serde_json::Value = serde_json::from_str(run).expect("the line of the run");
    assert_eq!(run["closed"], PORTS, "{run}");
    println!("{table}");

    let calls = calls(&table);
    let count = |name: &str| calls.get(name).copied().unwrap_or(0);
    let queue = count("recvmsg");
    let other: u64 = calls.values().sum::<u64>() - count("connect") - queue;
    // A few ports are tried twice: one at which TCP connected a socket to itself, canaries.
    let few = PORTS / 200;
    let bounds = [
        ("connect", count("connect"), 2 * PORTS + few),
        ("recvmsg", queue, PORTS + few),
        ("all others", other, PORTS / 20),
    ];
    for (name, count, most) in bounds {
        assert!(
            count <= most,
            "{name}: {count} calls for {PORTS} ports, {most} allowed\n{table}"
        );
    }
    assert!(count("connect") >= PORTS, "strace saw the scan\n{table}");
}
