//! HTML for people: one page with everything in it, to be looked at, filtered, printed and kept.
//!
//! The page asks nobody for anything: its policy allows its own style and script and nothing else. What
//! was found lies in it as JSON, and its script shows as much of it as is looked at; without a script
//! there are the facts and a plain table of the first ports. All of a run comes at its end, so the
//! listed ports are held until then, 24 bytes each and what answers there once.

mod audit;
mod data;
mod page;
mod rows;

use std::io::{self, Write};

use super::Record;
use super::held::Held;
use super::ndjson::{HostLine, Line, RunLine, StartLine};
use crate::audit::Audit;
use page::Page;
use rows::Rows;

/// The HTML format.
#[derive(Debug, Default)]
pub struct Html {
    start: Option<StartLine>,
    held: Held,
    rows: Rows,
    audit: Option<Audit>,
}

impl Html {
    /// Takes a record; writes the page when it is the last. Errors are those of `out`.
    pub fn record(&mut self, out: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
        self.held.add(record);
        match record {
            Record::Line(Line::Start(start)) => self.start = Some(start.clone()),
            Record::Line(Line::Host(host)) => self.host(host),
            Record::Line(Line::Run(run)) => return self.finish(out, run),
            Record::Audit(audit) => self.audit = Some((*audit).clone()),
            _ => {}
        }
        Ok(())
    }

    fn host(&mut self, host: &HostLine<'_>) {
        let ports = self.held.take(host);
        self.rows.add(host, ports);
    }

    fn finish(&mut self, out: &mut impl Write, run: &RunLine) -> io::Result<()> {
        self.rows.sort();
        let page = Page {
            start: self.start.as_ref(),
            rows: &self.rows,
            audit: self.audit.as_ref(),
            run,
        };
        page.write(out)
    }
}
