//! The outputs of a run: documents in their formats, each with the place it goes to. One that cannot
//! be written is told and left out; the others go on.

use std::io;

use anyhow::{Context, Result};
use console::Term;

use nishad::checkpoint::SavedOutput;
use nishad::output::ndjson::{HostLine, Line};
use nishad::output::{Format, Output, Record, Show, TextOptions};

use super::Exit;
use super::args::Color;
use super::audit::Auditing;
use super::destination::Wanted;
use super::progress::{Screen, is_dumb};
use super::sink::{How, Sink};

/// All outputs that can still be written.
pub(crate) struct Outputs {
    all: Vec<Document>,
    /// What is to be told, each a line.
    messages: Vec<String>,
    /// Whether one could not be written, and whether nobody reads one any more.
    failed: bool,
    closed: bool,
    /// Whether open ports are listed whatever the host.
    all_open: bool,
    audit: Auditing,
}

struct Document {
    output: Output,
    sink: Sink,
}

impl Outputs {
    /// Opens what is `wanted` for ports as `show` lists them, or goes on with it as it was `saved`. An
    /// error is one of this machine.
    pub(crate) fn open(
        wanted: &[Wanted],
        force: bool,
        saved: Option<&[SavedOutput]>,
        show: Show,
        text: impl Fn(&Sink) -> TextOptions,
    ) -> Result<Outputs> {
        let mut all = Vec::new();
        for (index, Wanted { format, to }) in wanted.iter().enumerate() {
            let sink = match saved.and_then(|saved| saved.get(index)) {
                Some(saved) => Sink::go_on(to, saved.length),
                None => {
                    let streams = format.streams();
                    Sink::open(to, How { streams, force })
                }
            };
            if sink.is_err() && saved.is_none() && !force {
                // What was made a moment ago would be in the way the next time.
                all.clear();
                let made = wanted[..index].iter().filter(|made| made.format.streams());
                made.for_each(|made| made.to.remove());
            }
            let sink = sink.with_context(|| format!("cannot write to {}", to.name()))?;
            let output = Output::new(*format, text(&sink));
            all.push(Document { output, sink });
        }
        Ok(Outputs {
            all,
            messages: Vec::new(),
            failed: false,
            closed: false,
            all_open: show.is_explicit(),
            audit: Auditing::default(),
        })
    }

    /// Has the results audited on their way.
    pub(crate) fn audit(&mut self, audit: Auditing) {
        self.audit = audit;
    }

    /// The exit code of the audit, if it is not clean.
    pub(crate) fn audited(&self) -> Option<Exit> {
        self.audit.exit()
    }

    /// Writes what `record` adds.
    pub(crate) fn record(&mut self, record: &Record<'_>) {
        if let Some(audit) = self.audit.record(record) {
            self.write(&Record::Audit(&audit));
        }
        self.write(record);
    }

    fn write(&mut self, record: &Record<'_>) {
        self.each(|document| document.output.record(&mut document.sink, record));
        if let Record::Line(Line::Host(host)) = record {
            self.tell_wall(host);
        }
    }

    /// Writes what is held where so much is held that it must be or, if it is `urgent`, where anybody
    /// may see it.
    pub(crate) fn flush(&mut self, urgent: bool, screen: &Screen) {
        self.each(|Document { sink, .. }| {
            let due = sink.is_full() || (urgent && !sink.is_empty() && sink.is_seen());
            match due {
                true if sink.is_terminal() => screen.without_bar(|| sink.flush()),
                true => sink.flush(),
                false => Ok(()),
            }
        });
    }

    /// Ends all documents: those that are files have their names then.
    pub(crate) fn finish(&mut self) {
        for Document { sink, .. } in std::mem::take(&mut self.all) {
            let name = sink.name().to_string();
            if let Err(error) = sink.finish() {
                self.fail(&name, &error);
            }
        }
    }

    /// Makes what was written outlast a power failure, and tells how long it is.
    pub(crate) fn sync(&mut self) -> io::Result<Vec<SavedOutput>> {
        let saved = self.all.iter_mut().map(|Document { output, sink }| {
            Ok(SavedOutput {
                format: output.format().as_str().into(),
                length: sink.sync()?,
            })
        });
        saved.collect()
    }

    /// What is to be told since it was asked for.
    pub(crate) fn take_messages(&mut self) -> Vec<String> {
        std::mem::take(&mut self.messages)
    }

    /// Whether there is none left.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether one could not be written.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// Whether nobody reads one any more.
    pub(crate) fn closed(&self) -> bool {
        self.closed
    }

    fn each(&mut self, mut act: impl FnMut(&mut Document) -> io::Result<()>) {
        let mut failures = Vec::new();
        self.all.retain_mut(|document| match act(document) {
            Ok(()) => true,
            Err(error) => {
                failures.push((document.sink.name().to_string(), error));
                false
            }
        });
        for (name, error) in failures {
            self.fail(&name, &error);
        }
    }

    fn fail(&mut self, name: &str, error: &io::Error) {
        if error.kind() == io::ErrorKind::BrokenPipe {
            // Whoever has read enough need not be told.
            self.closed = true;
        } else {
            self.failed = true;
            self.messages
                .push(format!("error: cannot write to {name}: {error}"));
        }
    }

    /// Ports of a host that turns out to accept everything, listed before that was known: NDJSON says
    /// it in the line of the host, and these formats cannot.
    fn tell_wall(&mut self, host: &HostLine<'_>) {
        let listed = host.counts.open.saturating_sub(host.open_not_listed);
        if host.suspect.is_none() || self.all_open || listed == 0 {
            return;
        }
        for Document { output, sink } in &self.all {
            if matches!(output.format(), Format::Csv | Format::List) {
                self.messages.push(format!(
                    "{}: accepts every connection, but {listed} of its ports are in {}",
                    host.ip,
                    sink.name()
                ));
            }
        }
    }
}

/// Whether text that goes to `sink` has colour.
pub(crate) fn color(wanted: Color, sink: &Sink) -> bool {
    // https://no-color.org: set to anything but nothing.
    let unwanted = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let terminal = sink.is_terminal();
    // To ask is what makes the console of Windows understand colour; the oldest does not.
    let console = cfg!(windows) && terminal;
    let understood = !console || Term::stdout().features().colors_supported();
    match wanted {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && understood && !is_dumb() && !unwanted(),
    }
}
