//! What was found, as JSON that no HTML parser looks into.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::{Serialize, Serializer};
use serde_json::ser::{CompactFormatter, Formatter};

use super::audit::Listed;
use super::rows::{HostRow, NONE, PortRow, Rows};
use crate::audit::Audit;
use crate::engine::{Reason, State};
use crate::output::words::Chance;

/// Writes `rows` as the page's script reads them. Errors are those of `out`.
pub(super) fn write(out: &mut impl Write, rows: &Rows, audit: Option<&Audit>) -> io::Result<()> {
    let ports = rows.hosts.iter().flat_map(|host| &host.ports);
    let reasons = ports.map(|row| row.reason).collect::<BTreeSet<_>>();
    let reasons = reasons.into_iter().collect::<Vec<_>>();
    let data = Data {
        reasons: reasons
            .iter()
            .map(|reason| (reason.as_str(), reason.state().as_str()))
            .collect(),
        services: &rows.services.list,
        products: &rows.products.list,
        details: &rows.details.list,
        senders: &rows.senders.list,
        hosts: Hosts(&rows.hosts, &reasons),
        findings: Listed(audit),
    };
    data.serialize(&mut serde_json::Serializer::with_formatter(out, Inert))?;
    Ok(())
}

#[derive(Serialize)]
struct Data<'a> {
    /// Those that ports have, and the state of each.
    reasons: Vec<(&'static str, &'static str)>,
    services: &'a [Box<str>],
    products: &'a [Box<str>],
    details: &'a [Box<str>],
    senders: &'a [Box<str>],
    hosts: Hosts<'a>,
    findings: Listed<'a>,
}

/// Hosts, and the reasons that their ports have.
struct Hosts<'a>(&'a [HostRow], &'a [Reason]);

impl Serialize for Hosts<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(|host| {
            let counts = State::ALL.map(|state| host.counts.get(state));
            let ports = Ports(&host.ports, self.1);
            let name = host.name.as_deref().unwrap_or_default();
            (
                host.ip,
                name,
                counts,
                chance(host),
                host.seconds,
                note(host),
                ports,
            )
        }))
    }
}

struct Ports<'a>(&'a [PortRow], &'a [Reason]);

impl Serialize for Ports<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let some = |number: u32| (number != NONE).then_some(number);
        to.collect_seq(self.0.iter().map(|row| {
            let reason = self.1.binary_search(&row.reason).ok();
            (
                row.port,
                reason,
                row.rtt_ms(),
                row.attempts,
                some(row.service),
                some(row.product),
                some(row.details),
                some(row.from),
            )
        }))
    }
}

/// The chance that an open port was missed, to sort by and to show.
fn chance(host: &HostRow) -> (Option<f64>, String) {
    let counts = &host.counts;
    if counts.total() == counts.unscanned {
        return (None, String::new());
    }
    let all_answered = counts.open + counts.closed == counts.total();
    match host.miss {
        Some(miss) => (Some(miss), Chance { miss, all_answered }.to_string()),
        None => (None, "cannot be known".into()),
    }
}

fn note(host: &HostRow) -> String {
    let mut notes = Vec::new();
    if host.accepts_all {
        notes.push("accepts everything".to_string());
    }
    if host.refusals_limited {
        notes.push("refusals are limited: filtered ports may be closed".into());
    }
    if let Some(loss) = host.loss.filter(|loss| *loss >= 0.0005) {
        notes.push(format!("{:.1}% lost", loss * 100.0));
    }
    notes.join("; ")
}

/// Compact JSON without `<`, so that neither the end of a script nor the beginning of a comment is in
/// it.
struct Inert;

impl Formatter for Inert {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for (index, piece) in fragment.split('<').enumerate() {
            if index > 0 {
                writer.write_all(b"\\u003c")?;
            }
            CompactFormatter.write_string_fragment(writer, piece)?;
        }
        Ok(())
    }
}
