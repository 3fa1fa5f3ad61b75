//! The findings of an audit, a line each.

use std::fmt::{self, Write as _};

use jiff::tz::TimeZone;

use super::RULE;
use crate::audit::{Audit, Finding, Kind, Outcome};
use crate::output::escape;
use crate::output::findings::{files, sums};
use crate::output::words::ports;

/// Longest name of a kind.
const WIDTH: usize = "required-missing".len();

/// The block of `audit`; times are told in `zone`.
pub(super) fn block(audit: &Audit, zone: &TimeZone, color: bool) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = write(&mut text, audit, zone, color);
    text
}

fn write(text: &mut String, audit: &Audit, zone: &TimeZone, color: bool) -> fmt::Result {
    writeln!(text, "{RULE}")?;
    if let Some(compared) = &audit.baseline {
        write!(text, "Baseline {}", files(compared))?;
        if let Some(started) = compared.started {
            let started = zone.to_datetime(started);
            write!(text, " of {} {:.0}", started.date(), started.time())?;
        }
        let sums = sums(&Kind::BASELINE, &compared.findings, |n| n.to_string());
        writeln!(text, ": {} compared, {sums}", ports(compared.ports))?;
    }
    if let Some(checked) = &audit.policy {
        let s = if checked.rules == 1 { "" } else { "s" };
        let file = escape(&checked.file);
        let sums = sums(&Kind::POLICY, &checked.findings, |n| n.to_string());
        writeln!(
            text,
            "Policy {file}, {} rule{s}: {} checked, {sums}",
            checked.rules,
            ports(checked.ports)
        )?;
    }
    for finding in audit.findings() {
        line(text, finding, color)?;
    }
    let outcome = match audit.outcome() {
        Outcome::Clean => "clean",
        Outcome::Incomplete => "incomplete, and so not clean",
        Outcome::Failed => "failed",
    };
    writeln!(
        text,
        "Audit: {}\n{RULE}",
        Painted(outcome, audit.outcome(), color)
    )
}

fn line(text: &mut String, finding: &Finding, color: bool) -> fmt::Result {
    let kind = finding.kind;
    let gap = WIDTH - kind.as_str().len();
    let word = Painted(kind.as_str(), kind.outcome(), color);
    writeln!(text, "{word}{:gap$} {finding}", "")
}

/// A word in the colour of what it means.
struct Painted(&'static str, Outcome, bool);

impl fmt::Display for Painted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Painted(word, outcome, color) = *self;
        let code = match outcome {
            Outcome::Clean => 32,
            Outcome::Incomplete => 33,
            Outcome::Failed => 31,
        };
        match color {
            true => write!(f, "\x1b[{code}m{word}\x1b[0m"),
            false => f.write_str(word),
        }
    }
}
