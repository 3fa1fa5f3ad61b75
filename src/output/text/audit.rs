//! The findings of an audit, a line each.

use std::fmt::{self, Write as _};

use jiff::tz::TimeZone;

use super::RULE;
use crate::audit::{Audit, Finding, Findings, Kind, Outcome};
use crate::output::escape;
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
        let files: Vec<_> = compared
            .files
            .iter()
            .take(3)
            .map(|file| escape(file).to_string())
            .collect();
        write!(text, "Baseline {}", files.join(", "))?;
        if let Some(more @ 1..) = compared.files.len().checked_sub(files.len()) {
            write!(text, " and {more} more")?;
        }
        if let Some(started) = compared.started {
            let started = started.to_zoned_datetime(zone.clone());
            write!(text, " of {}", started.strftime("%Y-%m-%d %H:%M:%S"))?;
        }
        write!(text, ": {} compared", ports(compared.ports))?;
        sums(text, &Kind::BASELINE, &compared.findings)?;
    }
    if let Some(checked) = &audit.policy {
        let s = if checked.rules == 1 { "" } else { "s" };
        let file = escape(&checked.file);
        write!(
            text,
            "Policy {file}, {} rule{s}: {} checked",
            checked.rules,
            ports(checked.ports)
        )?;
        sums(text, &Kind::POLICY, &checked.findings)?;
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

/// `, 2 opened, 1 closed` and the end of the line.
fn sums(text: &mut String, kinds: &[Kind], findings: &Findings) -> fmt::Result {
    let counts = kinds.iter().map(|kind| (kind, findings.count(*kind)));
    let mut none = true;
    for (kind, count) in counts.filter(|(_, count)| *count > 0) {
        write!(text, ", {count} {}", kind.as_str())?;
        none = false;
    }
    if none {
        write!(text, ", nothing found")?;
    }
    match findings.not_listed() {
        0 => writeln!(text),
        more => writeln!(text, " ({more} of them not listed)"),
    }
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
