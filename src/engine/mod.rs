//! When and how to scan: pure, without sockets and clocks.

mod loss;
mod options;
mod pace;
mod path;
mod report;
mod rtt;
mod scanner;
mod verdict;
mod wheel;

pub use options::Options;
pub use report::{BulkReport, HostReport, LocalFault, Note, PortReport, Progress, Report, Trust};
pub use scanner::{Action, Outcome, ProbeId, Scanner, Summary};
pub use verdict::{Counts, Reason, State, Verdict};
