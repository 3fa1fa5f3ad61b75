//! CSV (RFC 4180): a header, then a row for each listed port, as found.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return for a
//! formula. What comes from outside and begins so has an apostrophe before it. Characters that could
//! drive a terminal are written as `\u{…}`.

use std::io::{self, Write};

use csv::{Terminator, WriterBuilder};

use super::Record;
use super::escape;
use super::ndjson::{Line, PortLine};

/// The first row. Columns may be added behind the last; none is removed or moves.
pub const HEADER: [&str; 14] = [
    "ip", "host", "port", "proto", "state", "reason", "from", "service", "rtt_ms", "attempts",
    "time", "product", "version", "info",
];

/// Bytes that a row needs as a rule.
const ROW: usize = 512;

/// Writes the rows of `record`, in one write each. Errors are those of `out`.
pub fn write(out: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
    match record {
        Record::Line(Line::Start(_)) => row(out, &HEADER),
        Record::Line(Line::Port(_)) | Record::Bulk { .. } => {
            record.ports(&mut |port| port_row(out, port))
        }
        Record::Line(_) | Record::Again(_) | Record::Audit(_) => Ok(()),
    }
}

fn port_row(out: &mut impl Write, port: &PortLine<'_>) -> io::Result<()> {
    let shown = |value: Option<String>| value.unwrap_or_default();
    let outside = |text: Option<&str>| shown(text.map(cell));
    let found = port.service.found.as_deref();
    let fields: [String; HEADER.len()] = [
        port.ip.to_string(),
        outside(port.host.as_deref()),
        port.port.to_string(),
        cell(&port.proto),
        port.state.as_str().into(),
        port.reason.as_str().into(),
        shown(port.from.map(|from| from.to_string())),
        outside(port.service.label().as_deref()),
        shown(port.rtt_ms.map(|rtt| rtt.to_string())),
        port.attempts.to_string(),
        format!("{:.6}", port.time),
        outside(found.and_then(|found| found.product.as_deref())),
        outside(found.and_then(|found| found.version.as_deref())),
        outside(found.and_then(|found| found.info.as_deref())),
    ];
    row(out, &fields)
}

fn row(out: &mut impl Write, fields: &[impl AsRef<[u8]>]) -> io::Result<()> {
    let mut text = Vec::with_capacity(ROW);
    let mut writer = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .buffer_capacity(ROW)
        .from_writer(&mut text);
    writer.write_record(fields)?;
    writer.flush()?;
    drop(writer);
    out.write_all(&text)
}

/// Text from outside as a cell.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let before = if formula { "'" } else { "" };
    format!("{before}{}", escape(text))
}
