//! Runs that were never made, and the pages of them.

use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{HOSTILE, host};
use crate::program::{Ran, nishad};

const TIME: &str = "2026-01-01T00:00:00Z";

/// A run that was never made: as many hosts with as many open ports.
pub struct Made {
    pub hosts: u32,
    pub ports: Vec<u16>,
    /// Names and services are hostile, a port is filtered, two have no verdict, and behind the others is
    /// a host that accepts everything.
    pub hostile: bool,
}

impl Made {
    /// Saves the run and has the program make a page of it.
    pub fn page(&self, dir: &TempDir, name: &str) -> PathBuf {
        let saved = dir.path().join("saved.ndjson");
        std::fs::write(&saved, self.saved()).expect("writable");
        let page = dir.path().join(name);
        let mut command = nishad();
        let command = command.arg("report").arg(&saved).arg("-o").arg(&page);
        let ran = Ran::from(command.output().expect("the program starts"));
        let wanted = if self.hostile { 3 } else { 0 };
        assert_eq!(ran.code, Some(wanted), "{}", ran.err);
        page
    }

    fn saved(&self) -> String {
        let args: Vec<_> = HOSTILE.iter().map(|(text, _)| text).collect();
        let hosts = self.hosts + u32::from(self.hostile);
        let about = json!({"schema": 1, "version": "0.1.0", "args": args, "seed": 7, "run_id": "x", "shard": null,
            "started": TIME, "hosts": hosts, "planned": hosts * 100});
        let key = json!({"targets": "a", "ports": "b", "seed": 7, "shards": null, "options": {}});
        let start = json!({"type": "start", "key": key, "ports": null, "show": self.hostile.then_some(["open", "filtered"]),
            "run_hosts": hosts, "run_planned": hosts * 100, "targets_failed": 0});
        let mut text = format!("{}\n", joined(start, &about));
        let mut sum = [0; 4];
        for n in 0..hosts {
            let wall = n >= self.hosts;
            let counts = if wall {
                [100, 0, 0, 0]
            } else {
                self.ports(n, &mut text)
            };
            for (sum, n) in sum.iter_mut().zip(counts) {
                *sum += n;
            }
            let host = json!({"type": "host", "ip": host(n), "host": self.name(n), "planned": 100,
                "miss": 0.0, "loss": 0.0, "refusals_limited": n == 4,
                "suspect": wall.then_some("accepts-all"), "suspect_ports": wall.then_some(32),
                "open_not_listed": if wall { 100 } else { 0 }, "started": TIME, "elapsed_s": 0.25,
                "reasons": {"syn-ack": counts[0], "conn-refused": counts[1],
                    "admin-prohibited": counts[2], "interrupted": counts[3]}});
            text += &format!("{}\n", joined(host, &fields(counts)));
        }
        let run = json!({"type": "run", "elapsed_s": 4.2, "silent_hosts": 0, "attempts": 999, "miss": 0.001,
            "targets_failed": 0, "complete": sum[3] == 0});
        text + &format!("{}\n", joined(joined(run, &about), &fields(sum)))
    }

    /// The lines of the ports of a host, and how many of its ports are in each state.
    fn ports(&self, n: u32, text: &mut String) -> [u32; 4] {
        let mut line = |port: u16, state: &str, reason: &str, rtt: Option<f64>| {
            let service = self.name(n).or((port == 22).then_some("ssh"));
            let line = json!({"type": "port", "ip": host(n), "host": self.name(n), "port": port, "proto": "tcp",
                "state": state, "reason": reason, "from": null, "service": service, "rtt_ms": rtt,
                "attempts": 1, "time": TIME});
            *text += &format!("{line}\n");
        };
        for port in &self.ports {
            let port = if self.hostile && (n, *port) == (0, 23) {
                80
            } else {
                *port
            };
            let rtt = f64::from((n * 7919 + u32::from(port) * 31) % 20_000) / 1e3;
            line(port, "open", "syn-ack", Some(rtt));
        }
        let filtered = u32::from(self.hostile && n == 1);
        if filtered > 0 {
            line(7, "filtered", "admin-prohibited", None);
        }
        let unscanned = 2 * u32::from(self.hostile && n == 2);
        let open = self.ports.len() as u32;
        [open, 100 - open - filtered - unscanned, filtered, unscanned]
    }

    fn name(&self, n: u32) -> Option<&'static str> {
        let (name, _) = HOSTILE.get(n as usize).filter(|_| self.hostile)?;
        Some(name)
    }
}

fn fields([open, closed, filtered, unscanned]: [u32; 4]) -> Value {
    json!({"open": open, "closed": closed, "filtered": filtered, "unscanned": unscanned})
}

/// `one` with the fields of `other` behind its own.
fn joined(mut one: Value, other: &Value) -> Value {
    let fields = one.as_object_mut().expect("an object");
    fields.extend(other.as_object().expect("an object").clone());
    one
}
