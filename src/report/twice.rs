//! Ports that are told of more than once: by several sections, or by one that was put together of such.

use std::collections::HashMap;

use super::problem::{Problem, Weight};
use crate::engine::Reason;
use crate::output::ndjson::{Address, PortLine};

/// Contradictions told one by one.
const TOLD: usize = 20;

/// The ports listed so far, if they can come a second time: 8 bytes each.
#[derive(Debug)]
pub(super) struct Twice {
    wanted: bool,
    hosts: HashMap<Address, Ports>,
    problems: Vec<Problem>,
    more: u64,
}

/// The listed ports of one host.
#[derive(Debug, Default)]
struct Ports {
    /// From the section that is being read, up to the line of the host.
    fresh: Vec<Told>,
    /// From before, ascending.
    old: Vec<Told>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    port: u16,
    reason: Reason,
    section: u32,
}

impl Twice {
    /// For a document in which ports can come a second time, or cannot.
    pub(super) fn new(wanted: bool) -> Twice {
        Twice {
            wanted,
            hosts: HashMap::new(),
            problems: Vec::new(),
            more: 0,
        }
    }

    /// Whether nothing before has told the same of a port. That it was told something else of is
    /// kept as a problem; `place` is what to call a section.
    pub(super) fn is_new(
        &mut self,
        port: &PortLine,
        section: u32,
        place: impl Fn(u32) -> String,
    ) -> bool {
        if !self.wanted {
            return true;
        }
        let ports = self.hosts.entry(port.ip).or_default();
        if ports
            .fresh
            .last()
            .is_some_and(|last| last.section != section)
        {
            ports.seal();
        }
        ports.fresh.push(Told {
            port: port.port,
            reason: port.reason,
            section,
        });
        let first = ports.old.partition_point(|told| told.port < port.port);
        let before = ports.old[first..].iter();
        let mut before = before.take_while(|told| told.port == port.port);
        let Some(other) = before.clone().next().copied() else {
            return true;
        };
        if before.any(|told| told.reason.state() == port.state) {
            return false;
        }
        if self.problems.len() == TOLD {
            self.more += 1;
            return true;
        }
        let text = format!(
            "{} port {}: {} in {}, {} in {}",
            port.ip,
            port.port,
            other.reason.state().as_str(),
            place(other.section),
            port.state.as_str(),
            place(section)
        );
        self.problems.push(Problem::new(Weight::Incomplete, text));
        true
    }

    /// The host at `ip` has its line: what comes of it now has been told before.
    pub(super) fn host(&mut self, ip: Address) {
        if let Some(ports) = self.hosts.get_mut(&ip) {
            ports.seal();
        }
    }

    /// What was contradictory.
    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        if self.more > 0 {
            let text = format!("{} more ports with different verdicts", self.more);
            self.problems.push(Problem::new(Weight::Incomplete, text));
        }
        self.problems
    }
}

impl Ports {
    fn seal(&mut self) {
        self.old.append(&mut self.fresh);
        self.old.sort_unstable();
        self.fresh = Vec::new();
    }
}
