//! Ports that more than one section tells of.

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
    /// From the section that is being read.
    fresh: Vec<Told>,
    /// From those before, ascending.
    old: Vec<Told>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    port: u16,
    reason: Reason,
    section: u32,
}

impl Twice {
    /// For a document of so many sections.
    pub(super) fn new(sections: usize) -> Twice {
        Twice {
            wanted: sections > 1,
            hosts: HashMap::new(),
            problems: Vec::new(),
            more: 0,
        }
    }

    /// Whether no section before has told the same of a port. That one has told something else is
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
            ports.old.append(&mut ports.fresh);
            ports.old.sort_unstable();
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

    /// What was contradictory.
    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        if self.more > 0 {
            let text = format!("{} more ports with different verdicts", self.more);
            self.problems.push(Problem::new(Weight::Incomplete, text));
        }
        self.problems
    }
}
