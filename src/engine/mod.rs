//! When and how to scan: pure, without sockets and clocks.

mod options;
mod report;
mod verdict;

pub use options::Options;
pub use report::{HostReport, LocalFault, Note, PortReport, Progress, Report, Trust};
pub use verdict::{Counts, Reason, State, Verdict};
