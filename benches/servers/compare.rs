//! Asks both programs for the same ports and puts what they say side by side, in Markdown.

use std::collections::BTreeMap;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::loopback_net;
use crate::park::{self, Park, SERVERS};

/// What a program says of each port: service, and product with version.
type Said = BTreeMap<u16, (String, String)>;

pub fn main() -> ExitCode {
    match compare() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("servers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare() -> Result<(), String> {
    let missing = SERVERS.iter().find(|server| server.version().is_none());
    if let Some(server) = missing {
        return Err(format!("the package {} is not installed", server.package));
    }
    loopback_net::enter()?;
    let _park = Park::start();
    let ports = park::ports();
    let mut nishad = Command::new(env!("CARGO_BIN_EXE_nishad"));
    nishad.args(["-V", "-q", "--format", "ndjson", "-p", &ports, "127.0.0.1"]);
    let (said, took) = run(&mut nishad)?;
    let ours = said.lines().filter_map(nishad_line).collect::<Said>();
    let mut nmap = Command::new("nmap");
    nmap.args([
        "-sT",
        "-sV",
        "-Pn",
        "-n",
        "-oG",
        "-",
        "-p",
        &ports,
        "127.0.0.1",
    ]);
    let (said, nmap_took) = run(&mut nmap)?;
    let theirs = said.lines().flat_map(nmap_ports).collect::<Said>();
    println!("| port | there | nishad | `nmap -sV` |\n|---|---|---|---|");
    let (mut right, mut nmap_right) = (0, 0);
    // Ports that differ in nothing else share a row.
    let mut rows: Vec<(String, String)> = Vec::new();
    for server in SERVERS {
        let version = server.version().unwrap_or_default();
        for (port, label, told) in server.ports {
            let cell = |said: &Said, right: &mut u32| {
                let (service, product) = said.get(port).cloned().unwrap_or_default();
                let lower = format!("{service} {product}").to_lowercase();
                let is = lower.contains(&server.product.to_lowercase());
                *right += u32::from(is);
                let mark = if is { "" } else { " ✗" };
                format!("{service} {product}{mark}").trim().to_string()
            };
            let shown = if *told { &*version } else { "" };
            let there = format!("{label} {} {shown}", server.product);
            let (one, two) = (cell(&ours, &mut right), cell(&theirs, &mut nmap_right));
            let row = format!("{} | {one} | {two}", there.trim_end());
            match rows.last_mut() {
                Some((ports, last)) if *last == row => *ports += &format!(", {port}"),
                _ => rows.push((port.to_string(), row)),
            }
        }
    }
    for (ports, row) in rows {
        println!("| {ports} | {row} |");
    }
    println!(
        "| | product right, seconds | {right}, {:.2} | {nmap_right}, {:.2} |",
        took.as_secs_f64(),
        nmap_took.as_secs_f64()
    );
    Ok(())
}

fn run(command: &mut Command) -> Result<(String, Duration), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let start = Instant::now();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{name}: {error}"))?;
    let took = start.elapsed();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok((text, took))
}

fn nishad_line(line: &str) -> Option<(u16, (String, String))> {
    let line: Value = serde_json::from_str(line).ok()?;
    let service = line["service"].as_object()?;
    let text = |field: &str| service[field].as_str().unwrap_or_default();
    let tls = if service["tls"].is_object() {
        "tls/"
    } else {
        ""
    };
    let name = format!("{tls}{}", text("name"));
    let product = format!("{} {}", text("product"), text("version"));
    let port = line["port"].as_u64()?.try_into().ok()?;
    Some((port, (name, product.trim().to_string())))
}

/// "Ports: 22/open/tcp//ssh//OpenSSH 9.2p1 Debian/, 80/open/…", slashes in a field as `|`.
fn nmap_ports(line: &str) -> Vec<(u16, (String, String))> {
    let Some((_, ports)) = line.split_once("Ports: ") else {
        return Vec::new();
    };
    let ports = ports.split('\t').next().unwrap_or_default().split(", ");
    let port = |port: &str| {
        let fields: Vec<_> = port.split('/').collect();
        let (number, service, product) = (fields.first()?, fields.get(4)?, fields.get(6)?);
        let said = (service.replace('|', "/"), product.replace('|', "/"));
        Some((number.trim().parse().ok()?, said))
    };
    ports.filter_map(port).collect()
}
