//! Formats: what the engine reports, as documents for people and for programs.
//!
//! A [`Recorder`] turns reports into [`Record`]s, the lines of NDJSON with what goes before and
//! after them. An [`Output`] is given one record after another and writes to any `impl Write`; it
//! holds no more than the ports to show of the hosts that are under way, HTML alone all that are
//! listed. Any number of outputs may be
//! made of the same records. Everything that did not originate in this program is escaped on its way
//! out.

mod answers;
mod csv;
mod escape;
mod findings;
mod format;
mod grepable;
mod held;
mod html;
mod junit;
mod list;
#[cfg(test)]
mod made;
pub mod ndjson;
mod pending;
mod recorder;
mod sarif;
mod tally;
mod text;
pub(crate) mod times;
mod words;
mod xml;

use std::io::{self, Write};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::engine::{Counts, State};

pub use escape::{Escaped, escape};
pub use format::Format;
pub use grepable::Grepable;
pub use html::Html;
pub use ndjson::SCHEMA;
pub use pending::{Pending, PendingAnswer, PendingHost, PendingPort};
pub use recorder::{About, Record, Recorder};
pub use text::{Text, TextOptions};
pub use xml::Xml;

/// A document under way in one of the formats. What is given to it is what a [`Recorder`] makes of a
/// scan, or [`Merge`](crate::report::Merge) of saved results.
#[derive(Debug)]
pub enum Output {
    /// For people.
    Text(Text),
    /// For programs: one JSON object a line.
    Ndjson,
    /// For spreadsheets: a row for each listed port.
    Csv,
    /// For other tools: `ip:port` of each open port.
    List,
    /// For CI systems: findings as tests.
    Junit,
    /// For CI systems: findings as results of an analysis.
    Sarif,
    /// For what reads nmap's `-oX`.
    Xml(Xml),
    /// For what reads nmap's `-oG`.
    Grepable(Grepable),
    /// For people with a browser: one page, written at the end.
    Html(Box<Html>),
}

impl Output {
    /// A document in `format`; text looks as `text` says.
    pub fn new(format: Format, text: TextOptions) -> Output {
        match format {
            Format::Text => Output::Text(Text::new(text)),
            Format::Ndjson => Output::Ndjson,
            Format::Csv => Output::Csv,
            Format::List => Output::List,
            Format::Junit => Output::Junit,
            Format::Sarif => Output::Sarif,
            Format::Xml => Output::Xml(Xml::new(text.zone)),
            Format::Grepable => Output::Grepable(Grepable::new(text.zone)),
            Format::Html => Output::Html(Box::default()),
        }
    }

    /// Its format.
    pub fn format(&self) -> Format {
        match self {
            Output::Text(_) => Format::Text,
            Output::Ndjson => Format::Ndjson,
            Output::Csv => Format::Csv,
            Output::List => Format::List,
            Output::Junit => Format::Junit,
            Output::Sarif => Format::Sarif,
            Output::Xml(_) => Format::Xml,
            Output::Grepable(_) => Format::Grepable,
            Output::Html(_) => Format::Html,
        }
    }

    /// Writes what `record` adds. Errors are those of `out`.
    pub fn record(&mut self, out: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
        match self {
            Output::Text(text) => text.record(out, record),
            Output::Ndjson => ndjson::write(out, record),
            Output::Csv => csv::write(out, record),
            Output::List => list::write(out, record),
            // The small program refuses the others, and has no code for them.
            _ if cfg!(all(feature = "cli", not(feature = "full"))) => Ok(()),
            Output::Junit => junit::write(out, record),
            Output::Sarif => sarif::write(out, record),
            Output::Xml(xml) => xml.record(out, record),
            Output::Grepable(grepable) => grepable.record(out, record),
            Output::Html(html) => html.record(out, record),
        }
    }
}

/// The end of a run, as far as outputs need it.
#[derive(Clone, Debug)]
pub struct Run {
    /// All probes by state.
    pub counts: Counts,
    /// Hosts planned.
    pub hosts: u64,
    /// Chance that an open port was missed, over all hosts that answered; `None` if unknown.
    pub miss: Option<f64>,
    /// Hosts that never answered anything.
    pub silent_hosts: u64,
    /// Connection attempts started.
    pub attempts: u64,
    /// Targets that could not be read or resolved: nobody knows which hosts they are.
    pub targets_failed: u64,
    /// From the start of the run to its end.
    pub elapsed: Duration,
}

/// Which states are listed port by port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Show {
    states: [bool; 4],
    explicit: bool,
}

impl Default for Show {
    /// Open ports, and those of a host that accepts everything only in sum.
    fn default() -> Show {
        Show {
            states: [true, false, false, false],
            explicit: false,
        }
    }
}

impl Show {
    /// Open ports, and those in `states`, whatever the host.
    pub fn with(states: &[State]) -> Show {
        let mut show = Show {
            explicit: true,
            ..Show::default()
        };
        for state in states {
            show.states[*state as usize] = true;
        }
        show
    }

    /// The same again from [`states`](Self::states).
    pub fn saved(states: Option<&[State]>) -> Show {
        states.map_or(Show::default(), Show::with)
    }

    /// The states listed, if the user asked for any by name.
    pub fn states(&self) -> Option<Vec<State>> {
        let listed = State::ALL.into_iter().filter(|state| self.lists(*state));
        self.explicit.then(|| listed.collect())
    }

    /// Whether ports in `state` are listed.
    pub fn lists(&self, state: State) -> bool {
        self.states[state as usize]
    }

    /// Whether the user asked for open ports by name, and so for those of a host that accepts
    /// everything too.
    pub fn is_explicit(&self) -> bool {
        self.explicit
    }
}

/// Turns the monotonic instants of a run into wall-clock time, by one pair taken at its start: a
/// clock that is set during the run does not make the results jump.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    instant: Instant,
    timestamp: Timestamp,
    /// When the run began, in this process or another, and how long it had taken before this one.
    started: Timestamp,
    before: Duration,
}

impl Clock {
    /// The pair of now.
    pub fn start() -> Clock {
        let timestamp = times::now();
        Clock {
            instant: Instant::now(),
            timestamp,
            started: timestamp,
            before: Duration::ZERO,
        }
    }

    /// The pair of now, for a run that began at `started` and had taken `before` when it was saved.
    pub fn go_on(started: Timestamp, before: Duration) -> Clock {
        Clock {
            started,
            before,
            ..Clock::start()
        }
    }

    /// When the run began.
    pub fn started(&self) -> Timestamp {
        self.started
    }

    /// The wall-clock time of `instant`.
    pub fn at(&self, instant: Instant) -> Timestamp {
        let moved = if instant >= self.instant {
            self.timestamp.checked_add(instant - self.instant)
        } else {
            self.timestamp.checked_sub(self.instant - instant)
        };
        // Out of range only some thousand years from now.
        moved.unwrap_or(self.timestamp)
    }

    /// The wall-clock time of now.
    pub fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }

    /// How long the run has taken so far.
    pub fn elapsed(&self) -> Duration {
        self.before.saturating_add(self.instant.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_ports_are_always_listed() {
        let show = Show::with(&[State::Closed]);
        assert!(show.lists(State::Open) && show.lists(State::Closed));
        assert!(!show.lists(State::Filtered) && !show.lists(State::Unscanned));
        assert!(show.is_explicit() && !Show::default().is_explicit());
    }

    #[test]
    fn the_clock_goes_both_ways() {
        let clock = Clock::start();
        let second = Duration::from_secs(1);
        assert_eq!(clock.at(clock.instant + second), clock.started() + second);
        if let Some(before) = clock.instant.checked_sub(second) {
            assert_eq!(clock.at(before), clock.started() - second);
        }
    }
}
