//! What a run is, in a few bytes: so that its shards, saved results and checkpoints can tell whether
//! they belong together, and if not, why.
//!
//! Digests are the first 128 bits of SHA-256 (FIPS 180-4). Targets are digested as their merged
//! ranges and the names of addresses, so that the same set written in another way is the same.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{HostSet, PortSet};

/// What decides the outcome of a run, by parts. Two runs with equal keys probe the same ports of the
/// same hosts in the same way and order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunKey {
    /// Digest of the targets.
    pub targets: String,
    /// Digest of the ports.
    pub ports: String,
    /// Seed of the order.
    pub seed: u64,
    /// Number of shards; `None` if the run is not in shards.
    pub shards: Option<u32>,
    /// The options that matter, each by its flag without dashes and as it would be typed.
    pub options: BTreeMap<String, String>,
}

impl RunKey {
    /// The key of a run on `ports` of `targets`, as yet without options.
    pub fn new(targets: String, ports: &PortSet, seed: u64, shards: Option<u32>) -> RunKey {
        RunKey {
            targets,
            ports: ports_digest(ports),
            seed,
            shards,
            options: BTreeMap::new(),
        }
    }

    /// The same with the value of one more option.
    pub fn with(mut self, flag: &str, value: impl ToString) -> RunKey {
        self.options.insert(flag.into(), value.to_string());
        self
    }

    /// Whether it is the key of a run on these ports.
    pub fn is_of_ports(&self, ports: &PortSet) -> bool {
        self.ports == ports_digest(ports)
    }

    /// The run's id: 32 hexadecimal digits, equal for equal keys.
    pub fn id(&self) -> String {
        let mut parts = Parts::new("nishad run");
        parts.add(self.targets.as_bytes());
        parts.add(self.ports.as_bytes());
        parts.add(&self.seed.to_be_bytes());
        parts.add(&self.shards.unwrap_or(0).to_be_bytes());
        for (flag, value) in &self.options {
            parts.add(flag.as_bytes());
            parts.add(value.as_bytes());
        }
        parts.hex()
    }

    /// What differs between this run and `other`, a few words each: `--timeout (1s, 2s)`. An option
    /// that one of them lacks is `unknown` there.
    pub fn differences(&self, other: &RunKey) -> Vec<String> {
        let mut found = Vec::new();
        if self.targets != other.targets {
            found.push("targets".into());
        }
        if self.ports != other.ports {
            found.push("ports".into());
        }
        let flags = self.options.keys().chain(other.options.keys());
        for flag in flags.collect::<std::collections::BTreeSet<_>>() {
            let (one, two) = (self.options.get(flag), other.options.get(flag));
            if one != two {
                let shown = |value: Option<&String>| value.map_or("unknown".into(), String::clone);
                let dashes = if flag.len() == 1 { "-" } else { "--" };
                found.push(format!("{dashes}{flag} ({}, {})", shown(one), shown(two)));
            }
        }
        if self.seed != other.seed {
            found.push(format!("--seed ({}, {})", self.seed, other.seed));
        }
        if self.shards != other.shards {
            let shown = |shards: Option<u32>| shards.map_or("none".into(), |n| n.to_string());
            let (one, two) = (shown(self.shards), shown(other.shards));
            found.push(format!("number of shards ({one}, {two})"));
        }
        found
    }
}

/// The digest of `hosts`, and of `names` that are still to be resolved, in any order.
pub fn targets_digest<'a>(hosts: &HostSet, names: impl IntoIterator<Item = &'a str>) -> String {
    let mut parts = Parts::new("nishad targets");
    hosts.for_each_range(|first, last, scope_id| {
        // The families differ in length.
        parts.add_addr(first);
        parts.add_addr(last);
        parts.add(&scope_id.to_be_bytes());
    });
    parts.add(b"names of addresses");
    hosts.for_each_name(|addr, scope_id, name| {
        parts.add_addr(addr);
        parts.add(&scope_id.to_be_bytes());
        parts.add(name.as_bytes());
    });
    parts.add(b"names");
    let mut names: Vec<_> = names.into_iter().map(str::to_ascii_lowercase).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        parts.add(name.as_bytes());
    }
    parts.hex()
}

/// A seed that follows from what is scanned, for shards that must agree without being told one. It
/// has 53 bits, which every JSON reader takes exactly.
pub fn derived_seed(targets: &str, ports: &PortSet) -> u64 {
    let mut parts = Parts::new("nishad seed");
    parts.add(targets.as_bytes());
    parts.add(ports_digest(ports).as_bytes());
    parts.first_u64() >> 11
}

/// A digest of `parts` in this order, each as a whole. `what` tells kinds of digests apart.
pub fn digest<'a>(what: &str, parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut digest = Parts::new(what);
    for part in parts {
        digest.add(part.as_bytes());
    }
    digest.hex()
}

fn ports_digest(ports: &PortSet) -> String {
    let mut parts = Parts::new("nishad ports");
    for (first, last) in ports.ranges() {
        parts.add(&first.to_be_bytes());
        parts.add(&last.to_be_bytes());
    }
    parts.hex()
}

/// A digest of parts, each with its length, so that none runs into the next.
struct Parts(Sha256);

impl Parts {
    fn new(what: &str) -> Parts {
        let mut parts = Parts(Sha256::new());
        parts.add(what.as_bytes());
        parts
    }

    fn add(&mut self, part: &[u8]) {
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    fn add_addr(&mut self, addr: std::net::IpAddr) {
        match addr {
            std::net::IpAddr::V4(addr) => self.add(&addr.octets()),
            std::net::IpAddr::V6(addr) => self.add(&addr.octets()),
        }
    }

    fn hex(self) -> String {
        let mut hex = String::with_capacity(32);
        for byte in &self.0.finalize()[..16] {
            // Writing to a String does not fail.
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }

    fn first_u64(self) -> u64 {
        let digest = self.0.finalize();
        digest[..8]
            .iter()
            .fold(0, |n, byte| n << 8 | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(specs: &[&str]) -> HostSet {
        let mut hosts = HostSet::default();
        for spec in specs {
            assert!(hosts.insert_spec(&spec.parse().expect(spec), 0), "{spec}");
        }
        hosts
    }

    fn targets(specs: &[&str]) -> String {
        targets_digest(&hosts(specs), [])
    }

    fn key() -> RunKey {
        RunKey::new(targets(&["10.0.0.0/24"]), &(1..=1024).collect(), 7, Some(4))
            .with("timeout", "1s")
            .with("retries", 6)
    }

    /// The values were worked out from the description, with another program.
    #[test]
    fn the_id_is_the_same_everywhere_and_for_ever() {
        // Files saved by one version are read by the next.
        assert_eq!(key().id(), "078910408dacf97e4ab46bab2839bb20");
        assert_eq!(key().with("retries", 6).id(), key().id());
        assert_eq!(
            derived_seed(&key().targets, &(1..=1024).collect()),
            7016207169801968
        );
    }

    #[test]
    fn the_same_targets_in_other_words_are_the_same() {
        let whole = targets(&["10.0.0.0/24", "2001:db8::/120"]);
        let pieces = [
            "2001:db8::/121",
            "10.0.0.128/25",
            "10.0.0.0-200",
            "2001:db8::80/121",
        ];
        assert_eq!(targets(&pieces), whole);
        assert_ne!(targets(&["10.0.0.0/24"]), whole);
        assert_ne!(targets(&["0.0.0.1"]), targets(&["::1"]));
        assert_ne!(targets(&["1.0.0.1", "1.0.0.3"]), targets(&["1.0.0.1-3"]));
        let named = |name: &str| {
            let mut hosts = hosts(&["10.0.0.0/24"]);
            hosts.insert_named("10.0.0.1".parse().expect("an address"), 0, name);
            targets_digest(&hosts, [])
        };
        assert_ne!(named("a.example"), named("b.example"));
        let late = |names: &[&'static str]| targets_digest(&hosts(&[]), names.iter().copied());
        assert_eq!(late(&["a", "b"]), late(&["B", "a", "a"]));
        assert_ne!(late(&["a", "b"]), late(&["ab"]));
    }

    #[test]
    fn every_part_counts_and_is_named() {
        let other_targets = targets(&["10.0.0.0/23"]);
        let ports = |ports: std::ops::RangeInclusive<u16>| ports.collect::<PortSet>();
        let base = key();
        let same = || RunKey { ..key() };
        for (other, wanted) in [
            (
                RunKey {
                    targets: other_targets,
                    ..same()
                },
                "targets",
            ),
            (
                RunKey {
                    ports: ports_digest(&ports(1..=1023)),
                    ..same()
                },
                "ports",
            ),
            (RunKey { seed: 8, ..same() }, "--seed (7, 8)"),
            (
                RunKey {
                    shards: Some(5),
                    ..same()
                },
                "number of shards (4, 5)",
            ),
            (
                RunKey {
                    shards: None,
                    ..same()
                },
                "number of shards (4, none)",
            ),
            (same().with("timeout", "2s"), "--timeout (1s, 2s)"),
            (same().with("exact", true), "--exact (unknown, true)"),
        ] {
            assert_eq!(base.differences(&other), [wanted]);
            assert_ne!(base.id(), other.id(), "{wanted}");
        }
        assert_eq!(base.differences(&key()), Vec::<String>::new());
    }

    #[test]
    fn kept_as_json() {
        let json = serde_json::to_string(&key()).expect("JSON");
        assert_eq!(serde_json::from_str::<RunKey>(&json).expect("a key"), key());
    }
}
