//! This library.

use std::io;
use std::ops::ControlFlow;

use nishad::engine::{Options, Report, State as Verdict};
use nishad::net::{self, Event};
use nishad::target::{HostSet, PortSet, TargetSpace};

use super::job::{Found, Job, State, threads};

/// As the program does it, but for `retries`: the others try a silent port once.
pub fn scan(job: &Job) -> io::Result<Found> {
    let mut hosts = HostSet::default();
    hosts.insert_range(job.target.into(), job.target.into(), 0);
    let ports: PortSet = (1..=job.top).collect();
    let space = TargetSpace::new(hosts, ports, nishad::service::popular(), 1);
    let options = Options {
        timeout: job.timeout,
        retries: 0,
        max_sockets: job.in_flight,
        host_sockets: job.in_flight,
        ..Options::default()
    };
    let mut found = Found::default();
    let mut unscanned = 0;
    let mut observe = |event| {
        let (verdict, ports) = match &event {
            Event::Report(Report::Port(port)) => (port.verdict, &PortSet::from_iter([port.port])),
            Event::Report(Report::Bulk(bulk)) => (bulk.verdict, &bulk.ports),
            _ => return ControlFlow::Continue(()),
        };
        if found.threads == 0 {
            found.threads = threads();
        }
        let state = match verdict.state() {
            Verdict::Open => State::Open,
            Verdict::Closed => State::Closed,
            Verdict::Filtered => State::Filtered,
            Verdict::Unscanned => {
                unscanned += ports.len();
                return ControlFlow::Continue(());
            }
        };
        for port in ports.iter() {
            found.add(port, state);
        }
        ControlFlow::Continue(())
    };
    net::scan(space, options, &Default::default(), &mut observe).map_err(io::Error::other)?;
    if unscanned > 0 {
        return Err(io::Error::other(format!("{unscanned} ports unscanned")));
    }
    Ok(found)
}
