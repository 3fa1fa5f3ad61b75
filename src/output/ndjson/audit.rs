//! The lines of an audit: a `finding` each, and an `audit` line also when there is none.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::lines::{Address, write_line};
use crate::audit::{Audit, Finding, Findings, Kind, Outcome, RuleRef};
use crate::engine::State;

/// A `finding` line.
#[derive(Serialize)]
#[serde(tag = "type", rename = "finding")]
struct FindingLine<'a> {
    kind: Kind,
    outcome: Outcome,
    ip: Option<Address>,
    host: Option<&'a str>,
    port: Option<u16>,
    ports: Option<String>,
    before: Option<State>,
    now: Option<State>,
    rule: Option<RuleField<'a>>,
    expired: Option<RuleField<'a>>,
    message: &'a str,
}

#[derive(Serialize)]
struct RuleField<'a> {
    file: &'a str,
    line: u64,
    name: Option<&'a str>,
    comment: Option<&'a str>,
    until: Option<String>,
}

/// The `audit` line.
#[derive(Serialize)]
#[serde(tag = "type", rename = "audit")]
struct AuditLine<'a> {
    outcome: Outcome,
    baseline: Option<BaselineField<'a>>,
    policy: Option<PolicyField<'a>>,
}

#[derive(Serialize)]
struct BaselineField<'a> {
    files: &'a [String],
    started: Option<String>,
    ports: u64,
    findings: BTreeMap<Kind, u64>,
    not_listed: u64,
}

#[derive(Serialize)]
struct PolicyField<'a> {
    file: &'a str,
    rules: u64,
    ports: u64,
    findings: BTreeMap<Kind, u64>,
    not_listed: u64,
}

/// Writes the lines of `audit`. Errors are those of `out`.
pub(super) fn write(out: &mut impl Write, audit: &Audit) -> io::Result<()> {
    for finding in audit.findings() {
        write_line(out, &FindingLine::from(finding))?;
    }
    let baseline = audit.baseline.as_ref().map(|compared| BaselineField {
        files: &compared.files,
        started: compared.started.map(|time| format!("{time:.6}")),
        ports: compared.ports,
        findings: counts(&Kind::BASELINE, &compared.findings),
        not_listed: compared.findings.not_listed(),
    });
    let policy = audit.policy.as_ref().map(|checked| PolicyField {
        file: &checked.file,
        rules: checked.rules,
        ports: checked.ports,
        findings: counts(&Kind::POLICY, &checked.findings),
        not_listed: checked.findings.not_listed(),
    });
    let line = AuditLine {
        outcome: audit.outcome(),
        baseline,
        policy,
    };
    write_line(out, &line)
}

fn counts(kinds: &[Kind], findings: &Findings) -> BTreeMap<Kind, u64> {
    kinds
        .iter()
        .map(|kind| (*kind, findings.count(*kind)))
        .collect()
}

impl<'a> From<&'a Finding> for FindingLine<'a> {
    fn from(finding: &'a Finding) -> FindingLine<'a> {
        let host = finding.host.as_ref();
        FindingLine {
            kind: finding.kind,
            outcome: finding.kind.outcome(),
            ip: host.map(Address::from),
            host: host.and_then(|host| host.name.as_deref()),
            port: finding.port,
            ports: finding.ports.as_ref().map(ToString::to_string),
            before: finding.before,
            now: finding.now,
            rule: finding.rule.as_ref().map(RuleField::from),
            expired: finding.expired.as_ref().map(RuleField::from),
            message: &finding.message,
        }
    }
}

impl<'a> From<&'a RuleRef> for RuleField<'a> {
    fn from(rule: &'a RuleRef) -> RuleField<'a> {
        RuleField {
            file: &rule.file,
            line: rule.line,
            name: rule.name.as_deref(),
            comment: rule.comment.as_deref(),
            until: rule.until.map(|until| until.to_string()),
        }
    }
}
