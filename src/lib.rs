//! nishad finds which TCP ports of a host or a network are open, with connect() and so without
//! privilege, on one event loop and one thread.
//!
//! Every planned probe ends in exactly one verdict: open, closed, filtered or, with a reason,
//! unscanned. A failure of this machine (descriptors, ports, memory) is never a verdict on a port.
//! Nothing is printed, no signal handler, no limit and no other state of the process is touched, no
//! thread is started, and no input makes it panic.
//!
//! # A scan, reported as found
//!
//! A [`TargetSpace`](target::TargetSpace) is what to scan, [`Options`](engine::Options) are the bounds,
//! and [`net::scan`] makes the scan on the calling thread. It hands out [events](net::Event) as they
//! come and, at the end, the [sums](net::RunReport).
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
//! Hosts come from addresses and ranges, as here, or from what a user writes:
//! [`HostSpec`](target::HostSpec) and [`PortSet::parse`](target::PortSet::parse) read the syntax of
//! the program. Host names are the caller's to resolve; what is known only later is handed in by a
//! [`feed`](net::feed). [`Budget`](net::Budget) bounds the options by what this machine has, and
//! [`raise_descriptor_limit`](net::raise_descriptor_limit) is there for programs that may do that.
//!
//! # Ended, paused
//!
//! [`Control`](net::Control) ends or pauses a scan from any thread, by a method or by a flag that a
//! signal handler sets; its page has an example. What has no verdict by then is reported as unscanned.
//! An observer that returns [`Break`](std::ops::ControlFlow::Break) ends the scan too.
//!
//! # In a loop of your own
//!
//! [`Scan::embed`](net::Scan::embed) puts a scan into the [`mio::Poll`] of the caller, among whatever else
//! that serves: [`Embedded`](net::Embedded) says how long to wait at most and takes the events. Several
//! scans may share one loop.
//!
//! # Without sockets and clocks
//!
//! [`engine::Scanner`] is the scan without I/O: it is told outcomes and the time, and says what to do. The
//! page of [`engine`] has a scan of an hour on a clock that is made up.
//!
//! # Saved, gone on with, written down
//!
//! [`Scan::snapshots`](net::Scan::snapshots) hands out the run as it is, [`Scan::resume`](net::Scan::resume)
//! goes on from there, and [`checkpoint`] is a file of it. [`output`] writes what came of a scan in any
//! of the program's formats, [`report`] reads saved results back and joins the shards of a run, [`audit`]
//! compares them with an earlier one and with a policy.
//!
//! # What is where
//!
//! | | |
//! |---|---|
//! | [`target`] | what to scan: hosts, ports, their order, shards |
//! | [`engine`] | when and how to scan, pure: deadlines, pace, loss, verdicts |
//! | [`net`] | the only I/O of a scan: sockets, the event loop, what this machine has |
//! | [`service`] | what a port is for: names, the ports most often open, what answers there |
//! | [`output`] | formats |
//! | [`report`] | saved results |
//! | [`audit`] | a baseline and a policy against a result |
//! | [`checkpoint`] | the position of a run in a file |
//!
//! Imports go one way: `net` uses `engine` and `target`, `engine` uses `target`, and neither of these
//! knows a socket, a clock or a file.
//!
//! # Features and versions
//!
//! The features `cli` and `full`, on by default, are the program's; a library user does without:
//! `nishad = { version = "0.1", default-features = false }`. `services`, on by default too, is what
//! [`Scan::services`](net::Scan::services) takes, `tls` what speaks TLS then. Enums that grow are `#[non_exhaustive]`;
//! options are made with `..Options::default()`, since there may be more of them in a next version. The
//! CHANGELOG says what a version promises.

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
