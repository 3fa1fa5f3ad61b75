//! Takes a result record by record and holds it against a baseline and a policy.

use std::collections::HashMap;

use jiff::tz::TimeZone;

use super::check::Check;
use super::compare::Comparison;
use super::facts::Seen;
use super::{Audit, Baseline, Policy};
use crate::output::{Record, Show};
use crate::report::{Address, HostLine, Line, PortLine, StartLine};
use crate::service;
use crate::target::{PortSet, Target};

/// An audit under way. It is given the records of a result, those of a scan as they come or of saved
/// ones, up to the run line, and then [asked](Self::finish) what it came to.
///
/// Only what a result lists is looked at, so that a scan and what is saved of it have the same
/// findings. Held are the baseline and, of the hosts under way, the open ports and those that
/// baseline or policy ask for.
#[derive(Debug)]
pub struct Auditor {
    ports: Option<PortSet>,
    comparison: Option<Comparison>,
    check: Option<Check>,
    hosts: HashMap<Address, Seen>,
    audit: Audit,
    doubted: bool,
}

impl Auditor {
    /// An audit of a result that begins with `start`. A policy's exceptions hold if they did on the
    /// day, in UTC, on which the run began.
    pub fn new(start: &StartLine, baseline: Option<Baseline>, policy: Option<Policy>) -> Auditor {
        let ports = start.ports.as_deref();
        let ports = ports.and_then(|ports| PortSet::parse(ports, service::port).ok());
        let show = Show::saved(start.show.as_deref());
        let day = start.started.to_zoned_datetime(TimeZone::UTC).date();
        Auditor {
            comparison: baseline.map(|baseline| Comparison::new(baseline, ports.clone(), show)),
            check: policy.map(|policy| Check::new(policy, ports.clone(), day)),
            ports,
            hosts: HashMap::new(),
            audit: Audit {
                incomplete: true,
                started: start.started,
                ..Audit::default()
            },
            doubted: false,
        }
    }

    /// Says that the result is incomplete, whatever its run line says.
    pub fn doubt(&mut self) {
        self.doubted = true;
    }

    /// Takes a record.
    pub fn record(&mut self, record: &Record) {
        match record {
            Record::Line(Line::Port(port)) | Record::Again(port) => {
                let seen = self.seen(port);
                seen.port(port.port, port.state);
                if let Some(found) = &port.service.found {
                    seen.service(port.port, found);
                }
            }
            Record::Bulk { like, ports } => self.seen(like).bulk(ports, like.state),
            Record::Line(Line::Host(host)) => self.host(host),
            Record::Line(Line::Run(run)) => {
                // What was left out on purpose is no gap of the scan; where it matters it is a finding.
                let complete = run.complete && run.counts.unscanned == run.left_out;
                self.audit.incomplete &= !complete;
                self.audit.elapsed_s = run.elapsed_s;
            }
            Record::Line(_) | Record::Audit(_) => {}
        }
    }

    /// What it came to.
    pub fn finish(self) -> Audit {
        Audit {
            baseline: self.comparison.map(Comparison::finish),
            policy: self.check.map(Check::finish),
            incomplete: self.audit.incomplete || self.doubted,
            ..self.audit
        }
    }

    fn seen(&mut self, port: &PortLine) -> &mut Seen {
        let (comparison, check) = (&mut self.comparison, &mut self.check);
        self.hosts.entry(port.ip).or_insert_with(|| {
            let target: Target = port.ip.target(port.host.as_deref());
            let compared = comparison
                .as_mut()
                .map(|comparison| comparison.wanted(port.ip));
            let checked = check.as_mut().map(|check| check.wanted(&target));
            Seen::new(match (compared, checked) {
                (Some(one), Some(two)) => one.union(&two),
                (one, two) => one.or(two).unwrap_or_default(),
            })
        })
    }

    fn host(&mut self, host: &HostLine) {
        let seen = self.hosts.remove(&host.ip);
        let seen = seen.unwrap_or_else(|| Seen::new(PortSet::default()));
        let facts = seen.complete(host, self.ports.as_ref());
        if let Some(comparison) = &mut self.comparison {
            comparison.host(&facts);
        }
        if let Some(check) = &mut self.check {
            check.host(&facts);
        }
    }
}

#[cfg(test)]
mod tests;
