//! Compares what the program said of a world with what is there.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::net::IpAddr;

use serde_json::Value;

use crate::model::{Port, World};

/// What the program said of a port.
#[derive(Clone, Debug)]
pub struct Said {
    pub state: String,
    pub reason: String,
    pub attempts: u64,
    /// Seconds from the start of the program's run to the answer's report.
    pub line: Value,
}

/// The program's NDJSON, read.
#[derive(Default)]
pub struct Output {
    pub ports: HashMap<(IpAddr, u16), Said>,
    pub hosts: Vec<Value>,
    pub run: Option<Value>,
    pub notes: Vec<Value>,
    /// Lines that are no JSON, or ports named twice.
    pub faults: Vec<String>,
}

impl Output {
    pub fn read(text: &str) -> Output {
        let mut output = Output::default();
        for line in text.lines() {
            let Ok(value) = serde_json::from_str::<Value>(line) else {
                output.faults.push(format!("no JSON: {line}"));
                continue;
            };
            match value["type"].as_str() {
                Some("port") => output.port(value),
                Some("host") => output.hosts.push(value),
                Some("run") => output.run = Some(value),
                _ => output.notes.push(value),
            }
        }
        output
    }

    fn port(&mut self, line: Value) {
        let address = line["ip"].as_str().and_then(|ip| ip.parse().ok());
        let port = line["port"].as_u64().and_then(|port| port.try_into().ok());
        let (Some(address), Some(port)) = (address, port) else {
            self.faults.push(format!("a port without address: {line}"));
            return;
        };
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        let said = Said {
            state: text("state"),
            reason: text("reason"),
            attempts: line["attempts"].as_u64().unwrap_or(0),
            line,
        };
        if self.ports.insert((address, port), said).is_some() {
            self.faults.push(format!("{address} {port} is named twice"));
        }
    }

    pub fn count(&self, state: &str) -> u64 {
        self.run
            .as_ref()
            .and_then(|run| run[state].as_u64())
            .unwrap_or(0)
    }
}

/// The state of a port and the reasons that may be given for it.
pub fn expected(address: IpAddr, port: Port) -> (&'static str, &'static [&'static str]) {
    match port {
        Port::Open | Port::Talks(_) | Port::Late(..) | Port::Busy(_) => ("open", &["syn-ack"]),
        // Who closes first is a race.
        Port::Reset => ("open", &["syn-ack", "syn-ack-reset"]),
        Port::Closed => ("closed", &["conn-refused"]),
        Port::Silent => ("filtered", &["no-response"]),
        Port::Reject(kind, code) | Port::RouterReject(kind, code) => {
            let reason: &[&str] = match (address.is_ipv4(), kind, code) {
                (true, 3, 0) | (false, 1, 0) => &["net-unreach"],
                (true, 3, 1) | (false, 1, 3) => &["host-unreach"],
                (true, 3, 2) => &["proto-unreach"],
                (true, 3, 3) | (false, 1, 4) => &["port-unreach"],
                (true, 3, 9 | 10 | 13) | (false, 1, 1 | 5 | 6) => &["admin-prohibited"],
                (true, 11, _) | (false, 3, _) => &["time-exceeded"],
                _ => &["icmp-error"],
            };
            ("filtered", reason)
        }
    }
}

/// How what was said differs from what is there.
#[derive(Debug, Default)]
pub struct Comparison {
    pub planned: u64,
    pub there: u64,
    pub found: u64,
    pub missed: Vec<(IpAddr, u16, String)>,
    pub invented: Vec<(IpAddr, u16)>,
    /// Neither open nor said to be, and another state than it is: where it is, what was said.
    pub wrong: Vec<(IpAddr, u16, String)>,
    /// Of those, closed ports of which no answer came.
    pub closed_silent: u64,
    /// Closed or rejecting ports that limits made look silent, where that is right to say.
    pub hidden: u64,
    /// The right state for a wrong reason.
    pub reasons: Vec<(IpAddr, u16, String)>,
    pub unsaid: u64,
    pub unscanned: u64,
    /// Sums and lines that do not fit each other.
    pub faults: Vec<String>,
}

impl Comparison {
    /// Compares with ports 1 to `top` of every address of the world.
    pub fn new(world: &World, top: u16, output: &Output) -> Comparison {
        let mut result = Comparison {
            faults: output.faults.clone(),
            ..Comparison::default()
        };
        for number in 0..world.addresses() {
            let address = world.address(number);
            for port in 1..=top {
                result.planned += 1;
                let kind = world.at(number).port(port);
                result.there += u64::from(kind.is_open());
                match output.ports.get(&(address, port)) {
                    Some(said) => {
                        result.port(address, port, kind, said, world.hides_refusals(number));
                    }
                    None => result.unsaid += 1,
                }
            }
        }
        result.sums(output);
        result
    }

    fn port(&mut self, address: IpAddr, port: u16, kind: Port, said: &Said, hides: bool) {
        let (state, reasons) = expected(address, kind);
        let text = || format!("{} {}", said.state, said.reason);
        self.unscanned += u64::from(said.state == "unscanned");
        if state == "open" && said.state != "open" {
            self.missed.push((address, port, text()));
        } else if state != "open" && said.state == "open" {
            self.invented.push((address, port));
        } else if state == said.state && reasons.contains(&said.reason.as_str()) {
            self.found += u64::from(state == "open");
        } else if hides && said.reason == "no-response" {
            self.hidden += 1;
        } else if state != said.state {
            self.closed_silent += u64::from(state == "closed" && said.reason == "no-response");
            self.wrong
                .push((address, port, format!("{state}, said {}", text())));
        } else {
            self.found += u64::from(state == "open");
            self.reasons
                .push((address, port, format!("{}, said {}", reasons[0], text())));
        }
    }

    /// planned = open + closed + filtered + unscanned, for the run, its hosts and its lines.
    fn sums(&mut self, output: &Output) {
        let Some(run) = &output.run else {
            self.faults.push("no line about the run".to_owned());
            return;
        };
        let states = ["open", "closed", "filtered", "unscanned"];
        let sum: u64 = states.iter().map(|state| output.count(state)).sum();
        if run["planned"].as_u64() != Some(self.planned) || sum != self.planned {
            self.faults.push(format!(
                "{} planned, the run says {} and its states add up to {sum}",
                self.planned, run["planned"]
            ));
        }
        for state in states {
            let lines = output.ports.values().filter(|said| said.state == state);
            let lines = lines.count() as u64;
            let hosts: u64 = output
                .hosts
                .iter()
                .map(|host| host[state].as_u64().unwrap_or(0))
                .sum();
            let said = output.count(state);
            if hosts != said || (self.unsaid == 0 && lines != said) {
                self.faults.push(format!(
                    "{state}: the run says {said}, its hosts {hosts}, its lines {lines}"
                ));
            }
        }
    }

    /// Whether every open port and no other was found, and every sum is right.
    pub fn is_right_about_open(&self) -> bool {
        self.missed.is_empty() && self.invented.is_empty() && self.faults.is_empty()
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!(
            "{} planned, {}/{} open found, {} invented, {} unscanned, {} in a wrong state ({} closed ones said to be silent), {} hidden by limits, {} with a wrong reason, {} unsaid",
            self.planned,
            self.found,
            self.there,
            self.invented.len(),
            self.unscanned,
            self.wrong.len(),
            self.closed_silent,
            self.hidden,
            self.reasons.len(),
            self.unsaid,
        );
        let lists = [
            ("missed", &self.missed),
            ("wrong", &self.wrong),
            ("reason", &self.reasons),
        ];
        for (name, list) in lists {
            for (address, port, what) in list.iter().take(8) {
                write!(text, "\n  {name}: {address} {port}: {what}")?;
            }
        }
        for (address, port) in self.invented.iter().take(8) {
            write!(text, "\n  invented: {address} {port}")?;
        }
        for fault in self.faults.iter().take(8) {
            write!(text, "\n  fault: {fault}")?;
        }
        f.write_str(&text)
    }
}
