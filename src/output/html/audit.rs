//! What came of an audit: its sums, and its findings for the table.

use std::fmt::{self, Write};

use serde::{Serialize, Serializer};

use super::page::{PLAIN, html, plain_html, plural, second};
use crate::audit::{Audit, Finding, Kind, Outcome};
use crate::output::escape::escape;
use crate::output::findings::{files, sums};
use crate::output::ndjson::Address;
use crate::output::words::Thousands;

/// Ranges of ports of one finding that are told.
const RANGES: usize = 100;

/// The sums of `audit`, and what it means.
pub(super) fn section(text: &mut String, audit: &Audit) -> fmt::Result {
    let (class, outcome) = match audit.outcome() {
        Outcome::Clean => ("complete", "clean: all is as it was and as it should be"),
        Outcome::Incomplete => ("incomplete", "incomplete, and so not clean"),
        Outcome::Failed => ("incomplete", "failed"),
    };
    writeln!(
        text,
        "<section aria-labelledby=\"audit-title\">\n<h2 id=\"audit-title\">Audit</h2>\n<p class=\"{class}\"><strong>Audit</strong>: {outcome}</p>\n<ul>"
    )?;
    if let Some(compared) = &audit.baseline {
        let files = plain_html(&files(compared));
        let of = compared
            .started
            .map_or(String::new(), |started| format!(" of {}", second(started)));
        let ports = plural(compared.ports, "port");
        let sums = sums(&Kind::BASELINE, &compared.findings, number);
        writeln!(
            text,
            "<li>Baseline {files}{of}: {ports} compared, {sums}</li>"
        )?;
    }
    if let Some(checked) = &audit.policy {
        let (file, rules) = (html(&checked.file), plural(checked.rules, "rule"));
        let ports = plural(checked.ports, "port");
        let sums = sums(&Kind::POLICY, &checked.findings, number);
        writeln!(
            text,
            "<li>Policy {file}, {rules}: {ports} checked, {sums}</li>"
        )?;
    }
    writeln!(text, "</ul>\n</section>")
}

fn number(n: u64) -> String {
    Thousands(n).to_string()
}

/// The first findings, for those who run no script.
pub(super) fn plain(text: &mut String, audit: &Audit) -> fmt::Result {
    let all = audit.findings().count();
    if all == 0 {
        return Ok(());
    }
    let first = match all > PLAIN {
        true => format!(
            "The first {} of {} findings; a browser that runs scripts shows all",
            number(PLAIN as u64),
            number(all as u64)
        ),
        false => "Findings".into(),
    };
    writeln!(text, "<p>{first}</p>\n<ul>")?;
    for finding in audit.findings().take(PLAIN) {
        let kind = finding.kind.as_str();
        writeln!(
            text,
            "<li>{kind}: {}</li>",
            plain_html(&finding.to_string())
        )?;
    }
    writeln!(text, "</ul>")
}

/// The findings as the page's script reads them.
pub(super) struct Listed<'a>(pub(super) Option<&'a Audit>);

impl Serialize for Listed<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let findings = || self.0.iter().flat_map(|audit| audit.findings());
        let address = |finding: &Finding| finding.host.as_ref().map(Address::from);
        let mut hosts: Vec<_> = findings().filter_map(address).collect();
        hosts.sort_unstable();
        hosts.dedup();
        to.collect_seq(findings().map(|finding| {
            let host = address(finding);
            let name = finding.host.as_ref().and_then(|host| host.name.as_deref());
            let state =
                [finding.before, finding.now].map(|state| state.map(|state| state.as_str()));
            let rule = finding.rule.as_ref().map(|rule| rule.to_string());
            (
                (finding.kind.as_str(), finding.kind.outcome().as_str()),
                // Its place among the addresses, to sort by.
                host.and_then(|host| hosts.binary_search(&host).ok()),
                host.map(|host| host.to_string()).unwrap_or_default(),
                name.map(|name| escape(name).to_string())
                    .unwrap_or_default(),
                ports(finding),
                state,
                &*finding.message,
                rule.unwrap_or_default(),
            )
        }))
    }
}

/// The ports a finding is about, as ranges.
fn ports(finding: &Finding) -> Vec<(u16, u16)> {
    let several = finding.ports.iter().flat_map(|ports| ports.ranges());
    let one = finding.port.map(|port| (port, port));
    one.into_iter().chain(several).take(RANGES).collect()
}
