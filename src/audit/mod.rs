//! A result held against an earlier one and against a policy.
//!
//! An [`Auditor`] takes the records of a result, of a scan under way or a saved one, and makes of them
//! an [`Audit`]: [`Finding`]s, each in a line, and an [`Outcome`]. What cannot be told is a
//! finding too: no audit is clean by what it did not see.
//!
//! ```
//! use nishad::audit::Policy;
//!
//! let policy = Policy::parse("p.toml", "defualt = \"deny\"");
//! let error = policy.expect_err("a slip").to_string();
//! assert_eq!(error, "p.toml:1:1: unknown key `defualt`; did you mean `default`?");
//! ```

mod auditor;
mod baseline;
mod check;
mod compare;
#[cfg(test)]
mod damage;
mod facts;
mod findings;
mod known;
#[cfg(test)]
mod made;
mod policy;

pub use auditor::Auditor;
pub use baseline::{Baseline, BaselineError};
pub use findings::{Audit, Checked, Compared, Finding, Findings, Kind, LISTED, Outcome, RuleRef};
pub use policy::{MAX_SIZE as MAX_POLICY, Policy, PolicyError};

/// What to say of ports that nobody wanted any more: they may be open, and that is no fault of the scan.
const LEFT_OUT: &str = "left out by --stop-at-first-open";
