//! SARIF 2.1.0 (OASIS) of an audit: a result for each finding.
//!
//! What differs or breaks a rule is an error, what cannot be told a warning, an exception that holds a
//! suppressed note. A result is placed in the policy or the baseline that it follows from, since
//! viewers want a file, and names host and port as its logical location.

use std::io::{self, Write};

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::ndjson::write_json;
use super::{Record, escape};
use crate::audit::{Audit, Finding, Kind, Outcome, RuleRef};

/// Where editors look for the schema.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// Writes the whole document, if `record` is the audit. Errors are those of `out`.
pub fn write(out: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
    match record {
        Record::Audit(audit) => document(out, audit),
        _ => Ok(()),
    }
}

fn document(out: &mut impl Write, audit: &Audit) -> io::Result<()> {
    let rules: Vec<Value> = Kind::ALL.into_iter().map(rule).collect();
    let run = Run {
        tool: json!({"driver": {
            "name": "nishad",
            "semanticVersion": env!("CARGO_PKG_VERSION"),
            "rules": rules,
        }}),
        invocations: [invocation(audit)],
        column_kind: "unicodeCodePoints",
        results: Results(audit),
    };
    let document = Document {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [run],
    };
    write_json(out, &document)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Value,
    invocations: [Value; 1],
    column_kind: &'static str,
    results: Results<'a>,
}

/// The results, each of which is made when it is written: there may be tens of thousands.
struct Results<'a>(&'a Audit);

impl Serialize for Results<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let results = self.0.findings().map(|finding| result(finding, self.0));
        serializer.collect_seq(results)
    }
}

fn rule(kind: Kind) -> Value {
    json!({
        "id": kind.as_str(),
        "shortDescription": {"text": kind.description()},
        "defaultConfiguration": {"level": level(kind)},
    })
}

fn level(kind: Kind) -> &'static str {
    match kind.outcome() {
        Outcome::Failed => "error",
        Outcome::Incomplete => "warning",
        Outcome::Clean => "note",
    }
}

/// How the scan went; what is not listed is told, too.
fn invocation(audit: &Audit) -> Value {
    let mut notifications = Vec::new();
    let mut note = |text: String| {
        notifications.push(json!({"level": "error", "message": {"text": text}}));
    };
    if audit.incomplete {
        note("The scan is incomplete.".into());
    }
    let more = audit.not_listed();
    if more > 0 {
        note(format!("{more} more findings are not listed."));
    }
    json!({
        "executionSuccessful": !audit.incomplete,
        "startTimeUtc": format!("{:.3}", audit.started),
        "toolExecutionNotifications": notifications,
    })
}

fn result(finding: &Finding, audit: &Audit) -> Value {
    let index = Kind::ALL.iter().position(|kind| *kind == finding.kind);
    let mut result = json!({
        "ruleId": finding.kind.as_str(),
        "ruleIndex": index,
        "level": level(finding.kind),
        "message": {"text": plain(&finding.to_string())},
        "locations": [location(finding, audit)],
        "partialFingerprints": {"finding/v1": fingerprint(finding)},
    });
    if finding.kind == Kind::Excepted {
        let comment = finding
            .rule
            .as_ref()
            .and_then(|rule| rule.comment.as_deref());
        let comment = comment.unwrap_or("an exception of the policy");
        let justification = plain(&escape(comment).to_string());
        result["suppressions"] = json!([{"kind": "external", "justification": justification}]);
    }
    result
}

/// What a message must not have: brackets, which make links of what comes from outside.
fn plain(text: &str) -> String {
    text.replace('[', "(").replace(']', ")")
}

fn location(finding: &Finding, audit: &Audit) -> Value {
    let compared = audit.baseline.as_ref();
    let (file, line) = match &finding.rule {
        Some(RuleRef { file, line, .. }) => (Some(file), *line),
        None if finding.kind.is_of_baseline() => (compared.and_then(|old| old.files.first()), 1),
        None => (audit.policy.as_ref().map(|policy| &policy.file), 1),
    };
    let mut location = json!({});
    if let Some(file) = file {
        location["physicalLocation"] = json!({
            "artifactLocation": {"uri": uri(file)},
            "region": {"startLine": line},
        });
    }
    if let Some(host) = &finding.host {
        let place = match finding.port {
            Some(port) => host.socket_addr(port).to_string(),
            None => host.to_string(),
        };
        location["logicalLocations"] = json!([{"fullyQualifiedName": place, "kind": "resource"}]);
    }
    location
}

/// What stays the same when the finding comes up again.
fn fingerprint(finding: &Finding) -> String {
    let host = finding.host.as_ref().map(ToString::to_string);
    let ports = match (finding.port, &finding.ports) {
        (Some(port), _) => port.to_string(),
        (None, Some(ports)) => ports.to_string(),
        (None, None) => String::new(),
    };
    format!(
        "{} {} {ports}",
        finding.kind.as_str(),
        host.unwrap_or_default()
    )
}

/// A file's name as a URI reference (RFC 3986): relative ones stay so.
fn uri(file: &str) -> String {
    let file = match std::path::MAIN_SEPARATOR {
        '\\' => file.replace('\\', "/"),
        _ => file.to_string(),
    };
    let mut uri = String::new();
    if file.starts_with('/') {
        uri.push_str("file://");
    }
    for byte in file.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(byte.into());
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_uris() {
        for (file, wanted) in [
            ("policy.toml", "policy.toml"),
            ("a b/ü\u{202e}#?.toml", "a%20b/%C3%BC%E2%80%AE%23%3F.toml"),
            ("/etc/p.toml", "file:///etc/p.toml"),
            ("javascript:x", "javascript%3Ax"),
        ] {
            assert_eq!(uri(file), wanted);
        }
    }
}
