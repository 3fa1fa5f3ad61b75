//! What answers on open ports, which is known some time after the ports: their lines wait for it, and
//! the host's line for theirs.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use super::{HeldPort, Record, Recorder};
use crate::engine::PortReport;
use crate::output::ndjson::{HostLine, seconds};
use crate::output::pending::PendingAnswer;
use crate::service::{Likeness, Service};
use crate::target::Target;

/// Ports and hosts that wait, by host. There are no more of them than ports that are talked to or wait
/// for it.
#[derive(Debug, Default)]
pub(super) struct Answers {
    hosts: HashMap<(IpAddr, u32), Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    ports: BTreeMap<u16, (PortReport, Timestamp)>,
    host: Option<HostLine<'static>>,
    likeness: Likeness,
}

impl Recorder {
    /// From now on the line of each open port waits for its [`service`](Self::service).
    pub fn expect_services(&mut self) {
        self.answers.get_or_insert_default();
    }

    /// Hands out what the service found on a port of `target` adds: the port's line and, if it was the
    /// last that waited, the host's. Errors are those of `each`.
    pub fn service(
        &mut self,
        target: &Target,
        port: u16,
        service: &Arc<Service>,
        each: &mut impl FnMut(&Record<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let key = (target.addr, target.scope_id);
        let waiting = self.answers.as_mut().and_then(|answers| {
            let waiting = answers.hosts.get_mut(&key)?;
            let port = waiting.ports.remove(&port)?;
            waiting.likeness.add(service);
            Some((port, waiting.host.take_if(|_| waiting.ports.is_empty())))
        });
        let Some(((port, time), host)) = waiting else {
            return Ok(());
        };
        let held = HeldPort {
            port: port.port,
            verdict: port.verdict,
            found: time,
            service: Some(Arc::clone(service)),
        };
        self.open_port(&port.target, held, each)?;
        match host {
            Some(mut host) => {
                // What was known of it then is complete only now.
                let took = self.clock.now().duration_since(host.started).unsigned_abs();
                host.elapsed_s = seconds(took);
                self.host_line(host, each)
            }
            None => Ok(()),
        }
    }

    /// Lets an open port wait, if ports do.
    pub(super) fn waits(&mut self, port: &PortReport, found: Timestamp) -> bool {
        let Some(answers) = &mut self.answers else {
            return false;
        };
        let key = (port.target.addr, port.target.scope_id);
        let waiting = answers.hosts.entry(key).or_default();
        waiting.ports.insert(port.port, (port.clone(), found));
        true
    }

    /// Lets a host's line wait for its ports, if any do; else gives it back.
    pub(super) fn host_waits(&mut self, line: HostLine<'static>) -> Option<HostLine<'static>> {
        let key = (line.ip.addr, line.ip.scope_id);
        let answers = self.answers.as_mut();
        match answers.and_then(|answers| answers.hosts.get_mut(&key)) {
            Some(waiting) if !waiting.ports.is_empty() => {
                waiting.host = Some(line);
                None
            }
            _ => Some(line),
        }
    }

    /// How the answers of a host that is complete are alike.
    pub(super) fn take_likeness(&mut self, key: (IpAddr, u32)) -> Likeness {
        let answers = self.answers.as_mut();
        let waiting = answers.and_then(|answers| answers.hosts.remove(&key));
        waiting.unwrap_or_default().likeness
    }

    /// The ports that still wait, for a run that is gone on with.
    pub fn unanswered(&self) -> Vec<(Target, u16)> {
        let hosts = self
            .answers
            .iter()
            .flat_map(|answers| answers.hosts.values());
        let ports = hosts.flat_map(|waiting| waiting.ports.values());
        ports
            .map(|(report, _)| (report.target.clone(), report.port))
            .collect()
    }

    pub(super) fn pending_answers(&self) -> Vec<PendingAnswer> {
        let hosts = self.answers.iter().flat_map(|answers| &answers.hosts);
        let hosts = hosts.map(|((addr, scope_id), waiting)| {
            let report = waiting.ports.values().next();
            let name = report.and_then(|(report, _)| report.target.name.as_deref());
            PendingAnswer {
                addr: *addr,
                scope_id: *scope_id,
                name: name.map(str::to_string),
                likeness: waiting.likeness.clone(),
                ports: waiting
                    .ports
                    .values()
                    .map(|(report, found)| (report.port, report.verdict, found.as_microsecond()))
                    .collect(),
                host: waiting.host.clone(),
            }
        });
        hosts.collect()
    }

    pub(super) fn take_up_answers(&mut self, pending: &[PendingAnswer]) {
        for saved in pending {
            let target = Target {
                addr: saved.addr,
                scope_id: saved.scope_id,
                name: saved.name.as_deref().map(Into::into),
            };
            let ports = saved.ports.iter().map(|(port, verdict, found)| {
                let report = PortReport {
                    target: target.clone(),
                    port: *port,
                    verdict: *verdict,
                };
                let found = Timestamp::from_microsecond(*found).unwrap_or_default();
                (*port, (report, found))
            });
            let waiting = Waiting {
                ports: ports.collect(),
                host: saved.host.clone(),
                likeness: saved.likeness.clone(),
            };
            let answers = self.answers.get_or_insert_default();
            answers.hosts.insert((saved.addr, saved.scope_id), waiting);
        }
    }
}
