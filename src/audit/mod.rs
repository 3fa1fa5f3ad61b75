//! A result held against an earlier one and against a policy.

mod findings;

pub use findings::{Audit, Checked, Compared, Finding, Findings, Kind, LISTED, Outcome, RuleRef};
