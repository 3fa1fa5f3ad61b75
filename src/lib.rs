//! nishad finds which TCP ports of a host or a network are open, with connect() and so without
//! privilege, on one event loop and one thread.
//!
//! [`target`] says what to scan, [`engine`] when and how, [`net`] does it, [`output`] writes down
//! what came of it, [`report`] reads that back and joins the shards of a run, [`audit`] compares
//! it with an earlier one and with a policy, [`checkpoint`] keeps the position of a run, [`service`]
//! knows what ports are for. [`net::scan`] runs a whole scan on the calling thread and hands out
//! events as they come; nothing is printed, no signal handler and no limit of the process is touched.
//!
//! Every planned probe ends in exactly one verdict: open, closed, filtered or, with a reason,
//! unscanned. A failure of this machine (descriptors, ports, memory) is never a verdict on a port.
//!
//! ```
//! use std::net::{IpAddr, Ipv4Addr, TcpListener};
//! use std::ops::ControlFlow;
//!
//! use nishad::engine::{Options, Report, State};
//! use nishad::net::{self, Event};
//! use nishad::target::{HostSet, PortSet, TargetSpace};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
//! let port = listener.local_addr()?.port();
//!
//! let mut hosts = HostSet::default();
//! let localhost = IpAddr::from(Ipv4Addr::LOCALHOST);
//! hosts.insert_range(localhost, localhost, 0);
//! let ports = PortSet::from_iter([port]);
//! let space = TargetSpace::new(hosts, ports, nishad::service::popular(), 42);
//!
//! let mut open = Vec::new();
//! let control = net::Control::default();
//! let run = net::scan(space, Options::default(), &control, &mut |event| {
//!     if let Event::Report(Report::Port(found)) = event
//!         && found.verdict.state() == State::Open
//!     {
//!         open.push(found.port);
//!     }
//!     ControlFlow::Continue(())
//! })?;
//! assert_eq!(open, [port]);
//! assert_eq!(run.counts.total(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! The feature `cli`, on by default, is the program's; a library user does without:
//! `nishad = { version = "0.1", default-features = false }`.

#[forbid(unsafe_code)]
pub mod audit;
#[forbid(unsafe_code)]
pub mod checkpoint;
#[forbid(unsafe_code)]
pub mod engine;
pub mod net;
#[forbid(unsafe_code)]
pub mod output;
#[forbid(unsafe_code)]
pub mod report;
#[forbid(unsafe_code)]
pub mod service;
#[forbid(unsafe_code)]
pub mod target;
