//! When and how to scan: pure, without sockets and clocks.
//!
//! [`Scanner`] is told outcomes and the time and says what to do. Inside it, `probes` knows what is
//! in flight and `wheel` its deadlines; `host` is one active host with the `ledger` of its ports,
//! its `rtt`, the `pace` at which it is sent to (by what `meter` counts), the life of its `path` and
//! the `canary` ports that show it; `loss` turns what was lost into the number of attempts a silent
//! port needs. `late` are the hosts that become known on the way, `nets` the schedules of networks
//! with a rate of their own. `settle`, `trial` and `finish` are the scanner's reactions to outcomes, deadlines and
//! ends.

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
mod trial;
mod verdict;
mod wheel;

pub use options::Options;
pub use report::{BulkReport, HostReport, LocalFault, Note, PortReport, Progress, Report, Trust};
pub use scanner::{Action, Outcome, ProbeId, Scanner, Summary};
pub use verdict::{Counts, Reason, State, Verdict};
