//! The scanners that are compared: how each is asked for the same scan, and what it says.

use std::collections::HashSet;
use std::net::IpAddr;
use std::process::{Command, Stdio};

use crate::networks::Network;
use crate::truth::Output;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scanner {
    Nishad,
    Nmap,
    RustScan,
}

/// A scan of TCP ports 1 to `top`.
pub struct Asked<'a> {
    pub target: &'a str,
    pub top: u16,
    /// More arguments of nishad.
    pub args: &'a [&'a str],
    pub seed: u64,
}

pub type Open = HashSet<(IpAddr, u16)>;

impl Scanner {
    pub const ALL: [Scanner; 3] = [Scanner::Nishad, Scanner::Nmap, Scanner::RustScan];

    /// Its name, which is that of its program.
    pub fn name(self) -> &'static str {
        match self {
            Scanner::Nishad => "nishad",
            Scanner::Nmap => "nmap",
            Scanner::RustScan => "rustscan",
        }
    }

    pub fn is_installed(self) -> bool {
        if self == Scanner::Nishad {
            return true;
        }
        let mut command = Command::new(self.name());
        command.arg("--version").stdout(Stdio::null());
        command.stderr(Stdio::null()).status().is_ok()
    }

    pub fn command(self, asked: &Asked) -> Command {
        let ports = format!("1-{}", asked.top);
        match self {
            Scanner::Nishad => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_nishad"));
                command
                    .args([asked.target, "-p", &ports, "--format", "ndjson"])
                    .args(["--seed", &asked.seed.to_string()])
                    .args(asked.args);
                command
            }
            Scanner::Nmap => {
                let mut command = Command::new("nmap");
                command.args(["-sT", "-Pn", "-n", "-T4", "-oG", "-"]).args([
                    "-p",
                    &ports,
                    asked.target,
                ]);
                command
            }
            Scanner::RustScan => {
                let mut command = Command::new("rustscan");
                command
                    .args(["--no-config", "--greppable", "-b", "4500", "-t", "1500"])
                    .args(["-a", asked.target, "-r", &ports]);
                command
            }
        }
    }

    /// The open ports that it names.
    pub fn open(self, stdout: &str) -> Open {
        match self {
            Scanner::Nishad => {
                let said = Output::read(stdout).ports;
                let open = said.iter().filter(|(_, said)| said.state == "open");
                open.map(|(key, _)| *key).collect()
            }
            Scanner::Nmap => stdout.lines().flat_map(nmap_line).collect(),
            Scanner::RustScan => stdout.lines().flat_map(rustscan_line).collect(),
        }
    }
}

/// "Host: 198.18.0.1 ()", a tab, "Ports: 22/open/tcp//ssh///, 80/open/tcp//http///".
fn nmap_line(line: &str) -> Vec<(IpAddr, u16)> {
    let mut words = line.split_whitespace();
    let Some(address) = words.nth(1).and_then(|word| word.parse::<IpAddr>().ok()) else {
        return Vec::new();
    };
    let port = |word: &str| {
        let (port, rest) = word.split_once('/')?;
        let open = rest.starts_with("open/tcp");
        open.then(|| Some((address, port.parse().ok()?))).flatten()
    };
    words.filter_map(port).collect()
}

/// "198.18.0.1 -> [22,80]"
fn rustscan_line(line: &str) -> Vec<(IpAddr, u16)> {
    let Some((address, ports)) = line.split_once(" -> [") else {
        return Vec::new();
    };
    let Ok(address) = address.trim().parse::<IpAddr>() else {
        return Vec::new();
    };
    let ports = ports.trim_end().trim_end_matches(']').split(',');
    let port = |port: &str| Some((address, port.trim().parse().ok()?));
    ports.filter_map(port).collect()
}

/// The open ports of a network among those that are scanned.
pub fn there(network: &Network) -> Open {
    let world = &network.world;
    (0..world.addresses())
        .flat_map(|number| (1..=network.top).map(move |port| (number, port)))
        .filter(|(number, port)| world.at(*number).port(*port).is_open())
        .map(|(number, port)| (world.address(number), port))
        .collect()
}
