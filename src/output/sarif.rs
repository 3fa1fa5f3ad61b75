//! SARIF 2.1.0 (OASIS) of an audit: a result for each finding.
//!
//! What differs or breaks a rule is an error, what cannot be told a warning, an exception that holds a
//! suppressed note. A result is placed in the policy or the baseline that it follows from, since
//! viewers want a file, and names host and port as its logical location.

use std::io::{self, Write};

use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::ndjson::write_json;
use super::{Record, escape};
use crate::audit::{Audit, Finding, Kind, Outcome, RuleRef};

/// Where editors look for the schema.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// Results at most: GitHub takes no file with more, and shows the first 5,000.
const MOST: usize = 25_000;

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

/// The results, the worst first. Each is made when it is written: there may be tens of thousands.
struct Results<'a>(&'a Audit);

impl Serialize for Results<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let worst = [Outcome::Failed, Outcome::Incomplete, Outcome::Clean];
        let findings = worst.into_iter().flat_map(|outcome| {
            let findings = self.0.findings();
            findings.filter(move |finding| finding.kind.outcome() == outcome)
        });
        let results = findings.map(|finding| result(finding, self.0));
        serializer.collect_seq(results.take(MOST))
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
    let left = audit.findings().count().saturating_sub(MOST) as u64;
    let more = audit.not_listed().saturating_add(left);
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
        "partialFingerprints": fingerprints(finding),
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

/// What stays the same when the finding comes up again. GitHub knows only the second, and makes it of
/// the line in the file where there is none: all hosts that break a rule would be one alert.
fn fingerprints(finding: &Finding) -> Value {
    let text = fingerprint(finding);
    let digest = Sha256::digest(&text);
    let hash: String = digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    json!({"finding/v1": text, "primaryLocationLineHash": format!("{hash}:1")})
}

fn fingerprint(finding: &Finding) -> String {
    let kind = finding.kind.as_str();
    let ports = match (finding.port, &finding.ports) {
        (Some(port), _) => port.to_string(),
        (None, Some(ports)) => ports.to_string(),
        (None, None) => String::new(),
    };
    match &finding.host {
        Some(host) => format!("{kind} {host} {ports}"),
        None => format!("{kind}  {ports} {}", finding.message),
    }
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
    use std::net::Ipv4Addr;

    use super::*;
    use crate::audit::{Checked, Findings};
    use crate::target::Target;

    fn written(kinds: &[(Kind, usize)]) -> Value {
        let mut findings = Findings::default();
        for (kind, count) in kinds {
            for n in 0..*count {
                findings.add(Finding {
                    host: Some(Target::new(Ipv4Addr::from(n as u32).into())),
                    port: Some(22),
                    ..Finding::new(*kind, "is open".into())
                });
            }
        }
        let policy = Checked {
            findings,
            file: "p.toml".into(),
            ..Checked::default()
        };
        let audit = Audit {
            policy: Some(policy),
            ..Audit::default()
        };
        let mut out = Vec::new();
        document(&mut out, &audit).expect("a Vec takes all");
        serde_json::from_slice(&out).expect("JSON")
    }

    /// GitHub would take two hosts that break a rule for one alert.
    #[test]
    fn each_finding_has_a_print_of_its_own() {
        let document = written(&[(Kind::ForbiddenOpen, 3), (Kind::NotAllowed, 3)]);
        let results = document["runs"][0]["results"].as_array().expect("results");
        let prints = results.iter().map(|result| {
            let print = &result["partialFingerprints"]["primaryLocationLineHash"];
            print.as_str().expect("text")
        });
        let prints: std::collections::BTreeSet<_> = prints.collect();
        assert_eq!(prints.len(), 6, "{document}");
        assert!(prints.iter().all(|print| print.len() == 18), "{prints:?}");
        assert_eq!(
            document,
            written(&[(Kind::ForbiddenOpen, 3), (Kind::NotAllowed, 3)])
        );
    }

    /// No more than GitHub takes, the worst of them.
    #[test]
    fn the_worst_go_before_what_is_too_much() {
        let kinds = [(Kind::Unclear, 20_000), (Kind::NotAllowed, 15_000)];
        let document = written(&kinds);
        let run = &document["runs"][0];
        let results = run["results"].as_array().expect("results");
        assert_eq!(results.len(), MOST);
        let failed = results
            .iter()
            .take_while(|result| result["level"] == "error");
        assert_eq!(failed.count(), 15_000);
        let notes = &run["invocations"][0]["toolExecutionNotifications"];
        assert_eq!(
            notes[0]["message"]["text"],
            "10000 more findings are not listed."
        );
    }

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
