//! NDJSON for programs: one JSON object (RFC 8259) a line, as found.
//!
//! Lines have a `type`: first `start`, then `port` and `host` and, last, `run`. Every field is always
//! there; what does not apply is `null`. Beyond what JSON asks for, characters that could drive a
//! terminal are written as `\u` escapes, which any JSON reader undoes.

mod audit;
mod lines;
mod service_field;

use std::io::{self, Write};

use super::Record;
use crate::service;
use crate::target::PortSet;

pub(super) use lines::milliseconds;
pub use lines::{
    Address, CountFields, HostLine, Line, PortLine, RunLine, ShardField, StartLine, seconds,
};
pub(crate) use lines::{maybe_time, time, write_json};

pub use service_field::ServiceField;

/// Version of the lines' meaning, the `schema` of the `start` and `run` lines. Fields may be added
/// within a version; none is removed or changes its meaning.
pub const SCHEMA: u32 = 1;

/// What a line may be, as a JSON Schema (draft 2020-12): `src/output/ndjson.schema.json`.
pub const JSON_SCHEMA: &str = include_str!("ndjson.schema.json");

/// Writes the lines of `record`. Errors are those of `out`.
pub fn write(out: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
    match record {
        Record::Line(line) => line.write(out),
        // The sums of its host, which is written once more too, count it again.
        Record::Again(line) => Line::Port(line.clone()).write(out),
        Record::Bulk { like, ports } => bulk(out, like, ports),
        Record::Audit(audit) => audit::write(out, audit),
    }
}

/// Lines that differ only in the port and its service: the rest is put into JSON once, for an
/// interrupted run may end with millions of them.
fn bulk(out: &mut impl Write, like: &PortLine<'_>, ports: &PortSet) -> io::Result<()> {
    let mut model = Vec::new();
    let like = PortLine {
        port: 0,
        service: ServiceField::default(),
        ..like.clone()
    };
    Line::Port(like).write(&mut model)?;
    let model = String::from_utf8(model).map_err(io::Error::other)?;
    // Quotes within strings are escaped, so that neither field is found in one.
    let parts = model.split_once(r#""port":0,"#).and_then(|(head, rest)| {
        let (middle, tail) = rest.split_once(r#""service":null,"#)?;
        Some((head, middle, tail))
    });
    let (head, middle, tail) = parts.ok_or_else(|| io::Error::other("not a port line"))?;
    let mut line = Vec::with_capacity(model.len() + 64);
    let mut names = service::names();
    for port in ports.iter() {
        line.clear();
        write!(line, r#"{head}"port":{port},{middle}"service":"#)?;
        match names(port) {
            // Letters, digits and hyphens.
            Some(name) => write!(line, r#""{name}","#)?,
            None => write!(line, "null,")?,
        }
        line.extend_from_slice(tail.as_bytes());
        out.write_all(&line)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
