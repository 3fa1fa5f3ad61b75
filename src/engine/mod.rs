//! When and how to scan: pure, without sockets and clocks.
//!
//! [`Scanner`] is told outcomes and the time and says what to do (`action`). Inside it, `probes` knows
//! what is in flight and `wheel` its deadlines; `host` is one active host with the `ledger` of its ports,
//! its `rtt`, the `pace` at which it is sent to (by what `meter` counts), the life of its `path` and
//! the `canary` ports that show it; `loss` turns what was lost into the number of attempts a silent
//! port needs. `late` are the hosts that become known on the way, `nets` the schedules of networks
//! with a rate of their own. `settle`, `trial` and `finish` are the scanner's reactions to outcomes, deadlines and
//! ends.
//!
//! Whoever gives it a clock and a network may use it without this crate's [`net`](crate::net). Here
//! both are made up, and an hour's scan takes no time:
//!
//! ```
//! use std::collections::VecDeque;
//! use std::net::{IpAddr, Ipv4Addr};
//! use std::time::{Duration, Instant};
//!
//! use nishad::engine::{Action, Options, Outcome, ProbeId, Reason, Scanner};
//! use nishad::target::{HostSet, PortSet, TargetSpace};
//!
//! let mut hosts = HostSet::default();
//! let host = IpAddr::from(Ipv4Addr::new(192, 0, 2, 7));
//! hosts.insert_range(host, host, 0);
//! let space = TargetSpace::new(hosts, (1..=1000).collect::<PortSet>(), &[], 42);
//! let options = Options { rate: Some(0.25), ..Options::default() };
//!
//! // The network: every answer takes 30 ms; port 22 is open, the others refuse.
//! let mut answers: VecDeque<(Instant, ProbeId, Reason)> = VecDeque::new();
//! let start = Instant::now();
//! let mut now = start;
//! let mut scanner = Scanner::new(space, options, now);
//! loop {
//!     while let Some(action) = scanner.poll_action(now) {
//!         if let Action::Connect { id, addr } = action {
//!             let reason = if addr.port() == 22 { Reason::SynAck } else { Reason::ConnRefused };
//!             answers.push_back((now + Duration::from_millis(30), id, reason));
//!         }
//!     }
//!     if scanner.is_done() {
//!         break;
//!     }
//!     // The clock goes on to whatever comes first.
//!     let answer = answers.front().map(|(at, ..)| *at);
//!     now = answer.into_iter().chain(scanner.poll_timeout()).min().unwrap_or(now);
//!     while answers.front().is_some_and(|(at, ..)| *at <= now)
//!         && let Some((_, id, reason)) = answers.pop_front()
//!     {
//!         scanner.handle_outcome(now, id, Outcome::Answered { reason, from: None });
//!     }
//!     scanner.handle_timeout(now);
//! }
//! let counts = scanner.progress().counts;
//! assert_eq!((counts.open, counts.closed), (1, 999));
//! assert!(now - start > Duration::from_secs(3600));
//! ```

mod action;
mod away;
mod canary;
mod finish;
mod host;
mod late;
mod ledger;
mod loss;
mod meter;
mod nets;
mod options;
mod pace;
mod path;
mod probes;
mod report;
mod rtt;
mod scanner;
mod settle;
mod snapshot;
mod trial;
mod verdict;
mod wheel;

pub use action::{Action, Outcome, ProbeId, Summary};
pub use loss::Trials;
pub use options::Options;
pub use report::{BulkReport, HostReport, LocalFault, Note, PortReport, Progress, Report, Trust};
pub use scanner::Scanner;
pub use snapshot::{HostSnapshot, LateHost, Snapshot, SnapshotError};
pub use verdict::{Counts, Reason, State, Verdict};
pub(crate) use wheel::Wheel;
